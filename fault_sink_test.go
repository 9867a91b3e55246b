package auditstream_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/internal/canary"
	"github.com/auditstream/auditstream/sink"
)

// mute is an error that cannot say what it is.
type mute struct{}

func (mute) Error() string { panic("the event is " + canary.Secret) }

// deaf is an error that cannot be compared.
type deaf struct{ error }

func (deaf) Is(error) bool { panic("the event is " + canary.Secret) }

func TestFaultSinkPanics(t *testing.T) {
	for name, script := range map[string]deliverFunc{
		"text":  func(_ context.Context, b []sink.Event) (int, error) { panic(b[0].Message) },
		"event": func(_ context.Context, b []sink.Event) (int, error) { panic(b[0]) },
		"error": func(context.Context, []sink.Event) (int, error) { panic(mute{}) },
		"nil": func(context.Context, []sink.Event) (int, error) {
			panicWith(nil)
			return 0, nil
		},
		"index": func(_ context.Context, b []sink.Event) (int, error) { return len(b[:0][len(b)].ID), nil },
		"Goexit": func(context.Context, []sink.Event) (int, error) {
			runtime.Goexit()
			return 0, nil
		},
		"in Error":            fail(mute{}),
		"in Error of a block": fail(sink.Block(mute{})),
		"in Is":               fail(deaf{errFake}),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(sequence(script, script, script, accept))
				d := deliverTo(t, f, new(canary.Log), auditstream.Config{})
				e := event(1)
				e.Message = canary.Secret
				require.NoError(t, d.Publish(e))
				time.Sleep(200 * time.Millisecond)
				synctest.Wait()
				status := d.Status()
				assert.Equal(t, auditstream.ConditionRetrying, status.Condition)
				assert.NotEmpty(t, status.LastError.Error())
				assert.EqualValues(t, 1, status.Totals.Pending, "it is kept")
				d.drain(t)
				totals := d.Status().Totals
				assert.EqualValues(t, 3, totals.SinkPanics)
				assert.EqualValues(t, 1, totals.Delivered)
				waits := f.waits()
				require.Len(t, waits, 3)
				assert.LessOrEqual(t, waits[0], time.Second, "as after any failure")
				synctest.Wait()
				if name != "Goexit" {
					assert.Equal(t, 1, countOf(d.log.String(), "sink panicked\""), "once in a streak")
					assert.Contains(t, d.log.String(), "stack=")
				}
			})
		})
	}
}

func TestFaultSinkPanicsElsewhere(t *testing.T) {
	t.Run("Close", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			j := &journal{}
			s := newStream(t, auditstream.Config{Logger: j.logger()})
			for _, end := range []func(){func() { panic(canary.Secret) }, func() { panicWith(nil) }, runtime.Goexit} {
				require.NoError(t, s.Configure(closer{end}))
			}
			require.NoError(t, s.Delete())
			synctest.Wait()
			assert.EqualValues(t, 3, s.Status().Totals.SinkPanics)
			assert.Equal(t, 2, countOf(j.log(), "sink panicked\""))
			assert.Empty(t, canary.Find(j.log(), canary.Secret))
		})
	})
	t.Run("Test", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newStream(t, auditstream.Config{})
			for _, err := range []error{mute{}, deaf{errFake}} {
				tested := s.Test(t.Context(), newFake(fail(err)))
				require.ErrorContains(t, tested, "panicked")
			}
			assert.Equal(t, auditstream.Totals{SinkPanics: 2}, s.Status().Totals)
		})
	})
	t.Run("late", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := enabled(t, auditstream.Config{}, newFake(func(context.Context, []sink.Event) (int, error) {
				time.Sleep(time.Hour)
				panic(canary.Secret)
			}))
			publish(t, s, 1, 1)
			time.Sleep(time.Second)
			require.NoError(t, s.Delete())
			time.Sleep(2 * time.Hour)
			assert.EqualValues(t, 1, s.Status().Totals.SinkPanics)
		})
	})
}

func TestFaultSinkNeverReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		j := &journal{}
		f := newFake(hang(release))
		s := enabled(t, auditstream.Config{Logger: j.logger()}, f)
		synctest.Wait() // the record about the configuration has been written
		before := goroutines()
		publish(t, s, 1, 2)
		time.Sleep(200*time.Millisecond + time.Minute + 999*time.Millisecond)
		synctest.Wait()
		assert.Equal(t, auditstream.ConditionHealthy, s.Status().Condition, "its context has ended, its grace has not")
		time.Sleep(time.Millisecond)
		synctest.Wait()
		status := s.Status()
		assert.Equal(t, auditstream.ConditionBlocked, status.Condition)
		require.ErrorContains(t, status.LastError, "does not return")
		assert.Equal(t, 1, countOf(j.log(), "does not return"), "the loss is logged")
		publish(t, s, 3, 4)
		time.Sleep(24 * time.Hour)
		assert.Len(t, f.attempts(), 1, "no second Deliver on a sink that has not come back")
		assert.Equal(t, before+2, goroutines(), "the worker, and the one goroutine that is lost")

		start := time.Now()
		var left *auditstream.UndeliveredError
		require.ErrorAs(t, s.Shutdown(after(t, 10*time.Second)), &left)
		assert.Equal(t, 10*time.Second, time.Since(start))
		assert.Equal(t, span(1, 4), ids(left.Events))
		synctest.Wait()
		assert.Equal(t, before+1, goroutines())
		assert.Zero(t, f.closes())
		close(release)
		synctest.Wait()
		assert.Equal(t, 1, f.closes(), "closed when it has come back after all")
	})
}

