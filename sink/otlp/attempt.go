package otlp

import (
	"context"
	"errors"

	sdklog "go.opentelemetry.io/otel/sdk/log"

	"github.com/auditstream/auditstream/sink"
)

// An attempt is one request on its way through an exporter. A pointer to it travels in the context, from whoever calls
// Export to our end of the transport, which makes the request and notes what became of it. What Export itself
// returns is not looked at: the exporters' errors print the URL and bodies, and hide the status.
type attempt struct {
	records  int       // in the request
	http     *httpWire // that makes the request, if it goes over HTTP
	answered bool      // the transport was reached, and err is its answer
	err      error     // nil: every record was taken; otherwise a *sink.Error or the context's error
}

type attemptKey struct{}

// attemptFrom returns the attempt that ctx carries.
func attemptFrom(ctx context.Context) *attempt {
	a, ok := ctx.Value(attemptKey{}).(*attempt)
	if !ok {
		a = new(attempt) // nobody of ours is asking; keeps the transports free of nil
	}
	return a
}

// answer notes what became of the attempt.
func (a *attempt) answer(err error) {
	a.answered = true
	a.err = err
}

var errEncode = errors.New("otlp: the batch could not be encoded")

// notEncoded is the answer to a batch with something in it that cannot be encoded; the stream finds out which event.
func notEncoded() error {
	return &sink.Error{
		Verdict:  sink.VerdictSplit,
		Err:      errEncode,
		Remedy:   "Look at the values of the events that are refused: one of them cannot be written as OTLP.",
		NotTaken: true,
	}
}

// broken is the answer of a driver that does not work, which no setting is the cause of.
func broken(verdict sink.Verdict, err error) error {
	return &sink.Error{
		Verdict: verdict, Err: err, Remedy: "Report it to the maintainers of this library: no setting is the cause of it.",
		NotTaken: verdict != sink.VerdictRetry,
	}
}

// export sends records through the exporter and returns the transport's answer. It fills in a.
func export(ctx context.Context, exporter sdklog.Exporter, records []sdklog.Record, a *attempt) error {
	a.records = len(records)
	err := exporter.Export(context.WithValue(ctx, attemptKey{}, a), records)
	switch {
	case a.answered:
		return a.err
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		// The exporter gave up before it made a request, and only the content of a record can be why.
		return notEncoded()
	}
	return broken(sink.VerdictRetry, errors.New("otlp: the exporter made no request"))
}
