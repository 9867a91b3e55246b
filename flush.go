package auditstream

import (
	"context"
	"fmt"
)

// Flush waits until everything published before the call has been answered for: delivered, or rejected and handed to
// OnReject, or discarded. It ends the batch delay, and a backoff once. Events published meanwhile are not waited for.
//
// Flush returns an error that matches ctx.Err() when ctx is done first, ErrPaused when the stream is paused with events
// pending, ErrDeleted after Delete and ErrShutdown after Shutdown. Nothing is lost by any of them but what Delete
// discards. With nothing pending it is nil in every other state. Several goroutines may flush at once.
func (s *Stream) Flush(ctx context.Context) error {
	if !s.made() {
		return errNotMade
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	through := s.queue.LastSeq()
	if s.queue.Pending(through) > 0 && s.refusal() == nil {
		s.pace.press(through)
		s.wake()
	}
	var tales uint64 // to be told before Flush returns, once everything has been answered for
	for answered := false; ; {
		if s.closing.over {
			return ErrShutdown
		}
		if s.state == StateDeleted {
			return ErrDeleted
		}
		pending := s.queue.Pending(through)
		if pending == 0 && !answered {
			answered, tales = true, s.teller.asked
		}
		if answered && s.teller.told >= tales {
			return nil
		}
		if pending > 0 && s.state == StatePaused {
			return ErrPaused
		}
		if err := s.waitForChange(ctx); err != nil {
			return &endedWait{fmt.Errorf("auditstream: flush of %q ended with %d events not answered for",
				s.cfg.Name, s.queue.Pending(through)), err}
		}
	}
}

// waitForChange waits for the next notify or the end of ctx. The lock is held on entry and on return.
func (s *Stream) waitForChange(ctx context.Context) error { return s.waitFor(ctx, s.change()) }

// waitFor waits for done, or for the end of ctx, whose error it returns. The lock is held on entry and on return, and
// not while ctx is asked.
func (s *Stream) waitFor(ctx context.Context, done <-chan struct{}) error {
	s.mu.Unlock()
	defer s.mu.Lock()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
