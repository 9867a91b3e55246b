package auditstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/auditstream/auditstream/internal/queue"
	"github.com/auditstream/auditstream/internal/record"
	"github.com/auditstream/auditstream/sink"
)

const (
	// returnGrace is how long a sink has to come back after its context has ended before its lease does too.
	returnGrace = time.Second

	// editGrace is how long an attempt in progress has after Configure has replaced its sink.
	editGrace = time.Second
)

// Causes by which an attempt's context ends, and the error for a sink that ignores it.
var (
	errAttemptTimeout  = errors.New("auditstream: the attempt took longer than Config.AttemptTimeout")
	errSinkTimeout     = errors.New("auditstream: the attempt took longer than the destination's own time-out")
	errEditedAttempt   = errors.New("auditstream: the destination was edited")
	errDeletedAttempt  = errors.New("auditstream: the stream was deleted")
	errShutdownAttempt = errors.New("auditstream: the stream was shut down")
	errHung            = errors.New("auditstream: the sink does not return, though its context has ended")
	errGoexit          = errors.New("auditstream: the sink ended its goroutine instead of returning")
	errNotStarted      = errors.New("auditstream: the attempt was called off before it started")
)

// An attempt is one call of Deliver on a lease of events. Deliver runs in a goroutine of its own; its answer counts only
// while the lease is current.
type attempt struct {
	outlet *outlet
	lease  queue.Lease
	batch  []sink.Event
	round  int  // of the pace, when it began: an answer from an earlier one says nothing about how things are now
	part   bool // of a range that was refused

	ctx    context.Context
	cancel context.CancelCauseFunc

	answers    chan answer   // one slot, so that Deliver's goroutine never waits
	superseded chan struct{} // closed when Configure has replaced the outlet
	ended      chan struct{} // closed when Delete or Shutdown has ended the lease

	// Guarded by the Stream's lock.
	replaced bool // superseded is closed
	over     bool // the lease has ended: a late answer changes nothing
	hung     bool // because Deliver does not return
}

// answer is what Deliver returned, and how the context of the attempt had ended by then, if it had.
type answer struct {
	n     int
	err   error
	cause error
}

// panicError is the answer of a sink that panicked.
type panicError struct {
	text  string
	stack []byte
}

func (e *panicError) Error() string { return "auditstream: the sink panicked (" + e.text + ")" }

// begin leases the next batch. It is called with the lock held, when nothing stands against an attempt.
func (s *Stream) begin() *attempt {
	events, bytes := s.cfg.BatchEvents, s.batchBytes()
	if part := s.split.part(s.queue); part > 0 {
		events, bytes = min(part, events), s.cfg.BatchBytes // older batches may have come back since
	}
	lease, ok := s.queue.Lease(events, bytes)
	if !ok {
		return nil
	}
	if s.pace.urgent {
		s.pace.urgent, s.pace.asked = false, time.Time{}
	}
	s.worker.departure = time.Time{}
	a := s.newAttempt(lease)
	s.attempts = append(s.attempts, a)
	return a
}

// newAttempt returns an attempt on lease that is about to call the sink. It is called with the lock held.
func (s *Stream) newAttempt(lease queue.Lease) *attempt {
	a := &attempt{
		outlet:     s.outlet,
		lease:      lease,
		round:      s.pace.round,
		part:       s.split.bisecting(),
		answers:    make(chan answer, 1),
		superseded: make(chan struct{}),
		ended:      make(chan struct{}),
	}
	a.ctx, a.cancel = context.WithCancelCause(context.Background())
	a.outlet.calls++
	return a
}

// vacant reports whether another attempt may begin beside those in progress. While the destination fails, one at a time
// tries it, and the parts of a refused range go one by one. It is called with the lock held.
func (s *Stream) vacant() bool {
	o := s.outlet
	limit := min(s.cfg.InFlight, o.maxInFlight)
	if o.hung > 0 || o.calls >= limit || len(s.attempts) >= limit {
		return false // a sink that has not come back is not called again
	}
	failing, bisecting := s.condition != ConditionHealthy, s.split.bisecting()
	return !slices.ContainsFunc(s.attempts, func(a *attempt) bool {
		return failing && a.round == s.pace.round || bisecting && a.part
	})
}

// forget takes an attempt out of those in progress. It is called with the lock held.
func (s *Stream) forget(a *attempt) {
	s.attempts = slices.DeleteFunc(s.attempts, func(b *attempt) bool { return a == b })
}

