package auditstream

import (
	"time"

	"github.com/auditstream/auditstream/internal/record"
	"github.com/auditstream/auditstream/internal/retry"
)

// idleAfter is how long a worker with an empty queue stays, so that a stream with an event now and then does not start
// a goroutine for each.
const idleAfter = 30 * time.Second

// A worker is the goroutine that leases and waits, and starts one for each attempt. It exists only while there is
// something to do.
type worker struct {
	running   bool
	nap       nap
	idleSince time.Time     // when the queue was first found empty; zero while it is not
	departure time.Time     // when the batch that waits for company leaves; zero while none does
	wakeup    chan struct{} // one slot: a wake-up is never lost and never waits
}

func newWorker() worker { return worker{wakeup: make(chan struct{}, 1)} }

// A nap is what the worker waits for, so that a publisher wakes it only when that matters.
type nap int

const (
	napNone    nap = iota // it does not wait, or for something that no publisher changes
	napIdle               // an event
	napCompany            // a full batch
)

// work runs until there is nothing to do.
func (s *Stream) work() {
	timer := time.NewTimer(idleAfter)
	defer timer.Stop()
	for {
		a, wait, more := s.next()
		switch {
		case !more:
			return
		case a != nil:
			go s.carryOut(a)
		case wait > 0:
			timer.Reset(wait)
			select {
			case <-s.worker.wakeup:
			case <-timer.C:
			}
		default:
			<-s.worker.wakeup
		}
	}
}

// next decides what the worker does: begin an attempt, wait (for a wake-up alone if wait is 0), or end.
func (s *Stream) next() (a *attempt, wait time.Duration, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	w := &s.worker
	w.nap = napNone
	s.logRemainders(now)
	if s.state != StateEnabled || s.outlet == nil || s.closing.over {
		if len(s.attempts) > 0 {
			return nil, 0, true // what is left when they have ended is for this worker to see to
		}
		s.endWorker()
		return nil, 0, false
	}
	if s.queue.Len() > 0 {
		w.idleSince = time.Time{}
	}
	switch {
	case s.teller.busy():
		return nil, 0, true // rejections are handed over before anything else happens, so memory stays bounded
	case s.queue.Len() == 0:
		w.departure = time.Time{}
		return s.idle(now)
	case !s.vacant():
		return nil, 0, true
	case s.unleased() == 0:
		w.nap = napIdle
		return nil, 0, true // every event is under way
	}
	if wait = s.pace.wait(now); wait > 0 {
		return nil, wait, true
	}
	if wait = s.company(now); wait > 0 {
		w.nap = napCompany
		return nil, wait, true
	}
	return s.begin(), 0, true
}

// idle waits for an event, for 30 s at most.
func (s *Stream) idle(now time.Time) (*attempt, time.Duration, bool) {
	w := &s.worker
	if w.idleSince.IsZero() {
		w.idleSince = now
	}
	rest := idleAfter - now.Sub(w.idleSince)
	if rest <= 0 {
		s.endWorker()
		return nil, 0, false
	}
	if s.rejects.count+s.overflows.count > 0 {
		rest = min(rest, logEvery) // what was held back is logged before the stream falls idle
	}
	w.nap = napIdle
	return nil, rest, true
}

func (s *Stream) endWorker() {
	s.worker.running = false
	s.worker.idleSince, s.worker.departure = time.Time{}, time.Time{}
	if s.queue.Len() == 0 {
		s.queue.Trim()
	}
}

// company returns how long the oldest event still waits for others to share its batch. The time of an event is on the
// wall clock, which can jump: it is looked at once for each batch, and the wait is kept within [0, BatchDelay].
func (s *Stream) company(now time.Time) time.Duration {
	if s.ripe() || s.split.bisecting() || s.queue.UnleasedThrough(s.pace.hurry) > 0 {
		return 0
	}
	w := &s.worker
	if w.departure.IsZero() {
		oldest, _ := s.queue.Next()
		waited := max(now.Sub(record.ObservedTime(oldest)), 0)
		w.departure = now.Add(s.cfg.BatchDelay - waited)
	}
	return max(w.departure.Sub(now), 0)
}

// ripe reports whether a batch would be full, or cannot grow.
func (s *Stream) ripe() bool {
	events, bytes := s.queue.Unleased()
	return events >= s.cfg.BatchEvents || bytes >= s.batchBytes() || s.queue.Waiters() > 0
}

// unleased is how many events no attempt has taken on.
func (s *Stream) unleased() int {
	events, _ := s.queue.Unleased()
	return events
}

// batchBytes is how many bytes an attempt offers at most.
func (s *Stream) batchBytes() int {
	if s.split.limit > 0 {
		return s.split.limit
	}
	return s.cfg.BatchBytes
}

// wake makes the worker look again, and starts it if there is something to do. It is called with the lock held.
func (s *Stream) wake() {
	w := &s.worker
	switch {
	case w.running:
		select {
		case w.wakeup <- struct{}{}:
		default:
		}
	case s.state == StateEnabled && s.queue.Len() > 0:
		w.running = true
		go s.work()
	}
}

// wakeForEvents is wake for a publisher, which has nothing to say to a worker that is busy or waits for something else.
func (s *Stream) wakeForEvents() {
	w := &s.worker
	if !w.running || w.nap == napIdle || w.nap == napCompany && s.ripe() {
		w.nap = napNone
		s.wake()
	}
}

// pace says when the next attempt may start.
type pace struct {
	round     int       // how many failures there have been since the destination was configured or deleted
	failures  int       // in a row
	notBefore time.Time // the end of a backoff; zero means at once
	asked     time.Time // the end of the wait that the destination asked for
	urgent    bool      // Flush and Shutdown: the next attempt starts whatever the backoff
	hurry     uint64    // events up to this sequence number do not wait for company
}

// reset ends a backoff and forgets the failures that led to it.
func (p *pace) reset() { p.failures, p.notBefore, p.asked = 0, time.Time{}, time.Time{} }

// recover is reset by the destination itself: what it asked for in another answer holds.
func (p *pace) recover() { p.failures, p.notBefore = 0, time.Time{} }

// due is when the next attempt may start.
func (p *pace) due() time.Time {
	if p.asked.After(p.notBefore) {
		return p.asked
	}
	return p.notBefore
}

// press makes the next attempt start at once, for every event up to a sequence number.
func (p *pace) press(through uint64) { p.urgent, p.hurry = true, through }

// wait returns how long the backoff still lasts.
func (p *pace) wait(now time.Time) time.Duration {
	if p.urgent || p.due().IsZero() {
		return 0
	}
	return max(p.due().Sub(now), 0)
}

// backOff sets the wait after a failed attempt: growing with the failures in a row, and no less than what the
// destination asked for.
func (p *pace) backOff(cfg *Config, now time.Time, after time.Duration) {
	p.fail(now.Add(retry.Backoff(cfg.RetryMin, cfg.RetryMax, p.failures)))
	p.extend(now, after)
}

// probe sets the wait of a blocked stream.
func (p *pace) probe(cfg *Config, now time.Time, after time.Duration) {
	p.fail(now.Add(retry.Probe(cfg.RetryMax)))
	p.extend(now, after)
}

// fail begins the next round.
func (p *pace) fail(notBefore time.Time) {
	p.round++
	p.failures++
	p.notBefore = notBefore
}

// extend honours what the destination asked for in an answer that says nothing else.
func (p *pace) extend(now time.Time, after time.Duration) {
	if asked := now.Add(retry.ClampAfter(after)); after > 0 && asked.After(p.asked) {
		p.asked = asked
	}
}
