package peers

import (
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/auditstream/auditstream"
)

// odd is a value that encodings change. Events are made with it; host is what is published, otlp and json are what is
// to come out at the other end, whole numbers in JSON as float64.
type odd struct{ host, otlp, json any }

// same is an odd value that both encodings show alike.
func same(host, want any) odd { return odd{host: host, otlp: want, json: want} }

// text holds what text encodings get wrong: NUL and other controls, the separators that end a line in JavaScript, an
// emoji of several runes, bidirectional overrides, a byte-order mark, quotes, and the ends of the code space.
const text = "a\x00b\x1f\x7f\u0085 \u2028\u2029 \U0001f469\u200d\U0001f680 \u202egnp\u202c \ufeff " +
	"\"quoted\" \\back\\ </script> \r\n\t é e\u0301 \ufffd \uffff \U0010ffff 小林"

// values are odd values by the names under which they are published.
var values = map[string]odd{
	"int 2^53":       {int64(1 << 53), int64(1 << 53), float64(1 << 53)},
	"int 2^53+1":     {int64(1<<53 + 1), int64(1<<53 + 1), "9007199254740993"},
	"int -2^53-1":    {int64(-1<<53 - 1), int64(-1<<53 - 1), "-9007199254740993"},
	"int max":        {int64(math.MaxInt64), int64(math.MaxInt64), "9223372036854775807"},
	"int min":        {int64(math.MinInt64), int64(math.MinInt64), "-9223372036854775808"},
	"int small":      {int8(-7), int64(-7), -7.0},
	"uint":           {uint64(7), int64(7), 7.0},
	"uint max":       same(uint64(math.MaxUint64), "18446744073709551615"),
	"float":          same(0.1, 0.1),
	"float large":    same(1e300, 1e300),
	"float least":    same(math.SmallestNonzeroFloat64, math.SmallestNonzeroFloat64),
	"float NaN":      same(math.NaN(), "NaN"),
	"float Inf":      same(math.Inf(1), "Infinity"),
	"float -Inf":     same(math.Inf(-1), "-Infinity"),
	"number":         {json.Number("9007199254740993"), int64(9007199254740993), "9007199254740993"},
	"true":           same(true, true),
	"nil":            same(nil, nil),
	"bytes":          {[]byte{0, 1, 0xfe, 0xff}, []byte{0, 1, 0xfe, 0xff}, "AAH+/w=="},
	"time":           same(time.Date(2026, 3, 4, 5, 6, 7, 9, time.FixedZone("", 19800)), "2026-03-03T23:36:07.000000009Z"),
	"duration":       same(90*time.Second+time.Nanosecond, 90.000000001),
	"address":        same(netip.MustParseAddr("2001:db8::1"), "2001:db8::1"),
	"error":          same(errors.New(text), text),
	"text":           same(text, text),
	"text empty":     same("", ""),
	"text not UTF-8": same("a\xff\xfeb\xff", "a\ufffdb\ufffd"), // a run of bad bytes counts as one
	"strings":        same([]string{"a", text}, []any{"a", text}),
	"list":           {[]any{int64(1), "2", nil, []any{3.5}}, []any{int64(1), "2", nil, []any{3.5}}, []any{1.0, "2", nil, []any{3.5}}},
	"list empty":     same([]any{}, []any{}),
	"map":            same(map[string]any{text: map[string]any{"b": text}}, map[string]any{text: map[string]any{"b": text}}),
	"map empty":      same(map[string]any{}, map[string]any{}),
	"group": {
		slog.GroupValue(slog.Int("n", 1), slog.Group("inner", slog.String("s", text))),
		map[string]any{"n": int64(1), "inner": map[string]any{"s": text}},
		map[string]any{"n": 1.0, "inner": map[string]any{"s": text}},
	},
	"struct": same(struct {
		Name, Left string
		Renamed    bool `json:"it is"`
		Hidden     int  `json:"-"`
	}{"n", "l", true, 1}, map[string]any{"Name": "n", "Left": "l", "it is": true}),
	"raw": {
		json.RawMessage(`{"a":[1,2.5,null],"b":9007199254740993}`),
		map[string]any{"a": []any{int64(1), 2.5, nil}, "b": int64(9007199254740993)},
		map[string]any{"a": []any{1.0, 2.5, nil}, "b": "9007199254740993"},
	},
	"deep":             same(nested(25), nested(25)),
	"long":             same(strings.Repeat("0123456789", 1200), strings.Repeat("0123456789", 1200)),
	text:               same("its key is odd", "its key is odd"),
	"audit.actor.id":   same("mallory", "mallory"), // one of OTLP's own names
	"audit.actor.name": same("Mallory", "Mallory"),
	"event":            same("payload", "payload"), // one of HEC's own names
	"fields":           same("payload", "payload"),
}

