package auditstream

import (
	"errors"
	"time"

	"github.com/auditstream/auditstream/internal/queue"
	"github.com/auditstream/auditstream/sink"
)

// settle carries out the answer to an attempt: what leaves the queue, what is told, how the stream is doing and when the
// next attempt may start.
func (s *Stream) settle(a *attempt, ans answer) {
	r := rule(ans, a.lease.Len)
	s.mu.Lock()
	s.logPanic(ans)
	trial := s.contrast
	unproven := trial.follow(r)
	s.mu.Unlock()
	if unproven {
		var ok bool
		if r, ok = s.prove(a, r); !ok {
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.over || !s.queue.Current(a.lease.ID) {
		return // deleted or shut down between the answer and now
	}
	s.attempt = nil
	s.contrast.follow(r)
	s.commit(a.lease, r)
	switch {
	case r.quiet:
	case !r.rest || r.verdict == sink.VerdictReject:
		s.recover()
	case r.verdict == sink.VerdictSplit:
		s.split.refused(a.lease.Last)
		s.pace.notBefore = time.Time{}
	case a.replaced:
		// The destination that failed is not the stream's any more.
	default:
		s.fail(r)
	}
	s.notify()
}

// commit takes what was answered for out of the queue, into the ledger, and tells of what was rejected.
func (s *Stream) commit(lease queue.Lease, r ruling) {
	rejection := s.rejection(lease, r)
	s.queue.Commit(lease.ID, r.n)
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

// rejection describes what r rejects of a lease. The events are decoded anew: the sink was free to change its own.
func (s *Stream) rejection(lease queue.Lease, r ruling) Rejection {
	rejection := Rejection{Count: uint64(len(r.rejected) + r.count), Err: r.err} //nolint:gosec // a count is never negative
	if rejection.Count == 0 || s.cfg.OnReject == nil {
		return rejection
	}
	events := s.decode(s.queue.Segments(lease.ID), lease.Len)
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

// logPanic reports a sink's panic with its stack, once in a streak of failures.
func (s *Stream) logPanic(ans answer) {
	if p, ok := errors.AsType[*panicError](ans.err); ok && s.pace.failures == 0 {
		s.logStack(p)
	}
}
