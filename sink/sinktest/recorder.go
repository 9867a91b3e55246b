package sinktest

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/auditstream/auditstream/sink"
)

// Recorder is a destination that keeps the events delivered to it in memory. The zero Recorder is ready and accepts
// everything; Answer and Then make it behave otherwise. It must not be copied.
//
// It may be configured on several streams at once, whose events it then mixes. It has no goroutine and works in a
// bubble of testing/synctest. All methods may be called concurrently.
type Recorder struct {
	mu      sync.Mutex
	events  []sink.Event
	batches int
	answer  Answer
	queue   []Answer
	slots   int           // of the sinks that are opened from now on
	changed chan struct{} // closed and replaced when something was delivered; made by the first that waits
}

// Answer takes the place of what a sink does in Deliver, and has its contract: batch[:n] is answered for, err says what
// becomes of the rest.
type Answer func(ctx context.Context, batch []sink.Event) (n int, err error)

// Accept returns the Answer that takes the whole batch, unless ctx is done already.
func Accept() Answer {
	return func(ctx context.Context, batch []sink.Event) (int, error) {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		return len(batch), nil
	}
}

// Fail returns the Answer that takes nothing and returns err: a plain error, or one made by sink.Retry, sink.Block or
// sink.Split.
func Fail(err error) Answer {
	return func(context.Context, []sink.Event) (int, error) { return 0, err }
}

// RejectIf returns the Answer that refuses the first event for which bad returns true, naming it with sink.Reject, and
// takes those before it. The stream offers the rest again.
func RejectIf(bad func(sink.Event) bool) Answer {
	return func(_ context.Context, batch []sink.Event) (int, error) {
		if k := slices.IndexFunc(batch, bad); k >= 0 {
			return k + 1, sink.Reject(fmt.Errorf("sinktest: event %d is rejected", k), k)
		}
		return len(batch), nil
	}
}

// Hang returns the Answer that waits until ctx is done, takes nothing, and returns ctx's error.
func Hang() Answer {
	return func(ctx context.Context, _ []sink.Event) (int, error) {
		<-ctx.Done()
		return 0, ctx.Err()
	}
}

// Panic returns the Answer that panics with v.
func Panic(v any) Answer {
	return func(context.Context, []sink.Event) (int, error) { panic(v) }
}

// Answer makes fn decide about every batch for which Then has nothing queued. nil goes back to accepting everything.
func (r *Recorder) Answer(fn Answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = fn
}

// Then queues answers: each is given to one of the next batches, in order.
func (r *Recorder) Then(answers ...Answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queue = append(r.queue, answers...)
}

// InFlight lets the sinks that are opened from now on take n batches at once, as those of most drivers do; see
// [sink.Sink]. It shows when the stream's Config.InFlight allows more than one, and an Answer takes its time; each is then
// called from a goroutine of its own, and events are recorded in the order in which they were answered for. Without it,
// and with less than 2, a stream delivers one batch after the other.
func (r *Recorder) InFlight(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.slots = n
}

// Open implements [sink.Destination]. It never fails.
func (r *Recorder) Open() (sink.Sink, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return recorderSink{r, r.slots}, nil
}

// String implements [sink.Destination] and returns "recorder".
func (r *Recorder) String() string { return "recorder" }

// Events returns the delivered events in the order of delivery, repeats included. Rejected ones are not among them,
// except when an answer gave only their number. The caller must not change what they refer to.
func (r *Recorder) Events() []sink.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

// Actions returns the actions of the delivered events, in the order of delivery.
func (r *Recorder) Actions() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	actions := make([]string, len(r.events))
	for i := range r.events {
		actions[i] = r.events[i].Action
	}
	return actions
}

// Batches returns how many batches have been offered, refused ones included.
func (r *Recorder) Batches() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.batches
}

// Wait returns the events as soon as there are at least n of them. If ctx ends before, it returns those that have been
// delivered and an error that wraps ctx's.
func (r *Recorder) Wait(ctx context.Context, n int) ([]sink.Event, error) {
	for {
		r.mu.Lock()
		if r.changed == nil {
			r.changed = make(chan struct{})
		}
		events, changed := slices.Clone(r.events), r.changed
		r.mu.Unlock()
		if len(events) >= n {
			return events, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return events, fmt.Errorf("sinktest: %d of %d events have been delivered: %w", len(events), n, ctx.Err())
		}
	}
}

// Reset makes r as it was at first: nothing recorded, nothing queued, accepting everything.
func (r *Recorder) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events, r.batches, r.answer, r.queue, r.slots = nil, 0, nil, nil, 0
}

// next counts a batch and returns the answer to it.
func (r *Recorder) next() Answer {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.batches++
	switch {
	case len(r.queue) > 0:
		a := r.queue[0]
		r.queue = r.queue[1:]
		return a
	case r.answer != nil:
		return r.answer
	}
	return Accept()
}

// record keeps the events that an answer took.
func (r *Recorder) record(events []sink.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, events...)
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

// recorderSink is a sink of a Recorder.
type recorderSink struct {
	r     *Recorder
	slots int
}

// MaxInFlight is what Recorder.InFlight has set.
func (s recorderSink) MaxInFlight() int { return s.slots }

// Deliver implements [sink.Sink].
func (s recorderSink) Deliver(ctx context.Context, batch []sink.Event) (int, error) {
	// Kept before the answer sees the batch, for an answer may reorder it.
	kept := slices.Clone(batch)
	n, err := s.r.next()(ctx, batch)
	if n > 0 && n <= len(kept) {
		s.r.record(delivered(kept[:n], err))
	}
	return n, err
}

// delivered returns those of the events answered for that err does not name as rejected.
func delivered(answered []sink.Event, err error) []sink.Event {
	rejected := rejectedIndex(err, len(answered))
	out := answered[:0]
	for i := range answered {
		if !slices.Contains(rejected, i) {
			out = append(out, answered[i])
		}
	}
	return out
}
