package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
)

type (
	myBool   bool
	myInt    int
	myUint8  uint8
	myBytes  []byte
	myBytes8 []myUint8
	myString string
	myMap    map[string]int

	// lonely has methods on its pointer only.
	lonely struct{ Name string }
	// shout is a TextMarshaler.
	shout string
	// point is a TextMarshaler that is fit for the key of a map.
	point struct{ X, Y int }
	// resolver is a LogValuer.
	resolver func() slog.Value
	// endless is a LogValuer that resolves to a LogValuer left times.
	endless struct{ left int }
	// chatty has every method that must not be called.
	chatty struct{ Name string }
	// nilSafe has methods that take a nil pointer, which nobody asks.
	nilSafe struct{}
)

func (l *lonely) LogValue() slog.Value       { return slog.StringValue("hidden " + l.Name) }
func (s shout) MarshalText() ([]byte, error) { return []byte(strings.ToUpper(string(s))), nil }
func (p point) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%d;%d", p.X, p.Y), nil }
func (r resolver) LogValue() slog.Value      { return r() }
func (e endless) LogValue() slog.Value {
	if e.left == 0 {
		return slog.StringValue("reached")
	}
	return slog.AnyValue(endless{e.left - 1})
}

func (chatty) String() string               { panic("String was called") }
func (chatty) GoString() string             { panic("GoString was called") }
func (chatty) Format(fmt.State, rune)       { panic("Format was called") }
func (chatty) MarshalJSON() ([]byte, error) { panic("MarshalJSON was called") }
func (chatty) MarshalBinary() ([]byte, error) {
	panic("MarshalBinary was called")
}

func (*nilSafe) LogValue() slog.Value         { return slog.StringValue("called") }
func (*nilSafe) Error() string                { return "called" }
func (*nilSafe) MarshalText() ([]byte, error) { return []byte("called"), nil }

type pointerText struct{ s string }

func (p *pointerText) MarshalText() ([]byte, error) { return []byte("text " + p.s), nil }

type pointerError struct{ s string }

func (p *pointerError) Error() string { return p.s }

