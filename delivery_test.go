package auditstream_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/sink"
)

func TestEventsArriveInOrderAndNumbered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(accept)
		s := enabled(t, auditstream.Config{BatchEvents: 2}, f)
		before := time.Now()
		publish(t, s, 1, 5)
		require.NoError(t, s.Flush(t.Context()))
		assert.Equal(t, [][]string{{"e1", "e2"}, {"e3", "e4"}, {"e5"}}, f.attempts())

		e := f.last()[0]
		assert.EqualValues(t, 5, e.Sequence)
		assert.NotEmpty(t, e.StreamID)
		assert.Equal(t, before.UTC(), e.ObservedTime)
		assert.Equal(t, before.UTC(), e.Time, "Time defaults to the time of Publish")
		assert.Equal(t, auditstream.OutcomeUnknown, e.Outcome)
		assert.False(t, f.overlap)

		status := s.Status()
		assert.Equal(t, auditstream.ConditionHealthy, status.Condition)
		assert.Equal(t, before, status.LastDelivery)
		assert.Equal(t, auditstream.Totals{Accepted: 5, Delivered: 5}, status.Totals)
		assert.Equal(t, auditstream.QueueStatus{}, status.Queue)
	})
}

func TestBatchDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(accept)
		s := enabled(t, auditstream.Config{BatchEvents: 3}, f)
		start := time.Now()
		publish(t, s, 1, 1)
		time.Sleep(time.Second)
		publish(t, s, 2, 2)
		time.Sleep(150 * time.Millisecond)
		publish(t, s, 3, 3) // shares e2's batch: the delay counts from the oldest
		time.Sleep(time.Second)
		publish(t, s, 4, 6) // a full batch waits for nobody
		synctest.Wait()
		assert.Equal(t, [][]string{{"e1"}, {"e2", "e3"}, {"e4", "e5", "e6"}}, f.attempts())
		assert.Equal(t, []time.Time{
			start.Add(200 * time.Millisecond), start.Add(1200 * time.Millisecond), start.Add(2150 * time.Millisecond),
		}, f.times())
	})
}

func TestBatchesAreBoundedByBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(accept)
		scale := enabled(t, auditstream.Config{StartPaused: true}, f)
		publish(t, scale, 1, 1)
		s := enabled(t, auditstream.Config{BatchBytes: 5 * scale.Status().Queue.Bytes / 2}, f)
		publish(t, s, 1, 4)
		require.NoError(t, s.Flush(t.Context()))
		assert.Equal(t, [][]string{{"e1", "e2"}, {"e3", "e4"}}, f.attempts())
	})
}

func TestRetryKeepsEverythingForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(fail(errFake))
		j := &journal{}
		configured := time.Now()
		s := enabled(t, auditstream.Config{Logger: j.logger(), OnTransition: j.onTransition}, f)
		time.Sleep(time.Second)
		publish(t, s, 1, 3)
		time.Sleep(24 * time.Hour)
		status := s.Status()
		assert.Equal(t, auditstream.ConditionRetrying, status.Condition)
		assert.Equal(t, configured, status.StateSince, "a state that did not change is as old as it was")
		require.ErrorIs(t, status.LastError, errFake)
		assert.EqualValues(t, 3, status.Totals.Pending)
		assert.True(t, status.NextAttempt.After(time.Now()) && status.NextAttempt.Before(time.Now().Add(time.Minute+1)))
		times := f.times()
		assert.Greater(t, len(times), 24*60, "no limit on attempts")
		for i := 1; i < len(times); i++ {
			bound := min(time.Second<<min(i-1, 6), time.Minute)
			assert.LessOrEqual(t, times[i].Sub(times[i-1]), bound)
		}
		f.answer(accept)
		require.NoError(t, s.Flush(t.Context()))
		attempts := f.attempts()
		assert.Equal(t, span(1, 3), attempts[len(attempts)-1])
		assert.Equal(t, []string{"enabled/healthy", "enabled/retrying", "enabled/healthy"}, j.moves())
		require.ErrorIs(t, j.transitions[1].Err, errFake)
	})
}

