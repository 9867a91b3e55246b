package auditstream

import (
	"time"

	"github.com/auditstream/auditstream/internal/queue"
	"github.com/auditstream/auditstream/sink"
)

// settle carries out the answer to an attempt: what leaves the queue, what is told, how the stream is doing and when the
// next attempt may start.
func (s *Stream) settle(a *attempt, ans answer) {
	r := rule(ans, a.lease.Len)
	if r.panicked {
		s.mu.Lock()
		s.notePanic(a.outlet, r.err)
		s.mu.Unlock()
	}
	if s.conclude(a, r, s.rejection(a.lease, r), false) {
		return
	}
	if r, ok := s.prove(a, r); ok {
		s.conclude(a, r, s.rejection(a.lease, r), true)
	}
}

// conclude is the end of settle, in one piece. Nothing has changed when it returns false: the ruling would reject an
// event for which the destination has to be proven first.
func (s *Stream) conclude(a *attempt, r ruling, rejection Rejection, proven bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.over || !s.queue.Current(a.lease.ID) {
		return true // deleted or shut down between the answer and now
	}
	trial := s.contrast
	// What a destination refuses that is not the stream's any more is for the new one to judge.
	if unproven := trial.follow(r) || a.replaced && len(r.rejected) > 0; unproven && !proven {
		return false
	}
	s.contrast = trial
	s.forget(a)
	s.commit(a, r, rejection)
	s.judge(a, r)
	s.notify()
	return true
}

// judge lets an answer change how the stream is doing and when the next attempt may start. One to an attempt that began
// before the last failure does not: what came after it counts, and the wait that another answer asked for holds.
func (s *Stream) judge(a *attempt, r ruling) {
	current := a.round == s.pace.round
	switch {
	case r.quiet:
	case !r.rest || r.verdict == sink.VerdictReject:
		if current {
			s.recover()
		}
	case a.replaced:
		// The destination that failed, or refused, is not the stream's any more.
	case r.verdict == sink.VerdictSplit:
		s.split.refused(a)
		if current {
			s.pace.notBefore = time.Time{}
		}
	case current:
		s.fail(r)
	default:
		s.pace.extend(time.Now(), r.after)
	}
}

// commit takes what was answered for out of the queue, into the ledger, and tells of what was rejected.
func (s *Stream) commit(a *attempt, r ruling, rejection Rejection) {
	s.queue.Commit(a.lease.ID, r.n)
	if r.rest && r.doubt {
		s.totals.InDoubt += uint64(a.lease.Len - r.n) //nolint:gosec // never negative
	}
	s.admitWaiters()
	if delivered := r.delivered(); delivered > 0 {
		s.totals.Delivered += uint64(delivered)
		s.lastDelivery = time.Now()
		if a.round == s.pace.round {
			s.pace.failures = 0 // progress: the next backoff starts small
		}
	}
	switch {
	case rejection.Count > 0:
		s.totals.Rejected += rejection.Count
		if a.part {
			s.split.conclude(true)
		}
		s.tellRejection(rejection)
	case r.n > 0 && !r.rest:
		s.split.taken(a, s.cfg.BatchBytes)
	}
}

// rejection describes what r rejects of a lease. The events are decoded anew, for the sink was free to change its own,
// and without the lock, for that takes a while. If the lease has ended meanwhile, the description is of no use.
func (s *Stream) rejection(lease queue.Lease, r ruling) Rejection {
	rejection := Rejection{Count: uint64(len(r.rejected) + r.count), Err: r.err} //nolint:gosec // a count is never negative
	if rejection.Count == 0 || s.cfg.OnReject == nil {
		return rejection
	}
	events := s.decode(s.segments(lease), lease.Len)
	if len(events) < lease.Len {
		return rejection
	}
	if r.count > 0 {
		rejection.Candidates = events[:r.n:r.n]
		return rejection
	}
	for _, i := range r.rejected {
		rejection.Events = append(rejection.Events, events[i])
	}
	return rejection
}

// recover ends a streak of failures.
func (s *Stream) recover() {
	s.pace.recover()
	s.outlet.panicked = false
	s.transition(s.state, ConditionHealthy, nil)
}

// fail begins or continues a streak of failures. It is called with the lock held.
func (s *Stream) fail(r ruling) {
	now := time.Now()
	s.lastErr, s.lastErrTime = r.err, now
	condition := ConditionRetrying
	if r.verdict == sink.VerdictBlock {
		condition = ConditionBlocked
		s.pace.probe(&s.cfg, now, r.after)
	} else {
		s.pace.backOff(&s.cfg, now, r.after)
	}
	s.transition(s.state, condition, r.err)
}
