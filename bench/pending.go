package main

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/bench/internal/corpus"
	"github.com/auditstream/auditstream/bench/internal/cost"
	"github.com/auditstream/auditstream/bench/internal/server"
)

// pendingEvents wait behind a destination that is dead.
const pendingEvents = 1_000_000

// tenths are the parts in which a queue is filled and drained: if they all take the same time, it is linear.
const tenths = 10

// pending is what a long queue costs.
type pending struct {
	Events  int                   `json:"events"`
	Empty   time.Duration         `json:"empty"`   // CPU of the publisher for a tenth of the events, to a queue that stays empty
	Publish [tenths]time.Duration `json:"publish"` // CPU of the publisher for each tenth, while the queue grows
	Heap    uint64                `json:"heap"`    // bytes that the full queue takes
	JSON    int64                 `json:"json"`    // bytes of the same events as JSON
	Refused int64                 `json:"refused"` // attempts while the destination was dead
	Drain   [tenths]time.Duration `json:"drain"`   // until each tenth was delivered, since the tenth before
}

// emptyNanos and publishNanos return the publisher's CPU time for an event.
func (p *pending) emptyNanos() float64 { return p.nanos(p.Empty) }

func (p *pending) publishNanos(tenth int) float64 { return p.nanos(p.Publish[tenth]) }

func (p *pending) nanos(d time.Duration) float64 {
	return float64(d.Nanoseconds()) / float64(p.Events/tenths)
}

// comparePending measures a queue that grows long.
func comparePending(ctx context.Context, p *plan, r *results) error {
	j := job{Task: "pending", Contender: groupSumo, Corpus: p.corpus, Events: pendingEvents}
	if p.quick {
		j.Events = 10 * quickEvents
	}
	for range min(p.rounds, 3) {
		var result pending
		if err := runScenario(ctx, server.Options{}, j, &result); err != nil {
			return err
		}
		r.pending = append(r.pending, result)
	}
	return nil
}

// playPending fills a queue behind a dead destination, and lets it recover. It sends plain JSON, so that the server can
// tell how long that is.
func playPending(ctx context.Context, j *job) (any, error) {
	events, err := corpus.Open(j.Corpus)
	if err != nil {
		return nil, err
	}
	result := &pending{Events: j.Events}
	if result.Empty, err = publishToEmpty(ctx, events, j); err != nil {
		return nil, err
	}
	if _, err := order(ctx, j.Server, "dead"); err != nil {
		return nil, err
	}
	before := cost.Live()
	o, err := newOurs(j, ourSumo(false), queueFor(j.Events))
	if err != nil {
		return nil, err
	}
	for tenth := range tenths {
		if result.Publish[tenth], err = publishTimed(o, events, j.Events/tenths*tenth, j.Events/tenths); err != nil {
			return nil, err
		}
	}
	result.Heap = cost.Live() - before
	runtime.KeepAlive(events) // they were there before, too
	counted, err := order(ctx, j.Server, "stats")
	if err != nil {
		return nil, err
	}
	if result.Refused = counted.Refused; counted.Requests > 0 {
		return nil, fmt.Errorf("%d requests were taken while the destination was dead", counted.Requests)
	}
	if _, err := order(ctx, j.Server, "alive"); err != nil {
		return nil, err
	}
	if err := drain(ctx, o.stream, result); err != nil {
		return nil, err
	}
	if err := o.finish(ctx, j.Events); err != nil {
		return nil, err
	}
	counted, err = order(ctx, j.Server, "stats")
	result.JSON = counted.Bytes
	return result, err
}

// publishToEmpty publishes a tenth of the events to a stream whose destination takes them as they come.
func publishToEmpty(ctx context.Context, events *corpus.Corpus, j *job) (time.Duration, error) {
	o, err := newOurs(j, discarding{}, queueFor(j.Events))
	if err != nil {
		return 0, err
	}
	if err := warmUp(ctx, &contender{}, o, events, j.Events/tenths); err != nil {
		return 0, err
	}
	return publishTimed(o, events, 0, j.Events/tenths)
}

// publishTimed publishes n events and returns the CPU time that the goroutine has spent on it.
func publishTimed(o *ours, events *corpus.Corpus, from, n int) (time.Duration, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	began := cost.ThreadCPU()
	err := publishSome(o.publisher(), events, from, from+n)
	return cost.ThreadCPU() - began, err
}

// drain waits for everything to be delivered, and notes the time of each tenth.
func drain(ctx context.Context, stream *auditstream.Stream, result *pending) error {
	ctx, cancel := context.WithTimeout(ctx, roundTimeout)
	defer cancel()
	flushed := make(chan error, 1)
	last := time.Now()
	go func() { flushed <- stream.Flush(ctx) }() // it ends the backoff
	for tenth := 0; tenth < tenths; {
		if err := pause(ctx, time.Millisecond); err != nil {
			return err
		}
		for delivered := stream.Status().Totals.Delivered; tenth < tenths &&
			delivered >= uint64(result.Events/tenths*(tenth+1)); tenth++ { //nolint:gosec // never negative
			now := time.Now()
			result.Drain[tenth], last = now.Sub(last), now
		}
	}
	return <-flushed
}

func (r *results) pendingTable(b *bytes.Buffer) {
	fmt.Fprintf(b, "\n### %d events pending behind a dead destination\n\n", r.pending[0].Events)
	b.WriteString("| round | Publish, queue empty: CPU ns/event | first tenth | last tenth | heap bytes/event | JSON bytes/event | ratio | drained: first tenth | last tenth |\n")
	b.WriteString("|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for i := range r.pending {
		p := &r.pending[i]
		fmt.Fprintf(b, "| %d | %.0f | %.0f | %.0f | %.0f | %.0f | %.2f | %s | %s |\n", i+1,
			p.emptyNanos(), p.publishNanos(0), p.publishNanos(tenths-1),
			float64(p.Heap)/float64(p.Events), float64(p.JSON)/float64(p.Events), float64(p.Heap)/float64(p.JSON),
			p.Drain[0].Round(time.Millisecond), p.Drain[tenths-1].Round(time.Millisecond))
	}
}