func TestValues(t *testing.T) {
	local := time.FixedZone("odd", -(3*3600 + 1))
	f := func(x float64) number { return number(math.Float64bits(x)) }
	for _, tt := range []struct {
		name     string
		in, want any
	}{
		{"nil", nil, nil},
		{"bool", true, true},
		{"named bool", myBool(false), false},
		{"int", -1, int64(-1)},
		{"named int", myInt(7), int64(7)},
		{"int8", int8(math.MinInt8), int64(math.MinInt8)},
		{"int16", int16(math.MaxInt16), int64(math.MaxInt16)},
		{"int32", int32(math.MinInt32), int64(math.MinInt32)},
		{"int64 min", int64(math.MinInt64), int64(math.MinInt64)},
		{"int64 beyond 2^53", int64(1<<53 + 1), int64(1<<53 + 1)},
		{"uint", uint(3), uint64(3)},
		{"uint8", uint8(255), uint64(255)},
		{"uint64 max", uint64(math.MaxUint64), uint64(math.MaxUint64)},
		{"uintptr", uintptr(9), uint64(9)},
		{"float64", 1.5, f(1.5)},
		{"float32", float32(0.25), f(0.25)},
		{"negative zero", math.Copysign(0, -1), f(math.Copysign(0, -1))},
		{"smallest float", math.SmallestNonzeroFloat64, f(math.SmallestNonzeroFloat64)},
		{"NaN", math.NaN(), "NaN"},
		{"Infinity", math.Inf(1), "Infinity"},
		{"-Infinity", math.Inf(-1), "-Infinity"},
		{"float32 infinity", float32(math.Inf(-1)), "-Infinity"},
		{"string", "text", "text"},
		{"empty string", "", ""},
		{"named string", myString("x"), "x"},
		{"controls, NUL and bidi are kept", "a\x00\n\r\x1b[31m\u202e\u2066\x7f", "a\x00\n\r\x1b[31m\u202e\u2066\x7f"},
		{"invalid UTF-8", "a\xff\xfeb\xc3", "a\uFFFDb\uFFFD"},
		{"encoded surrogates", "\xed\xa0\x80", "\uFFFD"},
		{"long text with one bad byte at the end", strings.Repeat("x", 31) + "\x80", strings.Repeat("x", 31) + "\uFFFD"},
		{"bytes", []byte{0, 255}, []byte{0, 255}},
		{"empty bytes", []byte{}, []byte{}},
		{"nil bytes", []byte(nil), nil},
		{"named bytes", myBytes("x"), []byte("x")},
		{"bytes of a named type", myBytes8{1, 2}, []byte{1, 2}},
		{"array of bytes", [3]byte{1, 2, 3}, []byte{1, 2, 3}},
		{"array of named bytes", [2]myUint8{1, 2}, []byte{1, 2}},

		{"time", time.Date(2026, 1, 2, 3, 4, 5, 6, local), time.Date(2026, 1, 2, 3, 4, 5, 6, local).UTC()},
		{"time with a monotonic reading", testNow.Add(time.Since(time.Now())).Round(time.Hour), testNow.Round(time.Hour)},
		{"zero time", time.Time{}, time.Time{}},
		{"time before 1", time.Date(-4, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC)},
		{"time after 9999", time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC)},
		{"time before 1678", time.Date(1500, 6, 7, 8, 9, 10, 11, time.UTC), time.Date(1500, 6, 7, 8, 9, 10, 11, time.UTC)},
		{"pointer to time", &testNow, testNow},
		{"duration", -time.Minute, -time.Minute},
		{"month is an integer", time.March, int64(3)},

		{"error", errors.New("went wrong"), "went wrong"},
		{"wrapped error", fmt.Errorf("at: %w", &pointerError{"x"}), "at: x"},
		{"error of a pointer", &pointerError{"x"}, "x"},
		{"error of a pointer, by value", pointerError{"x"}, "x"},
		{"TextMarshaler", shout("loud"), "LOUD"},
		{"TextMarshaler of the standard library", netip.MustParseAddr("203.0.113.9"), "203.0.113.9"},
		{"level", slog.LevelWarn, "WARN"},
		{"TextMarshaler of a pointer", &pointerText{"x"}, "text x"},
		{"TextMarshaler of a pointer, by value", pointerText{"x"}, "text x"},
		{"LogValuer", resolver(func() slog.Value { return slog.IntValue(3) }), int64(3)},
		{"LogValuer with a group", resolver(func() slog.Value { return slog.GroupValue(slog.Int("n", 3)) }), group{{"n", int64(3)}}},
		{"LogValuer with any", resolver(func() slog.Value { return slog.AnyValue([]int{3}) }), []any{int64(3)}},
		{"LogValuer of a pointer, by value", lonely{"x"}, "hidden x"},
		{"LogValuer of a pointer, in a struct", struct{ L lonely }{lonely{"x"}}, group{{"L", "hidden x"}}},
		{"LogValuer of a pointer, in a struct by pointer", &struct{ L lonely }{lonely{"x"}}, group{{"L", "hidden x"}}},
		{"LogValuers 8 deep", endless{7}, "reached"},
		{"secret", secret.New("s3cr3t"), "[REDACTED]"},
		{"secret in a struct", struct{ Token secret.Value }{secret.New("s3cr3t")}, group{{"Token", "[REDACTED]"}}},
		{"no other method is called", chatty{"x"}, group{{"Name", "x"}}},

		{"slog.Value", slog.IntValue(3), int64(3)},
		{"pointer to slog.Value", new(slog.StringValue("x")), "x"},
		{"slog.Value in a list", []any{slog.AnyValue(nil), slog.BoolValue(true)}, []any{nil, true}},
		{"slog.Attr", slog.Int("n", 3), group{{"n", int64(3)}}},
		{"[]slog.Attr", []slog.Attr{slog.Int("n", 3)}, group{{"n", int64(3)}}},
		{"[]slog.Attr in a map", map[string]any{"g": []slog.Attr{}, "h": []slog.Attr{slog.Int("n", 3)}}, group{{"g", group{}}, {"h", group{{"n", int64(3)}}}}},
		{"empty []slog.Attr", []slog.Attr{}, group{}},
		{"all kinds of slog", slog.GroupValue(slog.String("s", "x"), slog.Int64("i", -2), slog.Uint64("u", 2), slog.Float64("f", 2), slog.Bool("b", true), slog.Duration("d", 2), slog.Time("t", testNow), slog.Group("g", slog.Int("n", 3)), slog.Any("a", []any{})), group{{"s", "x"}, {"i", int64(-2)}, {"u", uint64(2)}, {"f", f(2)}, {"b", true}, {"d", time.Duration(2)}, {"t", testNow}, {"g", group{{"n", int64(3)}}}, {"a", []any{}}}},

		{"pointer", new(new(5)), int64(5)},
		{"nil pointer", (*int)(nil), nil},
		{"pointer to nil pointer", new((*int)(nil)), nil},
		{"nil pointer with methods", (*nilSafe)(nil), nil},
		{"nil pointer to a time", (*time.Time)(nil), nil},
		{"nil error in a struct", struct{ Err error }{}, group{{"Err", nil}}},
		{"nil map", myMap(nil), nil},
		{"nil slice", []string(nil), nil},
		{"nil func", (func())(nil), nil},
		{"nil chan", (chan int)(nil), nil},
		{"list", []any{1, "a", nil, []int{2}}, []any{int64(1), "a", nil, []any{int64(2)}}},
		{"empty list", []string{}, []any{}},
		{"array", [2]string{"a", "b"}, []any{"a", "b"}},
		{"list of TextMarshalers", []shout{"a", "b"}, []any{"A", "B"}},
		{"empty map", map[string]any{}, group{}},
		{"map in the order of its keys", map[string]any{"b": 1, "a": nil, "c": true}, group{{"a", nil}, {"b", int64(1)}, {"c", true}}},
		{"map with empty maps", map[string]any{"a": map[string]any{}}, group{{"a", group{}}}},
		{"map with named keys", map[myString]int{"x": 1}, group{{"x", int64(1)}}},
		{"map with integer keys", map[int8]string{10: "b", -1: "a", 9: "c"}, group{{"-1", "a"}, {"10", "b"}, {"9", "c"}}},
		{"map with unsigned keys", map[uint]bool{7: true}, group{{"7", true}}},
		{"map with TextMarshaler keys", map[point]int{{1, 2}: 3}, group{{"1;2", int64(3)}}},
		{"map with string keys that are TextMarshalers", map[shout]int{"x": 1}, group{{"x", int64(1)}}},
		{"map with keys equal after repair", map[string]int{"a\xfe": 1, "a\xff": 2, "b": 3}, group{{"a\uFFFD", int64(2)}, {"b", int64(3)}}},
		{"json.Number", json.Number("12"), int64(12)},
		{"json.RawMessage", json.RawMessage(`{"a":[1]}`), group{{"a", []any{int64(1)}}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			assert.Equal(t, tt.want, snapshot(t, tt.in))
		})
	}
}

