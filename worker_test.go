package auditstream_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/sink"
)

// between are the calls that come between two steps of the worker.
func between(fresh *fake) map[string]func(*auditstream.Stream) {
	return map[string]func(*auditstream.Stream){
		"Pause":                func(s *auditstream.Stream) { _ = s.Pause() },
		"Configure":            func(s *auditstream.Stream) { _ = s.Configure(fresh) },
		"Delete":               func(s *auditstream.Stream) { _ = s.Delete() },
		"Delete and Configure": func(s *auditstream.Stream) { _ = s.Delete(); _ = s.Configure(fresh) },
		"Shutdown": func(s *auditstream.Stream) {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			_ = s.Shutdown(ctx)
		},
	}
}

func TestNoAttemptStartsAfterTheCallHasReturned(t *testing.T) {
	for name := range between(nil) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				old, fresh := newFake(accept), newFake(accept)
				s := enabled(t, auditstream.Config{BatchDelay: 1}, old)
				steps := s.Lead()
				publish(t, s, 1, 2)
				time.Sleep(time.Second)
				require.True(t, steps.Begin())
				between(fresh)[name](s)
				steps.CarryOut()
				synctest.Wait()
				assert.Empty(t, old.attempts())
				status := s.Status()
				assert.Equal(t, auditstream.ConditionHealthy, status.Condition, "that is no failure")
				require.NoError(t, status.LastError)
				steps.Return()
				synctest.Wait()
				if name == "Pause" {
					require.NoError(t, s.Resume())
					require.NoError(t, s.Flush(t.Context()))
					assert.Equal(t, [][]string{span(1, 2)}, old.attempts())
				}
				if name == "Configure" {
					assert.Equal(t, [][]string{span(1, 2)}, fresh.attempts())
				}
				checkLedger(t, s)
			})
		})
	}
}

func TestAnswerAtTheEndOfTheGraceCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(accept)
		s := enabled(t, auditstream.Config{BatchDelay: 1}, f)
		steps := s.Lead()
		publish(t, s, 1, 2)
		time.Sleep(time.Second)
		require.True(t, steps.Begin())
		steps.Deliver()
		assert.True(t, steps.Abandon())
		assert.EqualValues(t, 2, s.Status().Totals.Delivered)

		publish(t, s, 3, 3)
		time.Sleep(time.Second)
		require.True(t, steps.Begin())
		require.NoError(t, s.Delete())
		assert.False(t, steps.Abandon(), "deleted at the same time")
		require.NoError(t, s.Status().LastError)
		steps.Return()
	})
}

// meddler is an error by which a test comes between a sink's answer and what follows from it.
type meddler struct {
	once   *sync.Once
	meddle func()
}

func (m meddler) Error() string   { return "meddler" }
func (m meddler) Is(_ error) bool { m.once.Do(m.meddle); return false }

func TestCallsBetweenAnAnswerAndItsConsequences(t *testing.T) {
	// Three events are rejected at once, so that the test event is due: the call comes before or after it.
	for _, when := range []string{"event", "test"} {
		for name := range between(nil) {
			t.Run(name+" after the "+when, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					j := &journal{}
					fresh := newFake(accept)
					var s *auditstream.Stream
					m := meddler{&sync.Once{}, func() { between(fresh)[name](s) }}
					old := newFake(func(_ context.Context, batch []sink.Event) (int, error) {
						switch isTest := batch[0].Action == "auditstream.test"; {
						case isTest && when == "test":
							return 0, sink.Block(m)
						case isTest:
							return 1, nil
						case when == "event":
							return 3, sink.Reject(m, 0, 1, 2)
						}
						return 3, sink.Reject(errFake, 0, 1, 2)
					})
					s = enabled(t, auditstream.Config{OnReject: j.onReject}, old)
					publish(t, s, 1, 3)
					time.Sleep(time.Second)
					status := s.Status()
					assert.Empty(t, j.rejections)
					if name == "Pause" && when == "test" {
						assert.Equal(t, auditstream.ConditionBlocked, status.Condition)
					} else {
						assert.Equal(t, auditstream.ConditionHealthy, status.Condition)
						require.NoError(t, status.LastError)
					}
					var want [][]string
					if name == "Configure" {
						want = [][]string{span(1, 3)}
					}
					assert.Equal(t, want, fresh.attempts(), "what the old one said is not the new one's affair")
					var atOld [][]string
					if atOld = [][]string{span(1, 3)}; when == "test" {
						atOld = append(atOld, []string{"test"})
					}
					assert.Equal(t, atOld, old.attempts())
					checkLedger(t, s)
					start := time.Now()
					_ = s.Shutdown(after(t, time.Minute))
					assert.Equal(t, start, time.Now(), "no attempt is left over")
				})
			})
		}
	}
}