func TestRetryAfter(t *testing.T) {
	for name, tt := range map[string]struct{ after, want time.Duration }{
		"longer than the backoff": {90 * time.Second, 90 * time.Second},
		"clamped":                 {1 << 62, 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(sequence(fail(sink.Retry(errFake, tt.after)), accept))
				s := enabled(t, auditstream.Config{}, f)
				publish(t, s, 1, 1)
				require.NoError(t, s.Flush(t.Context()))
				times := f.times()
				require.Len(t, times, 2)
				assert.Equal(t, tt.want, times[1].Sub(times[0]))
			})
		})
	}
	t.Run("negative", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFake(sequence(fail(sink.Retry(errFake, -time.Hour)), accept))
			s := enabled(t, auditstream.Config{}, f)
			publish(t, s, 1, 1)
			require.NoError(t, s.Flush(t.Context()))
			times := f.times()
			assert.Positive(t, times[1].Sub(times[0]))
			assert.LessOrEqual(t, times[1].Sub(times[0]), time.Second)
		})
	})
}

func TestPrefixIsNeverOfferedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		partial := func(context.Context, []sink.Event) (int, error) { return 2, errFake }
		f := newFake(sequence(partial, accept))
		s := enabled(t, auditstream.Config{}, f)
		publish(t, s, 1, 5)
		require.NoError(t, s.Flush(t.Context()))
		assert.Equal(t, [][]string{span(1, 5), span(3, 5)}, f.attempts())
		assert.EqualValues(t, 5, s.Status().Totals.Delivered)
	})
}

func TestBlockProbesSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		f := newFake(fail(&sink.Error{Verdict: sink.VerdictBlock, Err: errFake, Code: "403", Remedy: "Check the token."}))
		s := enabled(t, auditstream.Config{OnTransition: j.onTransition, Logger: j.logger()}, f)
		publish(t, s, 1, 1)
		time.Sleep(10 * time.Minute)
		times := f.times()
		for i := 1; i < len(times); i++ {
			wait := times[i].Sub(times[i-1])
			assert.GreaterOrEqual(t, wait, 48*time.Second)
			assert.LessOrEqual(t, wait, 72*time.Second)
		}
		assert.Equal(t, auditstream.ConditionBlocked, s.Status().Condition)
		assert.Contains(t, j.log(), "Check the token.")

		// A pause does not change the condition, and Resume probes at once.
		since := s.Status().ConditionSince
		require.NoError(t, s.Pause())
		assert.Equal(t, auditstream.ConditionBlocked, s.Status().Condition)
		assert.Equal(t, since, s.Status().ConditionSince, "a condition that did not change is as old as it was")
		require.NoError(t, s.Resume())
		synctest.Wait()
		assert.Len(t, f.times(), len(times)+1)
		times = f.times()
		require.NoError(t, s.Pause())
		assert.Zero(t, s.Status().NextAttempt)
		time.Sleep(time.Hour)
		assert.Len(t, f.times(), len(times))
		f.answer(accept)
		require.NoError(t, s.Resume())
		synctest.Wait()
		assert.Equal(t, auditstream.ConditionHealthy, s.Status().Condition)
		assert.EqualValues(t, 1, s.Status().Totals.Delivered)
	})
}

func TestEditEndsABlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad, good := newFake(fail(sink.Block(errFake))), newFake(accept)
		good.name = "fake://two:2"
		s := enabled(t, auditstream.Config{}, bad)
		publish(t, s, 1, 3)
		time.Sleep(time.Second)
		require.Len(t, bad.attempts(), 1)
		require.NoError(t, s.Configure(good))
		synctest.Wait()
		assert.Equal(t, [][]string{span(1, 3)}, good.attempts(), "what was queued goes to the new destination")
		assert.Len(t, bad.attempts(), 1)
		assert.Equal(t, 1, bad.closes())
		assert.Equal(t, "fake://two:2", s.Status().Destination)
	})
}

func TestAttemptTimeoutIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(sequence(untilDone, accept))
		s := enabled(t, auditstream.Config{}, f)
		publish(t, s, 1, 1)
		time.Sleep(200*time.Millisecond + time.Minute)
		synctest.Wait()
		status := s.Status()
		assert.Equal(t, auditstream.ConditionRetrying, status.Condition)
		assert.ErrorContains(t, status.LastError, "Config.AttemptTimeout")
		require.NoError(t, s.Flush(t.Context()))
	})
}