// nest wraps v in n lists.
func nest(n int, v any) any {
	for range n {
		v = []any{v}
	}
	return v
}

func TestValuesRefused(t *testing.T) {
	type node struct{ Next *node }
	ring := &node{}
	ring.Next = ring
	cyclicMap := map[string]any{}
	cyclicMap["me"] = cyclicMap
	cyclicList := make([]any, 1)
	cyclicList[0] = cyclicList
	type loop *loop
	var pointer loop
	pointer = &pointer
	var self any
	self = &self

	const canary = "canary-5f1c"
	panics := resolver(func() slog.Value { panic(canary) })
	for _, tt := range []struct {
		name  string
		in    any
		path  string // after Attributes["v"]
		kind  string
		limit int
	}{
		{"chan", make(chan int), "", "chan int", 0},
		{"func", func() {}, "", "func()", 0},
		{"complex", complex(1, 2), "", "complex128", 0},
		{"complex64 in a list", []any{canary, complex64(1)}, "[1]", "complex64", 0},
		{"chan in a map", map[string]any{"a": canary, "b": map[string]any{"c\n": make(chan string)}}, `["b"]["c\n"]`, "chan string", 0},
		{"func in a struct", struct {
			A string
			F func(int) `json:"callback"`
		}{canary, func(int) {}}, `["callback"]`, "func(int)", 0},
		{"chan in a group", slog.GroupValue(slog.String("a", canary), slog.Any("b", []any{0, make(chan int)})), `["b"][1]`, "chan int", 0},
		{"map with float keys", map[float64]string{1: canary}, "", "float64", 0},
		{"map with interface keys", map[any]string{canary: canary}, "", "interface {}", 0},
		{"map with keys of one text", map[collide]string{1: canary, 2: canary}, "", "map[record.collide]string", 0},
		{"map with keys that panic", map[rude]int{{canary}: 1}, "", "record.rude", 0},
		{"33 deep", nest(33, canary), strings.Repeat("[0]", 32), "[]interface {}", MaxDepth},
		{"33 deep in groups", deepGroup(33), strings.Repeat(`["g"]`, 32), "[]slog.Attr", MaxDepth},
		{"cyclic map", cyclicMap, strings.Repeat(`["me"]`, 32), "map[string]interface {}", MaxDepth},
		{"cyclic list", cyclicList, strings.Repeat("[0]", 32), "[]interface {}", MaxDepth},
		{"cyclic struct", ring, strings.Repeat(`["Next"]`, 32), "record.node", MaxDepth},
		{"cyclic pointer", pointer, "", "record.loop", maxPointers},
		{"interface that points to itself", self, "", "*interface {}", maxPointers},
		{"LogValuers 9 deep", endless{8}, "", "record.endless", maxLogValues},
		{"LogValue panics", panics, "", "record.resolver", 0},
		{"LogValue panics with nil", resolver(func() slog.Value { panic(nil) }), "", "record.resolver", 0}, //nolint:govet // on purpose.
		{"Error panics", rude{canary}.asError(), "", "record.rudeError", 0},
		{"MarshalText panics", rude{canary}, "", "record.rude", 0},
		{"MarshalText fails", failing{canary}, "", "record.failing", 0},
		{"IsZero panics", struct {
			Z rudeZero `json:",omitzero"`
		}{rudeZero{canary}}, "", "", 0},
		{"nil dereference in a method", struct{ error }{}, "", "struct { error }", 0},
		{"empty key of a map", map[string]any{"a": map[string]string{"": canary}}, `["a"]`, "", 0},
		{"empty key of a group", slog.GroupValue(slog.String("", canary)), "", "", 0},
		{"empty key of JSON", json.RawMessage(`{"a":{"":"` + canary + `"}}`), `["a"]`, "", 0},
		{"nil pointer as a key", map[*nilSafe]int{nil: 1}, "", "", 0},
		{"long key", map[string]any{strings.Repeat("k", 65): make(chan int)}, `["` + strings.Repeat("k", 64) + `…"]`, "chan int", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := refuse(t, minimal(slog.Any("v", tt.in)), testLimit)
			assert.Equal(t, `Attributes["v"]`+tt.path, err.Path)
			if tt.kind != "" {
				assert.Equal(t, tt.kind, err.Kind)
			}
			assert.Equal(t, tt.limit, err.Limit)
			assert.NotEmpty(t, err.Reason)
			assert.NotContains(t, fmt.Sprintf("%+v %v", *err, err), canary)

			e := minimal()
			e.Changes = []sink.Change{{Path: "p"}, {Path: "q", After: tt.in}}
			assert.Equal(t, "Changes[1].After"+tt.path, refuse(t, e, testLimit).Path)
		})
	}
}

