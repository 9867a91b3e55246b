package auditstream_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/sink"
)

func TestFlushEndsDelayAndBackoffOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(fail(errFake))
		s := enabled(t, auditstream.Config{RetryMin: time.Hour, RetryMax: 2 * time.Hour}, f)
		start := time.Now()
		publish(t, s, 1, 1)
		err := s.Flush(after(t, time.Millisecond))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "1 events not answered for")
		assert.Equal(t, []time.Time{start}, f.times(), "at once, and then the backoff holds")
		require.ErrorIs(t, s.Flush(after(t, time.Millisecond)), context.DeadlineExceeded)
		assert.Len(t, f.times(), 2)
	})
}

func TestFlushWaitsOnlyForWhatCameBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := make(chan struct{}), make(chan struct{})
		f := newFake(sequence(hang(first), hang(second)))
		s := enabled(t, auditstream.Config{BatchEvents: 2}, f)
		publish(t, s, 1, 2)
		var group sync.WaitGroup
		for range 3 {
			group.Go(func() { assert.NoError(t, s.Flush(t.Context())) })
		}
		synctest.Wait()
		publish(t, s, 3, 4)
		close(first)
		group.Wait()
		assert.EqualValues(t, 2, s.Status().Totals.Pending)
		close(second)
	})
}

func TestFlushWithNothingToDo(t *testing.T) {
	s := newStream(t, auditstream.Config{})
	require.NoError(t, s.Flush(t.Context()), "unconfigured")
	f := newFake(accept)
	require.NoError(t, s.Configure(f))
	require.NoError(t, s.Flush(t.Context()))
	require.NoError(t, s.Pause())
	require.NoError(t, s.Flush(t.Context()), "paused, but empty")
	require.NoError(t, s.Delete())
	require.ErrorIs(t, s.Flush(t.Context()), auditstream.ErrDeleted)
	require.NoError(t, s.Shutdown(t.Context()))
	require.ErrorIs(t, s.Flush(t.Context()), auditstream.ErrShutdown)
	assert.Empty(t, f.attempts(), "nothing to send, nothing sent")
}

func TestFlushEndsWhenTheStreamIsStopped(t *testing.T) {
	for name, tt := range map[string]struct {
		stop func(*auditstream.Stream) error
		want error
	}{
		"Pause":  {(*auditstream.Stream).Pause, auditstream.ErrPaused},
		"Delete": {(*auditstream.Stream).Delete, auditstream.ErrDeleted},
		"Shutdown": {func(s *auditstream.Stream) error {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			_ = s.Shutdown(ctx)
			return nil
		}, auditstream.ErrShutdown},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := enabled(t, auditstream.Config{}, newFake(fail(errFake)))
				publish(t, s, 1, 1)
				done := make(chan error)
				go func() { done <- s.Flush(t.Context()) }()
				synctest.Wait()
				require.NoError(t, tt.stop(s))
				require.ErrorIs(t, <-done, tt.want)
			})
		})
	}
}

func TestFlushDoesNotWaitForLaterCallbacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		s := enabled(t, auditstream.Config{
			OnReject: func(auditstream.Rejection) { time.Sleep(time.Minute) },
			OnTransition: func(tr auditstream.Transition) {
				if tr.To == auditstream.StatePaused {
					<-release
				}
			},
		}, newFake(rejectFirst))
		publish(t, s, 1, 1)
		start := time.Now()
		done := make(chan error)
		go func() { done <- s.Flush(after(t, time.Hour)) }()
		time.Sleep(time.Second)
		require.NoError(t, s.Pause())
		require.NoError(t, <-done)
		assert.Equal(t, time.Minute, time.Since(start))
	})
}

// slowHandler takes a second for each record.
type slowHandler struct{ slog.Handler }

func (h slowHandler) Handle(ctx context.Context, r slog.Record) error {
	time.Sleep(time.Second)
	return h.Handler.Handle(ctx, r)
}

func TestShutdownWaitsForItsLogRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		logger := slog.New(slowHandler{j.logger().Handler()})
		s := enabled(t, auditstream.Config{Logger: logger}, newFake(accept))
		publish(t, s, 1, 1)
		require.NoError(t, s.Shutdown(t.Context()))
		assert.Contains(t, j.log(), "audit stream shut down")

		hasty := enabled(t, auditstream.Config{Logger: logger}, newFake(accept))
		start := time.Now()
		require.NoError(t, hasty.Shutdown(after(t, 1500*time.Millisecond)), "nothing was left behind")
		assert.Equal(t, 1500*time.Millisecond, time.Since(start), "but not beyond its context")
		time.Sleep(time.Minute)
	})
}

func TestShutdownDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(sequence(fail(errFake), fail(errFake), accept))
		s := enabled(t, auditstream.Config{BatchEvents: 2}, f)
		publish(t, s, 1, 4)
		require.NoError(t, s.Shutdown(t.Context()))
		assert.EqualValues(t, 4, s.Status().Totals.Delivered)
		require.ErrorIs(t, s.Publish(event(5)), auditstream.ErrShutdown)
		assert.EqualValues(t, 1, s.Status().Totals.RefusedInactive)
		synctest.Wait()
		assert.Equal(t, 1, f.closes())
		require.NoError(t, s.Shutdown(t.Context()))
		require.ErrorIs(t, s.Test(t.Context(), f), auditstream.ErrShutdown)
	})
}

func TestShutdownHandsBackWhatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(sequence(accept, fail(errFake)))
		j := &journal{}
		s := enabled(t, auditstream.Config{BatchEvents: 2, Logger: j.logger()}, f)
		publish(t, s, 1, 5)
		start := time.Now()
		err := s.Shutdown(after(t, 10*time.Second))
		assert.Equal(t, 10*time.Second, time.Since(start))
		var left *auditstream.UndeliveredError
		require.ErrorAs(t, err, &left)
		assert.Equal(t, span(3, 5), ids(left.Events))
		assert.EqualValues(t, 3, left.First)
		assert.EqualValues(t, 5, left.Last)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, errFake)
		assert.Equal(t, "auditstream: shutdown left 3 events undelivered, sequence 3 to 5", err.Error())
		assert.EqualValues(t, 3, s.Status().Totals.DiscardedShutdown)
		assert.Same(t, left, s.Shutdown(t.Context()), "later calls get the first result")
		synctest.Wait()
		assert.Contains(t, j.log(), "undelivered=3")
	})
}

func TestShutdownNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		f := newFake(hang(release))
		s := enabled(t, auditstream.Config{}, f)
		publish(t, s, 1, 3)
		time.Sleep(time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		start := time.Now()
		var left *auditstream.UndeliveredError
		require.ErrorAs(t, s.Shutdown(ctx), &left)
		assert.Equal(t, start, time.Now())
		assert.Len(t, left.Events, 3)
		assert.Zero(t, f.closes())
		close(release)
		synctest.Wait()
		assert.Equal(t, 1, f.closes())
		require.NoError(t, s.Delete())
		synctest.Wait()
		assert.Equal(t, 1, f.closes(), "Close is called once")
	})
}

func TestShutdownMakesOneAttemptWhateverTheBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(fail(sink.Block(errFake)))
		s := enabled(t, auditstream.Config{RetryMax: time.Hour}, f)
		publish(t, s, 1, 1)
		time.Sleep(time.Second)
		require.Error(t, s.Shutdown(after(t, time.Second)))
		assert.Len(t, f.attempts(), 2)
	})
}

func TestShutdownDoesNotDrainAPausedStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(accept)
		s := enabled(t, auditstream.Config{StartPaused: true}, f)
		publish(t, s, 1, 2)
		start := time.Now()
		err := s.Shutdown(t.Context())
		require.ErrorIs(t, err, auditstream.ErrPaused)
		assert.Equal(t, start, time.Now())
		assert.Empty(t, f.attempts())
	})
}

func TestShutdownWhileAnotherIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		f := newFake(hang(release))
		s := enabled(t, auditstream.Config{}, f)
		publish(t, s, 1, 1)
		first := make(chan error)
		go func() { first <- s.Shutdown(t.Context()) }()
		synctest.Wait()
		require.ErrorIs(t, s.Shutdown(after(t, time.Second)), context.DeadlineExceeded)
		for call, err := range map[string]error{"Pause": s.Pause(), "Resume": s.Resume(), "Configure": s.Configure(f)} {
			require.ErrorIs(t, err, auditstream.ErrShutdown, call)
		}
		require.NoError(t, s.Delete(), "an administrator may still delete what is being drained")
		require.NoError(t, <-first)
		assert.EqualValues(t, 1, s.Status().Totals.DiscardedDeleted)
		close(release)
	})
}