func TestAnswersOfABrokenSink(t *testing.T) {
	answers := map[string]struct {
		script deliverFunc
		want   string
	}{
		"too many":      {func(_ context.Context, b []sink.Event) (int, error) { return len(b) + 1, nil }, "answered for 4 of 3"},
		"negative":      {func(context.Context, []sink.Event) (int, error) { return -1, nil }, "answered for -1 of 3"},
		"silent prefix": {func(context.Context, []sink.Event) (int, error) { return 1, nil }, "returned no error"},
		"reject nobody": {fail(sink.Reject(errFake)), "answered for none"},
		"panic":         {func(context.Context, []sink.Event) (int, error) { panic("s3cr3t") }, "panicked (string)"},
		"panic nil": {func(context.Context, []sink.Event) (int, error) {
			panicWith(nil)
			return 0, nil
		}, "panicked"},
		"runtime error": {func(_ context.Context, b []sink.Event) (int, error) {
			return len(b[:0][len(b)-1].ID), nil
		}, "index out of range"},
		"goexit": {func(context.Context, []sink.Event) (int, error) {
			runtime.Goexit()
			return 0, nil
		}, "ended its goroutine"},
		"unknown verdict": {fail(&sink.Error{Verdict: 99, Err: errFake}), "fake: refused"},
		"nil error":       {fail((*sink.Error)(nil)), "returned no error"},
		"hostile error":   {fail(hostileError{}), "panicked"},
	}
	for name, tt := range answers {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := &journal{}
				f := newFake(sequence(tt.script, accept))
				s := enabled(t, auditstream.Config{Logger: j.logger(), OnReject: j.onReject}, f)
				publish(t, s, 1, 3)
				time.Sleep(200 * time.Millisecond)
				synctest.Wait()
				status := s.Status()
				require.ErrorContains(t, status.LastError, tt.want)
				assert.Equal(t, auditstream.ConditionRetrying, status.Condition)
				require.NoError(t, s.Flush(t.Context()))
				assert.EqualValues(t, 3, s.Status().Totals.Delivered)
				assert.Empty(t, j.rejections)
				assert.NotContains(t, j.log(), "s3cr3t")
			})
		})
	}
}

// hostileError panics when it is looked into.
type hostileError struct{ error }

func (hostileError) Error() string { panic("s3cr3t") }
func (hostileError) Unwrap() error { panic("s3cr3t") }

func TestErrorWithNothingLeftToDecide(t *testing.T) {
	var null *sink.Error // the classic slip: returned as an error it is not nil
	for name, err := range map[string]error{
		"nil pointer": null, "plain": errFake, "block": sink.Block(errFake), "split": sink.Split(errFake),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(func(_ context.Context, batch []sink.Event) (int, error) { return len(batch), err })
				s := enabled(t, auditstream.Config{}, f)
				publish(t, s, 1, 2)
				require.NoError(t, s.Flush(t.Context()))
				assert.EqualValues(t, 2, s.Status().Totals.Delivered)
				assert.Equal(t, auditstream.ConditionHealthy, s.Status().Condition)
			})
		})
	}
}

// nosyError looks at the stream when it is looked at.
type nosyError struct{ look func() }

func (e nosyError) Error() string   { e.look(); return "nosy" }
func (e nosyError) Is(_ error) bool { e.look(); return false }
func (e nosyError) As(_ any) bool   { e.look(); return false }
func (e nosyError) Unwrap() error   { e.look(); return nil }

func TestMethodsOfErrorsRunWithoutTheLock(t *testing.T) {
	for name, answer := range map[string]func(error) (int, error){
		"retry":  func(err error) (int, error) { return 0, err },
		"reject": func(err error) (int, error) { return 1, sink.Reject(err, 0) },
		"split":  func(err error) (int, error) { return 0, sink.Split(err) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := &journal{}
				var s *auditstream.Stream
				nosy := nosyError{look: func() { s.Status() }}
				f := newFake(func(context.Context, []sink.Event) (int, error) { return answer(nosy) })
				s = enabled(t, auditstream.Config{Logger: j.logger(), OnReject: j.onReject}, f)
				publish(t, s, 1, 3)
				time.Sleep(time.Minute)
				assert.NotEqual(t, auditstream.ConditionHealthy, s.Status().Condition)
				assert.Contains(t, j.log(), "nosy")
			})
		})
	}
}

