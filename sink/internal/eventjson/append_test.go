package eventjson_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/eventjson"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// fullEvent has something in every field.
func fullEvent() sink.Event {
	return sink.Event{
		ID:      "0199c7a4-5b2e-7c3d-9f10-2a3b4c5d6e7f",
		Time:    time.Date(2026, 3, 4, 5, 6, 7, 89_000_000, time.UTC),
		Action:  "project.variables.update",
		Outcome: sink.OutcomeSuccess,
		Actor:   sink.Actor{ID: "users-7", Type: sink.ActorUser, Name: "Ada Lovelace"},
		Targets: []sink.Target{
			{ID: "projects-12", Type: "project", Name: "Billing"},
			{ID: "environments-3"},
		},
		Source:  sink.Source{Address: "203.0.113.9", UserAgent: "Mozilla/5.0 (X11; Linux x86_64)"},
		Message: "Changed 2 variables of Billing",
		Changes: []sink.Change{
			{Path: "variables.Port", Before: int64(80), After: int64(443)},
			{Path: "variables.Hosts", Before: nil, After: []any{"a.example", "b.example"}},
			{Path: "variables.Old", Before: "x", After: nil},
		},
		Attributes: []slog.Attr{
			slog.String("space", "spaces-1"),
			slog.Int("attempt", 3),
			slog.Bool("mfa", true),
			slog.Float64("risk", 0.25),
			slog.Duration("elapsed", 1500*time.Millisecond),
			slog.Group("http", slog.String("method", "PUT"), slog.Int("status", 200)),
		},
		TraceID:      [16]byte{0x4b, 0xf9, 0x2f, 0x35, 0x77, 0xb3, 0x4d, 0xa6, 0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36},
		SpanID:       [8]byte{0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7},
		ObservedTime: time.Date(2026, 3, 4, 5, 6, 7, 90_123_456, time.UTC),
		Sequence:     42,
		StreamID:     "0199c7a0-0000-7000-8000-000000000001",
	}
}

// minimalEvent is the least that a stream hands to a sink: the marked test event, which has no sequence.
func minimalEvent() sink.Event {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	return sink.Event{
		ID: "1", Time: at, ObservedTime: at, Action: "auditstream.test", Outcome: sink.OutcomeUnknown,
		Actor: sink.Actor{ID: "auditstream"}, StreamID: "s",
	}
}

// oddEvent has a value of every plain kind, and those that are awkward in JSON.
func oddEvent() sink.Event {
	e := minimalEvent()
	e.Action = "odd.values"
	e.Sequence = math.MaxUint64
	e.Targets = []sink.Target{{}}
	e.Source = sink.Source{UserAgent: "curl/8\r\nX-Injected: 1"}
	e.Message = "quote \" backslash \\ slash / bell \a tab \t nul \x00 del \x7f escape \x1b[31m next line \u0085 end"
	e.Attributes = []slog.Attr{
		slog.Any("nil", nil),
		slog.Bool("false", false),
		slog.Int64("int.min", math.MinInt64),
		slog.Int64("int.exact", 1<<53),
		slog.Int64("int.beyond", 1<<53+1),
		slog.Int64("int.exact.negative", -(1 << 53)),
		slog.Int64("int.beyond.negative", -(1<<53)-1),
		slog.Uint64("uint.exact", 1<<53),
		slog.Uint64("uint.max", math.MaxUint64),
		slog.Float64("float.zero", 0),
		slog.Float64("float.minus.zero", math.Copysign(0, -1)),
		slog.Float64("float.small", 1e-7),
		slog.Float64("float.smallest", math.SmallestNonzeroFloat64),
		slog.Float64("float.large", 1e21),
		slog.Float64("float.plain", 123456789.125),
		slog.Float64("float.nan", math.NaN()),
		slog.Float64("float.inf", math.Inf(1)),
		slog.Float64("float.minus.inf", math.Inf(-1)),
		slog.Duration("duration.zero", 0),
		slog.Duration("duration.nanosecond", 1),
		slog.Duration("duration.min", math.MinInt64),
		slog.Duration("duration.negative", -90*time.Second),
		slog.Time("time.zone", time.Date(2026, 12, 31, 23, 0, 0, 120_000_000, time.FixedZone("", -5*3600))),
		slog.Any("time.year.10000", time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)),
		slog.Any("time.year.-1", time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)),
		slog.Any("bytes", []byte{0, 1, 2, 0xff}),
		slog.Any("bytes.none", []byte{}),
		slog.Any("list", []any{nil, true, int64(-1), uint64(1), 1.5, "s", []byte("b"), e.Time, time.Second, []any{}}),
		slog.Group("group.empty.is.dropped.by.nobody"),
		slog.Any("map", []slog.Attr{slog.Any("inner", []slog.Attr{slog.String("k", "v")}), slog.Any("list", []any{[]slog.Attr{}})}),
		slog.String("", "empty key"),
		slog.String("key\n\u202e", "odd key"),
		slog.String("utf8.invalid", "a\xffb\xc3(c\xed\xa0\x80d\xf0\x9f"),
		slog.String("utf8.replacement", "\ufffd"),
		slog.String("utf8.beyond.bmp", "\U0001F511 \u00a0 é 漢"),
		slog.String("separators", "a\u2028b\u2029c"),
		slog.String("bidi", "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"),
		slog.String("not.bidi", "\u200d\u2027\u202f\u2065\u206a"),
		slog.String("c1", "\u0080\u009b\u009f"),
	}
	e.Changes = []sink.Change{{}}
	return e
}

