package auditstream

import (
	"cmp"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/auditstream/auditstream/internal/document"
	"github.com/auditstream/auditstream/sink"
)

// Defaults of Config. Each is the value of an unset field as far as the fields that are set allow.
const (
	defaultQueueEvents    = 100_000
	defaultQueueBytes     = 64 << 20
	defaultMaxEventBytes  = 64 << 10
	defaultBatchEvents    = 512
	defaultBatchBytes     = 1_000_000 // what Splunk Cloud and Sumo Logic recommend a request to stay under
	defaultBatchDelay     = 200 * time.Millisecond
	defaultAttemptTimeout = time.Minute // Sumo Logic cuts a request off at 30 s: the server's word is better than ours
	defaultRetryMin       = time.Second
	defaultRetryMax       = time.Minute
)

// Overflow says what Publish does with an event that finds the queue full.
type Overflow string

const (
	// RefuseNew refuses the new event with ErrQueueFull and counts it as refused. PublishContext waits for room.
	RefuseNew Overflow = "refuse_new"

	// DropOldest accepts the new event and drops as many of the oldest as it needs room for, never one of an attempt in
	// progress. What is dropped counts as discarded (overflow). When everything in the queue belongs to an attempt in
	// progress, the new event is refused as with RefuseNew.
	DropOldest Overflow = "drop_oldest"
)

// PausePolicy says what happens to an event that is published while the stream is paused.
type PausePolicy string

const (
	// Hold queues it within the queue's bounds. Resume sends what was held, in order.
	Hold PausePolicy = "hold"

	// Refuse refuses it with ErrPaused and counts it as refused. What was queued before the pause stays queued.
	Refuse PausePolicy = "refuse"
)

