package peers

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
)

// record is what a peer has made of one event: every field of it, in a form that all encodings can be brought into.
type record struct {
	ID, Action, Outcome, Message string
	Time                         time.Time // exact, as the event itself says it
	PeerTime                     uint64    // what the peer took for the time, in nanoseconds since 1970
	Actor                        party
	Targets                      []party
	Address, UserAgent           string
	Changes                      []change
	Attributes                   map[string]any
	TraceID, SpanID              string

	Sequence uint64
	Schema   string
	StreamID string
	Observed time.Time
}

type party struct{ ID, Type, Name string }

type change struct {
	Path          string
	Before, After any
}

// form is how an encoding shows an event where encodings differ.
type form struct {
	value     func(odd) any           // an odd value
	plain     func(any) any           // any other value
	attribute func(key string) string // the name of an attribute
	peerTime  func(time.Time) time.Time
}

// The forms of the two encodings.
var (
	otlpForm = form{
		value:    func(v odd) any { return v.otlp },
		plain:    func(v any) any { return v },
		peerTime: func(at time.Time) time.Time { return within(at, time.Unix(0, 1), time.Unix(0, math.MaxInt64)) },
		attribute: func(key string) string {
			if strings.HasPrefix(key, "audit.") {
				return "attribute." + key
			}
			return key
		},
	}
	hecForm = form{
		value:     func(v odd) any { return v.json },
		plain:     floats,
		attribute: func(key string) string { return key },
		peerTime:  func(at time.Time) time.Time { return within(at, time.Unix(0, 0), time.Unix(9_999_999_999, 0)) },
	}
	sumoForm = form{
		value:     func(v odd) any { return v.json },
		plain:     floats,
		attribute: func(key string) string { return key },
		peerTime: func(at time.Time) time.Time {
			return within(at.Truncate(time.Millisecond), time.UnixMilli(1e12), time.UnixMilli(1e13-1))
		},
	}
)

// within returns the time between least and most that is nearest to at.
func within(at, least, most time.Time) time.Time {
	return slices.MinFunc([]time.Time{slices.MaxFunc([]time.Time{at, least}, time.Time.Compare), most}, time.Time.Compare)
}

// floats turns whole numbers into float64, which is what readers of JSON do.
func floats(v any) any {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = floats(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for key := range v {
			out[key] = floats(v[key])
		}
		return out
	}
	return v
}

// wanted returns what is to come of the event that was published as the nth.
func wanted(e auditstream.Event, n int, f form) record {
	value := func(v any) any {
		if v, ok := v.(odd); ok {
			return f.value(v)
		}
		return f.plain(v)
	}
	at := f.peerTime(e.Time)
	r := record{
		ID: e.ID, Action: e.Action, Message: e.Message,
		Outcome: cmp.Or(string(e.Outcome), "unknown"),
		Time:    e.Time.UTC(), PeerTime: uint64(at.Unix())*1e9 + uint64(at.Nanosecond()),
		Actor:   party{e.Actor.ID, string(e.Actor.Type), e.Actor.Name},
		Address: e.Source.Address, UserAgent: e.Source.UserAgent,
		Sequence: uint64(n), Schema: "1",
	}
	for _, target := range e.Targets {
		r.Targets = append(r.Targets, party{target.ID, string(target.Type), target.Name})
	}
	for _, c := range e.Changes {
		r.Changes = append(r.Changes, change{c.Path, value(c.Before), value(c.After)})
	}
	for _, a := range e.Attributes {
		if r.Attributes == nil {
			r.Attributes = map[string]any{}
		}
		r.Attributes[f.attribute(a.Key)] = value(a.Value.Any())
	}
	if e.TraceID != [16]byte{} {
		r.TraceID = fmt.Sprintf("%x", e.TraceID)
	}
	if e.SpanID != [8]byte{} {
		r.SpanID = fmt.Sprintf("%x", e.SpanID)
	}
	return r
}

// span is when events were published.
type span struct{ from, to time.Time }

