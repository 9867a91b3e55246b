package checks

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing/synctest"
	"time"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/sink"
)

// modes are the ways in which a destination answers.
var modes = []string{
	"accept", "accept", "prefix", "retry", "later", "block", "reject first", "reject last", "reject all", "count",
	"split third", "split all", "until done", "hang", "panic", "nonsense", "silent", "slow",
}

// delays are how long it takes to, so that calls overlap in every way. No sum of them is another time of the model.
var delays = []time.Duration{
	0, 0, 7*time.Millisecond + 101, 700*time.Millisecond + 103, 2*time.Second + 107, 40*time.Second + 109,
}

// slow is how long a slow call takes, whatever its context says.
const slow = 5 * time.Second

// askedFor is what the mode "later" asks for, and notBefore how long the Stream honours it.
const (
	askedFor = time.Hour
	honoured = 5 * time.Minute
)

// destination is a sink.Destination whose sinks answer as they are told to.
type destination struct {
	cfg auditstream.Config

	mu       sync.Mutex
	modes    []string
	delays   []time.Duration
	slots    int           // of the next sink: its MaxInFlight; -1: it has none
	timeout  time.Duration // of the next sink: its AttemptTimeout
	hung     chan struct{}
	opened   int
	closed   int
	newest   *fake
	flight   flight
	problems []string
}

func newDestination(cfg auditstream.Config) *destination {
	return &destination{cfg: cfg, modes: []string{"accept"}, delays: []time.Duration{0}, flight: newFlight(cfg)}
}

// script says how calls are answered from now on. Which way a call has of several depends on its first event.
func (d *destination) script(modes []string, delays []time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.modes, d.delays = modes, delays
}

// equip says what the next sink can do.
func (d *destination) equip(slots int, timeout time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.slots, d.timeout = slots, timeout
}

// release lets hung calls return.
func (d *destination) release() {
	d.mu.Lock()
	if d.hung != nil {
		close(d.hung)
		d.hung = nil
	}
	d.mu.Unlock()
	synctest.Wait()
}

// settle lets every call return, slow ones too.
func (d *destination) settle() {
	d.script([]string{"accept"}, []time.Duration{0})
	d.release()
	time.Sleep(time.Minute)
	synctest.Wait()
}

func (d *destination) Open() (sink.Sink, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.opened++
	f := &fake{d: d, number: d.opened, limit: 1, timeout: d.timeout}
	f.limit = max(d.slots, 1)
	if d.newest != nil {
		d.newest.replacedAt = time.Now()
	}
	d.newest = f
	if d.slots < 0 {
		return f, nil
	}
	return &slotted{fake: f, slots: d.slots}, nil
}

func (d *destination) String() string { return "model" }

// fake is one sink of a destination.
type fake struct {
	d       *destination
	number  int
	limit   int // of calls at once
	timeout time.Duration

	// Guarded by d.mu.
	closed     bool
	replacedAt time.Time
	failed     bool // a call has
}

// slotted is one that takes several calls at once.
type slotted struct {
	*fake
	slots int
}

func (s *slotted) MaxInFlight() int { return s.slots }

func (f *fake) AttemptTimeout() time.Duration { return f.timeout }

func (f *fake) Close() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	f.d.close(f)
	return nil
}

var errFake = errors.New("fake")

func (f *fake) Deliver(ctx context.Context, batch []sink.Event) (n int, err error) {
	c := &call{sink: f, ctx: ctx, number: batch[0].Sequence, size: len(batch)}
	mode, delay, hung := f.d.enter(c, batch)
	err = errFake // what a panic means
	defer func() { f.d.leave(c, n, err) }()
	select {
	case <-time.After(delay):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	if c.trial() {
		return answerTest(mode)
	}
	return answer(ctx, mode, batch, hung)
}

// plan returns how to answer a call, and the channel that one that hangs waits for.
func (d *destination) plan(c *call) (mode string, delay time.Duration, hung <-chan struct{}) {
	r := rand.New(rand.NewPCG(c.number, uint64(d.flight.offers[c.number])))
	mode, delay = d.modes[r.IntN(len(d.modes))], d.delays[r.IntN(len(d.delays))]
	if mode == "hang" && d.hung == nil {
		d.hung = make(chan struct{})
	}
	return mode, delay, d.hung
}

// answer answers a batch.
func answer(ctx context.Context, mode string, batch []sink.Event, hung <-chan struct{}) (int, error) {
	n := len(batch)
	switch mode {
	case "prefix":
		return n / 2, errFake
	case "retry":
		return 0, errFake
	case "later":
		return 0, sink.Retry(errFake, askedFor)
	case "block":
		return 0, sink.Block(errFake)
	case "reject first":
		return 1, sink.Reject(errFake, 0)
	case "reject last":
		return n, sink.Reject(errFake)
	case "reject all":
		var all []int
		for i := range n {
			all = append(all, i)
		}
		return n, sink.Reject(errFake, all...)
	case "count":
		return n, sink.RejectCount(errFake, 1)
	case "split third":
		return splitThird(batch)
	case "split all":
		return 0, sink.Split(errFake)
	case "until done":
		<-ctx.Done()
		return 0, ctx.Err()
	case "hang":
		<-hung
	case "panic":
		panic("model")
	case "nonsense":
		return n + 1, nil
	case "silent":
		return n - 1, nil
	case "slow":
		time.Sleep(slow)
	}
	return n, nil
}

// answerTest answers the test event: it is taken, unless the mode refuses everything.
func answerTest(mode string) (int, error) {
	switch mode {
	case "split all", "reject all":
		return 1, sink.Reject(errFake, 0)
	case "retry":
		return 0, errFake
	}
	return 1, nil
}

// splitThird refuses every batch with an event in it whose number leaves a remainder of 1.
func splitThird(batch []sink.Event) (int, error) {
	for _, e := range batch {
		if e.Sequence%3 == 1 {
			return 0, sink.Split(errFake)
		}
	}
	return len(batch), nil
}