func TestClockThatJumpsDelaysNoBatch(t *testing.T) {
	for name, jump := range map[string]time.Duration{"back": -time.Hour, "forth": time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(accept)
				s := enabled(t, auditstream.Config{}, f)
				for i := range 3 {
					require.NoError(t, s.PublishObserved(event(i), time.Now().Add(-jump)), "before the jump")
					time.Sleep(200 * time.Millisecond)
					synctest.Wait()
					assert.Len(t, f.attempts(), i+1)
				}
			})
		})
	}
}

func TestPanicIsLoggedWhateverFailedBefore(t *testing.T) {
	panics := func(context.Context, []sink.Event) (int, error) { panic(errors.New("boom")) }
	for name, script := range map[string]deliverFunc{
		"after a failure": sequence(fail(errFake), panics),
		"test event": func(ctx context.Context, batch []sink.Event) (int, error) {
			if batch[0].Action == "auditstream.test" {
				return panics(ctx, batch)
			}
			return 1, sink.Reject(errFake, 0)
		},
		"late": func(ctx context.Context, batch []sink.Event) (int, error) {
			<-ctx.Done()
			time.Sleep(time.Hour)
			return panics(ctx, batch)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := &journal{}
				s := enabled(t, auditstream.Config{Logger: j.logger()}, newFake(script))
				publish(t, s, 1, 3)
				time.Sleep(90 * time.Minute)
				assert.Equal(t, 1, countOf(j.log(), "sink panicked\""), j.log())
				assert.Contains(t, j.log(), "delivery_test.go")
				require.NoError(t, s.Delete())
				time.Sleep(time.Hour) // a hung call comes back
			})
		})
	}
}

func TestPanicIsLoggedWithItsStackOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		f := newFake(func(context.Context, []sink.Event) (int, error) { panic(errors.New("boom")) })
		s := enabled(t, auditstream.Config{Logger: j.logger()}, f)
		publish(t, s, 1, 1)
		time.Sleep(time.Hour)
		assert.Equal(t, 1, countOf(j.log(), "sink panicked\""))
		assert.Contains(t, j.log(), "delivery_test.go")
		broken := f.current()
		f.answer(accept)
		require.NoError(t, s.Flush(t.Context()))
		f.answer(broken)
		publish(t, s, 2, 2)
		time.Sleep(time.Hour)
		assert.Equal(t, 2, countOf(j.log(), "sink panicked\""), "once in a streak of failures")
	})
}

func TestSinkMayKeepAndChangeItsBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		vandal := func(_ context.Context, batch []sink.Event) (int, error) {
			n := len(batch)
			for i := range batch {
				batch[i] = sink.Event{ID: "vandalised"}
			}
			return n, sink.Reject(errFake, 0)
		}
		f := newFake(sequence(func(ctx context.Context, batch []sink.Event) (int, error) {
			_, _ = vandal(ctx, batch)
			return 0, errFake
		}, vandal, accept))
		s := enabled(t, auditstream.Config{OnReject: j.onReject}, f)
		publish(t, s, 1, 2)
		require.NoError(t, s.Flush(t.Context()))
		assert.Equal(t, [][]string{span(1, 2), span(1, 2)}, f.attempts())
		assert.Equal(t, []string{"e1"}, j.rejected(), "the host gets the event as it was published")
	})
}

func TestIdleStreamOwnsNoGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(accept)
		before := goroutines()
		s := enabled(t, auditstream.Config{}, f)
		assert.Equal(t, before, goroutines(), "nothing runs before the first event")
		publish(t, s, 1, 1)
		require.NoError(t, s.Flush(t.Context()))
		time.Sleep(29 * time.Second)
		synctest.Wait()
		assert.Equal(t, before+1, goroutines(), "the worker stays for a while")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		assert.Equal(t, before, goroutines())
		publish(t, s, 2, 2)
		require.NoError(t, s.Flush(t.Context()))
		assert.Equal(t, [][]string{{"e1"}, {"e2"}}, f.attempts())
	})
}

// panicWith panics with a value that linters do not see.
func panicWith(v any) { panic(v) }

func countOf(text, part string) int {
	n := 0
	for i := 0; i+len(part) <= len(text); i++ {
		if text[i:i+len(part)] == part {
			n++
		}
	}
	return n
}
