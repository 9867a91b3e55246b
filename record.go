package auditstream

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// Record is one action under way whose event is published when it ends: as a failure, unless the action has succeeded.
// So a handler that is left early, by an error, a panic or a return that somebody adds later, is audited without a line
// of its own:
//
//	func (h *host) deleteProject(ctx context.Context, id string) (err error) {
//		rec := h.stream.Begin(ctx, auditstream.Event{
//			Action:  "project.delete",
//			Targets: []auditstream.Target{{ID: id, Type: "project"}},
//		})
//		defer rec.End(&err)
//		…
//
// [Stream.Begin] and [Fanout.Begin] make one. A Record is for one goroutine at a time, like the variables of the function
// that it belongs to: a handler that starts others lets them end before it touches the Record again. Only End may be
// called whenever, for it publishes once. A Record that nobody ends publishes nothing.
type Record struct {
	to        Publisher
	event     Event
	succeeded bool
	ended     atomic.Bool
	err       error
}

// Begin returns the Record of an action that begins now. What e leaves unset is filled in: Time with the present, Actor
// and Source with what [WithActor] and [WithSource] have said in ctx, TraceID and SpanID from the span in ctx. Its
// Outcome is ignored: End decides it. ctx is not kept.
//
// Nothing is checked or copied yet. What e refers to is read when the Record ends.
func (s *Stream) Begin(ctx context.Context, e Event) *Record { return begin(ctx, s, e) }

func begin(ctx context.Context, to Publisher, e Event) *Record {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	if e.Actor == (Actor{}) {
		e.Actor = ActorFrom(ctx)
	}
	if e.Source == (Source{}) {
		e.Source = SourceFrom(ctx)
	}
	fillTrace(ctx, &e)
	// What is appended to the Record's event must not end up in a slice that the caller shares with others.
	e.Targets, e.Changes, e.Attributes = slices.Clip(e.Targets), slices.Clip(e.Changes), slices.Clip(e.Attributes)
	return &Record{to: to, event: e}
}

// fillTrace ties e to the span in ctx, unless it is tied to one.
func fillTrace(ctx context.Context, e *Event) {
	if span := trace.SpanContextFromContext(ctx); span.IsValid() && e.TraceID == [16]byte{} {
		e.TraceID, e.SpanID = span.TraceID(), span.SpanID()
	}
}

// Event returns the event as it will be published, to be completed until the Record ends: its Message, Targets, Changes
// and Attributes, its Actor when that becomes known late. What is set in its Outcome is ignored.
func (r *Record) Event() *Event { return &r.event }

// Succeed says that the action was carried out. A function that returns an error need not call it, for End sees that; a
// handler without one calls it last.
func (r *Record) Succeed() { r.succeeded = true }

// End publishes the event, once: further calls do nothing. It is meant to be deferred where the Record was made,
//
//	defer rec.End(&err) // err is the function's named result
//	defer rec.End(nil)  // it has none: Succeed says that it was done
//
// or to be called in a deferred function literal. The outcome is a failure if
//
//   - *err is an error, whatever Succeed has said; or
//   - err is nil and Succeed was not called; or
//   - a panic or [runtime.Goexit] ends the function. Both go on as if End had not been there: it recovers nothing.
//
// Otherwise it is a success.
//
// End never waits: it publishes as [Stream.Publish] does. By then the action has been carried out, and the function's
// result stays what it is if the event is not accepted: Err says why, and the Totals of the stream count it. Use EndOrFail
// where an action that is not audited must fail.
func (r *Record) End(err *error) {
	r.end(err, left())
}

// EndOrFail is End for hosts whose policy is "no audit, no action": if the event is not accepted it adds the reason to
// *err, so that the function fails. It does not when the reason matches [ErrInactive], for then nobody asked for a
// stream, or somebody stopped it on purpose. A [Fanout] has accepted an event when all its streams have that take events.
//
// It cannot undo the action. Defer it in the function that a transaction runs, so that a failure rolls the action back.
func (r *Record) EndOrFail(err *error) {
	r.end(err, left())
	if r.err == nil || err == nil || errors.Is(r.err, ErrInactive) || errors.Is(*err, r.err) {
		return
	}
	*err = errors.Join(*err, r.err)
}

// Err returns why the event was not accepted: an error of [Stream.Publish], or of [Fanout.Publish]. It is nil if it was,
// and before the Record has ended.
func (r *Record) Err() error { return r.err }

// end publishes the event unless that has been done.
func (r *Record) end(err *error, left bool) {
	if r.ended.Swap(true) {
		return
	}
	r.event.Outcome = OutcomeFailure
	if r.done(err) && !left {
		r.event.Outcome = OutcomeSuccess
	}
	r.err = r.to.Publish(r.event)
}

// done reports whether the host has said, one way or another, that the action was carried out.
func (r *Record) done(err *error) bool {
	if err == nil {
		return r.succeeded
	}
	return *err == nil
}

// left reports whether a panic or runtime.Goexit ends the function that has deferred the caller of left.
//
// No deferred call can ask for that. What recover returns is not the answer: it is nil for Goexit, and in a function that
// a deferred one calls; and it stops the panic, which is then another one to whoever looks at it. But it shows on the
// stack. Deferred functions are called by the function that returns, or by the runtime, whose frame then stands where the
// function's own would:
//
//	End, handler, …                    it returns
//	End, runtime.gopanic, …            it panics
//	End, runtime.Goexit, …
//	End, handler.func1, handler, …     the same, with End called in a function literal
//	End, handler.func1, runtime.gopanic, …
//
// So an action that is carried out by a function that a panic makes run, as defer rollback() does, counts as failed: that
// looks like the last line.
func left() bool {
	var pcs [2]uintptr
	n := runtime.Callers(3, pcs[:]) // without Callers, left and End
	if n == 0 {
		return true // by whatever compiler this is: then a success has to be proven some other way
	}
	if strings.HasPrefix(function(pcs[0]), "runtime.") {
		return true
	}
	if n < len(pcs) {
		return false
	}
	switch function(pcs[1]) {
	case "runtime.gopanic", "runtime.Goexit":
		return true
	}
	return false
}

// function returns the name of the function that a return address is in.
func function(pc uintptr) string { return runtime.FuncForPC(pc - 1).Name() }
