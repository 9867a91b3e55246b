package splunk

import (
	"context"
	"slices"
	"time"
)

// poller is the goroutine that asks for acknowledgements, those of all calls of Deliver together. It lives while there
// is something to ask for.
type poller struct {
	acks   *acks
	wakeup chan struct{} // one slot: a wake-up is never lost and never waits
	cancel context.CancelFunc
	ended  chan struct{}
}

// question is a part of what there is to ask for at one time.
type question struct {
	channel *channel
	ids     []ackID
}

// reply is what became of a question.
type reply struct {
	confirmed []ackID
	disabled  bool          // the token has no acknowledgement
	refused   bool          // Splunk will not say, and somebody has to act
	err       error         // why there is no answer
	after     time.Duration // how long Splunk wants to be left alone
}

// expect makes somebody ask for a new receipt soon. It is called with the lock held.
func (a *acks) expect() {
	if a.poller == nil {
		ctx, cancel := context.WithCancel(context.Background())
		p := &poller{acks: a, wakeup: make(chan struct{}, 1), cancel: cancel, ended: make(chan struct{})}
		a.poller, a.next, a.refused, a.trouble = p, time.Time{}, 0, nil
		go p.run(ctx)
	}
	a.hurry()
}

// hurry makes the questions come faster again. It is called with the lock held.
func (a *acks) hurry() {
	a.interval = firstAsk
	soon := time.Now().Add(firstAsk)
	if a.quiet.After(soon) {
		soon = a.quiet
	}
	if a.poller == nil || !a.next.IsZero() && a.next.Before(soon) {
		return
	}
	a.next = soon
	select {
	case a.poller.wakeup <- struct{}{}:
	default:
	}
}

// stop ends the poller and waits until it has ended.
func (p *poller) stop() {
	p.cancel()
	<-p.ended
}

func (p *poller) run(ctx context.Context) {
	defer close(p.ended)
	defer p.cancel()
	timer := time.NewTimer(firstAsk)
	defer timer.Stop()
	for {
		wait, more := p.acks.pace(p)
		switch {
		case !more:
			return
		case wait > 0:
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-p.wakeup:
			case <-ctx.Done():
				return
			}
		default:
			p.round(ctx)
		}
	}
}

// pace returns how long p has to wait, and false when there is nothing to wait for.
func (a *acks) pace(p *poller) (time.Duration, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.poller != p {
		return 0, false // withdraw has ended it
	}
	if !a.asking() {
		a.poller = nil
		return 0, false
	}
	return time.Until(a.next), true
}

// round asks for everything once.
func (p *poller) round(ctx context.Context) {
	var sum reply
	for _, q := range p.acks.questions() {
		r := p.acks.ask(ctx, q.channel, q.ids)
		if ctx.Err() != nil && r.err != nil {
			return // nobody waits any more
		}
		p.acks.heed(q.channel, r)
		sum.after = max(sum.after, r.after)
		if r.refused && !sum.refused || sum.err == nil {
			sum.err, sum.refused = r.err, r.refused
		}
	}
	p.acks.conclude(p, sum)
}

// conclude ends a round whose replies came to sum.
func (a *acks) conclude(p *poller, sum reply) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.poller != p {
		return
	}
	a.trouble = sum.err
	if sum.refused {
		a.refused++
	} else {
		a.refused = 0
	}
	if a.refused == refusals {
		a.refused = 0
		a.settleAll(sum.err)
	}
	now := time.Now()
	a.quiet = now.Add(sum.after)
	a.next = now.Add(max(a.interval, sum.after))
}

// questions returns what there is to ask for, and makes the next round wait longer if nothing comes of this one.
func (a *acks) questions() []question {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.interval = min(2*a.interval, maxAsk)
	var all []question
	for _, c := range a.channels {
		for ids := range slices.Chunk(c.open(), maxIDs) {
			all = append(all, question{c, ids})
		}
	}
	return all
}

// heed carries out what a reply says.
func (a *acks) heed(c *channel, r reply) {
	a.mu.Lock()
	defer a.mu.Unlock()
	defer a.prune()
	if r.disabled {
		// Splunk has answered 200 for all that is outstanding, and more cannot be had.
		a.off, a.disabled = true, true
		a.settleAll(nil)
		return
	}
	for _, id := range r.confirmed {
		c.confirm(id)
		a.interval = firstAsk
	}
	c.release()
}

// settleAll ends every wait. It is called with the lock held.
func (a *acks) settleAll(err error) {
	for _, c := range a.channels {
		c.retired = c.retired || err != nil
		c.settleAll(err)
	}
}
