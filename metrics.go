package auditstream

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"
	"weak"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/auditstream/auditstream/sink"
)

// meters are the metrics of one stream. It knows the stream by a weak pointer only: a provider lives as long as the
// process, and holds what is registered with it.
type meters struct {
	common []attribute.KeyValue // on every series

	attempts metric.Int64Counter
	duration metric.Float64Histogram

	observed []metric.Int64Observable // as instruments has them
	oldest   metric.Float64ObservableGauge

	registration metric.Registration
	stopped      sync.Once
}

// newMeters registers the metrics of s with its provider. All that is read from the ledger is read in one callback, so
// that one collection sees one snapshot.
func newMeters(s *Stream) (*meters, error) {
	meter := s.cfg.MeterProvider.Meter(meterName, metric.WithSchemaURL(conventions))
	m := &meters{common: []attribute.KeyValue{
		attribute.String(attrComponentName, s.cfg.Name),
		attribute.String(attrComponentType, componentType),
	}}
	var err error
	var problems []error
	m.attempts, err = meter.Int64Counter(nameAttempts, metric.WithUnit("{attempt}"),
		metric.WithDescription("The number of attempts at delivery, by outcome."))
	problems = append(problems, err)
	m.duration, err = meter.Float64Histogram(nameDuration, metric.WithUnit("s"),
		metric.WithDescription("The duration of exporting a batch of telemetry records."),
		metric.WithExplicitBucketBoundaries(durationBounds...))
	problems = append(problems, err)
	m.oldest, err = meter.Float64ObservableGauge(nameOldest, metric.WithUnit("s"),
		metric.WithDescription("The age of the oldest event in the queue; 0 if there is none."))
	problems = append(problems, err)
	all := []metric.Observable{m.oldest}
	for i := range instruments {
		o, err := instruments[i].open(meter)
		problems = append(problems, err)
		m.observed = append(m.observed, o)
		all = append(all, o)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, meterError(err)
	}
	stream := weak.Make(s)
	m.registration, err = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		if s := stream.Value(); s != nil {
			m.observe(o, s.read())
		}
		return nil
	}, all...)
	if err != nil {
		return nil, meterError(err)
	}
	runtime.AddCleanup(s, (*meters).stop, m) // of a stream that was dropped without Shutdown
	return m, nil
}

// meterError is the answer of New to a provider that does not give what it was asked for.
func meterError(err error) error {
	return &sink.ConfigError{
		Field:  "auditstream: Config.MeterProvider",
		Reason: "the provider refuses an instrument (" + err.Error() + "): change its views, or leave it nil",
	}
}

// read returns what one collection sees of the stream.
func (s *Stream) read() *reading {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &reading{Status: s.snapshot(), cfg: &s.cfg, over: s.closing.over}
	r.inFlight = r.Queue.Events - s.unleased()
	if !r.Queue.Oldest.IsZero() {
		r.age = max(time.Since(r.Queue.Oldest), 0) // a wall clock may be set back
	}
	return r
}

// observe reports r. After Shutdown the totals are reported once more, for what Shutdown left behind would show in no
// metric otherwise; how the stream is doing is not, for there is none any more.
func (m *meters) observe(o metric.Observer, r *reading) {
	for i := range instruments {
		if r.over && !instruments[i].total {
			continue
		}
		for _, one := range instruments[i].series {
			o.ObserveInt64(m.observed[i], int64(one.read(r)), m.with(one.key, one.value)) //nolint:gosec // no count gets that far
		}
	}
	if r.over {
		m.stop()
		return
	}
	o.ObserveFloat64(m.oldest, r.age.Seconds(), m.with("", ""))
}

// stop takes the callback out of the provider, in a goroutine of its own: the collection that stop may be called in holds
// the lock that this takes.
func (m *meters) stop() {
	m.stopped.Do(func() { go func() { _ = m.registration.Unregister() }() })
}

// with returns the attributes of a series.
func (m *meters) with(key, value string) metric.MeasurementOption {
	all := make([]attribute.KeyValue, 0, 3)
	all = append(all, m.common...)
	if key != "" {
		all = append(all, attribute.String(key, value))
	}
	return metric.WithAttributeSet(attribute.NewSet(all...))
}

// Outcomes of attempts. The first four of those that are failures are verdicts of package sink.
const (
	outcomeDelivered = "delivered" // all that was offered is answered for, and nothing was rejected
	outcomeRetry     = "retry"
	outcomeBlock     = "block"
	outcomeReject    = "reject"
	outcomeSplit     = "split"
	outcomeTimeout   = "timeout"   // of the attempt
	outcomeCancelled = "cancelled" // by an edit, Delete or Shutdown
	outcomePanic     = "panic"     // of the sink
	outcomeHung      = "hung"      // the sink did not return, though its context had ended
)

// measure counts an attempt that has ended, by the goroutine that has carried it out. answered is false if its lease
// ended without an answer. It is called without the lock: neither a provider nor a driver's error is ours.
func (s *Stream) measure(a *attempt, ans answer, answered bool, took time.Duration) {
	if s.meters == nil {
		return
	}
	outcome := outcomeHung
	switch {
	case answered:
		outcome = outcomeOf(ans, len(a.batch))
	case !a.hung || !isTimeout(context.Cause(a.ctx)): // hung is this goroutine's to set
		outcome = outcomeCancelled
	}
	if outcome == "" {
		return
	}
	s.guard(func() { s.meters.record(outcome, took) })
}

// record reports one attempt.
func (m *meters) record(outcome string, took time.Duration) {
	m.attempts.Add(context.Background(), 1, m.with(attrOutcome, outcome))
	if outcome == outcomeDelivered {
		m.duration.Record(context.Background(), took.Seconds(), m.with("", "")) // by the conventions, a success has no error.type
		return
	}
	m.duration.Record(context.Background(), took.Seconds(), m.with(attrErrorType, outcome))
}

// outcomeOf names the outcome of an attempt at size events, or returns "" for one that was called off before it began.
func outcomeOf(ans answer, size int) string {
	r := rule(ans, size)
	_, panicked := ans.err.(*panicError)                      //nolint:errorlint // the Stream has made it
	panicked = panicked || r.panicked || ans.err == errGoexit //nolint:errorlint // the same
	switch {
	case r.quiet:
		return ""
	case panicked:
		return outcomePanic
	case len(r.rejected)+r.count > 0:
		return outcomeReject
	case !r.rest:
		return outcomeDelivered
	case r.verdict == sink.VerdictBlock:
		return outcomeBlock
	case r.verdict == sink.VerdictSplit:
		return outcomeSplit
	case isTimeout(ans.cause):
		return outcomeTimeout
	case ans.cause != nil:
		return outcomeCancelled
	}
	return outcomeRetry
}
