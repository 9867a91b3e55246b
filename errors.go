package auditstream

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/auditstream/auditstream/internal/record"
)

// Errors of a Stream's methods; match them with [errors.Is]. A host whose policy is "no audit, no action" fails the
// request on ErrQueueFull and on *[EventError], and not on ErrInactive: then nobody asked for a stream, or somebody
// stopped it on purpose.
var (
	// ErrInactive means that the stream takes no events by the administrator's own choice. ErrUnconfigured, ErrPaused
	// and ErrDeleted match it too.
	ErrInactive = errors.New("auditstream: the stream takes no events")

	// ErrUnconfigured means that Configure has not been called yet.
	ErrUnconfigured = fmt.Errorf("%w: it has no destination yet", ErrInactive)

	// ErrPaused means that the stream is paused: with [Refuse], Publish refuses events, and Flush cannot deliver those
	// that are held.
	ErrPaused = fmt.Errorf("%w: it is paused", ErrInactive)

	// ErrDeleted means that the stream was deleted and not configured again since.
	ErrDeleted = fmt.Errorf("%w: it was deleted", ErrInactive)

	// ErrShutdown means that Shutdown was called.
	ErrShutdown = errors.New("auditstream: the stream was shut down")

	// ErrQueueFull means that the event was not accepted because the queue has reached Config.QueueEvents or
	// Config.QueueBytes.
	ErrQueueFull = errors.New("auditstream: the queue is full")
)

// errNotMade is the answer of a nil or zero Stream. It matches ErrUnconfigured, so that a host handles both alike.
var errNotMade = fmt.Errorf("%w: the Stream was not made by auditstream.New", ErrUnconfigured)

// An endedWait is the error of a wait that a context ended. Its text is put together by whoever asks for it, and not
// under the Stream's lock: the error of a host's own context may do anything.
type endedWait struct{ what, cause error }

func (e *endedWait) Error() string   { return e.what.Error() + ": " + e.cause.Error() }
func (e *endedWait) Unwrap() []error { return []error{e.what, e.cause} }

// EventError says why an event was refused by Publish: something in it is missing, too large, nested too deeply, or of
// a kind that cannot be encoded. The event was not accepted. An EventError never holds a value of the event.
type EventError struct {
	// Path leads to the part at fault: `Actor.ID`, `Attributes["request"]["headers"][3]`. It is empty when the event as a
	// whole is too large for one stream of a [Fanout], and not for another.
	Path string

	// Kind is the kind of value found there, as package reflect names it; empty when that does not matter.
	Kind string

	// Limit is the bound that was passed, in bytes or levels; 0 when there is none.
	Limit int

	// Reason says what is wrong and what to do about it.
	Reason string
}

// Error returns the path, the kind and the reason.
func (e *EventError) Error() string {
	text := "auditstream: Event"
	if e.Path != "" {
		text += "." + e.Path
	}
	if e.Kind != "" {
		text += " (" + e.Kind + ")"
	}
	return text + ": " + e.Reason
}

// eventError is err of package record in the terms of this one.
func eventError(err error) error {
	e, ok := errors.AsType[*record.Error](err)
	if !ok {
		return err
	}
	return &EventError{Path: e.Path, Kind: e.Kind, Limit: e.Limit, Reason: e.Reason}
}

// UndeliveredError is what Shutdown returns when it leaves events behind. They are counted as discarded.
type UndeliveredError struct {
	// Events are the events left behind, in order, so that the host can store them. Those of an attempt in progress
	// are among them and may have arrived all the same.
	Events []Event

	// First and Last are the sequence numbers of the first and the last of them.
	First, Last uint64

	// Err says why: the cause of the end of Shutdown's context, ErrPaused, and the stream's last delivery error.
	Err error
}

// Error says how many events were left behind, in numbers only.
func (e *UndeliveredError) Error() string {
	what := " events"
	if len(e.Events) == 1 {
		what = " event"
	}
	return "auditstream: shutdown left " + strconv.Itoa(len(e.Events)) + what + " undelivered, sequence " +
		strconv.FormatUint(e.First, 10) + " to " + strconv.FormatUint(e.Last, 10)
}

// Unwrap returns Err.
func (e *UndeliveredError) Unwrap() error { return e.Err }
