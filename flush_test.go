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
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			_ = s.Shutdown(ctx)
			return nil
		}, auditstream.ErrShutdown},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := enabled(t, auditstream.Config{RetryMin: time.Hour, RetryMax: time.Hour}, newFake(fail(errFake)))
				publish(t, s, 1, 1)
				done := make(chan error, 1)
				go func() { done <- s.Flush(t.Context()) }()
				synctest.Wait()
				start := time.Now()
				require.NoError(t, tt.stop(s))
				require.ErrorIs(t, <-done, tt.want)
				assert.LessOrEqual(t, time.Since(start), time.Second)
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

func TestFlushEndsWhenOverflowHasDroppedItsEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := enabled(t, auditstream.Config{
			QueueEvents: 2, Overflow: auditstream.DropOldest, RetryMin: 10 * time.Hour, RetryMax: 10 * time.Hour,
		}, newFake(fail(sink.Retry(errFake, 5*time.Minute))))
		publish(t, s, 1, 2)
		done := make(chan error)
		go func() { done <- s.Flush(t.Context()) }()
		synctest.Wait()
		start := time.Now()
		publish(t, s, 3, 4)
		require.NoError(t, <-done)
		assert.Equal(t, start, time.Now())
	})
}

func TestShutdownOfAPausedStreamWaitsForTheAttemptInProgress(t *testing.T) {
	slow := func(_ context.Context, batch []sink.Event) (int, error) {
		time.Sleep(500 * time.Millisecond)
		return len(batch), nil
	}
	for name, tt := range map[string]struct {
		script deliverFunc
		edit   bool
		want   error
		wait   time.Duration
	}{
		"delivers":                {script: slow, wait: 500 * time.Millisecond},
		"is replaced, and hangs":  {untilNever, true, auditstream.ErrPaused, time.Second},
		"is replaced, and fails":  {slowly(errFake), true, auditstream.ErrPaused, 500 * time.Millisecond},
		"is replaced, and splits": {slowly(sink.Split(errFake)), true, auditstream.ErrPaused, 500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := enabled(t, auditstream.Config{BatchEvents: 1}, newFake(tt.script))
				publish(t, s, 1, 1)
				synctest.Wait()
				if tt.edit {
					require.NoError(t, s.Configure(newFake(accept)))
				}
				require.NoError(t, s.Pause())
				start := time.Now()
				require.ErrorIs(t, s.Shutdown(after(t, time.Hour)), tt.want)
				assert.Equal(t, tt.wait, time.Since(start))
				time.Sleep(10 * time.Hour)
			})
		})
	}
}

// untilNever is the script of a sink that does not come back for hours.
func untilNever(_ context.Context, batch []sink.Event) (int, error) {
	time.Sleep(5 * time.Hour)
	return len(batch), nil
}

// slowly is fail after half a second.
func slowly(err error) deliverFunc {
	return func(context.Context, []sink.Event) (int, error) {
		time.Sleep(500 * time.Millisecond)
		return 0, err
	}
}

func TestShutdownLogsWhatWasHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		s := enabled(t, auditstream.Config{Logger: j.logger()}, newFake(rejectFirst))
		publish(t, s, 1, 100)
		require.NoError(t, s.Shutdown(t.Context()))
		assert.Equal(t, 2, countOf(j.log(), "rejected by the destination"), j.log())
		assert.Contains(t, j.log(), "events=99 ")
	})
}

func TestConfigureAfterShutdownLeavesNoSinkOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStream(t, auditstream.Config{})
		require.NoError(t, s.Shutdown(t.Context()))
		f := newFake(accept)
		require.ErrorIs(t, s.Configure(f), auditstream.ErrShutdown)
		synctest.Wait()
		assert.Equal(t, f.opened, f.closes())
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
		done, cancel := context.WithCancel(t.Context())
		cancel()
		for range 32 {
			assert.Same(t, left, s.Shutdown(done), "later calls get the first result, whatever their context")
		}
		assert.Zero(t, s.Status().NextAttempt, "none is due any more")
		synctest.Wait()
		assert.Contains(t, j.log(), "undelivered=3")
		assert.Contains(t, j.log(), `level=ERROR msg="audit stream shut down"`)
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
		second := make(chan error)
		go func() { second <- s.Shutdown(t.Context()) }()
		synctest.Wait()
		require.NoError(t, s.Delete(), "an administrator may still delete what is being drained")
		require.NoError(t, <-first)
		require.NoError(t, <-second)
		assert.EqualValues(t, 1, s.Status().Totals.DiscardedDeleted)
		close(release)
	})
}
