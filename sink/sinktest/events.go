package sinktest

import (
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/auditstream/auditstream/sink"
)

// streamID is the stream that the events of the suite come from.
const streamID = "01920000-0000-7000-8000-000000000000"

// eventTime is when they happened: recently, for providers put old events aside.
var eventTime = time.Now().UTC().Truncate(time.Microsecond)

// makeEvent returns event i of the stream, with a text of some size.
func makeEvent(i, size int) sink.Event {
	e := sink.Event{
		ID:           fmt.Sprintf("01920000-0000-7000-8000-%012x", i+1),
		Time:         eventTime.Add(time.Duration(i) * time.Millisecond),
		ObservedTime: eventTime.Add(time.Duration(i)*time.Millisecond + time.Microsecond),
		Action:       "project.delete",
		Outcome:      sink.OutcomeSuccess,
		Actor:        sink.Actor{ID: "u-1", Type: sink.ActorUser, Name: "Ada"},
		Source:       sink.Source{Address: "192.0.2.1", UserAgent: "sinktest"},
		Message:      "Ada deleted a project",
		Sequence:     uint64(i) + 1, //nolint:gosec // i is an index.
		StreamID:     streamID,
		TraceID:      [16]byte{1},
		SpanID:       [8]byte{2},
	}
	// Room behind the end of a slice shows whether the driver appends to what it does not own.
	e.Targets = append(make([]sink.Target, 0, 3), sink.Target{ID: "p-" + strconv.Itoa(i), Type: "project", Name: "Apollo"})
	e.Changes = append(make([]sink.Change, 0, 3),
		sink.Change{Path: "members", Before: []any{"u-1", int64(2)}, After: nil})
	e.Attributes = append(make([]slog.Attr, 0, 5),
		slog.String("text", strings.Repeat("x", size)),
		slog.Any("list", []any{"a", []byte{1, 2, 3}}),
		slog.Group("group", slog.Int("n", i)))
	return e
}

// makeEvents returns n events of the stream.
func makeEvents(n, size int) []sink.Event {
	events := make([]sink.Event, n)
	for i := range events {
		events[i] = makeEvent(i, size)
	}
	return events
}

// oddTexts are strings that a host may put anywhere.
var oddTexts = []string{
	"", " ", "\x00", "a\nb\r\nc\td", "\x1b[31mred\x1b[0m", "\u202egnp.exe", "\u2028\u2029\u0085", "\ufeff", "\ufffd",
	"\uffff", "😀 e\u0301", `"quoted" \ back`, "</script><!--", "#{Secret}", "%s %d %!", `{"event":"x"}`,
	"2026-01-01T00:00:00Z", "9999999999999", "=cmd|' /C calc'!A0", strings.Repeat("long ", 500),
}

// oddValues returns plain values of every kind, at the ends of their ranges.
func oddValues() []any {
	values := []any{
		nil, true, false, int64(0), int64(math.MinInt64), int64(math.MaxInt64), int64(1<<53 + 1), uint64(1<<53 + 1),
		uint64(math.MaxUint64), 0.0, math.Copysign(0, -1), math.MaxFloat64, -math.MaxFloat64,
		math.SmallestNonzeroFloat64, 0.1, 1e21, "NaN", "Infinity", "-Infinity", []byte(nil),
		[]byte{},
		[]byte{0, 0xff, 0xfe},
		time.Time{},
		time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC),
		time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC), time.Unix(0, 0).UTC(), time.Duration(0),
		time.Duration(math.MinInt64), time.Duration(math.MaxInt64), []any(nil),
		[]any{},
		[]slog.Attr(nil),
		[]slog.Attr{},
		[]any{nil, []any{}, []slog.Attr{}, "x"},
	}
	for _, text := range oddTexts {
		values = append(values, text)
	}
	return append(values, nested(31))
}

// nested returns lists and groups in turn, so many levels deep.
func nested(depth int) any {
	var v any = "bottom"
	for i := range depth {
		if i%2 == 0 {
			v = []any{v}
		} else {
			v = []slog.Attr{slog.Any("level", v)}
		}
	}
	return v
}

// oddEvents returns events as no host should make them, but may.
func oddEvents() []sink.Event {
	least := sink.Event{
		ID: "least", Time: eventTime, ObservedTime: eventTime, Action: "a", Outcome: sink.OutcomeUnknown,
		Actor: sink.Actor{ID: "a"}, Sequence: 1, StreamID: streamID,
	}
	var values, changes, keys, many sink.Event
	values, changes, keys, many = least, least, least, least
	values.ID, changes.ID, keys.ID, many.ID = "values", "changes", "keys", "many"
	for i, v := range oddValues() {
		values.Attributes = append(values.Attributes, slog.Any("v"+strconv.Itoa(i), v))
		changes.Changes = append(changes.Changes, sink.Change{Path: "p" + strconv.Itoa(i), Before: v, After: v})
	}
	reserved := []string{
		"id", "timestamp", "time", "event", "fields", "action", "audit.record.id", "audit.action", "attributes", "message",
	}
	for i, key := range append(reserved, oddTexts[1:]...) {
		keys.Attributes = append(keys.Attributes, slog.Int(key, i))
	}
	for i := range 300 {
		many.Attributes = append(many.Attributes, slog.Int("k"+strconv.Itoa(i), i))
		many.Targets = append(many.Targets, sink.Target{ID: strconv.Itoa(i)})
	}
	events := []sink.Event{least, values, changes, keys, many}
	for i, text := range oddTexts[1:] {
		e := makeEvent(i, 0)
		e.ID, e.Action, e.Outcome, e.Message = text, text, sink.OutcomeFailure, text
		e.Actor = sink.Actor{ID: text, Type: sink.ActorType(text), Name: text}
		e.Targets = []sink.Target{{ID: text, Type: sink.TargetType(text), Name: text}, {}}
		e.Source = sink.Source{Address: text, UserAgent: text}
		e.Changes = []sink.Change{{Path: text, Before: text}}
		events = append(events, e)
	}
	for i, when := range []time.Time{
		time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(1969, 12, 31, 23, 59, 59, 999999999, time.UTC),
		time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC),
	} {
		e := makeEvent(i, 0)
		e.ID, e.Time, e.ObservedTime, e.Sequence = "time "+strconv.Itoa(i), when, when, math.MaxUint64-uint64(i)
		events = append(events, e)
	}
	return events
}

// poisonEvent returns event i with the action that a poisoned server refuses.
func poisonEvent(i int) sink.Event {
	e := makeEvent(i, 10)
	e.Action = PoisonAction
	return e
}
