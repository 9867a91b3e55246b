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
	s.mu.Lock()
	if r.panicked {
		s.notePanic(a.outlet, r.err)
	}
	trial := s.contrast
	// What a destination refuses that is not the stream's any more is for the new one to judge.
	unproven := trial.follow(r) || a.replaced && len(r.rejected) > 0
	s.mu.Unlock()
	if unproven {
		var ok bool
		if r, ok = s.prove(a, r); !ok {
			return
		}
	}
	rejection := s.rejection(a.lease, r)
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.over || !s.queue.Current(a.lease.ID) {
		return // deleted or shut down between the answer and now
	}
	s.attempt = nil
	s.contrast.follow(r)
	s.commit(a.lease, r, rejection)
	switch {
	case r.quiet:
	case !r.rest || r.verdict == sink.VerdictReject:
		s.recover()
	case a.replaced:
		// The destination that failed, or refused, is not the stream's any more.
	case r.verdict == sink.VerdictSplit:
		s.split.refused(a.lease.Last)
		s.pace.notBefore = time.Time{}
	default:
		s.fail(r)
	}
	s.notify()
}

// commit takes what was answered for out of the queue, into the ledger, and tells of what was rejected.
func (s *Stream) commit(lease queue.Lease, r ruling, rejection Rejection) {
	s.queue.Commit(lease.ID, r.n)
	if r.rest && r.doubt {
		s.totals.InDoubt += uint64(lease.Len - r.n) //nolint:gosec // never negative
	}
	s.admitWaiters()
	if delivered := r.delivered(); delivered > 0 {
		s.totals.Delivered += uint64(delivered)
		s.lastDelivery = time.Now()
		s.pace.failures = 0 // progress: the next backoff starts small
	}
	switch {
	case rejection.Count > 0:
		s.totals.Rejected += rejection.Count
		s.split.conclude(true)
		s.tellRejection(rejection)
	case r.n > 0 && !r.rest:
		s.split.taken(lease, s.cfg.BatchBytes)
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
	s.pace.reset()
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
