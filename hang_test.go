package auditstream_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/sink"
)

func TestSinkThatIgnoresItsContextLosesItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		j := &journal{}
		f := newFake(sequence(hang(release), accept))
		s := enabled(t, auditstream.Config{Logger: j.logger()}, f)
		before := goroutines()
		publish(t, s, 1, 2)
		time.Sleep(200*time.Millisecond + 61*time.Second)
		synctest.Wait()
		status := s.Status()
		assert.Equal(t, auditstream.ConditionBlocked, status.Condition)
		require.ErrorContains(t, status.LastError, "does not return")
		assert.EqualValues(t, 2, status.Totals.Pending)
		assert.Zero(t, status.NextAttempt, "none is due before the call comes back")

		time.Sleep(24 * time.Hour)
		assert.Len(t, f.attempts(), 1, "no second Deliver until the call comes back")
		assert.LessOrEqual(t, goroutines(), before+2, "one goroutine is lost, not one for each attempt")
		assert.Zero(t, f.closes())

		close(release)
		synctest.Wait()
		assert.Equal(t, [][]string{span(1, 2), span(1, 2)}, f.attempts(), "offered again as soon as it is back")
		assert.EqualValues(t, 2, s.Status().Totals.Delivered, "the late answer changes nothing")
		assert.Contains(t, j.log(), "answered late")
		assert.Equal(t, auditstream.ConditionHealthy, s.Status().Condition)
		assert.False(t, f.overlap)
	})
}

func TestEditWhileAnAttemptHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		old, fresh := newFake(hang(release)), newFake(accept)
		s := enabled(t, auditstream.Config{}, old)
		publish(t, s, 1, 2)
		time.Sleep(time.Second)
		start := time.Now()
		require.NoError(t, s.Configure(fresh))
		assert.Equal(t, start, time.Now(), "Configure waits for nobody")
		time.Sleep(999 * time.Millisecond)
		assert.Empty(t, fresh.attempts())
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		assert.Equal(t, [][]string{span(1, 2)}, fresh.attempts())
		assert.Equal(t, auditstream.ConditionHealthy, s.Status().Condition)
		assert.Zero(t, old.closes(), "a sink whose Deliver has not returned is not closed")
		close(release)
		synctest.Wait()
		assert.Equal(t, 1, old.closes())
		assert.EqualValues(t, 2, s.Status().Totals.Delivered)
	})
}

func TestEditLetsTheAttemptInProgressFinish(t *testing.T) {
	for name, tt := range map[string]struct {
		n    int
		err  error
		want [][]string
	}{
		"delivered":       {2, nil, nil},
		"failed":          {0, sink.Block(errFake), [][]string{span(1, 2)}},
		"failed in midst": {1, errFake, [][]string{{"e2"}}},
		"rejected":        {2, sink.Reject(errFake, 1), [][]string{{"e2"}}},
		"refused":         {0, sink.Split(errFake), [][]string{span(1, 2)}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				old, fresh := newFake(nil), newFake(accept)
				old.answer(func(ctx context.Context, _ []sink.Event) (int, error) {
					<-release
					assert.NoError(t, ctx.Err(), "its context lasts for the grace")
					return tt.n, tt.err
				})
				s := enabled(t, auditstream.Config{}, old)
				publish(t, s, 1, 2)
				time.Sleep(time.Second)
				require.NoError(t, s.Configure(fresh))
				time.Sleep(500 * time.Millisecond)
				close(release)
				synctest.Wait()
				assert.Equal(t, tt.want, fresh.attempts())
				assert.EqualValues(t, 2, s.Status().Totals.Delivered)
				assert.NoError(t, s.Status().LastError, "what the old destination said is not held against the new")
				assert.Equal(t, 1, old.closes())
			})
		})
	}
}

func TestEditCancelsAfterItsGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, fresh := newFake(untilDone), newFake(accept)
		s := enabled(t, auditstream.Config{}, old)
		publish(t, s, 1, 1)
		time.Sleep(time.Second)
		require.NoError(t, s.Configure(fresh))
		require.NoError(t, s.Configure(newFake(accept)), "a second edit does not prolong the grace")
		require.NoError(t, s.Configure(fresh))
		time.Sleep(1001 * time.Millisecond)
		synctest.Wait()
		assert.Equal(t, [][]string{{"e1"}}, fresh.attempts())
		assert.Equal(t, 1, old.closes())
		assert.NoError(t, s.Status().LastError)
	})
}

