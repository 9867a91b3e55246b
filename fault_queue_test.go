package auditstream_test

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/sink"
)

// waiting starts publishers of the events e<from> to e<to> that wait for room, in this order.
func waiting(t *testing.T, s *auditstream.Stream, from, to int) (results map[int]error, group *sync.WaitGroup) {
	t.Helper()
	var mu sync.Mutex
	results, group = map[int]error{}, new(sync.WaitGroup)
	for i := from; i <= to; i++ {
		group.Go(func() {
			err := s.PublishContext(t.Context(), event(i))
			mu.Lock()
			defer mu.Unlock()
			results[i] = err
		})
		synctest.Wait()
	}
	return results, group
}

func TestFaultFullQueueMakesPublishersWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		f := newFake(sequence(hang(release), accept))
		s := enabled(t, auditstream.Config{QueueEvents: 3}, f)
		publish(t, s, 1, 3)
		results, group := waiting(t, s, 4, 12)
		start := time.Now()
		require.ErrorIs(t, s.Publish(event(13)), auditstream.ErrQueueFull)
		assert.Equal(t, start, time.Now(), "Publish never waits")
		err := s.PublishContext(after(t, time.Second), event(14))
		require.ErrorIs(t, err, auditstream.ErrQueueFull)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		close(release)
		group.Wait()
		require.NoError(t, s.Flush(t.Context()))
		for i, err := range results {
			assert.NoError(t, err, i)
		}
		assert.Equal(t, [][]string{span(1, 3), span(4, 6), span(7, 9), span(10, 12)}, f.attempts(), "who came first goes first")
		assert.Equal(t, auditstream.Totals{Accepted: 12, Delivered: 12, RefusedFull: 2}, s.Status().Totals)
	})
	for name, tt := range map[string]struct {
		stop func(t *testing.T, s *auditstream.Stream)
		want error
	}{
		"Delete": {func(t *testing.T, s *auditstream.Stream) {
			t.Helper()
			require.NoError(t, s.Delete())
		}, auditstream.ErrDeleted},
		"Shutdown": {func(t *testing.T, s *auditstream.Stream) {
			t.Helper()
			require.Error(t, s.Shutdown(after(t, time.Second)))
		}, auditstream.ErrShutdown},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := enabled(t, auditstream.Config{QueueEvents: 3}, newFake(fail(errFake)))
				publish(t, s, 1, 3)
				results, group := waiting(t, s, 4, 6)
				start := time.Now()
				tt.stop(t, s)
				group.Wait()
				assert.LessOrEqual(t, time.Since(start), time.Second)
				for i := 4; i <= 6; i++ {
					assert.ErrorIs(t, results[i], tt.want)
				}
				assert.EqualValues(t, 3, s.Status().Totals.RefusedInactive)
				assert.EqualValues(t, 3, s.Status().Totals.Accepted)
			})
		})
	}
}

func TestFaultFullQueueByPolicy(t *testing.T) {
	for name, tt := range map[string]struct {
		overflow auditstream.Overflow
		errs     []error // of e5 to e8, while e1 to e4 fill the queue and the first leased of them are under way
		leased   int
		want     [][]string
		totals   auditstream.Totals
	}{
		"refuse the new": {
			auditstream.RefuseNew,
			[]error{auditstream.ErrQueueFull, auditstream.ErrQueueFull},
			2,
			[][]string{span(1, 2), span(3, 4)},
			auditstream.Totals{Accepted: 4, Delivered: 4, RefusedFull: 2},
		},
		"drop the oldest": {
			auditstream.DropOldest,
			[]error{nil, nil, nil},
			2,
			[][]string{span(1, 2), span(6, 7)},
			auditstream.Totals{Accepted: 7, Delivered: 4, Discarded: 3, DiscardedOverflow: 3},
		},
		"all are leased": {
			auditstream.DropOldest,
			[]error{auditstream.ErrQueueFull, auditstream.ErrQueueFull},
			4,
			[][]string{span(1, 4)},
			auditstream.Totals{Accepted: 4, Delivered: 4, RefusedFull: 2},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				j := &journal{}
				f := newFake(sequence(hang(release), accept))
				s := enabled(t, auditstream.Config{
					QueueEvents: 4, BatchEvents: tt.leased, Overflow: tt.overflow, Logger: j.logger(),
				}, f)
				publish(t, s, 1, tt.leased)
				synctest.Wait()
				publish(t, s, tt.leased+1, 4)
				for i, want := range tt.errs {
					require.ErrorIs(t, s.Publish(event(5+i)), want)
				}
				close(release)
				require.NoError(t, s.Flush(t.Context()))
				assert.Equal(t, tt.want, f.attempts(), "what is under way is never dropped")
				assert.Equal(t, tt.totals, s.Status().Totals)
				time.Sleep(time.Minute)
				assert.Equal(t, tt.totals.Discarded > 0, strings.Contains(j.log(), "oldest events discarded"), j.log())
			})
		})
	}
}

// inUse returns the bytes on the heap after a collection.
func inUse() int {
	runtime.GC() // twice, for what sync.Pool holds on to
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// TestFaultMemoryPressure fills a queue with events of all sizes. It is not parallel: the heap is the process's.
func TestFaultMemoryPressure(t *testing.T) {
	const (
		queueBytes = 16 << 20
		slack      = 4 << 20
	)
	synctest.Test(t, func(t *testing.T) {
		largest := 0
		f := newFake(func(_ context.Context, batch []sink.Event) (int, error) {
			size := 0
			for i := range batch {
				size += len(batch[i].Message)
			}
			if largest = max(largest, size); len(batch) > 1 {
				assert.LessOrEqual(t, size, 1_000_000, "a batch is bounded by its bytes too")
			}
			return len(batch), nil
		})
		start := inUse()
		s, err := auditstream.New(auditstream.Config{QueueBytes: queueBytes, MaxEventBytes: 2 << 20, StartPaused: true})
		require.NoError(t, err)
		require.NoError(t, s.Configure(discardAs(f.script)))
		text := strings.Repeat("x", 1<<20)
		for full, i := 0, 0; full < 100; i++ {
			e := event(i)
			e.Message = text[:1<<(i%21)]
			err := s.Publish(e)
			if err != nil {
				require.ErrorIs(t, err, auditstream.ErrQueueFull)
				full++
			}
			require.LessOrEqual(t, s.Status().Queue.Bytes, queueBytes)
			require.LessOrEqual(t, auditstream.PooledRecord(), 64<<10, "a large buffer is not kept for reuse")
		}
		status := s.Status()
		assert.Greater(t, status.Queue.Bytes, queueBytes-(1<<21), "it is full")
		assert.Less(t, status.Queue.Events, 1000, "by its bytes, and by far not by its events")
		assert.Less(t, inUse()-start, queueBytes+slack, "and the heap holds no more than these")
		require.NoError(t, s.Resume())
		require.NoError(t, s.Flush(t.Context()))
		assert.Greater(t, largest, 1_000_000, "a larger event goes alone")
		time.Sleep(time.Minute) // the stream has fallen idle
		assert.Less(t, inUse()-start, slack, "what was large is not kept for reuse")
		assert.Equal(t, status.Totals.Accepted, s.Status().Totals.Delivered)
		require.NoError(t, s.Shutdown(t.Context()))
	})
}

// discardAs is a destination that keeps nothing of its batches.
type discardAs deliverFunc

func (d discardAs) Open() (sink.Sink, error) { return d, nil }
func (discardAs) String() string             { return "nowhere" }

func (d discardAs) Deliver(ctx context.Context, batch []sink.Event) (int, error) {
	return d(ctx, batch)
}