func TestRejectionOfAnEndedLeaseIsNotTold(t *testing.T) {
	for _, name := range []string{"Delete", "Delete and Configure", "Shutdown"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := &journal{}
				var s *auditstream.Stream
				m := meddler{&sync.Once{}, func() { between(newFake(accept))[name](s) }}
				f := newFake(func(context.Context, []sink.Event) (int, error) { return 2, sink.Reject(m, 1) })
				s = enabled(t, auditstream.Config{OnReject: j.onReject}, f)
				publish(t, s, 1, 3)
				time.Sleep(time.Second)
				assert.Empty(t, j.rejections)
				totals := s.Status().Totals
				assert.EqualValues(t, 3, totals.Discarded)
				checkLedger(t, s)
			})
		})
	}
}

func TestGraceIsNotProlonged(t *testing.T) {
	for name, tt := range map[string]struct{ edit, end time.Duration }{
		"edit before the deadline": {9500 * time.Millisecond, 10500 * time.Millisecond},
		"edit after the deadline":  {10500 * time.Millisecond, 11 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				defer close(release)
				old, fresh := newFake(hang(release)), newFake(accept)
				s := enabled(t, auditstream.Config{BatchEvents: 1, AttemptTimeout: 10 * time.Second}, old)
				start := time.Now()
				publish(t, s, 1, 1)
				time.Sleep(tt.edit)
				require.NoError(t, s.Configure(fresh))
				time.Sleep(time.Minute)
				assert.Equal(t, []time.Time{start.Add(tt.end)}, fresh.times())
			})
		})
	}
}

func TestContextOfAnAttemptSaysWhyItEnded(t *testing.T) {
	for name, want := range map[string]string{"Configure": "edited", "Delete": "deleted", "Shutdown": "shut down"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var cause error
				f := newFake(func(ctx context.Context, _ []sink.Event) (int, error) {
					<-ctx.Done()
					cause = context.Cause(ctx)
					return 0, ctx.Err()
				})
				s := enabled(t, auditstream.Config{BatchEvents: 1}, f)
				publish(t, s, 1, 1)
				synctest.Wait()
				between(newFake(accept))[name](s)
				time.Sleep(time.Second)
				synctest.Wait()
				assert.ErrorContains(t, cause, want)
				assert.NoError(t, s.Status().LastError, "not a failure")
			})
		})
	}
}

func TestHungSinkThatIsBackIsCalledAtOnce(t *testing.T) {
	for name, answer := range map[string]error{"delivered": nil, "failed": errFake} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				f := newFake(sequence(func(_ context.Context, batch []sink.Event) (int, error) {
					<-release
					if answer != nil {
						return 0, answer
					}
					return len(batch), nil
				}, accept))
				s := enabled(t, auditstream.Config{RetryMax: time.Hour}, f)
				publish(t, s, 1, 1)
				time.Sleep(65 * time.Second)
				close(release)
				synctest.Wait()
				assert.EqualValues(t, 1, s.Status().Totals.Delivered)
			})
		})
	}
	t.Run("not the one in use", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			release := make(chan struct{})
			s := enabled(t, auditstream.Config{RetryMax: time.Hour}, newFake(hang(release)))
			publish(t, s, 1, 1)
			time.Sleep(time.Second)
			fresh := newFake(fail(sink.Block(errFake)))
			require.NoError(t, s.Configure(fresh))
			time.Sleep(2 * time.Second)
			close(release)
			time.Sleep(time.Minute)
			assert.Len(t, fresh.attempts(), 1, "its backoff stands")
		})
	})
}

func TestEndOfALeaseLetsPublishersIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		s := enabled(t, auditstream.Config{QueueEvents: 1, Overflow: auditstream.DropOldest}, newFake(hang(release)))
		publish(t, s, 1, 1)
		synctest.Wait()
		start := time.Now()
		require.NoError(t, s.PublishContext(t.Context(), event(2)))
		assert.Equal(t, 61*time.Second, time.Since(start), "when the sink has been given up")
		assert.EqualValues(t, 1, s.Status().Totals.DiscardedOverflow)
	})
}

func TestDeleteEndsTheWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := goroutines()
		s := enabled(t, auditstream.Config{RetryMin: time.Hour, RetryMax: time.Hour}, newFake(fail(errFake)))
		publish(t, s, 1, 1)
		time.Sleep(time.Second)
		require.NoError(t, s.Delete())
		synctest.Wait()
		assert.Equal(t, before, goroutines())
	})
}

func TestDelayCountsFromTheOldestOfEachBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(_ context.Context, batch []sink.Event) (int, error) {
			time.Sleep(50 * time.Millisecond)
			return len(batch), nil
		}
		f := newFake(slow)
		s := enabled(t, auditstream.Config{}, f)
		start := time.Now()
		publish(t, s, 1, 1)
		time.Sleep(210 * time.Millisecond)
		publish(t, s, 2, 2) // while e1 is under way
		time.Sleep(time.Second)
		assert.Equal(t, []time.Time{start.Add(200 * time.Millisecond), start.Add(410 * time.Millisecond)}, f.times())
	})
}