// requireRecords compares what came out with the events that were published to a new Stream, one by one, in order and
// without repeats. precision is how far what the peer takes for the time may be from the event's.
func requireRecords(t *testing.T, events []auditstream.Event, published span, got []record, f form, precision time.Duration) {
	t.Helper()
	require.Len(t, got, len(events))
	stream, err := uuid.Parse(got[0].StreamID)
	require.NoError(t, err)
	for i, e := range events {
		want, r := wanted(e, i+1, f), got[i]
		require.Equal(t, stream.String(), r.StreamID, "event %d is of another stream", i)
		assert.WithinRange(t, r.Observed, published.from, published.to, "event %d was observed at another time", i)
		assert.LessOrEqual(t, max(want.PeerTime, r.PeerTime)-min(want.PeerTime, r.PeerTime), uint64(precision),
			"event %d: the peer takes its time for %d and not %d", i, r.PeerTime, want.PeerTime)
		r.StreamID, r.Observed, r.PeerTime = "", time.Time{}, want.PeerTime
		require.Equal(t, want, r, "event %d", i)
	}
}

// fields takes the members of a decoded object one by one, so that one which nobody takes is noticed.
type fields struct {
	t   *testing.T
	doc map[string]any
}

// take removes a member and returns it: the zero T if there is none. One of another type fails the test.
func take[T any](f fields, key string) T {
	f.t.Helper()
	var zero T
	v, ok := f.doc[key]
	if !ok {
		return zero
	}
	delete(f.doc, key)
	got, ok := v.(T)
	require.True(f.t, ok, "%q is a %T", key, v)
	return got
}

// time takes a time in RFC 3339 with nine decimals.
func (f fields) time(key string) time.Time {
	f.t.Helper()
	text := take[string](f, key)
	at, err := time.Parse("2006-01-02T15:04:05.000000000Z", text)
	require.NoError(f.t, err, key)
	return at
}

// party takes an object that names somebody or something.
func (f fields) party() party {
	f.t.Helper()
	p := party{ID: take[string](f, "id"), Type: take[string](f, "type"), Name: take[string](f, "name")}
	f.done()
	return p
}

// change takes a change, whose values have to be there even when they are null.
func (f fields) change() change {
	f.t.Helper()
	require.Contains(f.t, f.doc, "before")
	require.Contains(f.t, f.doc, "after")
	c := change{take[string](f, "path"), f.doc["before"], f.doc["after"]}
	delete(f.doc, "before")
	delete(f.doc, "after")
	f.done()
	return c
}

// list takes a list of objects.
func (f fields) list(key string) []fields {
	f.t.Helper()
	var all []fields
	for _, item := range take[[]any](f, key) {
		doc, ok := item.(map[string]any)
		require.True(f.t, ok, "%q has a %T in it", key, item)
		all = append(all, fields{f.t, doc})
	}
	return all
}

// done fails the test if something is left.
func (f fields) done() {
	f.t.Helper()
	require.Empty(f.t, f.doc, "nobody published this")
}

// readJSON reads the object that Splunk and Sumo Logic get.
func readJSON(t *testing.T, doc map[string]any) record {
	t.Helper()
	f := fields{t, doc}
	r := record{
		PeerTime: uint64(take[float64](f, "timestamp")) * 1e6,
		Time:     f.time("time"), Observed: f.time("observed_time"),
		ID: take[string](f, "id"), StreamID: take[string](f, "stream_id"), Schema: take[string](f, "schema_version"),
		Sequence: uint64(take[float64](f, "sequence")),
		Action:   take[string](f, "action"), Outcome: take[string](f, "outcome"), Message: take[string](f, "message"),
		Actor:      fields{t, take[map[string]any](f, "actor")}.party(),
		Attributes: take[map[string]any](f, "attributes"),
		TraceID:    take[string](f, "trace_id"), SpanID: take[string](f, "span_id"),
	}
	for _, target := range f.list("targets") {
		r.Targets = append(r.Targets, target.party())
	}
	for _, c := range f.list("changes") {
		r.Changes = append(r.Changes, c.change())
	}
	source := fields{t, take[map[string]any](f, "source")}
	r.Address, r.UserAgent = take[string](source, "address"), take[string](source, "user_agent")
	source.done()
	f.done()
	return r
}
