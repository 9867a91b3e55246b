package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/bench/internal/corpus"
	"github.com/auditstream/auditstream/bench/internal/cost"
	"github.com/auditstream/auditstream/bench/internal/server"
)

// manyStreams are what a server of many tenants has configured, and most of them have nothing to send.
const (
	manyStreams = 10_000
	idleAfter   = 60 * time.Second
)

// streams is what configured streams cost, each.
type streams struct {
	Driver      string  `json:"driver"`
	Streams     int     `json:"streams"`
	Unused      float64 `json:"unused"`      // heap bytes, before any event
	UnusedGo    float64 `json:"unusedGo"`    // goroutines
	Delivered   float64 `json:"delivered"`   // heap bytes, right after each has delivered an event
	DeliveredGo float64 `json:"deliveredGo"` // goroutines
	Idle        float64 `json:"idle"`        // heap bytes, some time later
	IdleGo      float64 `json:"idleGo"`      // goroutines
	Wait        float64 `json:"wait"`        // how much later, in seconds
}

// compareStreams runs all drivers side by side, for most of the time is waiting.
func compareStreams(ctx context.Context, p *plan, r *results) error {
	n, wait := manyStreams, idleAfter
	if p.quick {
		n, wait = 100, 0 // right after delivery: what is given back 30 s later is still there
	}
	r.streams = make([]streams, len(driverNames))
	return sideBySide(driverNames, func(i int, name string) error {
		return runScenario(ctx, server.Options{}, job{
			Task: "streams", Contender: name, Corpus: p.corpus, Streams: n, Wait: wait.Seconds(),
		}, &r.streams[i])
	})
}

// sideBySide runs a function for all drivers at once.
func sideBySide(names []string, f func(i int, name string) error) error {
	errs := make([]error, len(names))
	var all sync.WaitGroup
	for i, name := range names {
		all.Go(func() { errs[i] = f(i, name) })
	}
	all.Wait()
	return errors.Join(errs...)
}

func playStreams(ctx context.Context, j *job) (any, error) {
	d, err := driverNamed(j.Contender)
	if err != nil {
		return nil, err
	}
	events, err := corpus.Open(j.Corpus)
	if err != nil {
		return nil, err
	}
	result := &streams{Driver: j.Contender, Streams: j.Streams, Wait: j.Wait}
	all := make([]*auditstream.Stream, j.Streams)
	heap, goroutines := cost.Live(), runtime.NumGoroutine()
	look := func(each *float64, eachGo *float64) {
		*each = (float64(cost.Live()) - float64(heap)) / float64(j.Streams)
		*eachGo = float64(runtime.NumGoroutine()-goroutines) / float64(j.Streams)
	}
	for i := range all {
		stream, err := auditstream.New(auditstream.Config{})
		if err != nil {
			return nil, err
		}
		if err := stream.Configure(d.destination(j)); err != nil {
			return nil, err
		}
		all[i] = stream
	}
	look(&result.Unused, &result.UnusedGo)
	if err := deliverOne(ctx, all, events); err != nil {
		return nil, err
	}
	look(&result.Delivered, &result.DeliveredGo)
	if err := pause(ctx, time.Duration(j.Wait*float64(time.Second))); err != nil {
		return nil, err
	}
	look(&result.Idle, &result.IdleGo)
	runtime.KeepAlive(all)
	runtime.KeepAlive(events) // they were there before, too
	return result, nil
}

// deliverOne lets each stream deliver an event, some at a time.
func deliverOne(ctx context.Context, all []*auditstream.Stream, events *corpus.Corpus) error {
	ctx, cancel := context.WithTimeout(ctx, roundTimeout)
	defer cancel()
	const workers = 16
	var running sync.WaitGroup
	errs := make([]error, workers)
	for w := range workers {
		running.Go(func() {
			var e corpus.Event
			var s scratch
			for i := w; i < len(all) && errs[w] == nil; i += workers {
				events.Read(i, &e)
				errs[w] = errors.Join(all[i].Publish(s.build(&e)), all[i].Flush(ctx))
				if totals := all[i].Status().Totals; errs[w] == nil && totals.Delivered != 1 {
					errs[w] = fmt.Errorf("a stream has not delivered its event: %+v", totals)
				}
			}
		})
	}
	running.Wait()
	return errors.Join(errs...)
}

func (r *results) streamsTable(b *bytes.Buffer) {
	fmt.Fprintf(b, "\n### %d configured streams in one process\n\n", r.streams[0].Streams)
	fmt.Fprintf(b, "| each | never used: heap bytes | goroutines | right after one event: heap bytes | goroutines | %.0f s later: heap bytes | goroutines |\n",
		r.streams[0].Wait)
	b.WriteString("|---|--:|--:|--:|--:|--:|--:|\n")
	for _, s := range r.streams {
		fmt.Fprintf(b, "| %s | %.0f | %.4f | %.0f | %.2f | %.0f | %.4f |\n",
			s.Driver, s.Unused, s.UnusedGo, s.Delivered, s.DeliveredGo, s.Idle, s.IdleGo)
	}
}
