package sink

import (
	"slices"
	"strconv"
	"time"
)

// Verdict says what becomes of the events that an attempt left unanswered, and how the destination is doing.
type Verdict uint8

const (
	// VerdictRetry keeps the remaining events in order and offers them again after a backoff, or after [Error.After]
	// if that is longer. There is no limit on attempts. It is the zero Verdict and the meaning of every error that is
	// not an *Error: the fault is expected to pass (a time-out, a reset, 429, any 5xx).
	VerdictRetry Verdict = iota

	// VerdictBlock keeps the remaining events too, and says that somebody has to act: a wrong token, a wrong URL, a bad
	// certificate. The stream probes slowly, and at once when it is configured or resumed.
	VerdictBlock

	// VerdictReject says that the destination refused events for their content: [Error.Index] names which of
	// batch[:n], or [Error.Count] says how many when the destination does not tell which. They are handed to the host,
	// the others of batch[:n] count as delivered, and batch[n:] is offered at once.
	VerdictReject

	// VerdictSplit says that the destination refused batch[n:] as a whole, because of some event in it or for its
	// size. The stream halves the range until one event is left, which is rejected if it is refused alone.
	VerdictSplit
)

// String returns "retry", "block", "reject" or "split".
func (v Verdict) String() string {
	switch v {
	case VerdictRetry:
		return "retry"
	case VerdictBlock:
		return "block"
	case VerdictReject:
		return "reject"
	case VerdictSplit:
		return "split"
	}
	return "verdict " + strconv.Itoa(int(v))
}

// Error is a classified failure of a delivery attempt. Sinks make one with [Retry], [Block], [Reject], [RejectCount]
// or [Split] and may fill in more fields; hosts find one in Status.LastError, in Rejection.Err and in what Stream.Test
// returns, by [errors.AsType].
//
// An Error never holds a secret, a URL beyond scheme, host and port, or raw text from the destination.
type Error struct {
	// Verdict says what becomes of the events.
	Verdict Verdict

	// Err is what happened.
	Err error

	// After is how long the destination asked to be left alone. The stream clamps it to [0, 5 min] and waits for this
	// or for its own backoff, whichever is longer. It counts for Retry and Block.
	After time.Duration

	// Count is how many of batch[:n] were rejected, for a Reject without Index. The stream clamps it to [0, n].
	Count int

	// Index names the rejected events among batch[:n]. Indexes outside of it are ignored.
	Index []int

	// NotTaken says that it is certain that the destination has taken none of batch[n:]: it said so, or it was never
	// reached. If it is false, the stream counts those events as in doubt when it offers them again, for they may then
	// arrive twice. False is right for whatever ended after the request was begun and before the answer was understood:
	// a reset, a time-out, 502. The constructors below set it for all verdicts but Retry.
	NotTaken bool

	// Code is the destination's own word for the fault: an HTTP status, a HEC code, a gRPC code. May be empty.
	Code string

	// Remedy tells the administrator what to do, in one plain sentence. May be empty.
	Remedy string
}

// Error returns the text of Err.
func (e *Error) Error() string {
	if e.Err == nil {
		return "sink: " + e.Verdict.String()
	}
	return e.Err.Error()
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Retry returns an *Error by which a sink says: keep the rest and try again, but not before after has passed. A plain
// error means the same with an after of 0. The events count as in doubt; see [Error.NotTaken].
func Retry(err error, after time.Duration) error {
	return &Error{Verdict: VerdictRetry, Err: err, After: after}
}

// Block returns an *Error by which a sink says: keep the rest and tell the operator, for it will not get better by
// itself.
func Block(err error) error {
	return &Error{Verdict: VerdictBlock, Err: err, NotTaken: true}
}

// Reject returns an *Error by which a sink says: the events batch[i], for each i in index, are refused for their
// content. Without an index it is the last one answered for, batch[n-1].
func Reject(err error, index ...int) error {
	return &Error{Verdict: VerdictReject, Err: err, Index: slices.Clone(index), Count: len(index), NotTaken: true}
}

// RejectCount returns an *Error by which a sink says: n of the events answered for are refused for their content, and
// the destination does not tell which. None of them is sent again.
func RejectCount(err error, n int) error {
	return &Error{Verdict: VerdictReject, Err: err, Count: n, NotTaken: true}
}

// Split returns an *Error by which a sink says: the rest is refused as a whole, for the content of some event in it or
// for its size; offer it in smaller parts.
func Split(err error) error {
	return &Error{Verdict: VerdictSplit, Err: err, NotTaken: true}
}

// ConfigError is one thing wrong with a configuration: a driver's Config, or Config of package auditstream.
type ConfigError struct {
	// Field is the path of the field, with the name of its package: "splunk: Config.Endpoint".
	Field string

	// Value is the bad value as a Go literal. It is empty when the value is, or could hold, a secret.
	Value string

	// Reason says what is wrong and what to write instead.
	Reason string
}

// Error returns `splunk: Config.Endpoint ("ftp://x"): reason`.
func (e *ConfigError) Error() string {
	if e.Value == "" {
		return e.Field + ": " + e.Reason
	}
	return e.Field + " (" + e.Value + "): " + e.Reason
}
