package auditstream

import (
	"context"
	"errors"
)

// closing is the end of a Stream. Its fields are guarded by the Stream's lock; err is set before done is closed.
type closing struct {
	begun bool          // Shutdown was called: nothing is accepted any more
	over  bool          // nothing is delivered any more either
	done  chan struct{} // closed when err is the result of the first call
	err   error
}

func newClosing() closing { return closing{done: make(chan struct{})} }

// Shutdown ends the stream. From its call on events are refused with ErrShutdown. It makes one attempt at once, whatever
// the backoff, and goes on, backoff and all, until the queue is empty and every rejection has been handed over, or ctx
// is done; a ctx that is already done means to stop now. A paused stream is not drained.
//
// What is left is counted as discarded (shutdown) and handed back in an *[UndeliveredError]; events of an attempt that
// was cut off are among it and may have arrived. With nothing left the error is nil. Shutdown never waits for a sink
// beyond ctx. State, Condition and Destination stay as they were, for Status to show. Later calls wait for the first, or
// for their own ctx, and return the first one's result.
func (s *Stream) Shutdown(ctx context.Context) error {
	if !s.made() {
		return errNotMade
	}
	left, first := s.end(ctx)
	if !first {
		return s.joinShutdown(ctx)
	}
	err := left()
	s.closing.err = err
	close(s.closing.done)
	return err
}

// end makes the first call of Shutdown: it drains and stops the stream, and returns the function that describes what was
// left behind.
func (s *Stream) end(ctx context.Context) (left func() error, first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.begun {
		return nil, false
	}
	s.closing.begun = true
	s.enter(s.state) // refuses from now on
	s.pace.press(s.queue.LastSeq())
	s.wake()
	left = s.finish(s.drain(ctx))
	for s.teller.busy() { // the host may exit as soon as Shutdown returns, and the last record is in the making
		if s.waitForChange(ctx) != nil {
			break
		}
	}
	return left, true
}

// joinShutdown waits for the result of the call that came first.
func (s *Stream) joinShutdown(ctx context.Context) error {
	select {
	case <-s.closing.done: // whether ctx is done or not
		return s.closing.err
	default:
	}
	select {
	case <-s.closing.done:
		return s.closing.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// drain waits until there is nothing left to do, or returns why it stopped waiting. It is called with the lock held.
func (s *Stream) drain(ctx context.Context) error {
	for {
		resting := len(s.attempts) == 0 && !s.teller.busy()
		switch {
		case resting && s.queue.Len() == 0:
			return nil
		case resting && s.state == StatePaused:
			return ErrPaused
		}
		if err := s.waitForChange(ctx); err != nil {
			return err
		}
	}
}

// finish stops everything and returns a function that describes what was left behind: it decodes the events, which
// takes too long for the lock that finish is called with.
func (s *Stream) finish(cause error) (left func() error) {
	s.closing.over = true
	s.endAttempts(errShutdownAttempt)
	segments := s.queue.All()
	n := s.queue.Clear()
	s.totals.DiscardedShutdown += uint64(n) //nolint:gosec // a count is never negative
	if s.outlet != nil {
		s.retire(s.outlet)
	}
	s.logShutdown(n)
	s.wake()
	s.notify()
	cause = errors.Join(cause, s.lastErr)
	return func() error {
		if n == 0 {
			return nil
		}
		events := s.decode(segments, n)
		return &UndeliveredError{
			Events: events,
			First:  events[0].Sequence,
			Last:   events[len(events)-1].Sequence,
			Err:    cause,
		}
	}
}