// Config is operational tuning by the host. The zero Config works. What the administrator decides, the destination and
// its secrets, goes to [Stream.Configure] instead.
//
// A set field is never adjusted; an unset one takes its default, or follows the fields that are set where the default
// would contradict them. [New] reports every bad value at once.
type Config struct {
	// Name tells this stream from others in logs, in metrics and in the text of its errors. Defaults to "audit".
	Name string `json:"name"`

	// QueueEvents is how many events the queue holds at most, those of an attempt in progress included. Defaults to
	// 100,000.
	QueueEvents int `json:"queueEvents"`

	// QueueBytes is how many bytes of events the queue holds at most, measured like MaxEventBytes. The memory that the
	// queue takes is below this, apart from one chunk of 128 KiB. Defaults to 64 MiB.
	QueueBytes int `json:"queueBytes"`

	// MaxEventBytes is how large one event may be: the sum of the lengths of its strings and byte slices, keys
	// included, plus 16 for each value. A larger event is refused with *[EventError]; copying it stops at the limit.
	// Defaults to 64 KiB.
	MaxEventBytes int `json:"maxEventBytes"`

	// BatchEvents is how many events one attempt offers at most. Defaults to 512, or QueueEvents if that is less.
	BatchEvents int `json:"batchEvents"`

	// BatchBytes is how many bytes of events one attempt offers at most, measured like MaxEventBytes; a single larger
	// event is offered alone. Defaults to 1,000,000, or QueueBytes if that is less.
	BatchBytes int `json:"batchBytes"`

	// InFlight is how many batches are under way at once at most, if the destination's sink can do that: its driver says
	// up to how many. Defaults to 1, which keeps the order of acceptance at the destination.
	//
	// With more, throughput grows where the round trip is what limits it, and batches may arrive in any order: sort by
	// [Event.Sequence] where order matters. Memory grows by one decoded batch each. Everything else stays: each batch is
	// answered for by itself, and while the destination fails, one batch at a time tries it.
	InFlight int `json:"inFlight"`

	// BatchDelay is how long the oldest event waits for company before an attempt is made with less than a full batch.
	// 1 ns means not to wait. Defaults to 200 ms.
	BatchDelay time.Duration `json:"batchDelay"`

	// AttemptTimeout is how long one attempt may take, from the first byte sent to the whole answer. Defaults to 60 s. A
	// sink that has to wait for more than an answer, such as Splunk's with acknowledgement, sets a limit of its own.
	AttemptTimeout time.Duration `json:"attemptTimeout"`

	// RetryMin bounds the backoff after the first failure of a streak; the bound doubles with each further failure.
	// The wait is uniform between 0 and the bound. Defaults to 1 s.
	RetryMin time.Duration `json:"retryMin"`

	// RetryMax is where the doubling of the backoff ends, and how often a blocked stream probes its destination, give
	// or take a fifth. A destination that asks to be left alone for longer is, up to 5 min. Defaults to 1 min.
	RetryMax time.Duration `json:"retryMax"`

	// Overflow says what happens to an event that finds the queue full. Defaults to RefuseNew.
	Overflow Overflow `json:"overflow"`

	// WhilePaused says what happens to an event that is published while the stream is paused. Defaults to Hold.
	WhilePaused PausePolicy `json:"whilePaused"`

	// StartPaused makes the first Configure lead to the paused state instead of enabled, so that a pause survives a
	// restart of the host. Defaults to false.
	StartPaused bool `json:"startPaused"`

	// Logger gets one record for each transition, first failure of a streak and recovery, and at most one a second for
	// rejections and for overflow: never one for each event, never a secret. Defaults to none.
	Logger *slog.Logger `json:"-"`

	// MeterProvider gets the stream's metrics under Name; the page docs/metrics.md of this repository lists them. Nothing
	// is measured in Publish: a collection reads the totals, under one lock, and an attempt is counted when it ends. Each
	// stream that shares a provider needs a Name of its own, and each Name is a set of some thirty time series. The
	// provider does not keep a forgotten stream alive; after Shutdown the totals are reported once more. Defaults to
	// none: the global provider of OpenTelemetry is not used.
	MeterProvider metric.MeterProvider `json:"-"`

	// OnReject is told of every event that the destination refused for its content: the dead letter. An event is told
	// before the next attempt starts and before Flush and Shutdown return. Defaults to none.
	//
	// Callbacks of a stream run one at a time, in order, on a goroutine of their own, with no lock held. A slow one
	// delays delivery and nothing else; one that panics is logged. Every method of the Stream may be called in a
	// callback, but Flush and Shutdown, which wait for callbacks, then end only with their context.
	OnReject func(Rejection) `json:"-"`

	// OnTransition is told of every change of the stream's state and condition. See OnReject for how callbacks run.
	// Defaults to none.
	OnTransition func(Transition) `json:"-"`

	_ struct{}
}

// MarshalJSON implements [encoding/json.Marshaler]. The keys are the fields' names with a small first letter, and all of
// them are there: {"name":"audit","queueEvents":50000,…,"batchDelay":"200ms",…}. Durations are text. Logger,
// MeterProvider and the callbacks are code and not in it.
func (c Config) MarshalJSON() ([]byte, error) { return document.Encode(c) }

// UnmarshalJSON implements [encoding/json.Unmarshaler]. What the object does not have, and null, stays as it is in c.
// Unknown and repeated keys and wrong types are [*sink.ConfigError] values with the path of the key, joined by
// [errors.Join], and leave c as it was. Whether the values make sense is for New to say.
func (c *Config) UnmarshalJSON(b []byte) error {
	next := *c
	if err := document.Decode("auditstream: Config", b, &next); err != nil {
		return err
	}
	*c = next
	return nil
}