func TestFullBatchEndsTheDelay(t *testing.T) {
	size := 0
	synctest.Test(t, func(t *testing.T) {
		s := enabled(t, auditstream.Config{StartPaused: true}, newFake(accept))
		publish(t, s, 1, 1)
		size = s.Status().Queue.Bytes
	})
	for name, cfg := range map[string]auditstream.Config{
		"events": {BatchDelay: time.Hour, BatchEvents: 3},
		"bytes":  {BatchDelay: time.Hour, BatchBytes: 3 * size},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(accept)
				s := enabled(t, cfg, f)
				for i := range 6 {
					publish(t, s, i+1, i+1)
					synctest.Wait()
				}
				assert.Equal(t, [][]string{span(1, 3), span(4, 6)}, f.attempts())
			})
		})
	}
}

// waits returns the time from each Deliver to the next.
func (f *fake) waits() []time.Duration {
	var all []time.Duration
	times := f.times()
	for i := 1; i < len(times); i++ {
		all = append(all, times[i].Sub(times[i-1]))
	}
	return all
}

// repeat is the script that gives one answer n times.
func repeat(n int, answer deliverFunc) []deliverFunc {
	all := make([]deliverFunc, n)
	for i := range all {
		all[i] = answer
	}
	return all
}

func TestBackoffStartsSmallAgain(t *testing.T) {
	cfg := auditstream.Config{RetryMax: 10 * time.Hour, BatchDelay: 1}
	t.Run("after an edit", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := enabled(t, cfg, newFake(fail(errFake)))
			publish(t, s, 1, 1)
			time.Sleep(24 * time.Hour)
			fresh := newFake(fail(errFake))
			require.NoError(t, s.Configure(fresh))
			time.Sleep(time.Second + 1)
			assert.GreaterOrEqual(t, len(fresh.times()), 2)
		})
	})
	t.Run("after a rejection", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			script := append(repeat(20, fail(errFake)), rejectFirst, fail(errFake))
			f := newFake(sequence(script...))
			s := enabled(t, cfg, f)
			publish(t, s, 1, 2)
			time.Sleep(1000 * time.Hour)
			assert.Zero(t, f.waits()[20])
			assert.LessOrEqual(t, f.waits()[21], time.Second)
		})
	})
	t.Run("after progress", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFake(sequence(append(repeat(20, fail(errFake)),
				func(context.Context, []sink.Event) (int, error) { return 1, errFake }, accept)...))
			s := enabled(t, cfg, f)
			publish(t, s, 1, 2)
			time.Sleep(1000 * time.Hour)
			require.Len(t, f.waits(), 21)
			assert.LessOrEqual(t, f.waits()[20], time.Second)
		})
	})
	t.Run("but not after a block", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFake(sequence(append(repeat(20, fail(sink.Block(errFake))), fail(errFake), accept)...))
			s := enabled(t, cfg, f)
			publish(t, s, 1, 1)
			time.Sleep(1000 * time.Hour)
			require.Len(t, f.waits(), 21)
			assert.Greater(t, f.waits()[20], time.Second, "that was a failure too")
		})
	})
}

func TestBlockedDestinationMayAskForTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(fail(&sink.Error{Verdict: sink.VerdictBlock, Err: errFake, After: 4 * time.Minute}))
		s := enabled(t, auditstream.Config{}, f)
		publish(t, s, 1, 1)
		time.Sleep(5 * time.Minute)
		assert.Equal(t, []time.Duration{4 * time.Minute}, f.waits())
	})
}

func TestFlushEndsTheRestOfABackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		later := fail(sink.Retry(errFake, 5*time.Minute))
		f := newFake(sequence(later, fail(sink.Split(errFake)), accept))
		s := enabled(t, auditstream.Config{}, f)
		publish(t, s, 1, 4)
		time.Sleep(time.Second)
		start := time.Now()
		require.NoError(t, s.Flush(t.Context()))
		assert.Equal(t, start, time.Now(), "the parts of a refused batch wait for nothing")

		f.answer(sequence(later, accept))
		publish(t, s, 5, 5)
		time.Sleep(time.Second)
		require.NoError(t, s.Flush(t.Context()))
		publish(t, s, 6, 6)
		time.Sleep(200 * time.Millisecond)
		synctest.Wait()
		assert.EqualValues(t, 6, s.Status().Totals.Delivered, "a success ends what is left of a backoff")
	})
}

func TestTimeoutKeepsThePrefix(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(sequence(func(ctx context.Context, _ []sink.Event) (int, error) {
			<-ctx.Done()
			return 1, ctx.Err()
		}, accept))
		s := enabled(t, auditstream.Config{}, f)
		publish(t, s, 1, 3)
		require.NoError(t, s.Flush(t.Context()))
		assert.Equal(t, [][]string{span(1, 3), span(2, 3)}, f.attempts())
	})
}