func goldenEvents() map[string]sink.Event {
	past, future := minimalEvent(), minimalEvent()
	past.Time, past.ObservedTime = time.Date(1969, 7, 20, 20, 17, 40, 1, time.UTC), time.Time{}
	future.Time = time.Date(2286, 11, 20, 17, 46, 40, 0, time.UTC)
	return map[string]sink.Event{
		"full": fullEvent(), "minimal": minimalEvent(), "odd": oddEvent(), "past": past, "future": future,
	}
}

func TestGolden(t *testing.T) {
	for name, e := range goldenEvents() {
		t.Run(name, func(t *testing.T) {
			got := append(eventjson.Append(nil, &e), '\n')
			file := filepath.Join("testdata", name+".json")
			if *update {
				require.NoError(t, os.WriteFile(file, got, 0o600))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err, "run the test with -update to write it")
			assert.Equal(t, string(want), string(got))
			assert.True(t, json.Valid(got), "not JSON")
			assert.Equal(t, 1, bytes.Count(got, []byte("\n")), "more than one line")
		})
	}
}

func TestAppendKeepsWhatIsThere(t *testing.T) {
	e := minimalEvent()
	got := eventjson.Append([]byte("before "), &e)
	assert.Equal(t, "before "+string(eventjson.Append(nil, &e)), string(got))
}

func TestZeroEvent(t *testing.T) {
	got := string(eventjson.Append(nil, &sink.Event{}))
	assert.Equal(t, `{"timestamp":1000000000000,"time":"0001-01-01T00:00:00.000000000Z","id":"","schema_version":"1",`+
		`"action":"","outcome":"unknown","actor":{"id":""}}`, got)
}

func TestTimestampHas13Digits(t *testing.T) {
	for name, test := range map[string]struct {
		at   time.Time
		want string
	}{
		"before 1970":          {time.Unix(-1, 0), "1000000000000"},
		"just too early":       {time.UnixMilli(999_999_999_999), "1000000000000"},
		"first":                {time.UnixMilli(1_000_000_000_000), "1000000000000"},
		"second":               {time.UnixMilli(1_000_000_000_001), "1000000000001"},
		"last":                 {time.UnixMilli(9_999_999_999_999), "9999999999999"},
		"just too late":        {time.UnixMilli(10_000_000_000_000), "9999999999999"},
		"milliseconds overrun": {time.Unix(math.MaxInt64/2, 0), "9999999999999"},
	} {
		t.Run(name, func(t *testing.T) {
			got := eventjson.Append(nil, &sink.Event{Time: test.at})
			want := `{"timestamp":` + test.want + `,"time":`
			assert.Equal(t, want, string(got[:len(want)]))
		})
	}
}

