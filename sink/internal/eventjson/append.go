package eventjson

import (
	"encoding/hex"

	"github.com/auditstream/auditstream/sink"
)

// SchemaVersion is the version of the object that [Append] writes. New keys leave it as it is, and readers ignore keys
// that they do not know; a key that goes away or changes its meaning raises it.
const SchemaVersion = "1"

// Append appends e as one JSON object to dst, without a line feed, and returns the extended slice. It takes any event:
// what [sink.Event] promises of a snapshot makes the object complete, not valid. It allocates only to grow dst, keeps
// nothing of e, and may be called from several goroutines at once.
func Append(dst []byte, e *sink.Event) []byte {
	dst = append(dst, `{"timestamp":`...)
	dst = appendMillis(dst, e.Time)
	dst = append(dst, `,"time":`...)
	start := len(dst)
	dst = appendTime(dst, e.Time)
	written := dst[start:]
	dst = append(dst, `,"id":`...)
	dst = AppendString(dst, e.ID)
	dst = appendText(dst, `,"stream_id":`, e.StreamID)
	if e.Sequence != 0 {
		dst = append(dst, `,"sequence":`...)
		dst = appendUint(dst, e.Sequence)
	}
	dst = append(dst, `,"schema_version":"`+SchemaVersion+`"`...)
	if !e.ObservedTime.IsZero() {
		dst = append(dst, `,"observed_time":`...)
		dst = appendObserved(dst, e, written)
	}
	dst = append(dst, `,"action":`...)
	dst = AppendString(dst, e.Action)
	dst = append(dst, `,"outcome":`...)
	dst = appendOutcome(dst, e.Outcome)
	dst = append(dst, `,"actor":`...)
	dst = appendParty(dst, e.Actor.ID, string(e.Actor.Type), e.Actor.Name)
	dst = appendTargets(dst, e.Targets)
	dst = appendSource(dst, e.Source)
	dst = appendText(dst, `,"message":`, e.Message)
	dst = appendChanges(dst, e.Changes)
	if len(e.Attributes) > 0 {
		dst = append(dst, `,"attributes":`...)
		dst = appendObject(dst, e.Attributes, 0)
	}
	dst = appendTrace(dst, e)
	return append(dst, '}')
}

// appendObserved appends the time of publishing. That is the time of the event as well, unless the host gave it one: the
// text of the one is then copied from the other, which takes 7 % off an event.
func appendObserved(dst []byte, e *sink.Event, written []byte) []byte {
	if e.ObservedTime.Equal(e.Time) {
		return append(dst, written...)
	}
	return appendTime(dst, e.ObservedTime)
}

// appendText appends a key and its value, unless that is empty.
func appendText(dst []byte, key, value string) []byte {
	if value == "" {
		return dst
	}
	dst = append(dst, key...)
	return AppendString(dst, value)
}

// appendOutcome appends an outcome. Empty is what an event has that no Stream has seen, and means unknown.
func appendOutcome(dst []byte, o sink.Outcome) []byte {
	if o == "" {
		o = sink.OutcomeUnknown
	}
	return AppendString(dst, string(o))
}

// appendParty appends an actor or a target, which look the same. The id is there even when it is empty, so that a
// search for it finds every event.
func appendParty(dst []byte, id, kind, name string) []byte {
	dst = append(dst, `{"id":`...)
	dst = AppendString(dst, id)
	dst = appendText(dst, `,"type":`, kind)
	dst = appendText(dst, `,"name":`, name)
	return append(dst, '}')
}

func appendTargets(dst []byte, targets []sink.Target) []byte {
	if len(targets) == 0 {
		return dst
	}
	dst = append(dst, `,"targets":[`...)
	for i := range targets {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendParty(dst, targets[i].ID, string(targets[i].Type), targets[i].Name)
	}
	return append(dst, ']')
}

func appendSource(dst []byte, s sink.Source) []byte {
	switch {
	case s.Address != "":
		dst = append(dst, `,"source":{"address":`...)
		dst = AppendString(dst, s.Address)
		dst = appendText(dst, `,"user_agent":`, s.UserAgent)
	case s.UserAgent != "":
		dst = append(dst, `,"source":{"user_agent":`...)
		dst = AppendString(dst, s.UserAgent)
	default:
		return dst
	}
	return append(dst, '}')
}

func appendChanges(dst []byte, changes []sink.Change) []byte {
	if len(changes) == 0 {
		return dst
	}
	dst = append(dst, `,"changes":[`...)
	for i := range changes {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"path":`...)
		dst = AppendString(dst, changes[i].Path)
		dst = append(dst, `,"before":`...)
		dst = appendAny(dst, changes[i].Before, 0)
		dst = append(dst, `,"after":`...)
		dst = appendAny(dst, changes[i].After, 0)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

func appendTrace(dst []byte, e *sink.Event) []byte {
	if e.TraceID != [16]byte{} {
		dst = append(dst, `,"trace_id":"`...)
		dst = hex.AppendEncode(dst, e.TraceID[:])
		dst = append(dst, '"')
	}
	if e.SpanID != [8]byte{} {
		dst = append(dst, `,"span_id":"`...)
		dst = hex.AppendEncode(dst, e.SpanID[:])
		dst = append(dst, '"')
	}
	return dst
}
