// Package cost measures what this process spends: CPU time, memory, allocations.
package cost

import (
	"runtime"
	"runtime/metrics"
	"time"

	"golang.org/x/sys/unix"
)

// CPU returns the time that the process has spent, user and system.
func CPU() time.Duration { return clock(unix.CLOCK_PROCESS_CPUTIME_ID) }

// ThreadCPU returns the time that the calling thread has spent. It says something about a goroutine that is locked to it.
func ThreadCPU() time.Duration { return clock(unix.CLOCK_THREAD_CPUTIME_ID) }

// clock reads one of the kernel's clocks of CPU time. They count what getrusage does, but that lags behind by up to a tick
// of the scheduler, which is longer than some of what is measured here takes.
func clock(id int32) time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(id, &t); err != nil {
		panic("clock_gettime: " + err.Error()) // it fails for a bad argument only
	}
	return time.Duration(t.Nano())
}

// Mallocs returns how many objects the process has allocated.
func Mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

// Live returns the bytes in live objects, after two collections: the first one makes what pools hold collectable.
func Live() uint64 {
	runtime.GC()
	runtime.GC()
	return heap()
}

// heap returns the bytes of the heap that hold objects, live or not collected yet.
func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// A Peak watches the heap.
type Peak struct {
	stop chan struct{}
	high chan uint64
}

// WatchHeap looks at the heap every few milliseconds until High is called. Reading the runtime's metrics stops nothing.
func WatchHeap() *Peak {
	p := &Peak{stop: make(chan struct{}), high: make(chan uint64)}
	go func() {
		ticker := time.NewTicker(5 * time.Millisecond)
		defer ticker.Stop()
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		high := uint64(0)
		for running := true; running; {
			select {
			case <-ticker.C:
			case <-p.stop: // and look once more
				running = false
			}
			metrics.Read(sample)
			high = max(high, sample[0].Value.Uint64())
		}
		p.high <- high
	}()
	return p
}

// High ends the watch and returns the highest figure seen.
func (p *Peak) High() uint64 {
	close(p.stop)
	return <-p.high
}
