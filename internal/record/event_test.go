package record

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/sink"
)

func fullEvent() sink.Event {
	return sink.Event{
		ID: "id-1", Time: testNow.Add(-time.Hour), Action: "project.edit", Outcome: sink.OutcomeFailure,
		Actor:   sink.Actor{ID: "u-1", Type: sink.ActorService, Name: "Robot"},
		Targets: []sink.Target{{ID: "p-1", Type: "project", Name: "Payments"}, {}, {Name: "only a name"}},
		Source:  sink.Source{Address: "203.0.113.9", UserAgent: "curl/8"},
		Message: "Robot failed to edit Payments",
		Changes: []sink.Change{
			{Path: "name", Before: "Pay", After: "Payments"},
			{Path: "roles", Before: nil, After: []any{"admin", int64(3)}},
			{Path: "name", Before: []slog.Attr{}, After: []slog.Attr{slog.Int("n", 1)}},
		},
		Attributes:   []slog.Attr{slog.String("k", "v"), slog.Group("g", slog.Any("nil", nil))},
		TraceID:      [16]byte{15: 1},
		SpanID:       [8]byte{0: 2},
		ObservedTime: testNow,
	}
}

func TestEventRoundTrip(t *testing.T) {
	want := fullEvent()
	e := want
	e.Sequence, e.StreamID = 7, "ignored"
	got, info := roundTrip(t, e)
	assert.Equal(t, eventTree(t, want), eventTree(t, got))
	assert.Zero(t, info.Repaired)
}

// TestGoldenRecord holds the format still: a queue on disk must read what an older version wrote.
func TestGoldenRecord(t *testing.T) {
	const golden = "01" + "0cd8036b00000000" + "15cd5b07" + "fcc9036b00000000" + "15cd5b07" + "0b" +
		"00000000000000000000000000000001" + "0200000000000000" +
		"0469642d31" + "0c70726f6a6563742e65646974" + "03752d31" + "0773657276696365" + "05526f626f74" +
		"0b3230332e302e3131332e39" + "066375726c2f38" + "03" + "703a31"
	e := fullEvent()
	e.Message, e.Targets, e.Changes, e.Attributes = "p:1", nil, nil, nil
	var enc Encoder
	rec, _, err := enc.Append(nil, &e, testLimit)
	require.NoError(t, err)
	assert.Equal(t, golden+"00"+"00"+"00000000", hex.EncodeToString(rec))

	e.Targets = []sink.Target{{ID: "t", Type: "y", Name: "n"}}
	e.Changes = []sink.Change{{Path: "c", Before: nil, After: true}}
	e.Attributes = []slog.Attr{slog.Group("g",
		slog.Any("0", nil), slog.Bool("1", false), slog.Bool("2", true), slog.Int("3", -2), slog.Uint64("4", 300),
		slog.Float64("5", 1), slog.String("6", "x"), slog.Any("7", []byte{255}), slog.Time("8", testNow),
		slog.Duration("9", 64), slog.Any("a", []any{nil, 1}))}
	rec, _, err = enc.Append(nil, &e, testLimit)
	require.NoError(t, err)
	assert.Equal(t, golden+"01"+"0174"+"0179"+"016e"+"01"+"0163"+"00"+"02"+"01000000"+"0167"+"0b"+"0b000000"+
		"013000"+"013101"+"013202"+"01330303"+"013404ac02"+"013505000000000000f03f"+"0136060178"+"01370701ff"+
		"0138080cd8036b0000000015cd5b07"+"0139098001"+"01610a02000000"+"00"+"0302", hex.EncodeToString(rec))
}

func TestDefaults(t *testing.T) {
	got, _ := roundTrip(t, sink.Event{Action: "a", Actor: sink.Actor{ID: "u"}, ObservedTime: testNow})
	assert.Equal(t, testNow, got.Time)
	assert.Equal(t, testNow, got.ObservedTime)
	assert.Equal(t, sink.OutcomeUnknown, got.Outcome)
	assert.Regexp(t, idPattern, got.ID)
	assert.Nil(t, got.Targets)
	assert.Nil(t, got.Changes)
	assert.Nil(t, got.Attributes)

	e := minimal()
	e.Targets, e.Changes, e.Attributes = []sink.Target{}, []sink.Change{}, []slog.Attr{}
	got, _ = roundTrip(t, e)
	assert.Nil(t, got.Targets)
	assert.Nil(t, got.Changes)
	assert.Nil(t, got.Attributes)
}

func TestOutcomes(t *testing.T) {
	for in, want := range map[sink.Outcome]sink.Outcome{
		"": sink.OutcomeUnknown, "success": sink.OutcomeSuccess, "failure": sink.OutcomeFailure, "unknown": sink.OutcomeUnknown,
	} {
		e := minimal()
		e.Outcome = in
		got, _ := roundTrip(t, e)
		assert.Equal(t, want, got.Outcome)
	}
}

