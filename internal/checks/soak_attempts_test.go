package checks

import (
	"context"
	"io"
	"slices"
	"sync"
	"time"
	"weak"

	"github.com/auditstream/auditstream/sink"
)

// The pace of the Stream: Config's defaults, but for smaller batches, of which a long outage has every minute one encoded.
const (
	soakBatchEvents = 16
	soakBatchDelay  = 200 * time.Millisecond
	soakRetryMax    = time.Minute
	soakMaxAfter    = 5 * time.Minute
)

// leash is referred to by the dialler of one sink, and so by everything that the sink has started.
type leash struct{ dial dialFunc }

// attemptLog is what happened, in the order in which it began.
type attemptLog struct {
	began time.Time

	mu       sync.Mutex
	attempts []*delivery
	calls    []time.Time // Configure, Resume, Flush, Delete: they end a backoff
	tests    []time.Time
	dials    []time.Time
	leashes  []weak.Pointer[leash]
	open     int // sinks
	conns    int // connections of theirs that are open
	highest  uint64
}

// delivery is one Deliver.
type delivery struct {
	start, end time.Time
	size, n    int
	err        error
	oldest     time.Time // when its first event was published
	fresh      bool      // no event of it was offered before
	trial      bool      // the test event
	alone      bool      // no other ran meanwhile
}

func (l *attemptLog) watch(inner sink.Sink, own *leash) sink.Sink {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open++
	l.leashes = append(l.leashes, weak.Make(own))
	return &probe{log: l, inner: inner}
}

func (l *attemptLog) dialled(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dials = append(l.dials, time.Now())
	if err == nil {
		l.conns++
	}
}

// held returns how many sinks somebody still refers to.
func (l *attemptLog) held() int {
	n := 0
	for _, own := range l.leashes {
		if own.Value() != nil {
			n++
		}
	}
	return n
}

// hungUp notes the end of a connection.
func (l *attemptLog) hungUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns--
}

// called notes a call that ends a backoff, or may.
func (l *attemptLog) called() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = append(l.calls, time.Now())
}

// probe is a sink that writes the log.
type probe struct {
	log   *attemptLog
	inner sink.Sink
}

func (p *probe) Close() error {
	p.log.mu.Lock()
	p.log.open--
	p.log.mu.Unlock()
	return p.inner.(io.Closer).Close()
}

// MaxInFlight is the inner sink's.
func (p *probe) MaxInFlight() int {
	if s, ok := p.inner.(interface{ MaxInFlight() int }); ok {
		return s.MaxInFlight()
	}
	return 1
}

// AttemptTimeout is the inner sink's.
func (p *probe) AttemptTimeout() time.Duration {
	if s, ok := p.inner.(interface{ AttemptTimeout() time.Duration }); ok {
		return s.AttemptTimeout()
	}
	return 0
}

func (p *probe) Deliver(ctx context.Context, batch []sink.Event) (int, error) {
	d := p.log.start(batch)
	n, err := p.inner.Deliver(ctx, batch)
	p.log.mu.Lock()
	defer p.log.mu.Unlock()
	d.end, d.n, d.err = time.Now(), n, err
	return n, err
}

func (l *attemptLog) start(batch []sink.Event) *delivery {
	d := &delivery{start: time.Now(), size: len(batch), oldest: batch[0].ObservedTime, trial: batch[0].Sequence == 0}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !d.trial {
		d.fresh = batch[0].Sequence > l.highest
		l.highest = max(l.highest, batch[len(batch)-1].Sequence)
	}
	l.attempts = append(l.attempts, d)
	return d
}

// disturbed reports whether one of the moments lies in [from, to].
func disturbed(moments []time.Time, from, to time.Time) bool {
	i, _ := slices.BinarySearchFunc(moments, from, time.Time.Compare)
	return i < len(moments) && !moments[i].After(to)
}
