package auditstream

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/auditstream/auditstream/sink"
)

// Test tries a destination before it is put to use: it opens a sink of its own from dst, or from the stream's current
// destination if dst is nil, makes one attempt at delivering the event auditstream.test by the actor auditstream, and
// closes the sink. The event carries no sequence number. Nothing else of the stream is touched: not its queue, ledger,
// state or condition.
//
// Test returns nil when the destination accepted the event; what is wrong with dst, as [*sink.ConfigError] values; or
// why the attempt failed, with a code and a remedy where a *[sink.Error] is among the causes. It waits for the sink
// until ctx is done or Config.AttemptTimeout (or the sink's own) has passed. With a nil dst it returns ErrUnconfigured or
// ErrDeleted when there is no current destination, and after Shutdown ErrShutdown.
func (s *Stream) Test(ctx context.Context, dst sink.Destination) error {
	if !s.made() {
		return errNotMade
	}
	dst, err := s.candidate(dst)
	if err != nil {
		return err
	}
	o, err := openOutlet(dst)
	if err != nil {
		return err
	}
	attempt, stop := o.limit(withoutValues{ctx}, s.cfg.AttemptTimeout)
	defer stop()
	answers := make(chan answer, 1)
	o.calls++
	go s.deliverTest(attempt, o, answers)
	select {
	case ans := <-answers:
		return s.testResult(o, ans)
	case <-attempt.Done():
	}
	select {
	case ans := <-answers: // both at once: the answer says more
		return s.testResult(o, ans)
	default:
		return fmt.Errorf("auditstream: the test for %q was not answered: %w",
			s.cfg.Name, cmp.Or(ctx.Err(), context.Cause(attempt)))
	}
}

// withoutValues is a caller's context as far as a sink gets to see it: when it ends, and none of its values. One of them
// may be a hook of net/http/httptrace, which is shown the headers of every request made under it, credentials included.
type withoutValues struct{ context.Context }

// Value implements [context.Context].
func (withoutValues) Value(any) any { return nil }

// candidate returns the destination to test.
func (s *Stream) candidate(dst sink.Destination) (sink.Destination, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closing.begun:
		return nil, ErrShutdown
	case dst != nil:
		return dst, nil
	case s.outlet != nil:
		return s.outlet.dst, nil
	case s.state == StateDeleted:
		return nil, ErrDeleted
	}
	return nil, ErrUnconfigured
}

// deliverTest is the goroutine of Test's attempt. The sink is closed when it has come back, whoever still waits.
func (s *Stream) deliverTest(ctx context.Context, o *outlet, answers chan<- answer) {
	o.call(ctx, []Event{s.testEvent(time.Now())}, func(ans answer) {
		s.mu.Lock()
		defer s.mu.Unlock()
		o.calls--
		s.retire(o)
		s.notePanic(o, ans.err)
		answers <- ans // one slot: it does not wait
	})
}

// testResult is the error of Test for an answer.
func (s *Stream) testResult(o *outlet, ans answer) error {
	r := rule(ans, 1)
	if r.panicked {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.notePanic(o, r.err)
	}
	if r.delivered() == 1 {
		return nil
	}
	return r.err
}