func deepGroup(n int) slog.Value {
	v := slog.IntValue(1)
	for range n {
		v = slog.GroupValue(slog.Attr{Key: "g", Value: v})
	}
	return v
}

// collide makes one text of all its values.
type collide int

func (collide) MarshalText() ([]byte, error) { return []byte("same"), nil }

type rude struct{ what string }

func (r rude) MarshalText() ([]byte, error) { panic(r.what) }
func (r rude) asError() error               { return &rudeError{r.what} }

type rudeError struct{ what string }

func (r *rudeError) Error() string { panic(r.what) }

type rudeZero struct{ What string }

func (r rudeZero) IsZero() bool { panic(r.What) }

type failing struct{ what string }

func (f failing) MarshalText() ([]byte, error) { return []byte(f.what), errors.New(f.what) }

func TestDepth32IsFine(t *testing.T) {
	assert.Equal(t, nest(32, "x"), snapshot(t, nest(32, "x")))
	got, _ := roundTrip(t, minimal(slog.Attr{Key: "v", Value: deepGroup(32)}))
	assert.Equal(t, attrsTree(t, []slog.Attr{{Key: "v", Value: deepGroup(32)}}), attrsTree(t, got.Attributes))
}

// A Goexit in a method of the host unwinds through Append. The encoder is good for the next event.
func TestGoexitInLogValue(t *testing.T) {
	var enc Encoder
	ended := make(chan bool)
	go func() {
		returned := false
		defer func() { ended <- returned }()
		e := minimal(slog.Any("a", []any{resolver(func() slog.Value { runtime.Goexit(); return slog.Value{} })}))
		_, _, _ = enc.Append(nil, &e, testLimit)
		returned = true
	}()
	require.False(t, <-ended)

	e := minimal(slog.Int("n", 1))
	rec, _, err := enc.Append(nil, &e, testLimit)
	require.NoError(t, err)
	var dec Decoder
	got, err := dec.Decode(string(rec))
	require.NoError(t, err)
	assert.Equal(t, group{{"n", int64(1)}}, attrsTree(t, got.Attributes))
}