// withDefaults returns c with every unset field filled in. An unset field does not follow a negative one, so that only
// the fields that the host has set are reported.
func (c Config) withDefaults() Config {
	c.Name = cmp.Or(c.Name, "audit")
	c.QueueEvents = cmp.Or(c.QueueEvents, max(defaultQueueEvents, c.BatchEvents))
	c.QueueBytes = cmp.Or(c.QueueBytes, max(defaultQueueBytes, c.BatchBytes, c.MaxEventBytes))
	c.MaxEventBytes = cmp.Or(c.MaxEventBytes, min(defaultMaxEventBytes, max(c.QueueBytes, 1)))
	c.BatchEvents = cmp.Or(c.BatchEvents, min(defaultBatchEvents, max(c.QueueEvents, 1)))
	c.BatchBytes = cmp.Or(c.BatchBytes, min(defaultBatchBytes, max(c.QueueBytes, 1)))
	c.InFlight = cmp.Or(c.InFlight, 1)
	c.BatchDelay = cmp.Or(c.BatchDelay, defaultBatchDelay)
	c.AttemptTimeout = cmp.Or(c.AttemptTimeout, defaultAttemptTimeout)
	c.RetryMin = cmp.Or(c.RetryMin, min(defaultRetryMin, max(cmp.Or(c.RetryMax, defaultRetryMin), 1)))
	c.RetryMax = cmp.Or(c.RetryMax, max(defaultRetryMax, c.RetryMin))
	c.Overflow = cmp.Or(c.Overflow, RefuseNew)
	c.WhilePaused = cmp.Or(c.WhilePaused, Hold)
	return c
}

// validate reports everything wrong with c, which has its defaults.
func (c Config) validate() error {
	var v violations
	v.positive("QueueEvents", c.QueueEvents)
	v.positive("QueueBytes", c.QueueBytes)
	v.positive("MaxEventBytes", c.MaxEventBytes)
	v.positive("BatchEvents", c.BatchEvents)
	v.positive("BatchBytes", c.BatchBytes)
	v.positive("InFlight", c.InFlight)
	v.positiveTime("BatchDelay", c.BatchDelay)
	v.positiveTime("AttemptTimeout", c.AttemptTimeout)
	v.positiveTime("RetryMin", c.RetryMin)
	v.positiveTime("RetryMax", c.RetryMax)
	v.within("BatchEvents", c.BatchEvents, "QueueEvents", c.QueueEvents)
	v.within("BatchBytes", c.BatchBytes, "QueueBytes", c.QueueBytes)
	v.within("MaxEventBytes", c.MaxEventBytes, "QueueBytes", c.QueueBytes)
	if c.RetryMin > c.RetryMax && c.RetryMax > 0 {
		v.add("RetryMin", c.RetryMin.String(), "exceeds RetryMax ("+c.RetryMax.String()+")")
	}
	if c.Overflow != RefuseNew && c.Overflow != DropOldest {
		v.add("Overflow", strconv.Quote(string(c.Overflow)), "is neither RefuseNew nor DropOldest")
	}
	if c.WhilePaused != Hold && c.WhilePaused != Refuse {
		v.add("WhilePaused", strconv.Quote(string(c.WhilePaused)), "is neither Hold nor Refuse")
	}
	return errors.Join(v...)
}

// violations collects what is wrong with a Config.
type violations []error

func (v *violations) add(field, value, reason string) {
	*v = append(*v, &sink.ConfigError{Field: "auditstream: Config." + field, Value: value, Reason: reason})
}

func (v *violations) positive(field string, n int) {
	if n < 0 {
		v.add(field, strconv.Itoa(n), "is negative: leave it 0 for the default")
	}
}

func (v *violations) positiveTime(field string, d time.Duration) {
	if d < 0 {
		v.add(field, d.String(), "is negative: leave it 0 for the default")
	}
}

// within reports a field that exceeds the one that bounds it, unless that one has been reported already.
func (v *violations) within(field string, n int, bound string, limit int) {
	if n > limit && limit > 0 {
		v.add(field, strconv.Itoa(n), "exceeds "+bound+" ("+strconv.Itoa(limit)+")")
	}
}