func TestFaultLateSuccess(t *testing.T) {
	for name, tt := range map[string]struct {
		late     time.Duration // behind the deadline
		attempts int
		inDoubt  uint64
	}{
		"within the grace": {999 * time.Millisecond, 1, 0},
		"behind it":        {time.Minute, 2, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := &journal{}
				f := newFake(sequence(func(ctx context.Context, batch []sink.Event) (int, error) {
					<-ctx.Done()
					time.Sleep(tt.late)
					return len(batch), nil
				}, accept))
				s := enabled(t, auditstream.Config{Logger: j.logger()}, f)
				publish(t, s, 1, 1)
				time.Sleep(time.Hour)
				assert.Len(t, f.attempts(), tt.attempts)
				assert.Equal(t, auditstream.Totals{Accepted: 1, Delivered: 1, InDoubt: tt.inDoubt}, s.Status().Totals, "counted once")
				assert.Equal(t, tt.attempts-1, countOf(j.log(), "answered late: some events may arrive twice"), j.log())
			})
		})
	}
}

// TestFaultSinkKeepsItsBatch lets a sink write to every batch for as long as the Stream lives, for the race detector to
// see whether anybody else looks at it.
func TestFaultSinkKeepsItsBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		stop := make(chan struct{})
		var vandals sync.WaitGroup
		answers := sequence(fail(errFake), fail(sink.Split(errFake)), rejects(1, 0), accept)
		f := newFake(func(ctx context.Context, batch []sink.Event) (int, error) {
			n, err := answers(ctx, batch)
			vandals.Go(func() {
				for i := 0; ; i++ {
					batch[i%len(batch)] = sink.Event{ID: "vandalised"}
					_ = append(batch[:0], sink.Event{ID: "vandalised"})
					select {
					case <-stop:
						return
					case <-time.After(time.Millisecond):
					}
				}
			})
			return n, err
		})
		s := enabled(t, auditstream.Config{OnReject: j.onReject}, f)
		publish(t, s, 1, 8)
		require.NoError(t, s.Flush(t.Context()))
		publish(t, s, 9, 9)
		f.answer(fail(errFake))
		var left *auditstream.UndeliveredError
		require.ErrorAs(t, s.Shutdown(after(t, time.Minute)), &left)
		close(stop)
		vandals.Wait()
		assert.Equal(t, [][]string{span(1, 8), span(1, 8), span(1, 4), span(2, 8)}, f.attempts()[:4])
		assert.Equal(t, span(1, 1), j.rejected(), "the host gets what it has published")
		assert.Equal(t, span(9, 9), ids(left.Events))
	})
}

// TestFaultHostCallbacks has a callback that panics, one that ends its goroutine, one that takes an hour, and one that
// calls back.
func TestFaultHostCallbacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var (
			s       *auditstream.Stream
			j       journal
			mu      sync.Mutex
			running int
			order   []string
		)
		enter := func(what string) (leave func()) {
			mu.Lock()
			defer mu.Unlock()
			running++
			assert.Equal(t, 1, running, "one at a time")
			order = append(order, what)
			return func() {
				mu.Lock()
				defer mu.Unlock()
				running--
			}
		}
		f := newFake(sequence(rejects(1, 0), fail(errFake), rejects(1, 0), fail(sink.Block(errFake)), rejects(1, 0),
			func(_ context.Context, batch []sink.Event) (int, error) { return len(batch), nil }))
		s = enabled(t, auditstream.Config{
			Logger: j.logger(),
			OnReject: func(r auditstream.Rejection) {
				defer enter(r.Events[0].ID)()
				switch r.Events[0].ID {
				case "e1":
					panic(canary.Secret)
				case "e2":
					time.Sleep(time.Hour)
				default:
					assert.NoError(t, s.Publish(event(9)))
					assert.NoError(t, s.Pause())
					assert.NoError(t, s.Resume())
				}
			},
			OnTransition: func(tr auditstream.Transition) {
				defer enter(string(tr.To) + "/" + string(tr.ToCondition))()
				if tr.ToCondition == auditstream.ConditionRetrying {
					runtime.Goexit()
				}
			},
		}, f)
		publish(t, s, 1, 4)
		time.Sleep(10 * time.Minute)
		assert.Len(t, f.attempts(), 3, "nothing is attempted while e2 is being handed over")
		require.NoError(t, s.Flush(after(t, 10*time.Hour)))
		require.NoError(t, s.Shutdown(t.Context()))
		synctest.Wait()
		assert.Equal(t, []string{
			"enabled/healthy", "e1", "enabled/retrying", "e2", "enabled/healthy", "enabled/blocked", "e3", "enabled/healthy",
			"paused/healthy", "enabled/healthy",
		}, order, "each in its turn, and none is lost")
		assert.Equal(t, 1, countOf(j.log(), "callback panicked"))
		assert.Empty(t, canary.Find(j.log(), canary.Secret))
		totals := s.Status().Totals
		assert.EqualValues(t, 3, totals.Rejected)
		assert.EqualValues(t, 2, totals.Delivered)
	})
}
