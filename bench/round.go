package main

import (
	"context"
	"errors"
	"os"
	"runtime"
	"runtime/pprof"
	"sync"
	"time"

	"github.com/auditstream/auditstream/bench/internal/corpus"
	"github.com/auditstream/auditstream/bench/internal/cost"
)

// figures are what one round of one contender took.
type figures struct {
	Events    int           `json:"events"`
	Wall      time.Duration `json:"wall"`      // until everything was delivered
	CPU       time.Duration `json:"cpu"`       // of the whole process in that time
	Publisher time.Duration `json:"publisher"` // CPU of the goroutine that publishes, where there is one and it shares no thread
	Looping   time.Duration `json:"looping"`   // until everything was published
	Allocs    uint64        `json:"allocs"`
	Peak      uint64        `json:"peak"` // heap above what there was before
	Requests  int64         `json:"requests"`
	Bytes     int64         `json:"bytes"` // of request bodies
}

// roundTimeout is far beyond what the slowest contender needs.
const roundTimeout = 5 * time.Minute

// playRound is a child's job: one contender, one round.
func playRound(ctx context.Context, j *job) (any, error) {
	c, err := contenderByKey(j.Contender)
	if err != nil {
		return nil, err
	}
	return measure(ctx, c, j)
}

// measure lets a contender ship all events and says what it took.
func measure(ctx context.Context, c *contender, j *job) (*figures, error) {
	ctx, cancel := context.WithTimeout(ctx, roundTimeout)
	defer cancel()
	events, err := corpus.Open(j.Corpus)
	if err != nil {
		return nil, err
	}
	s, err := c.open(ctx, j)
	if err != nil {
		return nil, err
	}
	total := j.Events
	if c.warms {
		if err := warmUp(ctx, c, s, events, j.Events); err != nil {
			return nil, err
		}
		total += j.Events
	}
	stopProfile, err := startProfile(j.Profile)
	if err != nil {
		return nil, err
	}
	before := cost.Live()
	peak := cost.WatchHeap()
	mallocs := cost.Mallocs()
	cpu, start := cost.CPU(), time.Now()

	f := &figures{Events: j.Events}
	if !c.copies { // whose work is all in finish
		f.Publisher, err = publishAll(c, s, events, j.Events)
	}
	f.Looping = time.Since(start)
	if err == nil {
		err = s.finish(ctx, total)
	}

	f.Wall, f.CPU = time.Since(start), cost.CPU()-cpu
	f.Allocs = cost.Mallocs() - mallocs
	f.Peak = max(peak.High(), before) - before
	runtime.KeepAlive(events) // they were there before, too
	return f, errors.Join(err, stopProfile())
}

// warmUp publishes everything once. After that the process has the memory that it works in: a new one gets each page
// from the kernel when it is first written to, which takes longer than what is written.
//
// It is done where publishing is all that is measured. Those who ship spend more on other things, and some of them can be
// asked only once whether everything was delivered.
func warmUp(ctx context.Context, c *contender, s shipper, events *corpus.Corpus, n int) error {
	if _, err := publishAll(c, s, events, n); err != nil {
		return err
	}
	return s.finish(ctx, n)
}

// startProfile writes a CPU profile to a file until it is stopped, if there is to be one.
func startProfile(path string) (stop func() error, err error) {
	if path == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(path) //nolint:gosec // the user says where
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}

// publishAll publishes the first n events, on as many goroutines as the contender wants. It returns the CPU time of the
// publisher where that is asked for.
//
// A goroutine must have a thread of its own for that. It makes handing over to other goroutines dearer, so it is done
// only where publishing is all that is measured, and not with several goroutines.
func publishAll(c *contender, s shipper, events *corpus.Corpus, n int) (publisher time.Duration, err error) {
	workers := max(c.goroutines, 1)
	own := c.group == groupPublish && workers == 1
	errs := make([]error, workers)
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			var began time.Duration
			if own {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				began = cost.ThreadCPU()
			}
			errs[w] = publishSome(s.publisher(), events, n*w/workers, n*(w+1)/workers)
			if own {
				publisher = cost.ThreadCPU() - began
			}
		})
	}
	all.Wait()
	return publisher, errors.Join(errs...)
}

func publishSome(publish publish, events *corpus.Corpus, from, to int) error {
	var e corpus.Event
	for i := from; i < to; i++ {
		events.Read(i, &e)
		if err := publish(&e); err != nil {
			return err
		}
	}
	return nil
}
