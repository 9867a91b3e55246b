package sink

import (
	"log/slog"
	"time"
)

// Event is one audit event: who did what to which things, when, from where and with what outcome.
//
// A host fills in at least Action and Actor.ID and hands the event to Stream.Publish, which takes a full snapshot
// before it returns: what the caller changes afterwards changes nothing.
//
// A sink receives that snapshot. In it ID, Time, Outcome, ObservedTime and StreamID are always set, every string is
// valid UTF-8, no key is empty or repeated within one list of attributes, nothing is nested deeper than 32 levels, and
// every value in Attributes and Changes is plain, which means one of
//
//	nil, bool, int64, uint64, float64 (finite), string, []byte, time.Time (UTC), time.Duration,
//	[]any of plain values, and []slog.Attr of plain values (a map, a struct or a group)
//
// An attribute holds it as the [slog.Value] that [slog.AnyValue] makes of it: KindGroup for []slog.Attr, KindAny for
// nil, []byte and []any, and the kind of the same name for the others. NaN and the infinities have become the strings
// "NaN", "Infinity" and "-Infinity".
type Event struct {
	// ID identifies the event; every copy of it carries the same ID, so that a SIEM can drop repeats. Any text the
	// host likes, at best a UUID. Defaults to a new UUIDv7.
	ID string

	// Time is when the event happened. A time before the year 1 or after 9999 becomes the nearest within. Defaults to
	// the time of Publish.
	Time time.Time

	// Action says what was done, as a stable dotted name: "project.delete". Required.
	Action string

	// Outcome says whether it was done: one of the constants, and no word of the host's own. Defaults to
	// OutcomeUnknown.
	Outcome Outcome

	// Actor is who did it. Actor.ID is required.
	Actor Actor

	// Targets are the things it was done to.
	Targets []Target

	// Source is where the request came from.
	Source Source

	// Message describes the event to a person, in one line.
	Message string

	// Changes are the properties that the action changed.
	Changes []Change

	// Attributes are whatever else is known about the event. Values may be of any type with a plain form; see
	// Stream.Publish for how they are copied.
	Attributes []slog.Attr

	// TraceID and SpanID tie the event to a distributed trace. Zero means none.
	TraceID [16]byte
	SpanID  [8]byte

	// ObservedTime is when the event was published. The Stream sets it; what a host sets is ignored.
	ObservedTime time.Time

	// Sequence numbers the events of one stream instance 1, 2, 3… in order of acceptance, so that a SIEM can see a
	// hole. It is 0 only in a test event. The Stream sets it; what a host sets is ignored.
	Sequence uint64

	// StreamID identifies the stream instance that Sequence belongs to: a UUIDv7 made by auditstream.New. The Stream
	// sets it; what a host sets is ignored.
	StreamID string
}

// Outcome is the result of an audited action.
type Outcome string

// The outcomes of an action.
const (
	OutcomeSuccess Outcome = "success"
	OutcomeFailure Outcome = "failure"
	OutcomeUnknown Outcome = "unknown"
)

// ActorType is the kind of an [Actor].
type ActorType string

// The kinds of actor.
const (
	ActorUser    ActorType = "user"
	ActorService ActorType = "service"
	ActorSystem  ActorType = "system"
)

// Actor is who acted.
type Actor struct {
	// ID is stable and unique among the host's actors. Required.
	ID string

	// Type is the kind of actor: one of the constants, or a word of the host's own. Empty means not known.
	Type ActorType

	// Name is what a person knows the actor by.
	Name string
}

// TargetType is the kind of a [Target], in the host's own words: "project", "environment".
type TargetType string

// Target is a thing that was acted on.
type Target struct {
	ID   string
	Type TargetType
	Name string
}

// Source is where a request came from.
type Source struct {
	// Address is the client's IP address or host name, without a port.
	Address string

	// UserAgent is the client's User-Agent header.
	UserAgent string
}

// Change is one property that the action changed. Before is nil for a property that was added, After for one that was
// removed.
type Change struct {
	// Path names the property in the host's own terms: "members[3].role".
	Path string

	Before, After any
}
