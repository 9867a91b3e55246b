package auditstream_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/siemtest"
	"github.com/auditstream/auditstream/sink/sumologic"
)

// BenchmarkPublish is Publish alone: nothing is delivered meanwhile. Building the event is part of it.
func BenchmarkPublish(b *testing.B) {
	for _, goroutines := range []int{1, 8} {
		b.Run(fmt.Sprint("goroutines=", goroutines), func(b *testing.B) {
			s, err := auditstream.New(auditstream.Config{StartPaused: true})
			require.NoError(b, err)
			require.NoError(b, s.Configure(discard{}))
			publish := func() {
				for errors.Is(publishRealistic(s), auditstream.ErrQueueFull) {
					_ = errors.Join(s.Delete(), s.Configure(discard{}), s.Pause()) // once in 50,000
				}
			}
			b.ReportAllocs()
			if goroutines == 1 {
				for b.Loop() {
					publish()
				}
			} else {
				b.SetParallelism((goroutines + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						publish()
					}
				})
			}
			b.StopTimer()
			require.NoError(b, s.Delete())
			require.NoError(b, s.Shutdown(b.Context()))
		})
	}
}

// BenchmarkPending publishes to a stream whose destination is dead, and then lets it recover. What an event costs to
// publish, to keep and to drain must not depend on how many there are; ns/op, of the whole, says nothing.
func BenchmarkPending(b *testing.B) {
	for _, events := range []int{1_000, 10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint("events=", events), func(b *testing.B) {
			var publishing, draining time.Duration
			var heap uint64
			for b.Loop() {
				dst := new(patient)
				s := pendingStream(b, dst, events)
				before := liveHeap()
				started := time.Now()
				for range events {
					if err := publishRealistic(s); err != nil {
						b.Fatal(err)
					}
				}
				publishing += time.Since(started)
				heap += liveHeap() - before
				dst.well.Store(true)
				started = time.Now()
				require.NoError(b, s.Flush(b.Context()))
				draining += time.Since(started)
				require.NoError(b, s.Shutdown(b.Context()))
			}
			each := func(total float64) float64 { return total / float64(b.N) / float64(events) }
			b.ReportMetric(each(float64(publishing.Nanoseconds())), "publish-ns/event")
			b.ReportMetric(each(float64(draining.Nanoseconds())), "drain-ns/event")
			b.ReportMetric(each(float64(heap)), "heap-B/event")
			b.ReportMetric(each(float64(heap))/float64(len(jsonOf(b))), "heap/JSON")
		})
	}
}

// pendingStream returns a stream with room for events.
func pendingStream(tb testing.TB, dst sink.Destination, events int) *auditstream.Stream {
	tb.Helper()
	s, err := auditstream.New(auditstream.Config{QueueEvents: max(events, 512), QueueBytes: 1 << 31})
	require.NoError(tb, err)
	require.NoError(tb, s.Configure(dst))
	return s
}

// patient is a destination that is dead until it is well. It keeps nothing.
type patient struct{ well atomic.Bool }

func (p *patient) Open() (sink.Sink, error) { return p, nil }
func (p *patient) String() string           { return "patient" }
func (p *patient) Deliver(_ context.Context, batch []sink.Event) (int, error) {
	if !p.well.Load() {
		return 0, errors.New("connection refused")
	}
	return len(batch), nil
}

// discard is a destination that takes everything and keeps nothing.
type discard struct{}

func (discard) Open() (sink.Sink, error) { return discard{}, nil }
func (discard) String() string           { return "discard" }
func (discard) Deliver(ctx context.Context, batch []sink.Event) (int, error) {
	return accept(ctx, batch)
}

// liveHeap returns the bytes of the heap that are in use after a collection.
func liveHeap() uint64 {
	runtime.GC()
	runtime.GC() // what pools kept over the first
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// jsonOf returns the JSON of the event that publishRealistic publishes, as Sumo Logic and Splunk get it.
func jsonOf(tb testing.TB) []byte {
	tb.Helper()
	srv, err := siemtest.NewSumoLogic(siemtest.SumoLogicConfig{})
	require.NoError(tb, err)
	defer srv.Close()
	s, err := auditstream.New(auditstream.Config{})
	require.NoError(tb, err)
	require.NoError(tb, s.Configure(sumologic.Config{Endpoint: secret.New(srv.URL())}))
	require.NoError(tb, publishRealistic(s))
	require.NoError(tb, s.Shutdown(tb.Context()))
	require.Len(tb, srv.Events(), 1)
	return srv.Events()[0].Raw
}