// carryOut makes an attempt, settles its answer, and lets the worker look for the next.
func (s *Stream) carryOut(a *attempt) {
	a.batch = s.decode(s.segments(a.lease), a.lease.Len)
	if ans, ok := s.run(a); ok {
		s.settle(a, ans)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wake()
}

// segments returns copies of a lease's records, or nil if it has ended.
func (s *Stream) segments(lease queue.Lease) []queue.Segment {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queue.Segments(lease.ID)
}

// decode returns the events of segments in a slice of its own.
func (s *Stream) decode(segments []queue.Segment, n int) []Event {
	var decoder record.Decoder
	events := make([]Event, 0, n)
	for _, segment := range segments {
		for seq, rec := range segment.Records() {
			events = append(events, Event{})
			e := &events[len(events)-1] // in place, for an Event is large
			if err := decoder.DecodeTo(e, rec); err != nil {
				// This process wrote the record a moment ago, and a property test says that it can be read. A hole in
				// the numbers would say less than an event that tells why it is empty.
				e.Message = "auditstream: " + err.Error()
			}
			e.Sequence, e.StreamID = seq, s.id
		}
	}
	return events
}

// run lets the sink deliver and waits for its answer, or for the end of the lease. ok is false when the lease has ended
// and been dealt with.
func (s *Stream) run(a *attempt) (ans answer, ok bool) {
	ctx, stop := a.outlet.limit(a.ctx, s.cfg.AttemptTimeout)
	defer stop()
	defer a.cancel(nil)
	a.ctx = ctx
	begun := time.Now()
	defer func() { s.measure(a, ans, ok, time.Since(begun)) }()
	go s.deliver(a)
	grace := time.NewTimer(0)
	grace.Stop()
	defer grace.Stop()
	done, superseded := ctx.Done(), a.superseded
	for {
		select {
		case ans = <-a.answers:
			return ans, true
		case <-a.ended:
			return answer{}, false
		case <-superseded:
			grace.Reset(editGrace)
			superseded, done = nil, nil
		case <-done:
			grace.Reset(returnGrace)
			superseded, done = nil, nil
		case <-grace.C:
			return s.abandon(a)
		}
	}
}

// deliver is the goroutine of one Deliver. It may outlive the lease, the sink's use and the Stream.
func (s *Stream) deliver(a *attempt) {
	if !s.mayStart(a) {
		s.returned(a, answer{err: errNotStarted})
		return
	}
	a.outlet.call(a.ctx, a.batch, func(ans answer) { s.returned(a, ans) })
}

// mayStart is the last look before Deliver: since the lease was taken and decoded, the stream may have been paused, or
// the outlet replaced, by a call that has returned and promised that no attempt starts any more.
func (s *Stream) mayStart(a *attempt) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == StateEnabled && !a.replaced && !a.over
}

// returned takes Deliver's answer: to the worker, or to the log when the lease has ended.
func (s *Stream) returned(a *attempt, ans answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a.outlet.calls--
	if a.hung {
		a.outlet.hung--
	}
	s.closeIfDone(a.outlet)
	s.notePanic(a.outlet, ans.err)
	if !a.over {
		a.answers <- ans
		return
	}
	if ans.n > 0 || ans.err == nil {
		s.logLate(a, ans)
	}
	if a.outlet == s.outlet {
		s.pace.notBefore = time.Time{} // it hung, and it is back
	}
	s.wake()
}

// abandon ends the lease of an attempt that has used up its grace, unless it has been answered just now.
func (s *Stream) abandon(a *attempt) (ans answer, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case ans = <-a.answers:
		return ans, true
	default:
	}
	if a.over {
		return answer{}, false
	}
	a.over, a.hung = true, true
	a.outlet.hung++
	s.forget(a)
	s.queue.Release(a.lease.ID)
	s.totals.InDoubt += uint64(a.lease.Len) //nolint:gosec // a length is never negative
	s.admitWaiters()
	if a.replaced {
		a.cancel(errEditedAttempt)
	} else {
		s.fail(ruling{verdict: sink.VerdictBlock, err: &sink.Error{
			Verdict: sink.VerdictBlock,
			Err:     fmt.Errorf("%w (%w)", errHung, context.Cause(a.ctx)),
			Remedy:  "Its driver does not honour the context it is given: edit the destination or restart the host.",
		}})
	}
	s.notify()
	return answer{}, false
}

// supersede tells the attempt in progress that its sink has been replaced. It is called with the lock held.
func (a *attempt) supersede() {
	if !a.replaced {
		a.replaced = true
		close(a.superseded)
	}
}

// endAttempts ends the leases of the attempts in progress at once. It is called with the lock held.
func (s *Stream) endAttempts(cause error) {
	for _, a := range s.attempts {
		a.over = true
		a.cancel(cause)
		close(a.ended)
	}
	s.attempts = nil
}
