package auditstream

import (
	"time"

	"go.opentelemetry.io/otel/metric"
)

const (
	// meterName is the instrumentation scope of all metrics.
	meterName = "github.com/auditstream/auditstream"

	// conventions pins the version of OpenTelemetry's semantic conventions whose names are used here. Those that begin
	// with otel. are in development there and may change: whoever raises the version compares each with the page
	// https://opentelemetry.io/docs/specs/semconv/otel/sdk-metrics/ and changes docs/metrics.md along with this file.
	conventions = "https://opentelemetry.io/schemas/1.43.0"

	// componentType is the value of otel.component.type by which a stream's series are told from those of an
	// OpenTelemetry SDK in the same process.
	componentType = "github.com/auditstream/auditstream.Stream"
)

// Attributes. The values of all but the first are closed sets.
const (
	attrComponentName = "otel.component.name" // Config.Name
	attrComponentType = "otel.component.type"
	attrErrorType     = "error.type"
	attrOutcome       = "auditstream.outcome"
	attrReason        = "auditstream.reason"
	attrState         = "auditstream.state"
	attrCondition     = "auditstream.condition"
)

// Instruments that are recorded when an attempt ends, and the one that is no whole number.
const (
	nameAttempts = "auditstream.attempts"
	nameDuration = "otel.sdk.exporter.operation.duration"
	nameOldest   = "auditstream.queue.oldest_age"
)

// durationBounds are the buckets of the duration of attempts: from a loopback's to Splunk's wait for acknowledgement.
var durationBounds = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300}

// A reading is what one collection sees: everything in it was read under one lock.
type reading struct {
	Status
	inFlight int // events of attempts in progress
	cfg      *Config
	age      time.Duration // of the oldest event
	over     bool          // Shutdown has ended the stream
}

// An instrument is one metric that is read from the ledger when somebody collects.
type instrument struct {
	name, unit, about string

	total  bool // a sum since New, and not how things are now
	series []series
}

// A series is one time series of an instrument, told from the others by an attribute; or the only one, without.
type series struct {
	key, value string
	read       func(*reading) uint64
}

