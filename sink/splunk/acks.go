package splunk

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/auditstream/auditstream/sink"
)

const (
	// firstAsk is how long after a request its acknowledgement is asked for. An idle Splunk has it in about a second.
	firstAsk = time.Second

	// maxAsk is the longest time between two questions while something is outstanding, as Splunk recommends.
	maxAsk = 10 * time.Second

	// askTimeout bounds one question.
	askTimeout = 30 * time.Second

	// maxIDs is how many acknowledgements are asked for in one request. The answer has 20 bytes for each and is read up to
	// 64 KiB.
	maxIDs = 1000

	// refusals is how many times in a row Splunk has to refuse to talk of acknowledgements before that is believed. To
	// end the wait means to send the events again, so a balancer that is being reconfigured is given a few seconds.
	refusals = 3
)

// acks are the acknowledgements that a sink waits for, and the channels that they come by. A sink that waits for none has
// one channel and nothing else here.
type acks struct {
	// ask asks Splunk.
	ask func(ctx context.Context, c *channel, ids []ackID) reply

	mu sync.Mutex // guards what follows; held for memory operations only

	off      bool // nothing is waited for: Config says so, or the token has no acknowledgement
	disabled bool // the token has none, though Config wants it

	current  *channel   // for new requests; nil before the first
	channels []*channel // those with something outstanding, current included

	// The first request of a sink goes alone: its answer brings the cookie by which a balancer keeps those that follow at
	// the same indexer.
	answered bool
	first    *first // nil while there is none

	poller   *poller // nil while there is nothing to ask
	interval time.Duration
	next     time.Time // when to ask
	quiet    time.Time // until when Splunk wants to be left alone
	refused  int       // rounds of questions in a row
	trouble  error     // why a question of the last round was not answered
}

// first is the first request of a sink.
type first struct {
	over     chan struct{}
	answered bool // set before over is closed
}

// ticket is what a request is known by.
type ticket struct {
	channel *channel
	number  int
	floor   ackID
	first   bool
}

// header is what the request carries.
func (t ticket) header() http.Header { return t.channel.header }

// numbered reports whether acknowledgements were waited for when the request began.
func (t ticket) numbered() bool { return t.number > 0 }

// begin notes that a request goes out. It waits for the first request of the sink, and fails if that one gets no answer.
func (a *acks) begin(ctx context.Context) (ticket, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := ticket{}
	switch {
	case a.off || a.answered:
	case a.first == nil:
		a.first, t.first = &first{over: make(chan struct{})}, true
	default:
		if err := a.follow(ctx); err != nil {
			return ticket{}, err
		}
	}
	if a.current == nil || a.current.retired {
		a.current = newChannel()
	}
	t.channel = a.current
	if !a.off {
		t.number, t.floor = a.current.begin()
		if !slices.Contains(a.channels, a.current) {
			a.channels = append(a.channels, a.current)
		}
	}
	return t, nil
}

// follow waits for the end of the first request. It is called with the lock held, and lets go of it meanwhile.
func (a *acks) follow(ctx context.Context) error {
	request := a.first
	a.mu.Unlock()
	defer a.mu.Lock()
	select {
	case <-request.over:
	case <-ctx.Done():
		return ctx.Err()
	}
	if !request.answered {
		return &sink.Error{
			Verdict: sink.VerdictRetry,
			Err:     errors.New("splunk: another request, after which this one was to go, got no answer"),
			Remedy:  "See to the reason why that one failed.",

			NotTaken: true,
		}
	}
	return nil
}

// passed lets the other requests go when the first one is over.
func (a *acks) passed(t ticket, answered bool) {
	if t.first {
		a.first.answered, a.answered = answered, answered
		close(a.first.over)
		a.first = nil
	}
}

// unanswered notes that a request got no answer that can be read. If it may have been taken, its number stays at the
// indexer, and nobody knows it.
func (a *acks) unanswered(t ticket, taken bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.passed(t, false)
	if !t.numbered() {
		return
	}
	t.channel.retired = t.channel.retired || taken
	t.channel.answered(t.number)
	a.prune()
}

// answer notes the answer to a request, of which the events from start to end were taken, and others too if there is a
// doubt. It returns the receipt for them, or nil if they need none: Splunk took none, or the token has no
// acknowledgement.
func (a *acks) answer(t ticket, id ackID, start, end int, doubt bool) *receipt {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.passed(t, true)
	if !t.numbered() {
		return nil
	}
	defer a.prune()
	defer t.channel.answered(t.number)
	t.channel.retired = t.channel.retired || doubt
	switch {
	case a.off, start == end:
		return nil
	case id == none:
		a.off, a.disabled = true, true
		return nil
	}
	r := &receipt{channel: t.channel, id: id, start: start, end: end, done: make(chan struct{})}
	if t.channel.owe(id, t.floor, r) {
		a.expect()
	}
	return r
}

// isDisabled reports whether the token has no acknowledgement, though Config wants it.
func (a *acks) isDisabled() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.disabled
}

// full notes that Splunk has no room for more acknowledgements on a channel, or soon will not. Those that are outstanding
// are asked for, which makes room. If none is waited for, it holds such as nobody asks for: a new channel is empty, and
// Splunk drops the old one.
func (a *acks) full(t ticket) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.off {
		t.channel.retired = true
	} else {
		a.hurry()
	}
}

// withdraw gives up receipts whose events are going to be sent again. When it returns, nobody asks any more if there is
// nothing else to ask for.
func (a *acks) withdraw(receipts []*receipt) {
	if p := a.giveUp(receipts); p != nil {
		p.stop()
	}
}

func (a *acks) giveUp(receipts []*receipt) *poller {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range receipts {
		if c := r.channel; c.owed[r.id] == r {
			delete(c.owed, r.id)
			c.retired = true // the number stays at the indexer
		}
	}
	a.prune()
	if a.asking() {
		return nil
	}
	p := a.poller
	a.poller = nil
	return p
}

// prune forgets the channels that have nothing outstanding.
func (a *acks) prune() {
	a.channels = slices.DeleteFunc(a.channels, func(c *channel) bool { return c.idle() })
	if len(a.channels) == 0 {
		a.channels = nil
	}
}

// asking reports whether there is something to ask for.
func (a *acks) asking() bool {
	return slices.ContainsFunc(a.channels, func(c *channel) bool { return len(c.open()) > 0 })
}

// why says what is known about why receipts are not in: whether a number of theirs was given twice, and what went wrong
// with the last question.
func (a *acks) why(receipts []*receipt) (lost bool, trouble error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.ContainsFunc(receipts, func(r *receipt) bool { return r.channel.lost }), a.trouble
}
