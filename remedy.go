package auditstream

import (
	"errors"

	"github.com/auditstream/auditstream/sink"
)

// Remedies for what no driver has explained.
const (
	remedyDriver = "This is a fault of the driver: report it to whoever maintains it, with what the log of this server says."

	remedyTimeout = "Nothing needs to be done unless it lasts; then check how busy the destination and the network to it are, " +
		"or have the operator of this server raise Config.AttemptTimeout."

	remedySinkTimeout = "Nothing needs to be done unless it lasts; then look at the destination, which does not confirm in time " +
		"what it takes."

	remedyRetry = "Nothing needs to be done unless it lasts; then check that the destination is up, and that this server can " +
		"reach it."

	remedyBlock = "Check the URL, the secret and the other settings of the destination."

	remedyRefusal = "Look at the destination for why it refuses such events."
)

// errDriver is part of the errors that the Stream makes of an answer that no driver should give.
var errDriver = errors.New("this is a fault of its driver")

// remedyOf returns what an administrator can do about err: what the driver says, or else what can be said of errors of
// its kind. It is never called with the lock held, for it calls methods of a driver's error.
func remedyOf(err error) string {
	_, panicked := errors.AsType[*panicError](err)
	e, classified := errors.AsType[*sink.Error](err)
	classified = classified && e != nil
	switch {
	case panicked, errors.Is(err, errGoexit), errors.Is(err, errDriver):
		return remedyDriver
	case classified && e.Remedy != "":
		return e.Remedy
	case errors.Is(err, errAttemptTimeout):
		return remedyTimeout
	case errors.Is(err, errSinkTimeout):
		return remedySinkTimeout
	case !classified:
		return remedyRetry
	}
	switch e.Verdict {
	case sink.VerdictBlock:
		return remedyBlock
	case sink.VerdictReject, sink.VerdictSplit:
		return remedyRefusal
	case sink.VerdictRetry:
	}
	return remedyRetry
}
