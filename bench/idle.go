package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/bench/internal/corpus"
	"github.com/auditstream/auditstream/bench/internal/server"
	"github.com/auditstream/auditstream/bench/internal/stats"
)

// idle is how long events of a stream with little to do were under way, in milliseconds, sorted.
type idle struct {
	Driver  string    `json:"driver"`
	Single  []float64 `json:"single"`  // one event, left to BatchDelay
	Flushed []float64 `json:"flushed"` // one event, then Flush
	Batches []float64 `json:"batches"` // a full batch, from its last event on
}

// compareIdle runs all drivers side by side, for most of the time is waiting.
func compareIdle(ctx context.Context, p *plan, r *results) error {
	n := 50
	if p.quick {
		n = 3
	}
	r.idle = make([]idle, len(driverNames))
	return sideBySide(driverNames, func(i int, name string) error {
		return runScenario(ctx, server.Options{}, job{
			Task: "idle", Contender: name, Corpus: p.corpus, Events: n,
		}, &r.idle[i])
	})
}

func playIdle(ctx context.Context, j *job) (any, error) {
	d, err := driverNamed(j.Contender)
	if err != nil {
		return nil, err
	}
	events, err := corpus.Open(j.Corpus)
	if err != nil {
		return nil, err
	}
	o, err := newOurs(j, d, auditstream.Config{})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, roundTimeout)
	defer cancel()
	q := &quiet{job: j, stream: o.stream, publish: o.publisher(), events: events}
	result := &idle{Driver: j.Contender}
	// The first event pays for the connection, which is not what is asked here.
	if _, err := q.delays(ctx, 1, 1, nil); err != nil {
		return nil, err
	}
	if result.Single, err = q.delays(ctx, j.Events, 1, nil); err != nil {
		return nil, err
	}
	if result.Flushed, err = q.delays(ctx, j.Events, 1, o.stream.Flush); err != nil {
		return nil, err
	}
	result.Batches, err = q.delays(ctx, j.Events, batchEvents, nil)
	return result, err
}

// quiet is a stream with little to do.
type quiet struct {
	job       *job
	stream    *auditstream.Stream
	publish   publish
	events    *corpus.Corpus
	published int
}

// delays publishes some events now and then, does what is to be done after that, and returns how long after the last of
// them the request arrived, each time.
func (q *quiet) delays(ctx context.Context, times, n int, then func(context.Context) error) ([]float64, error) {
	if _, err := order(ctx, q.job.Server, "reset"); err != nil {
		return nil, err
	}
	published := make([]time.Time, 0, times)
	for range times {
		//nolint:gosec // any pause will do, as long as they are not all the same
		if err := pause(ctx, time.Duration(rand.Int64N(int64(40*time.Millisecond)))); err != nil {
			return nil, err
		}
		var e corpus.Event
		for range n {
			q.events.Read(q.published, &e)
			if err := q.publish(&e); err != nil {
				return nil, err
			}
			q.published++
		}
		published = append(published, time.Now())
		if then != nil {
			if err := then(ctx); err != nil {
				return nil, err
			}
		}
		for q.stream.Status().Totals.Pending > 0 {
			if err := pause(ctx, time.Millisecond); err != nil {
				return nil, err
			}
		}
	}
	counted, err := order(ctx, q.job.Server, "arrivals")
	if err != nil {
		return nil, err
	}
	if len(counted.Arrivals) != times {
		return nil, errors.New("events were not delivered in one request each time")
	}
	delays := make([]float64, times)
	for i := range delays {
		delays[i] = float64(counted.Arrivals[i].Sub(published[i]).Nanoseconds()) / 1e6
	}
	slices.Sort(delays)
	return delays, nil
}

func (r *results) idleTable(b *bytes.Buffer) {
	b.WriteString("\n### An idle stream, BatchDelay at its default of 200 ms: milliseconds until the request is there\n\n")
	b.WriteString("| median, 90 %, highest | one event | one event, then Flush | a full batch, after its last event |\n|---|--:|--:|--:|\n")
	for _, d := range r.idle {
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", d.Driver, quantiles(d.Single), quantiles(d.Flushed), quantiles(d.Batches))
	}
}

func quantiles(sorted []float64) string {
	return fmt.Sprintf("%.1f, %.1f, %.1f",
		stats.Quantile(sorted, 0.5), stats.Quantile(sorted, 0.9), stats.Quantile(sorted, 1))
}