// With this setting recover returns nil for panic(nil), which looks like no panic at all.
func TestPanicNilOfOldPrograms(t *testing.T) {
	t.Setenv("GODEBUG", "panicnil=1")
	err := refuse(t, minimal(slog.Any("v", resolver(func() slog.Value { panic(nil) }))), testLimit) //nolint:govet // on purpose
	assert.Equal(t, "has a LogValue method that panicked", err.Reason)
}

func TestSnapshotIsDeep(t *testing.T) {
	m := map[string]any{"list": []string{"a"}, "bytes": []byte("b")}
	attrs := []slog.Attr{slog.Any("m", m), slog.String("s", "x")}
	e := minimal(attrs...)
	e.Targets = []sink.Target{{ID: "t"}}
	var enc Encoder
	rec, _, err := enc.Append(nil, &e, testLimit)
	require.NoError(t, err)

	m["list"].([]string)[0] = "changed"
	m["bytes"].([]byte)[0] = 'c'
	m["new"] = true
	attrs[1] = slog.String("changed", "changed")
	e.Targets[0].ID = "changed"

	var dec Decoder
	got, err := dec.Decode(string(rec))
	require.NoError(t, err)
	assert.Equal(t, group{{"m", group{{"bytes", []byte("b")}, {"list", []any{"a"}}}}, {"s", "x"}}, attrsTree(t, got.Attributes))
	assert.Equal(t, []sink.Target{{ID: "t"}}, got.Targets)
}

func TestDuplicateKeys(t *testing.T) {
	many := func(n int) (in []slog.Attr, want group) {
		for i := range n {
			in = append(in, slog.Int(fmt.Sprint("k", i%40), i))
		}
		for i := n - 40; i < n; i++ {
			want = append(want, pair{fmt.Sprint("k", i%40), int64(i)})
		}
		return in, want
	}
	long, longWant := many(1000)
	for _, tt := range []struct {
		name string
		in   []slog.Attr
		want group
	}{
		{"the last wins", []slog.Attr{slog.Int("a", 1), slog.Int("b", 2), slog.Int("a", 3)}, group{{"b", int64(2)}, {"a", int64(3)}}},
		{"of different types", []slog.Attr{slog.String("a", "x"), slog.Any("a", nil)}, group{{"a", nil}}},
		{"three of one", []slog.Attr{slog.Int("a", 1), slog.Int("a", 2), slog.Int("a", 3)}, group{{"a", int64(3)}}},
		{"several of several", []slog.Attr{slog.Int("a", 1), slog.Int("b", 1), slog.Int("a", 2), slog.Int("b", 2), slog.Int("a", 3), slog.Int("c", 3)}, group{{"b", int64(2)}, {"a", int64(3)}, {"c", int64(3)}}},
		{"after repair", []slog.Attr{slog.Int("a\xff", 1), slog.Int("a\uFFFD", 2)}, group{{"a\uFFFD", int64(2)}}},
		{"in a nested group", []slog.Attr{slog.Group("g", "a", []int{1}, "b", 2, "a", 3), slog.Int("b", 4)}, group{{"g", group{{"b", int64(2)}, {"a", int64(3)}}}, {"b", int64(4)}}},
		{"groups replace, they do not merge", []slog.Attr{slog.Group("g", "a", 1), slog.Group("g", "b", 2)}, group{{"g", group{{"b", int64(2)}}}}},
		{"in a long list", long, longWant},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := roundTrip(t, minimal(tt.in...))
			assert.Equal(t, tt.want, attrsTree(t, got.Attributes))
		})
	}
}
