package otlp

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/httpsend"
	"github.com/auditstream/auditstream/sink/internal/scrub"
)

// An outcome is what a gRPC status means for the events.
type outcome struct {
	name    string // as the gRPC specification writes it
	verdict sink.Verdict
	remedy  string
}

// outcomes has every code but OK. Those without a reason beside them are retried: the OTLP specification says so, or
// they are a server's own trouble, which never costs an event. Without a remedy beside them it is remedyServer.
var outcomes = map[codes.Code]outcome{
	codes.Canceled:           {name: "CANCELLED", remedy: remedyAway},
	codes.Unknown:            {name: "UNKNOWN"},
	codes.DeadlineExceeded:   {name: "DEADLINE_EXCEEDED", remedy: remedyAway},
	codes.AlreadyExists:      {name: "ALREADY_EXISTS"},
	codes.FailedPrecondition: {name: "FAILED_PRECONDITION"},
	codes.Aborted:            {name: "ABORTED"},
	codes.OutOfRange:         {name: "OUT_OF_RANGE"},
	codes.Internal:           {name: "INTERNAL"},
	codes.Unavailable:        {name: "UNAVAILABLE", remedy: remedyAway},
	codes.DataLoss:           {name: "DATA_LOSS"},

	// Some event in the request is refused, or the request as such; the stream finds out which.
	codes.InvalidArgument: {name: "INVALID_ARGUMENT", verdict: sink.VerdictSplit, remedy: remedyEvent},

	// With RetryInfo it is retried. Without, the specification calls it final, which would lose events; it is mostly
	// a quota, and somebody has to raise that.
	codes.ResourceExhausted: {
		name: "RESOURCE_EXHAUSTED", verdict: sink.VerdictBlock,
		remedy: "The destination's quota is used up: raise it, or send less.",
	},

	// Waiting does not help against these.
	codes.Unauthenticated: {
		name: "UNAUTHENTICATED", verdict: sink.VerdictBlock,
		remedy: "Check the secret and the header that carries it.",
	},
	codes.PermissionDenied: {
		name: "PERMISSION_DENIED", verdict: sink.VerdictBlock,
		remedy: "Allow the token to write logs at the destination.",
	},
	codes.Unimplemented: {
		name: "UNIMPLEMENTED", verdict: sink.VerdictBlock,
		remedy: "Check host and port: the server there does not take OTLP logs over gRPC. " +
			`If it says that it does not know the compression, set Compression to "none".`,
	},
	codes.NotFound: {
		name: "NOT_FOUND", verdict: sink.VerdictBlock,
		remedy: "Check host and port: the server there does not take OTLP logs over gRPC.",
	},
}

const (
	remedyServer = "Nothing needs to be done unless it lasts; then look into the destination's own log for the reason."
	remedyAway   = "Nothing needs to be done unless it lasts; then check the destination, and the network and proxies on the way to it."
	remedyBusy   = "Nothing needs to be done unless it lasts; then ask for a higher limit at the destination, or send less."
	remedyEvent  = "Look into the destination's own log for what is wrong with the events that it refuses."

	remedyTooLarge = "If single events are refused: raise the message size that the destination, or a proxy before it, takes."
)

// classifyStatus says what a failed call means for the events. It is pure.
func classifyStatus(st *status.Status, s *scrub.Scrubber) *sink.Error {
	o, ok := outcomes[st.Code()]
	if !ok {
		o = outcome{name: "code " + strconv.FormatUint(uint64(st.Code()), 10)}
	}
	e := &sink.Error{Verdict: o.verdict, Code: o.name, Remedy: cmp.Or(o.remedy, remedyServer)}
	if code, ok := httpStatus(st); ok {
		return notGRPC(e, code)
	}
	after, ok := retryDelay(st)
	switch {
	case tooLarge(st):
		e.Verdict = sink.VerdictSplit
		e.Remedy = remedyTooLarge
	case st.Code() == codes.ResourceExhausted && ok:
		e.Verdict = sink.VerdictRetry
		e.Remedy = remedyBusy
	}
	if e.Verdict != sink.VerdictSplit {
		e.After = after
	}
	// A server that is too busy and names the time for another attempt has decided not to take this one.
	busy := st.Code() == codes.ResourceExhausted || st.Code() == codes.Unavailable
	e.NotTaken = e.Verdict != sink.VerdictRetry || busy && ok
	e.Err = fmt.Errorf("otlp: gRPC %s: %s", o.name, s.Text(st.Message()))
	return e
}

// tooLarge reports whether the status says that the message was over the server's limit. There is no code for it:
// servers use one that means something else too and say in words, each in its own, what it was.
func tooLarge(st *status.Status) bool {
	switch st.Code() {
	case codes.ResourceExhausted, codes.OutOfRange:
	default:
		return false
	}
	text := strings.ToLower(st.Message())
	for _, words := range []string{
		"message larger than max",         // grpc-go, C++ and what is built on it
		"message after decompression lar", // grpc-go: "… larger than max"
		"exceeds maximum size",            // Java
		"message length too large",        // Rust, with OUT_OF_RANGE
		"message exceeds",                 // .NET: "Received message exceeds the maximum configured message size."
	} {
		if strings.Contains(text, words) {
			return true
		}
	}
	return false
}

// httpStatus returns the HTTP status of an answer that the client library found not to be gRPC. Its message goes on with
// the type and body of the answer, which are for nobody to see.
func httpStatus(st *status.Status) (int, bool) {
	rest, ok := strings.CutPrefix(st.Message(), "unexpected HTTP status code received from server: ")
	if !ok || len(rest) < 3 {
		return 0, false
	}
	code, err := strconv.Atoi(rest[:3])
	return code, err == nil
}

// notGRPC fills in e for an answer in HTTP: that of a web server or a proxy, which is no passing fault unless its status
// says so.
func notGRPC(e *sink.Error, status int) *sink.Error {
	e.Err = fmt.Errorf("otlp: gRPC %s: the answer was HTTP %d and not gRPC", e.Code, status)
	e.NotTaken = httpsend.SaysNo(&httpsend.Response{Status: status})
	switch {
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests,
		status < 200, status > 499:
		e.Verdict = sink.VerdictRetry
		e.Remedy = remedyAway
	case status == http.StatusRequestEntityTooLarge:
		// A proxy before a gRPC server: nginx takes 1 MB by default.
		e.Verdict = sink.VerdictSplit
		e.Remedy = remedyTooLarge
	default:
		e.Verdict = sink.VerdictBlock
		e.Remedy = "Check host and port: what answers there is a web server or proxy, not OTLP over gRPC."
	}
	return e
}

// retryDelay returns how long the server asks to be left alone, and whether it says anything about that.
func retryDelay(st *status.Status) (time.Duration, bool) {
	for _, detail := range st.Proto().GetDetails() {
		var info errdetails.RetryInfo
		if !detail.MessageIs(&info) || detail.UnmarshalTo(&info) != nil {
			continue
		}
		return min(max(info.GetRetryDelay().AsDuration(), 0), maxRetryDelay), true
	}
	return 0, false
}

// maxRetryDelay bounds what a server can ask for.
const maxRetryDelay = 5 * time.Minute

// ended returns the error of the context if the call failed because its context ended. The server knows the deadline too,
// and may say that it has passed, or hang up, a moment before the context does.
func ended(ctx context.Context, code codes.Code) error {
	if code != codes.Canceled && code != codes.DeadlineExceeded {
		return nil
	}
	if deadline, ok := ctx.Deadline(); ok && ctx.Err() == nil && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}