func TestDeleteWorksHoweverBrokenTheSink(t *testing.T) {
	for name, script := range map[string]func(<-chan struct{}) deliverFunc{
		"hangs":   hang,
		"honours": func(<-chan struct{}) deliverFunc { return untilDone },
		"fails":   func(<-chan struct{}) deliverFunc { return fail(errFake) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				f := newFake(script(release))
				s := enabled(t, auditstream.Config{}, f)
				publish(t, s, 1, 3)
				time.Sleep(time.Second)
				start := time.Now()
				require.NoError(t, s.Delete())
				assert.Equal(t, start, time.Now())
				status := s.Status()
				assert.Equal(t, auditstream.StateDeleted, status.State)
				assert.Equal(t, auditstream.ConditionHealthy, status.Condition)
				assert.Empty(t, status.Destination)
				require.NoError(t, status.LastError)
				status.Totals.InDoubt = 0 // how many attempts there were is chance
				assert.Equal(t, auditstream.Totals{Accepted: 3, Discarded: 3, DiscardedDeleted: 3}, status.Totals)
				require.ErrorIs(t, s.Publish(event(4)), auditstream.ErrDeleted)
				require.ErrorIs(t, s.Flush(t.Context()), auditstream.ErrDeleted)

				fresh := newFake(accept)
				require.NoError(t, s.Configure(fresh))
				require.NoError(t, s.Publish(event(5)))
				start = time.Now()
				require.NoError(t, s.Flush(t.Context()))
				assert.Equal(t, start, time.Now(), "the attempt that was cancelled holds up nobody")
				assert.EqualValues(t, 4, fresh.last()[0].Sequence, "the numbering goes on")
				close(release)
				synctest.Wait()
				assert.Equal(t, 1, f.closes())
				assert.Equal(t, [][]string{{"e5"}}, fresh.attempts())
			})
		})
	}
}

func TestPauseLetsTheAttemptFinishAndStartsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		f := newFake(sequence(hang(release), accept))
		s := enabled(t, auditstream.Config{BatchEvents: 2}, f)
		publish(t, s, 1, 4)
		synctest.Wait()
		require.NoError(t, s.Pause())
		publish(t, s, 5, 5)
		close(release)
		time.Sleep(time.Hour)
		assert.Equal(t, [][]string{span(1, 2)}, f.attempts())
		status := s.Status()
		assert.EqualValues(t, 2, status.Totals.Delivered)
		assert.EqualValues(t, 3, status.Totals.Pending)
		require.ErrorIs(t, s.Flush(t.Context()), auditstream.ErrPaused)
		require.NoError(t, s.Resume())
		require.NoError(t, s.Flush(t.Context()))
		assert.Equal(t, [][]string{span(1, 2), span(3, 4), {"e5"}}, f.attempts())
	})
}

func TestPausedDuringAContrastOrTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(untilDone)
		s := enabled(t, auditstream.Config{}, f)
		publish(t, s, 1, 1)
		time.Sleep(time.Second)
		require.NoError(t, s.Pause())
		time.Sleep(time.Hour)
		assert.Equal(t, auditstream.ConditionRetrying, s.Status().Condition)
		assert.Len(t, f.attempts(), 1)
		assert.Zero(t, s.Status().NextAttempt, "none is due on a paused stream")
		f.answer(accept)
		require.NoError(t, s.Resume())
		synctest.Wait()
		assert.Len(t, f.attempts(), 2, "at once")
	})
}

func TestCloseMayPanicOrHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		s := newStream(t, auditstream.Config{})
		require.NoError(t, s.Configure(closer{func() { panic("s3cr3t") }}))
		require.NoError(t, s.Configure(closer{func() { <-release }}))
		require.NoError(t, s.Configure(newFake(accept)))
		publish(t, s, 1, 1)
		require.NoError(t, s.Flush(t.Context()))
	})
}

// closer is a sink that cannot be closed in peace.
type closer struct{ close func() }

func (c closer) Open() (sink.Sink, error) { return c, nil }
func (c closer) String() string           { return "closer" }
func (c closer) Close() error             { c.close(); return nil }

func (c closer) Deliver(ctx context.Context, batch []sink.Event) (int, error) {
	return accept(ctx, batch)
}
