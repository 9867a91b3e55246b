package auditstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"github.com/auditstream/auditstream/sink"
)

// An outlet is the sink that a destination opened. All fields but the first five are guarded by the Stream's lock.
type outlet struct {
	dst  sink.Destination
	name string
	sink sink.Sink

	maxInFlight int           // how many calls of Deliver may overlap
	timeout     time.Duration // how long the sink wants an attempt to take at most; 0: the stream decides

	calls    int  // calls of Deliver that have not returned
	hung     int  // those of them whose lease has ended because they do not return
	retired  bool // replaced, deleted or shut down: to be closed when no call is left
	closed   bool // Close has been called
	panicked bool // a panic has been logged since the last success
}

// errNoDestination is the answer to Configure(nil).
var errNoDestination = &sink.ConfigError{
	Field:  "auditstream: Configure",
	Reason: "the destination is nil: pass a driver's Config, or call Delete to stop streaming",
}

// openOutlet opens the sink of dst. A driver that panics costs an error and not the host.
func openOutlet(dst sink.Destination) (o *outlet, err error) {
	if dst == nil {
		return nil, errNoDestination
	}
	defer func() {
		if p := recover(); p != nil {
			o, err = nil, fmt.Errorf("auditstream: opening the destination panicked (%s)", panicText(p))
		}
	}()
	name := dst.String() // first: if it panics, there is no sink yet that somebody would have to close
	opened, err := dst.Open()
	if err != nil {
		return nil, err
	}
	if opened == nil {
		return nil, errors.New("auditstream: the destination opened no sink and returned no error: this is a fault of its driver")
	}
	o = &outlet{dst: dst, name: name, sink: opened, maxInFlight: 1}
	if s, ok := opened.(interface{ MaxInFlight() int }); ok {
		o.maxInFlight = max(s.MaxInFlight(), 1)
	}
	if s, ok := opened.(interface{ AttemptTimeout() time.Duration }); ok {
		o.timeout = max(s.AttemptTimeout(), 0)
	}
	return o, nil
}

// limit returns a context for one attempt, which ends after the sink's own time or, if it has none, the stream's.
func (o *outlet) limit(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if o.timeout > 0 {
		return context.WithTimeoutCause(ctx, o.timeout, errSinkTimeout)
	}
	return context.WithTimeoutCause(ctx, timeout, errAttemptTimeout)
}

// call makes one Deliver and hands its answer to done, whatever the sink does: return, panic, or end its goroutine.
func (o *outlet) call(ctx context.Context, batch []sink.Event, done func(answer)) {
	ans := answer{err: errGoexit}
	defer func() {
		if p := recover(); p != nil {
			ans = answer{err: newPanicError(p)}
		}
		done(ans)
	}()
	n, err := o.sink.Deliver(ctx, batch)
	if null, ok := err.(*sink.Error); err != nil && (!ok || null != nil) { //nolint:errorlint // the error itself
		_ = err.Error() // if that panics or hangs, then here, and not where the host wants to show it
	}
	ans = answer{n: n, err: err, cause: context.Cause(ctx)}
}

// retire takes o out of use and closes its sink when no Deliver runs on it. It is called with the lock held.
func (s *Stream) retire(o *outlet) {
	o.retired = true
	s.closeIfDone(o)
}

// closeIfDone closes the sink of a retired outlet unless a Deliver is still running: then it is called again after
// that. Nobody waits for Close, which may be slow or hang. It is called with the lock held.
func (s *Stream) closeIfDone(o *outlet) {
	closer, ok := o.sink.(io.Closer)
	if !ok || !o.retired || o.calls > 0 || o.closed {
		return
	}
	o.closed = true
	go func() {
		err := errGoexit
		defer func() {
			if p := recover(); p != nil {
				err = newPanicError(p)
			}
			if err != nil {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.notePanic(o, err)
			}
		}()
		_ = closer.Close()
		err = nil
	}()
}

// newPanicError is the error of a sink that panicked with p. It is called while the panic is being recovered.
func newPanicError(p any) error { return &panicError{text: panicText(p), stack: debug.Stack()} }

// panicText describes what was panicked with, as far as it cannot hold an event or a secret: a text made by a driver or
// a callback could.
func panicText(p any) string {
	if e, ok := p.(interface {
		error
		RuntimeError()
	}); ok {
		return e.Error()
	}
	return fmt.Sprintf("%T", p)
}
