package auditstream_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/sink"
)

// rejects is the script of one answer that rejects events of a prefix.
func rejects(n int, index ...int) deliverFunc {
	return func(context.Context, []sink.Event) (int, error) { return n, sink.Reject(errFake, index...) }
}

func TestDeliveriesBetweenRejectionsAreProof(t *testing.T) {
	counted := func(context.Context, []sink.Event) (int, error) { return 2, sink.RejectCount(errFake, 1) }
	for name, script := range map[string][]deliverFunc{
		"within an answer": {rejects(5, 0, 2, 4), accept},
		"at its end":       {rejects(2, 0), rejects(2, 0), rejects(2, 0), accept},
		"in a count":       {rejects(1, 0), rejects(1, 0), counted, rejects(1, 0), accept},
		"after an edit":    {rejects(1, 0), rejects(1, 0), fail(errFake), rejects(1, 0), accept},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(sequence(script...))
				s := enabled(t, auditstream.Config{RetryMin: time.Hour, RetryMax: time.Hour}, f)
				publish(t, s, 1, 7)
				time.Sleep(time.Second)
				if name == "after an edit" {
					require.NoError(t, s.Configure(f))
				}
				require.NoError(t, s.Flush(t.Context()))
				assert.NotContains(t, f.attempts(), []string{"test"})
				assert.EqualValues(t, 7, s.Status().Totals.Delivered+s.Status().Totals.Rejected)
			})
		})
	}
}

func TestContrastKeepsWhatWasDeliveredBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		refused := &sink.Error{Verdict: sink.VerdictReject, Err: errFake, Code: "400"}
		f := newFake(sequence(rejects(4, 1, 2, 3), func(context.Context, []sink.Event) (int, error) { return 1, refused }, accept))
		s := enabled(t, auditstream.Config{OnReject: j.onReject}, f)
		publish(t, s, 1, 5)
		time.Sleep(time.Second)
		status := s.Status()
		assert.Equal(t, auditstream.ConditionBlocked, status.Condition)
		assert.EqualValues(t, 1, status.Totals.Delivered)
		assert.EqualValues(t, 4, status.Totals.Pending)
		e, ok := errors.AsType[*sink.Error](status.LastError)
		require.True(t, ok)
		assert.Equal(t, "400", e.Code)
		assert.Contains(t, e.Remedy, "check the URL")
		require.NoError(t, s.Flush(t.Context()))
		assert.Equal(t, [][]string{span(1, 5), {"test"}, span(2, 5)}, f.attempts())
		assert.Empty(t, j.rejections)
	})
}

func TestTestEventThatIsNotAnswered(t *testing.T) {
	t.Run("deleted", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := enabled(t, auditstream.Config{}, newFake(sequence(rejects(3, 0, 1, 2), untilDone)))
			publish(t, s, 1, 3)
			time.Sleep(time.Second)
			require.NoError(t, s.Delete())
			synctest.Wait()
			assert.EqualValues(t, 3, s.Status().Totals.DiscardedDeleted)
			require.NoError(t, s.Status().LastError)
		})
	})
	t.Run("hung", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			release := make(chan struct{})
			j := &journal{}
			f := newFake(sequence(rejects(3, 0, 1, 2), hang(release), accept))
			s := enabled(t, auditstream.Config{OnReject: j.onReject}, f)
			publish(t, s, 1, 3)
			time.Sleep(2 * time.Minute)
			assert.Equal(t, auditstream.ConditionBlocked, s.Status().Condition)
			assert.EqualValues(t, 3, s.Status().Totals.Pending)
			close(release)
			require.NoError(t, s.Flush(t.Context()))
			assert.Equal(t, [][]string{span(1, 3), {"test"}, span(1, 3)}, f.attempts())
			assert.Empty(t, j.rejections)
		})
	})
}

func TestContrastHonoursRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(sequence(rejects(3, 0, 1, 2), fail(sink.Retry(errFake, 4*time.Minute)), accept))
		s := enabled(t, auditstream.Config{}, f)
		publish(t, s, 1, 3)
		require.NoError(t, s.Flush(t.Context()))
		assert.Equal(t, []time.Duration{0, 4 * time.Minute}, f.waits())
	})
}

// An edit while the test event is under way: what the old destination refuses is for the new one to judge, though the old
// one takes the test event.
func TestEditWhileTheDestinationIsProven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		slow := func(_ context.Context, batch []sink.Event) (int, error) {
			time.Sleep(700 * time.Millisecond)
			return len(batch), nil
		}
		old, fresh := newFake(sequence(rejects(3, 0, 1, 2), slow)), newFake(accept)
		s := enabled(t, auditstream.Config{OnReject: j.onReject}, old)
		publish(t, s, 1, 3)
		time.Sleep(500 * time.Millisecond)
		require.Equal(t, [][]string{span(1, 3), {"test"}}, old.attempts())
		require.NoError(t, s.Configure(fresh))
		require.NoError(t, s.Flush(t.Context()))
		assert.Equal(t, [][]string{span(1, 3)}, fresh.attempts())
		assert.Empty(t, j.rejected())
		assert.EqualValues(t, 3, s.Status().Totals.Delivered)
	})
}