// nested returns a value of n maps within each other.
func nested(n int) any {
	var v any = "the bottom"
	for range n {
		v = map[string]any{"down": v}
	}
	return v
}

// oddEvents returns events with everything in them that an encoding may get wrong.
func oddEvents() []auditstream.Event {
	alice := auditstream.Actor{ID: "alice"}
	at := time.Date(2026, 3, 4, 5, 6, 7, 123_456_789, time.UTC)
	full := auditstream.Event{
		ID: "odd values " + text, Time: at, Action: "odd.values", Outcome: auditstream.OutcomeFailure,
		Actor:   auditstream.Actor{ID: "alice " + text, Type: "robot", Name: text},
		Targets: []auditstream.Target{{ID: text, Type: "project", Name: text}, {ID: "2"}, {ID: "3", Name: "third"}},
		Source:  auditstream.Source{Address: "2001:db8::1", UserAgent: "agent/1 " + text},
		Message: text,
		TraceID: [16]byte{1, 15: 0xff}, SpanID: [8]byte{0xfe, 7: 2},
	}
	changed := auditstream.Event{ID: "odd changes", Time: at, Action: "odd.changes", Actor: alice}
	keys := make([]string, 0, len(values))
	for key := range values {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		full.Attributes = append(full.Attributes, slog.Any(key, values[key]))
		changed.Changes = append(changed.Changes,
			auditstream.Change{Path: key, Before: values[key], After: nil},
			auditstream.Change{Path: key + " after", Before: nil, After: values[key]},
		)
	}
	events := []auditstream.Event{full, changed, {ID: "the least", Time: at, Action: "odd.least", Actor: alice}}
	for name, when := range map[string]time.Time{
		"another zone":            at.In(time.FixedZone("", -12*3600)),
		"no nanoseconds":          at.Truncate(time.Second),
		"one nanosecond":          at.Truncate(time.Second).Add(1),
		"the last of a second":    at.Truncate(time.Second).Add(time.Second - 1),
		"1970":                    time.Unix(0, 0),
		"before 1970":             time.Date(1901, 2, 3, 4, 5, 6, 7, time.UTC),
		"the year 1":              time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC),
		"beyond OTLP":             time.Date(2263, 1, 1, 0, 0, 0, 1, time.UTC),
		"beyond 10 digits of HEC": time.Date(2287, 1, 1, 0, 0, 0, 1, time.UTC),
		"the year 9999":           time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
	} {
		events = append(events, auditstream.Event{ID: "time " + name, Time: when, Action: "odd.time", Actor: alice})
	}
	return events
}

// unwrapped returns e with what its odd values publish.
func unwrapped(e auditstream.Event) auditstream.Event {
	return each(e, func(v odd) any { return v.host })
}

// each returns e with its odd values replaced.
func each(e auditstream.Event, replace func(odd) any) auditstream.Event {
	one := func(v any) any {
		if v, ok := v.(odd); ok {
			return replace(v)
		}
		return v
	}
	e.Attributes, e.Changes = slices.Clone(e.Attributes), slices.Clone(e.Changes)
	for i := range e.Attributes {
		e.Attributes[i].Value = slog.AnyValue(one(e.Attributes[i].Value.Any()))
	}
	for i := range e.Changes {
		e.Changes[i].Before, e.Changes[i].After = one(e.Changes[i].Before), one(e.Changes[i].After)
	}
	return e
}
