package auditstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/auditstream/auditstream/sink"
)

// A ruling is an answer of a sink in terms of the queue: what becomes of each event of the batch.
type ruling struct {
	n        int   // leading events that leave the queue
	rejected []int // which of them were rejected, in order, without repeats
	count    int   // how many of them were rejected when the destination does not tell which
	rest     bool  // there are further events, and verdict says what becomes of them
	verdict  sink.Verdict
	quiet    bool // keep the rest, and let neither condition nor backoff change
	doubt    bool // the destination may have taken some of the rest
	panicked bool // a method of the sink's error did
	err      error
	after    time.Duration
}

// rule reads an answer to a batch of size events. It is the one place where answers are judged: a pure function, as far
// as the methods of a driver's error are, which is why it is never called with the Stream's lock held.
func rule(ans answer, size int) (r ruling) {
	defer func() {
		if p := recover(); p != nil { // one of those methods
			r = retryRuling(0, newPanicError(p))
			r.panicked = true
		}
	}()
	e, ok := errors.AsType[*sink.Error](ans.err)
	if ok && e == nil {
		ans.err, ok = nil, false // a nil pointer is no nil error to the compiler, but it is what the driver meant
	}
	switch {
	case ans.n < 0 || ans.n > size:
		return retryRuling(0, fmt.Errorf("auditstream: the sink answered for %d of %d events: %w",
			ans.n, size, errDriver))
	case errors.Is(ans.err, errNotStarted):
		return ruling{rest: true, quiet: true}
	case ans.err == nil && ans.n < size:
		return retryRuling(ans.n, fmt.Errorf("auditstream: the sink answered for %d of %d events and returned no error: %w",
			ans.n, size, errDriver))
	case ans.err == nil:
		return ruling{n: size}
	}
	switch {
	case ok && e.Verdict == sink.VerdictReject:
		return rejectRuling(ans, e, size)
	case ans.n == size:
		return ruling{n: size} // nothing is left for the error to decide about
	case ok && e.Verdict == sink.VerdictBlock:
		return ruling{n: ans.n, rest: true, verdict: sink.VerdictBlock, doubt: !e.NotTaken, err: ans.err, after: e.After}
	case ok && e.Verdict == sink.VerdictSplit && size == 1:
		return ruling{n: 1, rejected: []int{0}, err: ans.err} // refused alone: this is the one
	case ok && e.Verdict == sink.VerdictSplit:
		return ruling{n: ans.n, rest: true, verdict: sink.VerdictSplit, doubt: !e.NotTaken, err: ans.err}
	case isTimeout(ans.cause) && endedByContext(ans.err):
		// The context's own error says "deadline exceeded"; the operator needs the name of the limit.
		return retryRuling(ans.n, ans.cause)
	case ok:
		return ruling{n: ans.n, rest: true, verdict: sink.VerdictRetry, doubt: !e.NotTaken, err: ans.err, after: e.After}
	}
	return retryRuling(ans.n, ans.err)
}

// retryRuling keeps the events from n on, of which nobody knows what became of them.
func retryRuling(n int, err error) ruling {
	return ruling{n: n, rest: true, verdict: sink.VerdictRetry, doubt: true, err: err}
}

// rejectRuling reads an answer that rejects events. One that names none, with nothing answered for, would go round for
// ever without a wait, so it is a failure instead.
func rejectRuling(ans answer, e *sink.Error, size int) ruling {
	if ans.n == 0 {
		return retryRuling(0, fmt.Errorf("auditstream: the sink rejected an event but answered for none: %w: %w",
			errDriver, ans.err))
	}
	r := ruling{n: ans.n, rest: ans.n < size, verdict: sink.VerdictReject, doubt: !e.NotTaken, err: ans.err}
	switch {
	case len(e.Index) > 0:
		r.rejected = slices.DeleteFunc(slices.Clone(e.Index), func(i int) bool { return i < 0 || i >= ans.n })
		slices.Sort(r.rejected)
		r.rejected = slices.Compact(r.rejected)
	case e.Count != 0:
		r.count = min(max(e.Count, 0), ans.n)
	default:
		r.rejected = []int{ans.n - 1}
	}
	return r
}

// isTimeout reports whether an attempt's context ended because its time was up.
func isTimeout(cause error) bool {
	return errors.Is(cause, errAttemptTimeout) || errors.Is(cause, errSinkTimeout)
}

// endedByContext reports whether err is what a call returns when its context has ended.
func endedByContext(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// delivered is how many events the destination has accepted.
func (r ruling) delivered() int { return r.n - len(r.rejected) - r.count }