// instruments is every whole number that is read from the ledger. docs/metrics.md says what each means.
var instruments = []instrument{
	{
		name: "auditstream.event.accepted", unit: "{event}", about: "The number of events that Publish took.", total: true,
		series: []series{{read: func(r *reading) uint64 { return r.Totals.Accepted }}},
	},
	{
		name: "auditstream.event.refused", unit: "{event}", total: true,
		about: "The number of events that Publish did not take, by reason.",
		series: []series{
			{attrReason, "queue_full", func(r *reading) uint64 { return r.Totals.RefusedFull }},
			{attrReason, "inactive", func(r *reading) uint64 { return r.Totals.RefusedInactive }},
			{attrReason, "invalid", func(r *reading) uint64 { return r.Totals.RefusedInvalid }},
		},
	},
	{
		name: "auditstream.event.discarded", unit: "{event}", total: true,
		about: "The number of accepted events that the stream dropped, by reason.",
		series: []series{
			{attrReason, "overflow", func(r *reading) uint64 { return r.Totals.DiscardedOverflow }},
			{attrReason, "deleted", func(r *reading) uint64 { return r.Totals.DiscardedDeleted }},
			{attrReason, "shutdown", func(r *reading) uint64 { return r.Totals.DiscardedShutdown }},
		},
	},
	{
		// The conventions' counter fits what leaves by an answer of the destination: each event counts once, when no
		// further attempt follows, and "rejected" is their word for what a destination refuses.
		name: "otel.sdk.exporter.log.exported", unit: "{log_record}", total: true,
		about: "The number of log records for which the export has finished, either successful or failed.",
		series: []series{
			{read: func(r *reading) uint64 { return r.Totals.Delivered }},
			{attrErrorType, "rejected", func(r *reading) uint64 { return r.Totals.Rejected }},
		},
	},
	{
		name: "auditstream.event.in_doubt", unit: "{event}", total: true,
		about:  "The number of events offered again although an earlier attempt may have delivered them.",
		series: []series{{read: func(r *reading) uint64 { return r.Totals.InDoubt }}},
	},
	{
		name: "auditstream.event.clamped", unit: "{event}", total: true,
		about:  "The number of accepted events whose time lies outside the range that every protocol can carry.",
		series: []series{{read: func(r *reading) uint64 { return r.Totals.Clamped }}},
	},
	{
		name: "auditstream.event.repaired_strings", unit: "{string}", total: true,
		about:  "The number of strings of accepted events in which invalid UTF-8 was replaced.",
		series: []series{{read: func(r *reading) uint64 { return r.Totals.Repaired }}},
	},
	{
		name: "auditstream.sink.panics", unit: "{panic}", about: "The number of recovered panics of sinks.", total: true,
		series: []series{{read: func(r *reading) uint64 { return r.Totals.SinkPanics }}},
	},
	{
		name: "otel.sdk.processor.log.queue.size", unit: "{log_record}",
		about:  "The number of log records in the queue of a given instance of an SDK log processor.",
		series: []series{{read: func(r *reading) uint64 { return r.Totals.Pending }}},
	},
	{
		name: "otel.sdk.processor.log.queue.capacity", unit: "{log_record}",
		about:  "The maximum number of log records the queue of a given instance of an SDK Log Record processor can hold.",
		series: []series{{read: func(r *reading) uint64 { return count(r.cfg.QueueEvents) }}},
	},
	{
		name: "otel.sdk.exporter.log.inflight", unit: "{log_record}",
		about: "The number of log records which were passed to the exporter, but that have not been exported yet " +
			"(neither successful, nor failed).",
		series: []series{{read: func(r *reading) uint64 { return count(r.inFlight) }}},
	},
	{
		name: "auditstream.queue.usage", unit: "By", about: "The size of the events in the queue.",
		series: []series{{read: func(r *reading) uint64 { return count(r.Queue.Bytes) }}},
	},
	{
		name: "auditstream.queue.limit", unit: "By", about: "The largest size of the events in the queue.",
		series: []series{{read: func(r *reading) uint64 { return count(r.cfg.QueueBytes) }}},
	},
	{
		name: "auditstream.stream.state", unit: "{stream}",
		about: "1 for the state that the stream is in, 0 for the others.",
		series: oneHot(attrState, func(r *reading) State { return r.State },
			StateUnconfigured, StateEnabled, StatePaused, StateDeleted),
	},
	{
		name: "auditstream.stream.condition", unit: "{stream}",
		about: "1 for the condition that the stream is in, 0 for the others.",
		series: oneHot(attrCondition, func(r *reading) Condition { return r.Condition },
			ConditionHealthy, ConditionRetrying, ConditionBlocked),
	},
}

// count is n of something, which is never negative.
func count(n int) uint64 { return uint64(n) } //nolint:gosec // as it says

// oneHot returns a series for each value that read may return: 1 for the one that it does return, 0 for the others.
func oneHot[T ~string](key string, read func(*reading) T, values ...T) []series {
	all := make([]series, 0, len(values))
	for _, value := range values {
		all = append(all, series{key, string(value), func(r *reading) uint64 {
			if read(r) == value {
				return 1
			}
			return 0
		}})
	}
	return all
}

// open makes the instrument. What tells of the present is an UpDownCounter, so that a host may add up its streams.
func (i *instrument) open(meter metric.Meter) (metric.Int64Observable, error) {
	if i.total {
		return meter.Int64ObservableCounter(i.name, metric.WithUnit(i.unit), metric.WithDescription(i.about))
	}
	return meter.Int64ObservableUpDownCounter(i.name, metric.WithUnit(i.unit), metric.WithDescription(i.about))
}
