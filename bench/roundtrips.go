package main

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/auditstream/auditstream/bench/internal/corpus"
	"github.com/auditstream/auditstream/bench/internal/server"
)

const (
	// distantEvents go to a destination that is far away.
	distantEvents = 400_000

	// roundTrip is how long each of its answers takes.
	roundTrip = 50 * time.Millisecond
)

// inFlights are the values of Config.InFlight that are compared with 1.
var inFlights = []int{2, 4, 8}

// distance is how fast a driver was with some batches in flight.
type distance struct {
	Driver   string  `json:"driver"`
	InFlight int     `json:"inFlight"`
	Rate     float64 `json:"rate"` // events a second
	Events   int     `json:"events"`
}

// compareRoundTrips measures what several batches in flight are worth. One batch at a time leaves the machine idle, so
// that all drivers can be measured side by side; after that each has it for itself. Sumo Logic's sink takes one batch at
// a time, whatever it is told.
func compareRoundTrips(ctx context.Context, p *plan, r *results) error {
	type run struct {
		driver   string
		inFlight int
	}
	var alone, together []run
	for _, name := range driverNames {
		together = append(together, run{name, 1})
		if name == driverSumo {
			together = append(together, run{name, inFlights[len(inFlights)-1]})
			continue
		}
		for _, n := range inFlights {
			alone = append(alone, run{name, n})
		}
	}
	n := distantEvents
	if p.quick {
		n = quickEvents
	}
	r.distances = make([]distance, len(together)+len(alone))
	play := func(i int, of run) error {
		return runScenario(ctx, server.Options{Delay: roundTrip}, job{
			Task: "roundtrips", Contender: of.driver, InFlight: of.inFlight, Corpus: p.corpus, Events: n,
		}, &r.distances[i])
	}
	names := make([]string, len(together))
	if err := sideBySide(names, func(i int, _ string) error { return play(i, together[i]) }); err != nil {
		return err
	}
	for i := range alone {
		if err := play(len(together)+i, alone[i]); err != nil {
			return err
		}
	}
	return nil
}

func playRoundTrips(ctx context.Context, j *job) (any, error) {
	d, err := driverNamed(j.Contender)
	if err != nil {
		return nil, err
	}
	events, err := corpus.Open(j.Corpus)
	if err != nil {
		return nil, err
	}
	cfg := queueFor(j.Events)
	cfg.InFlight = j.InFlight
	o, err := newOurs(j, d, cfg)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, roundTimeout)
	defer cancel()
	began := time.Now()
	if err := publishSome(o.publisher(), events, 0, j.Events); err != nil {
		return nil, err
	}
	if err := o.finish(ctx, j.Events); err != nil {
		return nil, err
	}
	rate := float64(j.Events) / time.Since(began).Seconds()
	return &distance{Driver: j.Contender, InFlight: j.InFlight, Rate: rate, Events: j.Events}, nil
}

// distanceOf returns what a driver reached, and how much of N times its rate with one batch that is.
func (r *results) distanceOf(driver string, inFlight int) (rate, share float64) {
	single := 0.0
	for _, d := range r.distances {
		if d.Driver == driver && d.InFlight == 1 {
			single = d.Rate
		}
		if d.Driver == driver && d.InFlight == inFlight {
			rate = d.Rate
		}
	}
	if single > 0 {
		share = rate / single / float64(inFlight)
	}
	return rate, share
}

func (r *results) distanceTable(b *bytes.Buffer) {
	fmt.Fprintf(b, "\n### Round trips of %s, %d events, %d a batch, by Config.InFlight\n\n",
		roundTrip, r.distances[0].Events, batchEvents)
	b.WriteString("| events/s (share of N times one batch) | 1 |")
	for _, n := range inFlights {
		fmt.Fprintf(b, " %d |", n)
	}
	b.WriteString("\n|---|--:|")
	for range inFlights {
		b.WriteString("--:|")
	}
	b.WriteString("\n")
	for _, name := range driverNames {
		single, _ := r.distanceOf(name, 1)
		fmt.Fprintf(b, "| %s | %.0f |", name, single)
		for _, n := range inFlights {
			rate, share := r.distanceOf(name, n)
			switch {
			case rate == 0:
				b.WriteString(" – |")
			case name == driverSumo:
				fmt.Fprintf(b, " %.0f (stays at one) |", rate)
			default:
				fmt.Fprintf(b, " %.0f (%.2f N) |", rate, share)
			}
		}
		b.WriteString("\n")
	}
}
