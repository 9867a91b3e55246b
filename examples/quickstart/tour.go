package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/sink/otlp"
)

// tourTime is the longest that the tour may take; it needs a few seconds.
const tourTime = 50 * time.Second

// A guide walks one stream past all the fake servers.
type guide struct {
	*report
	stream *auditstream.Stream
	siems  *siems
	tally  tally

	shown auditstream.State // of the last transition that was printed

	mu    sync.Mutex
	moves []auditstream.Transition // not printed yet
	moved chan struct{}            // has an element when there was a transition
}

// tour streams everything from source to the fake servers, a share to each step.
func tour(ctx context.Context, account *report, from *source) error {
	ctx, cancel := context.WithTimeoutCause(ctx, tourTime, errors.New("the tour takes too long"))
	defer cancel()
	account.heading("Audit events")
	events, err := gather(ctx, account, from)
	if err != nil {
		return err
	}
	account.line("read", "%v", from)
	account.line("variety", "%d actions by %d actors",
		distinct(events, func(e auditstream.Event) string { return e.Action }),
		distinct(events, func(e auditstream.Event) string { return e.Actor.ID }))

	fakes, err := startSIEMs()
	defer fakes.close()
	if err != nil {
		return err
	}
	g := &guide{report: account, siems: fakes, moved: make(chan struct{}, 1)}
	g.stream, err = auditstream.New(g.config(len(events)))
	if err != nil {
		return err
	}
	if err := g.walk(ctx, events); err != nil {
		cancel() // what is left is not waited for
		return errors.Join(err, g.stream.Shutdown(ctx))
	}
	return g.sum()
}

// gather reads all events, and leaves out those that a stream would refuse: the steps count on theirs being taken.
func gather(ctx context.Context, account *report, from *source) ([]auditstream.Event, error) {
	// A paused stream checks events and sends none.
	checker, err := auditstream.New(auditstream.Config{StartPaused: true, Overflow: auditstream.DropOldest, QueueEvents: 1})
	if err != nil {
		return nil, err
	}
	if err := checker.Configure(otlp.Config{Endpoint: "http://localhost"}); err != nil {
		return nil, err
	}
	defer checker.Delete() //nolint:errcheck // It fails only for a stream that was never made.
	var events []auditstream.Event
	err = from.each(ctx, account, func(e auditstream.Event) error {
		if e.ID == "" { // the stream would give it one of its own, which could not be looked up in the end
			e.ID = "quickstart-" + strconv.Itoa(len(events)+1)
		}
		if err := checker.Publish(e); err != nil {
			return err
		}
		events = append(events, e)
		return nil
	})
	return events, err
}

// config is that of a host, with less patience: a visitor does not want to wait for a minute-long backoff.
func (g *guide) config(events int) auditstream.Config {
	return auditstream.Config{
		Name:         "quickstart",
		QueueEvents:  max(events, 1),
		QueueBytes:   1 << 30,
		RetryMin:     50 * time.Millisecond,
		RetryMax:     500 * time.Millisecond,
		OnReject:     g.tally.reject,
		OnTransition: g.transition,
	}
}

// walk makes the steps one by one, each with its share of the events.
func (g *guide) walk(ctx context.Context, events []auditstream.Event) error {
	for i, s := range steps {
		share := events[startOf(i, len(events)):startOf(i+1, len(events))]
		g.step(s.title, s.about)
		if len(share) == 0 && !s.always {
			g.line("left out", "there are too few events for this step")
			continue
		}
		if err := s.run(g, ctx, share); err != nil {
			return fmt.Errorf("%s: %w", s.title, err)
		}
		g.transitions()
		g.arrivals()
		g.ledger(g.stream.Status().Totals)
	}
	return nil
}

// startOf returns the index of the first of n events that are for step i. The shares differ by one at most. When there
// are fewer events than steps the first steps get them, for later ones rely on what earlier ones configured.
func startOf(i, n int) int {
	if n < len(steps) {
		return min(i, n)
	}
	return n * i / len(steps)
}

// publish hands events to the stream.
func (g *guide) publish(ctx context.Context, events []auditstream.Event) error {
	for i := range events {
		if err := g.stream.PublishContext(ctx, events[i]); err != nil {
			return err
		}
		g.tally.publish(events[i].ID)
	}
	g.line("published", "%s; %d in the queue", plural(len(events), "event"), g.stream.Status().Queue.Events)
	return nil
}

// await waits until the stream is as it should be.
func (g *guide) await(ctx context.Context, is func(auditstream.Status) bool) (auditstream.Status, error) {
	for {
		if status := g.stream.Status(); is(status) {
			g.transitions()
			return status, nil
		}
		select {
		case <-g.moved:
		case <-ctx.Done():
			return g.stream.Status(), context.Cause(ctx)
		}
	}
}

// reach waits until the stream has told that it is in the state, so that the report has everything in its order.
func (g *guide) reach(ctx context.Context, state auditstream.State) error {
	for g.transitions(); g.shown != state; g.transitions() {
		select {
		case <-g.moved:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// transition keeps a transition for the report. It is a callback of the stream.
func (g *guide) transition(t auditstream.Transition) {
	g.mu.Lock()
	g.moves = append(g.moves, t)
	g.mu.Unlock()
	select {
	case g.moved <- struct{}{}:
	default: // whoever waits has not looked yet
	}
}

// transitions prints what was kept.
func (g *guide) transitions() {
	g.mu.Lock()
	moves := g.moves
	g.moves = nil
	g.mu.Unlock()
	for _, t := range moves {
		if t.From != t.To {
			g.line("state", "%s → %s", t.From, t.To)
			g.shown = t.To
		}
		if t.FromCondition != t.ToCondition {
			g.line("condition", "%s → %s", t.FromCondition, t.ToCondition)
		}
	}
}

// arrivals prints what has reached the servers since the last time.
func (g *guide) arrivals() {
	for _, s := range g.siems.all {
		events, requests := len(s.server.Events()), len(s.server.Requests())
		if events+requests > s.events+s.requests {
			g.line("arrived", "%s at %s, in %s", plural(events-s.events, "event"), s.name, plural(requests-s.requests, "request"))
		}
		s.events, s.requests = events, requests
	}
}

// sum accounts for everything.
func (g *guide) sum() error {
	g.heading("In the end")
	for _, s := range g.siems.all {
		g.tally.arrive(s.server.Events())
		g.line("arrived", "%-4d at %s", len(s.server.Events()), s.name)
	}
	totals := g.stream.Status().Totals
	g.ledger(totals)
	return g.tally.check(g.report, totals)
}
