package queue

import (
	"math"
	"testing"
)

// typical is about what an encoded event with ten attributes takes.
var typical = make([]byte, 400)

func BenchmarkPut(b *testing.B) {
	q := New(roomy)
	b.ReportAllocs()
	for b.Loop() {
		q.Put(typical, 600)
		if q.Len() == 1<<16 {
			q.Clear()
		}
	}
}

// BenchmarkCycle is a steady publisher and a destination that keeps up; ns and allocations are per event.
func BenchmarkCycle(b *testing.B) {
	q := New(roomy)
	b.ReportAllocs()
	for b.Loop() {
		q.Put(typical, 600)
		if q.Len() == 1024 {
			l, _ := q.Lease(512, 1<<20)
			q.Commit(l.ID, l.Len)
		}
	}
}

// BenchmarkCycleOfOne is a quiet stream: every event has a lease of its own.
func BenchmarkCycleOfOne(b *testing.B) {
	q := New(roomy)
	b.ReportAllocs()
	for b.Loop() {
		q.Put(typical, 600)
		l, _ := q.Lease(512, 1<<20)
		q.Commit(l.ID, l.Len)
	}
}

// BenchmarkDrain reports the time per event to lease and answer for everything, which must not depend on how much is
// pending. Copying is left out: it costs what touching fresh memory costs.
func BenchmarkDrain(b *testing.B) {
	for _, bench := range []struct {
		name   string
		events int
	}{{"10k", 10_000}, {"100k", 100_000}, {"1M", 1_000_000}} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				q := New(roomy)
				for range bench.events {
					q.Put(typical, 600)
				}
				b.StartTimer()
				for {
					l, ok := q.Lease(512, 1<<20)
					if !ok {
						break
					}
					q.Commit(l.ID, l.Len)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*bench.events), "ns/event")
		})
	}
}

// BenchmarkSegments copies a full batch, which happens under the Stream's lock, and reads it.
func BenchmarkSegments(b *testing.B) {
	q := New(roomy)
	for range 512 {
		q.Put(typical, 600)
	}
	l, _ := q.Lease(512, 1<<20)
	b.ReportAllocs()
	for b.Loop() {
		for _, s := range q.Segments(l.ID) {
			for range s.Records() {
			}
		}
	}
}

// BenchmarkRetry is an outage: the same batch is leased and released with a million events behind it.
func BenchmarkRetry(b *testing.B) {
	q := New(roomy)
	for range 1_000_000 {
		q.Put(typical, 600)
	}
	b.ReportAllocs()
	for b.Loop() {
		l, _ := q.Lease(512, 1<<20)
		q.Release(l.ID)
	}
}

// BenchmarkDropOldest is an outage with a full queue and Overflow=DropOldest.
func BenchmarkDropOldest(b *testing.B) {
	q := New(Limits{Events: 100_000, Bytes: math.MaxInt})
	b.ReportAllocs()
	for b.Loop() {
		q.PutDropOldest(typical, 600)
	}
}