func TestEventTimes(t *testing.T) {
	for _, tt := range []struct {
		name     string
		in, want time.Time
	}{
		{"zone", time.Date(2026, 1, 1, 0, 0, 0, 1, time.FixedZone("odd", 16*3600-1)), time.Date(2025, 12, 31, 8, 0, 1, 1, time.UTC)},
		{"before 1970", time.Date(1901, 2, 3, 4, 5, 6, 7, time.UTC), time.Date(1901, 2, 3, 4, 5, 6, 7, time.UTC)},
		{"before 1", time.Unix(-1<<60, 5), time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC)},
		{"after 9999", time.Unix(1<<60, 5), time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC)},
		{"last instant", time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC)},
		{"zero means observed", time.Time{}, testNow},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := minimal()
			e.Time = tt.in
			got, _ := roundTrip(t, e)
			assert.Equal(t, tt.want, got.Time)
			text, err := got.Time.MarshalText()
			require.NoError(t, err)
			assert.Len(t, strings.SplitN(string(text), "-", 2)[0], 4)
		})
	}
}

func TestObservedTime(t *testing.T) {
	e := fullEvent()
	var enc Encoder
	rec, _, err := enc.Append(nil, &e, testLimit)
	require.NoError(t, err)
	assert.Equal(t, testNow, ObservedTime(rec))
	assert.Equal(t, testNow, ObservedTime(string(rec[:13])))
	assert.Zero(t, ObservedTime(rec[:12]))
	assert.Zero(t, ObservedTime(""))
	assert.Zero(t, ObservedTime(strings.Repeat("\xff", 13)))
}

func TestEventRefused(t *testing.T) {
	const canary = "canary-5f1c"
	for _, tt := range []struct {
		name   string
		change func(*sink.Event)
		limit  int
		want   Error
	}{
		{
			"no action", func(e *sink.Event) { e.Action = "" }, testLimit,
			Error{Path: "Action", Kind: "string", Reason: "is required: say what was done, like project.delete"},
		},
		{
			"no actor", func(e *sink.Event) { e.Actor = sink.Actor{Name: canary} }, testLimit,
			Error{Path: "Actor.ID", Kind: "string", Reason: "is required: say who did it"},
		},
		{
			"unknown outcome", func(e *sink.Event) { e.Outcome = canary }, testLimit,
			Error{Path: "Outcome", Kind: "sink.Outcome", Reason: "is not one of success, failure and unknown"},
		},
		{
			"change without a path", func(e *sink.Event) { e.Changes = []sink.Change{{Path: "p"}, {Before: canary}} }, testLimit,
			Error{Path: "Changes[1].Path", Kind: "string", Reason: "is required: say which property changed"},
		},
		{
			"attribute without a key", func(e *sink.Event) { e.Attributes = []slog.Attr{slog.Int("n", 1), {}} }, testLimit,
			Error{Path: "Attributes", Reason: "has an empty key at position 1: name every attribute"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := fullEvent()
			tt.change(&e)
			err := refuse(t, e, tt.limit)
			assert.Equal(t, tt.want, *err)
			assert.NotContains(t, err.Error(), canary)
			assert.True(t, strings.HasPrefix(err.Error(), tt.want.Path))
		})
	}
}

func TestEventTooLarge(t *testing.T) {
	long := strings.Repeat("x", 5000)
	for _, tt := range []struct {
		path, kind string
		change     func(*sink.Event)
	}{
		{"ID", "string", func(e *sink.Event) { e.ID = long }},
		{"Action", "string", func(e *sink.Event) { e.Action = long }},
		{"Actor.ID", "string", func(e *sink.Event) { e.Actor.ID = long }},
		{"Actor.Type", "string", func(e *sink.Event) { e.Actor.Type = sink.ActorType(long) }},
		{"Actor.Name", "string", func(e *sink.Event) { e.Actor.Name = long }},
		{"Source.Address", "string", func(e *sink.Event) { e.Source.Address = long }},
		{"Source.UserAgent", "string", func(e *sink.Event) { e.Source.UserAgent = long }},
		{"Message", "string", func(e *sink.Event) { e.Message = long }},
		{"Message", "string", func(e *sink.Event) { e.Message = strings.Repeat("x\xff", 2000) }},
		{"Targets", "[]sink.Target", func(e *sink.Event) { e.Targets = make([]sink.Target, 300) }},
		{"Targets[1]", "sink.Target", func(e *sink.Event) { e.Targets = []sink.Target{{}, {Name: long}} }},
		{"Changes", "[]sink.Change", func(e *sink.Event) { e.Changes = make([]sink.Change, 200) }},
		{"Changes[0].Path", "string", func(e *sink.Event) { e.Changes = []sink.Change{{Path: long}} }},
		{"Changes[0].After", "string", func(e *sink.Event) { e.Changes = []sink.Change{{Path: "p", After: long}} }},
		{"Attributes", "[]slog.Attr", func(e *sink.Event) { e.Attributes = make([]slog.Attr, 300) }},
		{"Attributes", "key", func(e *sink.Event) { e.Attributes = []slog.Attr{slog.Int("a", 1), slog.Int(long, 1)} }},
		{`Attributes["a"]`, "string", func(e *sink.Event) { e.Attributes = []slog.Attr{slog.String("a", long)} }},
		{`Attributes["a"]`, "[]uint8", attr(make([]byte, 5000))},
		{`Attributes["a"]`, "[5000]uint8", attr([5000]byte{})},
		{`Attributes["a"]`, "[]int", attr(make([]int, 300))},
		{`Attributes["a"][0]["b"]`, "string", attr([]any{map[string]string{"b": long}})},
		{`Attributes["a"]`, "map[int]struct {}", attr(bigMap(300))},
		{`Attributes["a"]`, "record.shout", attr(shout(long))},
		{`Attributes["a"]`, "json.RawMessage", attr(json.RawMessage(`"` + long + `"`))},
		{`Attributes["a"]`, "string", attr(fmt.Errorf("%s", long))},
		{`Attributes["a"]["Long` + strings.Repeat("g", 60) + `…"]`, "string", attr(map[string]string{"Long" + strings.Repeat("g", 70): long})},
	} {
		t.Run(tt.path+" "+tt.kind, func(t *testing.T) {
			e := minimal()
			tt.change(&e)
			err := refuse(t, e, 4000)
			assert.Equal(t, tt.path, err.Path)
			assert.Equal(t, tt.kind, err.Kind)
			assert.Equal(t, 4000, err.Limit)
			assert.Equal(t, "makes the event larger than 4000 bytes: record less, or raise MaxEventBytes", err.Reason)
			assert.NotContains(t, err.Error(), "xxx")
		})
	}
}

