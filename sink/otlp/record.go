package otlp

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/auditstream/auditstream/sink"
)

// recordOverhead bounds what a record costs beside its name, body and attributes: two times, the ids, and the tags
// and lengths.
const recordOverhead = 80

// The times that a record can carry: 0 means unknown in OTLP, and the exporter counts nanoseconds in an int64.
var (
	minTime = time.Unix(0, 1)
	maxTime = time.Unix(0, math.MaxInt64)
)

// A mapper turns events into log records. It is for one goroutine.
type mapper struct {
	prototype sdklog.Record
	records   []sdklog.Record      // of the request being built; reused
	attrs     []attribute.KeyValue // of the record being built; reused
	size      int                  // of the record being built: an upper bound of its encoding
}

// The largest slices that a mapper goes back to its pool with: those of batches and events far beyond the usual.
const (
	maxPooledRecords    = 4096 // 2.4 MB
	maxPooledAttributes = 1024
)

// mappers lends one to each Deliver. Sinks have none of their own: there may be thousands, while few send at the same
// time, and the pool is empty after two collections without use.
var mappers = &sync.Pool{New: func() any { return newMapper() }}

func newMapper() *mapper { return &mapper{prototype: newPrototype()} }

// release gives the mapper back, cleared, so that the pool keeps no event alive.
func (m *mapper) release() {
	clear(m.records)
	clear(m.attrs[:cap(m.attrs)]) // an event before the last may have had more
	m.records, m.attrs = m.records[:0], m.attrs[:0]
	if cap(m.records) > maxPooledRecords {
		m.records = nil
	}
	if cap(m.attrs) > maxPooledAttributes {
		m.attrs = nil
	}
	mappers.Put(m)
}

// fill returns the records of events until the request is full, the first in any case: whether a single event is too
// large is for the server to say. They are good until the next call.
func (m *mapper) fill(events []sink.Event) []sdklog.Record {
	clear(m.records)
	m.records = slices.Grow(m.records[:0], len(events))
	total := 0
	for i := range events {
		m.records = append(m.records, m.prototype) // which has no attributes that a copy would share
		total += m.record(&m.records[i], &events[i])
		if i > 0 && total > maxRequest {
			clear(m.records[i:])
			m.records = m.records[:i]
			break
		}
	}
	return m.records
}

// newPrototype returns an empty record that drops nothing. A zero Record drops every attribute, and only a
// LoggerProvider can make another, so one is made to emit a record to a processor that keeps it.
//
// Every limit is given, because the environment (OTEL_LOGRECORD_*) fills in those that are not. Duplicate keys are
// allowed, because looking for them costs a third of the time and ours are unique by construction. The resource
// holds what the environment says, whatever is asked for; it is replaced on the way out.
func newPrototype() sdklog.Record {
	var kept keeper
	provider := sdklog.NewLoggerProvider(
		sdklog.WithAttributeCountLimit(-1),
		sdklog.WithAttributeValueLengthLimit(-1),
		sdklog.WithAttributeValueDepthLimit(-1),
		sdklog.WithAllowKeyDuplication(),
		sdklog.WithResource(resource.Empty()),
		sdklog.WithProcessor(&kept),
	)
	provider.Logger("").Emit(context.Background(), log.Record{})
	return kept.record
}

// A keeper is a processor that keeps the last record.
type keeper struct{ record sdklog.Record }

func (k *keeper) OnEmit(_ context.Context, r *sdklog.Record) error {
	k.record = r.Clone()
	return nil
}

func (*keeper) Enabled(context.Context, sdklog.EnabledParameters) bool { return true }
func (*keeper) Shutdown(context.Context) error                         { return nil }
func (*keeper) ForceFlush(context.Context) error                       { return nil }

