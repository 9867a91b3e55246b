package auditstream_test

import (
	"context"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/internal/canary"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/siemtest"
)

// TestFaultWallClockJumps publishes on a wall clock that jumps by ten years, while the bubble's clock, by which the Stream
// waits, goes on.
func TestFaultWallClockJumps(t *testing.T) {
	const years = 10 * 365 * 24 * time.Hour
	synctest.Test(t, func(t *testing.T) {
		f := newFake(accept)
		s := enabled(t, auditstream.Config{RetryMin: time.Minute, RetryMax: time.Minute}, f)
		happened := time.Date(2026, 3, 29, 2, 30, 0, 0, time.UTC)
		var seen []string
		for i, jump := range []time.Duration{0, years, years, 0, -years, -years, 0} {
			e := auditstream.Event{Action: "a", Actor: auditstream.Actor{ID: "b"}, Time: happened}
			require.NoError(t, s.PublishObserved(e, time.Now().Add(jump)))
			require.NoError(t, s.PublishObserved(e, time.Now().Add(jump)), "and then it stands still")
			time.Sleep(200 * time.Millisecond)
			synctest.Wait()
			require.EqualValues(t, 2*(i+1), s.Status().Totals.Delivered, "no event waits longer than BatchDelay")
		}
		for _, c := range f.calls {
			for _, got := range c.events {
				assert.Equal(t, happened, got.Time, "the time of the event is the host's")
				seen = append(seen, got.ID)
			}
		}
		assert.True(t, slices.IsSorted(seen), "%v", seen)
		assert.Len(t, slices.Compact(seen), 14, "each has an ID of its own")

		f.answer(sequence(fail(sink.Retry(errFake, 3*time.Minute)), accept))
		require.NoError(t, s.PublishObserved(event(1), time.Now().Add(-years)))
		require.NoError(t, s.PublishObserved(event(2), time.Now().Add(years)))
		time.Sleep(time.Hour)
		waits := f.waits()
		assert.Equal(t, 3*time.Minute, waits[len(waits)-1], "a wait is as long as it was meant to be")
		assert.EqualValues(t, 16, s.Status().Totals.Delivered)
	})
}

// TestFaultStarvedProcess lets everybody compete for one CPU. It is not parallel: the setting is the process's.
func TestFaultStarvedProcess(t *testing.T) {
	before := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(before)
	f := newFake(accept)
	s := enabled(t, auditstream.Config{QueueEvents: 4000, BatchEvents: 64, BatchDelay: time.Nanosecond}, f)
	var busy atomic.Bool
	busy.Store(true)
	var spinning, publishing sync.WaitGroup
	for range 4 {
		spinning.Go(func() {
			for busy.Load() { // it does nothing but keep the CPU from the others
			}
		})
	}
	for p := range 4 {
		publishing.Go(func() {
			for i := range 1000 {
				assert.NoError(t, s.Publish(event(1000*p+i)), "the queue has room for all")
			}
		})
	}
	publishing.Wait()
	require.NoError(t, s.Flush(t.Context()))
	busy.Store(false)
	spinning.Wait()
	assert.Equal(t, auditstream.Totals{Accepted: 4000, Delivered: 4000}, s.Status().Totals)
	assert.Equal(t, auditstream.ConditionHealthy, s.Status().Condition)
	assert.False(t, f.overlap)
}

// TestFaultLateWorker leads the worker by hand, as if a pause of the whole process had come between its steps.
func TestFaultLateWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(accept)
		s := enabled(t, auditstream.Config{}, f)
		steps := s.Lead()
		publish(t, s, 1, 2)
		time.Sleep(10 * time.Second)
		require.True(t, steps.Begin(), "late, but it begins")
		time.Sleep(10 * time.Second)
		steps.CarryOut()
		assert.EqualValues(t, 2, s.Status().Totals.Delivered)

		publish(t, s, 3, 4)
		time.Sleep(10 * time.Second)
		require.True(t, steps.Begin())
		steps.Deliver()
		time.Sleep(time.Hour) // AttemptTimeout and the grace are long over when the answer is looked at
		assert.True(t, steps.Abandon())
		steps.Return()
		require.NoError(t, s.Flush(t.Context()))
		assert.Equal(t, [][]string{span(1, 2), span(3, 4)}, f.attempts())
		assert.Equal(t, auditstream.Totals{Accepted: 4, Delivered: 4}, s.Status().Totals)
		assert.NoError(t, s.Status().LastError)
	})
}

func TestFaultTerminatedWhileTheDestinationIsDown(t *testing.T) {
	inEveryDriver(t, func(t *testing.T, _ driver, f *trial) {
		require.NoError(t, f.siem.SetOutage(true))
		f.publish(t, 5)
		time.Sleep(time.Minute)
		start := time.Now()
		err := f.Shutdown(after(t, 10*time.Second))
		assert.Equal(t, 10*time.Second, time.Since(start), "not beyond its context")
		var left *auditstream.UndeliveredError
		require.ErrorAs(t, err, &left)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, span(1, 5), ids(left.Events))
		assert.EqualValues(t, 1, left.First)
		assert.EqualValues(t, 5, left.Last)
		assert.Empty(t, canary.Find(err.Error()+left.Err.Error(), canary.Secret))
		totals := f.Status().Totals
		assert.EqualValues(t, 5, totals.DiscardedShutdown)
		assert.Zero(t, totals.Pending)
	})
}

func TestFaultShutdownFromEverywhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s *auditstream.Stream
		var inCallback error
		told := make(chan struct{})
		f := newFake(rejectFirst)
		s = enabled(t, auditstream.Config{OnReject: func(auditstream.Rejection) {
			inCallback = s.Shutdown(after(t, time.Minute)) // begins it, and so waits for itself
			close(told)
		}}, f)
		publish(t, s, 1, 3)
		synctest.Wait()
		time.Sleep(time.Second)
		results := make([]error, 4)
		var group sync.WaitGroup
		for i := range results {
			group.Go(func() { results[i] = s.Shutdown(t.Context()) })
		}
		<-told
		group.Wait()
		var left *auditstream.UndeliveredError
		require.ErrorAs(t, inCallback, &left)
		assert.Equal(t, span(2, 3), ids(left.Events))
		for _, err := range append(results, s.Shutdown(t.Context())) {
			assert.Same(t, left, err, "one shutdown, one result")
		}
		synctest.Wait()
		assert.Equal(t, 1, f.closes())
		assert.Equal(t, auditstream.Totals{Accepted: 3, Rejected: 1, Discarded: 2, DiscardedShutdown: 2}, s.Status().Totals)
	})
}

func TestFaultPausedForDays(t *testing.T) {
	for name, tt := range map[string]struct {
		overflow auditstream.Overflow
		err      error
		want     []string
		totals   auditstream.Totals
	}{
		"refuse the new": {
			auditstream.RefuseNew, auditstream.ErrQueueFull, span(1, 10),
			auditstream.Totals{Accepted: 10, Delivered: 10, RefusedFull: 20},
		},
		"drop the oldest": {
			auditstream.DropOldest, nil, span(21, 30),
			auditstream.Totals{Accepted: 30, Delivered: 10, Discarded: 20, DiscardedOverflow: 20},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(accept)
				s := enabled(t, auditstream.Config{QueueEvents: 10, Overflow: tt.overflow}, f)
				require.NoError(t, s.Pause())
				start := time.Now()
				for i := range 30 {
					if err := s.Publish(event(i + 1)); i < 10 {
						require.NoError(t, err)
					} else {
						require.ErrorIs(t, err, tt.err)
					}
					time.Sleep(8 * time.Hour)
				}
				status := s.Status()
				assert.Equal(t, 10, status.Queue.Events, "as many as the queue may hold")
				oldest := start
				if tt.overflow == auditstream.DropOldest {
					oldest = start.Add(20 * 8 * time.Hour)
				}
				assert.True(t, status.Queue.Oldest.Equal(oldest), "the age of the oldest can be seen")
				assert.Empty(t, f.attempts())
				require.NoError(t, s.Resume())
				require.NoError(t, s.Flush(t.Context()))
				assert.Equal(t, [][]string{tt.want}, f.attempts())
				assert.Equal(t, tt.totals, s.Status().Totals)
			})
		})
	}
}

func TestFaultEditWithEventsQueued(t *testing.T) {
	const oldToken = "old-7d2e91c4-token-of-the-first-place"
	inEveryDriver(t, func(t *testing.T, d driver, f *trial) {
		fresh, base := d.serve(t, served{}) // takes the canary and nothing else
		defer fresh.Close()
		f.siem.SetToken("neither of the two")
		at := f.place
		at.token = oldToken
		require.NoError(t, f.Configure(d.config(at)))
		f.publish(t, 5)
		time.Sleep(5 * time.Minute)
		require.Equal(t, auditstream.ConditionBlocked, f.Status().Condition)

		at.base, at.token = base+"/#{Secret}?%zz", ""
		var invalid *sink.ConfigError
		require.ErrorAs(t, f.Configure(d.config(at)), &invalid)
		time.Sleep(5 * time.Minute)
		assert.Empty(t, fresh.Requests(), "what is not valid goes nowhere")
		assert.EqualValues(t, 5, f.Status().Totals.Pending)

		at.base, at.network.DialContext = base, fresh.DialContext
		require.NoError(t, f.Configure(d.config(at)))
		calls := len(f.siem.Requests())
		f.drain(t)
		assert.Equal(t, span(1, 5), fresh.IDs(), "what is queued goes to the new place")
		assert.Len(t, f.siem.Requests(), calls, "and nothing more to the old")
		require.NotZero(t, calls)
		for _, r := range f.siem.Requests() {
			assert.True(t, sent(r, oldToken) && !sent(r, canary.Secret), "the old place gets the old token alone")
		}
		for _, r := range fresh.Requests() {
			assert.True(t, sent(r, canary.Secret) && !sent(r, oldToken), "the new place gets the new token alone")
		}
	})
}

// sent reports whether a request carried a token. It does not print one.
func sent(r siemtest.Request, token string) bool {
	uri, _ := url.PathUnescape(r.URI.Reveal())
	return strings.Contains(uri+r.Sent("Authorization")+r.Sent("authorization"), token)
}
