package otlp

import (
	"context"
	"math"
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
	attrs     []attribute.KeyValue // of the record being built; reused
	size      int                  // of the record being built: an upper bound of its encoding
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

// record returns e as a log record, and an upper bound of its encoded size.
func (m *mapper) record(e *sink.Event) (r sdklog.Record, size int) {
	m.attrs = m.attrs[:0]
	m.size = recordOverhead + len(e.Action) + len(e.Message)

	r = m.prototype.Clone()
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
	r.AddAttributes(m.attrs...)
	return r, m.size
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