// record makes r, a copy of the prototype, the log record of e. It returns an upper bound of the encoded size.
func (m *mapper) record(r *sdklog.Record, e *sink.Event) (size int) {
	m.attrs = m.attrs[:0]
	m.size = recordOverhead + len(e.Action) + len(e.Message)

	r.SetEventName(e.Action)
	if e.Message != "" {
		r.SetBody(attribute.StringValue(e.Message))
	}
	clamped := clampTime(e.Time)
	r.SetTimestamp(clamped)
	r.SetObservedTimestamp(clampTime(e.ObservedTime))
	r.SetTraceID(e.TraceID)
	r.SetSpanID(e.SpanID)

	m.addIdentity(e)
	if !clamped.Equal(e.Time) {
		m.add(nameRecordTime, m.time(e.Time))
	}
	m.addTargets(e.Targets)
	m.addText(nameClientAddress, e.Source.Address)
	m.addText(nameUserAgent, e.Source.UserAgent)
	m.addChanges(e.Changes)
	for i := range e.Attributes {
		m.add(attributeName(e.Attributes[i].Key), m.value(e.Attributes[i].Value, 1))
	}
	r.SetAttributes(m.attrs...)
	return m.size
}

// addIdentity adds what says which event this is: the record, its source, the action and the actor.
func (m *mapper) addIdentity(e *sink.Event) {
	m.addText(nameRecordID, e.ID)
	m.add(nameSchemaVersion, m.text(schemaVersion))
	if e.StreamID != "" {
		m.add(nameSourceID, m.text(e.StreamID))
		m.add(nameSourceType, m.text(sourceType))
	}
	if e.Sequence != 0 {
		m.add(nameSequenceNumber, m.unsigned(e.Sequence))
	}
	m.add(nameAction, m.text(e.Action))
	outcome := e.Outcome
	if outcome == "" {
		outcome = sink.OutcomeUnknown
	}
	m.add(nameOutcome, m.text(string(outcome)))
	m.add(nameActorID, m.text(e.Actor.ID))
	m.addText(nameActorType, string(e.Actor.Type))
	m.addText(nameActorName, e.Actor.Name)
}

// addTargets adds the first target as plain attributes, which every SIEM can search, and all of them as a list when
// there are more.
func (m *mapper) addTargets(targets []sink.Target) {
	if len(targets) == 0 {
		return
	}
	m.add(nameTargetID, m.text(targets[0].ID))
	m.addText(nameTargetType, string(targets[0].Type))
	m.addText(nameTargetName, targets[0].Name)
	if len(targets) == 1 {
		return
	}
	list := make([]attribute.Value, len(targets))
	for i := range targets {
		pairs := append(make([]attribute.KeyValue, 0, 3), m.pair(keyID, m.text(targets[i].ID)))
		if targets[i].Type != "" {
			pairs = append(pairs, m.pair(keyType, m.text(string(targets[i].Type))))
		}
		if targets[i].Name != "" {
			pairs = append(pairs, m.pair(keyName, m.text(targets[i].Name)))
		}
		m.size += valueOverhead
		list[i] = attribute.MapValue(pairs...)
	}
	m.add(nameTargets, attribute.SliceValue(list...))
}

// addChanges adds the changes as a list of maps. Before and after are there even when empty, which means that the
// property did not exist.
func (m *mapper) addChanges(changes []sink.Change) {
	if len(changes) == 0 {
		return
	}
	list := make([]attribute.Value, len(changes))
	for i := range changes {
		m.size += valueOverhead
		list[i] = attribute.MapValue(
			m.pair(keyPath, m.text(changes[i].Path)),
			m.pair(keyBefore, m.any(changes[i].Before, 1)),
			m.pair(keyAfter, m.any(changes[i].After, 1)),
		)
	}
	m.add(nameChanges, attribute.SliceValue(list...))
}

// pair returns an entry of a map.
func (m *mapper) pair(key string, v attribute.Value) attribute.KeyValue {
	m.size += keyOverhead + len(key)
	return attribute.KeyValue{Key: attribute.Key(key), Value: v}
}

// clampTime returns the nearest time that OTLP can carry. The zero time stays, and is sent as unknown.
func clampTime(t time.Time) time.Time {
	switch {
	case t.IsZero():
		return t
	case t.Before(minTime):
		return minTime
	case t.After(maxTime):
		return maxTime
	}
	return t
}