func TestUnexpectedTypesBecomeText(t *testing.T) {
	cyclic := map[string]any{}
	cyclic["self"] = cyclic
	for name, test := range map[string]struct {
		value any
		want  string
	}{
		"channel":     {make(chan int), `"auditstream: unsupported kind chan"`},
		"cyclic map":  {cyclic, `"auditstream: unsupported kind map"`},
		"function":    {func() {}, `"auditstream: unsupported kind func"`},
		"nil pointer": {(*time.Time)(nil), `"auditstream: unsupported kind ptr"`},
		"struct":      {struct{ A int }{1}, `"auditstream: unsupported kind struct"`},
		"small int":   {int8(1), `"auditstream: unsupported kind int8"`},
		"log valuer":  {slog.AnyValue(panics{}), `"auditstream: unsupported kind LogValuer"`},
		"slog value":  {slog.IntValue(1), `1`},
	} {
		t.Run(name, func(t *testing.T) {
			e := sink.Event{Changes: []sink.Change{{After: test.value}}}
			assert.Contains(t, string(eventjson.Append(nil, &e)), `"after":`+test.want+`}`)
		})
	}
}

type panics struct{}

func (panics) LogValue() slog.Value { panic("called") }

func TestValuesThatContainThemselves(t *testing.T) {
	list := []any{nil}
	list[0] = list
	group := []slog.Attr{{Key: "k"}}
	group[0].Value = slog.GroupValue(group...)
	e := sink.Event{Changes: []sink.Change{{Before: list}}, Attributes: group}
	got := eventjson.Append(nil, &e)
	assert.True(t, json.Valid(got))
	assert.Equal(t, 2, strings.Count(string(got), `"auditstream: nested too deep"`))
}

func TestDeepestSnapshotArrives(t *testing.T) {
	var value any = "bottom"
	for range 32 {
		value = []any{value}
	}
	e := sink.Event{Changes: []sink.Change{{Before: value}}}
	assert.Contains(t, string(eventjson.Append(nil, &e)),
		strings.Repeat("[", 32)+`"bottom"`+strings.Repeat("]", 32))
}

// keysOf returns the keys of the properties that a part of the schema describes.
func keysOf(t *testing.T, part map[string]any) []string {
	t.Helper()
	properties, ok := part["properties"].(map[string]any)
	require.True(t, ok)
	var keys []string
	for key := range properties {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// TestSchemaNamesEveryKey holds the schema and the encoder together without a validator.
func TestSchemaNamesEveryKey(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "event.schema.json"))
	require.NoError(t, err)
	var schema map[string]any
	require.NoError(t, json.Unmarshal(text, &schema))

	e := fullEvent()
	var object map[string]any
	require.NoError(t, json.Unmarshal(eventjson.Append(nil, &e), &object))
	assert.Equal(t, sortedKeys(object), keysOf(t, schema))

	parts := schema["$defs"].(map[string]any)
	for name, got := range map[string]any{
		"party":  object["actor"],
		"source": object["source"],
		"change": object["changes"].([]any)[0],
	} {
		assert.Equal(t, sortedKeys(got.(map[string]any)), keysOf(t, parts[name].(map[string]any)), name)
	}
	version := schema["properties"].(map[string]any)["schema_version"].(map[string]any)["const"]
	assert.Equal(t, eventjson.SchemaVersion, version)
}

func sortedKeys(object map[string]any) []string {
	var keys []string
	for key := range object {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func TestAppendAllocatesNothing(t *testing.T) {
	for name, e := range goldenEvents() {
		buf := make([]byte, 0, 8<<10)
		allocs := testing.AllocsPerRun(100, func() { buf = eventjson.Append(buf[:0], &e) })
		assert.Zero(t, allocs, name)
	}
}