func attr(v any) func(*sink.Event) {
	return func(e *sink.Event) { e.Attributes = []slog.Attr{slog.Any("a", v)} }
}

func bigMap(n int) map[int]struct{} {
	m := map[int]struct{}{}
	for i := range n {
		m[i] = struct{}{}
	}
	return m
}

// TestLimitIsExact finds that every limit below the size of an event refuses it, at whatever value it strikes, and that
// its size does not.
func TestLimitIsExact(t *testing.T) {
	e := fullEvent()
	e.ID = ""
	e.Attributes = append(e.Attributes,
		slog.Any("all", []any{nil, true, 1, uint(2), 3.5, "s", []byte("b"), testNow, time.Second, map[string]any{"k": json.RawMessage(`[1,{"a":"\n"}]`)}, nan}),
		slog.Any("struct", struct{ A, B int }{1, 2}), slog.Any("list", []int{1}))
	var enc Encoder
	_, info, err := enc.Append(nil, &e, testLimit)
	require.NoError(t, err)
	for limit := -1; limit < info.Size; limit++ {
		_, _, err := enc.Append(nil, &e, limit)
		require.Error(t, err, limit)
		require.Equal(t, limit, err.(*Error).Limit) //nolint:errorlint // exactly this type is promised.
	}
	_, again, err := enc.Append(nil, &e, info.Size)
	require.NoError(t, err)
	assert.Equal(t, info, again)
}

// TestHugeValuesCostNothing gives Append values of a hundred megabytes, which it must refuse by their length.
func TestHugeValuesCostNothing(t *testing.T) {
	const size = 100 << 20
	text := strings.Repeat("x", size)
	b := make([]byte, size)
	ints := make([]int32, size/4)
	for _, tt := range []struct {
		name string
		in   any
	}{
		{"string", text},
		{"bytes", b},
		{"named bytes", myBytes(b)},
		{"raw JSON", json.RawMessage(b)},
		{"number", json.Number(text)},
		{"list", ints},
		{"in a list", []any{1, []string{text}}},
		{"in a map", map[string]any{"a": text}},
		{"as a key", map[string]any{text: 1}},
		{"of a method", resolver(func() slog.Value { return slog.StringValue(text) })},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := minimal(slog.Any("v", tt.in))
			var enc Encoder
			buf := make([]byte, 0, 1024)
			const runs = 20
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range runs {
				if _, _, err := enc.Append(buf, &e, 64<<10); err == nil {
					t.Fatal("accepted")
				}
			}
			runtime.ReadMemStats(&after)
			// The path and reason of the error, and what collects the members of a map.
			assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(runs*2048))
		})
	}
}

func TestManyAttributes(t *testing.T) {
	attrs := make([]slog.Attr, 1_000_000)
	for i := range attrs {
		attrs[i] = slog.Int("key", i)
	}
	err := refuse(t, minimal(attrs...), 64<<10)
	assert.Equal(t, "Attributes", err.Path)

	// As many as fit, with repeats and in order.
	attrs = nil
	var want group
	for i := range 20_000 {
		attrs = append(attrs, slog.Int(fmt.Sprint("k", i), -1), slog.Int(fmt.Sprint("k", i), i))
		want = append(want, pair{fmt.Sprint("k", i), int64(i)})
	}
	got, _ := roundTrip(t, minimal(attrs...))
	assert.Equal(t, want, attrsTree(t, got.Attributes))
}
