package auditstream_test

import (
	"context"
	"log/slog"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/sink"
)

// rejectFirst rejects the first event of each batch but the test event.
func rejectFirst(_ context.Context, batch []sink.Event) (int, error) {
	if batch[0].Action == "auditstream.test" {
		return 1, nil
	}
	return 1, sink.Reject(errFake, 0)
}

func TestSlowCallbackDelaysDeliveryAndNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var s *auditstream.Stream
		f := newFake(rejectFirst)
		s = enabled(t, auditstream.Config{OnReject: func(auditstream.Rejection) { <-release }}, f)
		publish(t, s, 1, 3)
		time.Sleep(time.Hour)
		assert.Len(t, f.attempts(), 1, "the next attempt waits until the rejection has been handed over")
		publish(t, s, 4, 4)
		require.NoError(t, s.Pause())
		require.NoError(t, s.Configure(f))
		assert.EqualValues(t, 3, s.Status().Totals.Pending)
		require.ErrorIs(t, s.Flush(after(t, time.Second)), auditstream.ErrPaused)
		require.NoError(t, s.Resume())
		require.ErrorIs(t, s.Flush(after(t, time.Second)), context.DeadlineExceeded)
		close(release)
		require.NoError(t, s.Flush(t.Context()))
		assert.EqualValues(t, 4, s.Status().Totals.Rejected)
	})
}

func TestFlushWaitsForCallbacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told atomic.Int32
		f := newFake(rejectFirst)
		s := enabled(t, auditstream.Config{OnReject: func(auditstream.Rejection) {
			time.Sleep(time.Minute)
			told.Add(1)
		}}, f)
		publish(t, s, 1, 2)
		require.NoError(t, s.Flush(t.Context()))
		assert.EqualValues(t, 2, told.Load())
		publish(t, s, 3, 3)
		require.NoError(t, s.Shutdown(t.Context()))
		assert.EqualValues(t, 3, told.Load())
	})
}

func TestBrokenCallbacksDoNoHarm(t *testing.T) {
	for name, callback := range map[string]func(){
		"panic":  func() { panic("s3cr3t") },
		"goexit": runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := &journal{}
				f := newFake(rejectFirst)
				s := enabled(t, auditstream.Config{
					Logger:   j.logger(),
					OnReject: func(r auditstream.Rejection) { j.onReject(r); callback() },
				}, f)
				publish(t, s, 1, 3)
				require.NoError(t, s.Flush(t.Context()))
				assert.Equal(t, span(1, 3), j.rejected())
				assert.NotContains(t, j.log(), "s3cr3t")
				if name == "panic" {
					assert.Equal(t, 1, countOf(j.log(), "callback panicked"))
				}
			})
		})
	}
}

func TestEveryMethodMayBeCalledInACallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s *auditstream.Stream
		done := make(chan struct{})
		fresh := newFake(accept)
		f := newFake(rejectFirst)
		s = enabled(t, auditstream.Config{OnReject: func(auditstream.Rejection) {
			defer close(done)
			assert.NoError(t, s.Publish(event(7)))
			assert.NoError(t, s.PublishContext(t.Context(), event(8)))
			assert.NoError(t, s.Pause())
			assert.NoError(t, s.Resume())
			assert.NoError(t, s.Configure(fresh))
			assert.NoError(t, s.Test(t.Context(), nil))
			assert.Equal(t, auditstream.StateEnabled, s.Status().State)
			assert.ErrorIs(t, s.Flush(after(t, time.Second)), context.DeadlineExceeded, "it waits for itself")
			assert.NoError(t, s.Delete())
			assert.ErrorIs(t, s.Shutdown(after(t, time.Second)), nil)
		}}, f)
		publish(t, s, 1, 1)
		<-done
	})
}

func TestTransitionsAreToldInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		f := newFake(sequence(fail(errFake), fail(sink.Block(errFake)), accept))
		s := newStream(t, auditstream.Config{OnTransition: j.onTransition, Logger: j.logger(), Name: "tenant 7"})
		require.NoError(t, s.Configure(f))
		require.NoError(t, s.Pause())
		require.NoError(t, s.Resume())
		publish(t, s, 1, 1)
		require.NoError(t, s.Flush(t.Context()))
		require.NoError(t, s.Delete())
		require.NoError(t, s.Shutdown(t.Context()))
		synctest.Wait()
		assert.Equal(t, []string{
			"enabled/healthy", "paused/healthy", "enabled/healthy", "enabled/retrying", "enabled/blocked",
			"enabled/healthy", "deleted/healthy",
		}, j.moves())
		assert.Equal(t, auditstream.StateUnconfigured, j.transitions[0].From)
		assert.Equal(t, auditstream.ConditionRetrying, j.transitions[4].FromCondition)
		assert.Equal(t, 8, countOf(j.log(), "\n"), "one record for each, and one for the end:\n%s", j.log())
		assert.Equal(t, 8, countOf(j.log(), `stream="tenant 7"`))
	})
}

// hungHandler waits before each record.
type hungHandler struct {
	slog.Handler
	release <-chan struct{}
}

func (h hungHandler) Handle(ctx context.Context, r slog.Record) error {
	<-h.release
	return h.Handler.Handle(ctx, r)
}

func TestHungLoggerDoesNotGatherRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		release := make(chan struct{})
		s := enabled(t, auditstream.Config{
			QueueEvents: 1, Overflow: auditstream.DropOldest, Logger: slog.New(hungHandler{j.logger().Handler(), release}),
			StartPaused: true,
		}, newFake(accept))
		for i := range 61 {
			publish(t, s, i, i)
			time.Sleep(time.Second)
		}
		close(release)
		synctest.Wait()
		assert.Equal(t, 1, countOf(j.log(), "oldest events discarded"), j.log())
		assert.Contains(t, j.log(), "events=60\n")
	})
}

// feedback is a log handler that publishes to the very stream that it logs for.
type feedback struct {
	slog.Handler
	stream *auditstream.Stream
	budget *atomic.Int32
}

func (h feedback) Handle(context.Context, slog.Record) error {
	if h.budget.Add(-1) >= 0 {
		return h.stream.Publish(event(99))
	}
	panic("the handler is broken too")
}

func TestLoggerMayCallBackAndPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &feedback{Handler: slog.NewTextHandler(nil, nil), budget: &atomic.Int32{}}
		h.budget.Store(1)
		f := newFake(accept)
		s := newStream(t, auditstream.Config{Logger: slog.New(h)})
		h.stream = s
		require.NoError(t, s.Configure(f))
		publish(t, s, 1, 1)
		require.NoError(t, s.Flush(t.Context()))
		require.NoError(t, s.Pause())
		require.NoError(t, s.Resume())
		publish(t, s, 2, 2)
		require.NoError(t, s.Flush(t.Context()))
		assert.EqualValues(t, 3, s.Status().Totals.Delivered)
	})
}
