package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/sink"
)

// generator makes random values, and with each the tree of its snapshot. It knows what a snapshot is and nothing of how
// one is taken: it is the reference that the encoder is held against.
type generator struct {
	*rand.Rand
	repaired int
}

func (g *generator) one(options ...string) string { return options[g.IntN(len(options))] }

// string returns a string and its repaired form.
func (g *generator) string() (in, want string) {
	var b strings.Builder
	for range g.IntN(4) {
		b.WriteString(g.one("a", "word ", "0123456789abcdef", "é", "世界", "😀", "\x00", "\n", "\u202e", "\"", "\\", "\xff", "\xc3", "\xed\xa0\x80", "\uFFFD"))
	}
	return b.String(), g.repair(b.String())
}

// repair replaces each run of invalid UTF-8, one rune after the other.
func (g *generator) repair(s string) string {
	var b strings.Builder
	inRun, repaired := false, false
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		bad := r == utf8.RuneError && n == 1
		if !bad || !inRun {
			b.WriteRune(r)
		}
		inRun, repaired = bad, repaired || bad
		s = s[n:]
	}
	if repaired {
		g.repaired++
	}
	return b.String()
}

func (g *generator) key() (in, want string) {
	in = g.one("a", "b", "c", "d", "key", "longer key", "a\xff", "a\xfe", "a\uFFFD", "世")
	return in, g.repair(in)
}

// members collects a group in which the last of several members of one key stays.
type members []pair

func (m members) group() group {
	out := group{}
	for i, p := range m {
		if !slices.ContainsFunc(m[i+1:], func(later pair) bool { return later.Key == p.Key }) {
			out = append(out, p)
		}
	}
	return out
}

// value returns a value and the tree of its snapshot. deep is how many more containers may be inside.
func (g *generator) value(deep int) (in, want any) {
	if deep > 0 && g.IntN(3) == 0 {
		return g.container(deep - 1)
	}
	switch g.IntN(24) {
	case 0:
		return nil, nil
	case 1:
		b := g.IntN(2) == 0
		return b, b
	case 2:
		n := g.int64()
		return n, n
	case 3:
		n := int8(g.Uint32())
		return n, int64(n)
	case 4:
		n := g.Uint64()
		return n, n
	case 5:
		n := uint16(g.Uint32())
		return n, uint64(n)
	case 6:
		f := g.float64()
		return f, number(math.Float64bits(f))
	case 7:
		return math.NaN(), "NaN"
	case 8:
		return math.Inf(-1), "-Infinity"
	case 9, 10, 11, 12:
		s, w := g.string()
		return s, w
	case 13:
		s, _ := g.string()
		return myBytes(s), []byte(s)
	case 14:
		at := time.Unix(g.Int64N(4e10)-2e10, g.Int64N(1e9)).In(time.FixedZone("", g.IntN(86400)-43200))
		return at, at.UTC()
	case 15:
		d := time.Duration(g.int64())
		return d, d
	case 16:
		s, w := g.string()
		return errors.New(s), w
	case 17:
		s := g.one("a", "ß", "")
		return shout(s), strings.ToUpper(s)
	case 18:
		n := g.int64()
		return json.Number(strconv.FormatInt(n, 10)), n
	case 19:
		s, w := g.string()
		return new(new(s)), w
	case 20:
		return (*sink.Event)(nil), nil
	case 21:
		v, w := g.value(deep)
		return resolver(func() slog.Value { return slog.AnyValue(v) }), w
	case 22:
		text, w := g.json(deep)
		return json.RawMessage(text), w
	default:
		s, w := g.string()
		return slog.StringValue(s), w
	}
}

func (g *generator) int64() int64 {
	return int64(g.Uint64()) >> g.IntN(64)
}

func (g *generator) float64() float64 {
	f := math.Float64frombits(g.Uint64())
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return math.Copysign(0, -1)
	}
	return f
}

func (g *generator) container(deep int) (in, want any) {
	n := g.IntN(5)
	switch g.IntN(5) {
	case 0:
		list, trees := make([]any, n), make([]any, n)
		for i := range list {
			list[i], trees[i] = g.value(deep)
		}
		return list, trees
	case 1:
		m := map[string]any{}
		for range n {
			k, _ := g.key()
			if _, ok := m[k]; !ok {
				m[k] = nil
			}
		}
		return m, g.fill(m, deep)
	case 2:
		attrs, w := g.attrs(n, deep)
		return attrs, w
	case 3:
		var s struct {
			A any `json:"a"`
			B string
			C *int `json:",omitempty"`
			D any
			E any `json:"-"`
		}
		w := group{{"a", nil}, {"B", ""}, {"D", nil}}
		s.A, w[0].Value = g.value(deep)
		s.B, w[1].Value = g.string()
		s.D, w[2].Value = g.value(deep)
		return &s, w
	default:
		list, trees := make([]string, n), make([]any, n)
		for i := range list {
			list[i], trees[i] = g.string()
		}
		return list, trees
	}
}

// fill gives the keys of m values. Their repairs were counted when they were made, some of them twice.
func (g *generator) fill(m map[string]any, deep int) group {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	var w members
	for _, k := range keys {
		v, tree := g.value(deep)
		m[k] = v
		w = append(w, pair{strings.ToValidUTF8(k, "\uFFFD"), tree})
	}
	return w.group()
}

func (g *generator) attrs(n, deep int) ([]slog.Attr, group) {
	var attrs []slog.Attr
	var w members
	for range n {
		k, wantKey := g.key()
		v, tree := g.value(deep)
		// slog itself leaves empty groups out of groups; here the test must not.
		if a := slog.Any(k, v); a.Value.Kind() != slog.KindGroup || len(a.Value.Group()) > 0 {
			attrs = append(attrs, a)
			w = append(w, pair{wantKey, tree})
		}
	}
	if attrs == nil {
		return []slog.Attr{}, group{}
	}
	return attrs, w.group()
}

// json returns a JSON text and the tree of what it says.
func (g *generator) json(deep int) (text string, want any) {
	space := g.one("", " ", "\n\t")
	kind := g.IntN(8)
	if deep <= 0 {
		kind = g.IntN(6)
	}
	switch kind {
	case 0:
		return "null" + space, nil
	case 1:
		return space + "true", true
	case 2:
		n := g.int64()
		return strconv.FormatInt(n, 10) + space, n
	case 3:
		f := g.float64()
		text := fmt.Sprintf("%e", f) + space // %e keeps six decimals and the sign of zero
		_, err := fmt.Sscan(text, &f)
		if err != nil {
			panic(err)
		}
		return text, number(math.Float64bits(f))
	case 4, 5:
		in, w := g.string()
		return space + quoteJSON(in), w
	case 6:
		list, texts := []any{}, []string{}
		for range g.IntN(4) {
			t, w := g.json(deep - 1)
			texts, list = append(texts, t), append(list, w)
		}
		return "[" + space + strings.Join(texts, space+",") + "]" + space, list
	default:
		var m members
		texts := []string{}
		for range g.IntN(4) {
			k, wantKey := g.key()
			t, w := g.json(deep - 1)
			texts, m = append(texts, quoteJSON(k)+space+":"+t), append(m, pair{wantKey, w})
		}
		return "{" + space + strings.Join(texts, ","+space) + "}", m.group()
	}
}

// quoteJSON quotes s and keeps its invalid UTF-8.
func quoteJSON(s string) string {
	return `"` + strings.NewReplacer(`"`, `\"`, `\`, `\\`, "\x00", `\u0000`, "\n", `\n`, "é", `\u00E9`, "😀", `\ud83d\uDE00`).Replace(s) + `"`
}

// event returns an event and its snapshot's tree.
func (g *generator) event(tb testing.TB) (in sink.Event, want any) {
	tb.Helper()
	e, w := sink.Event{}, sink.Event{}
	filled := func(s, repaired string) (string, string) {
		if s == "" {
			return "x", "x"
		}
		return s, repaired
	}
	e.ID, w.ID = filled(g.string())
	e.Action, w.Action = filled(g.string())
	e.Actor.ID, w.Actor.ID = filled(g.string())
	e.Actor.Name, w.Actor.Name = g.string()
	e.Source.Address, w.Source.Address = g.string()
	e.Source.UserAgent, w.Source.UserAgent = g.string()
	e.Message, w.Message = g.string()
	e.Outcome = sink.Outcome(g.one("", "success", "failure", "unknown"))
	w.Outcome = e.Outcome
	if e.Outcome == "" {
		w.Outcome = sink.OutcomeUnknown
	}
	if g.IntN(2) == 0 {
		e.TraceID[g.IntN(16)], e.SpanID[g.IntN(8)] = 1, 1
		w.TraceID, w.SpanID = e.TraceID, e.SpanID
	}
	e.ObservedTime = testNow
	e.Time = testNow.Add(time.Duration(g.int64()))
	w.Time, w.ObservedTime = e.Time.UTC(), testNow

	targets := []sink.Target{}
	for range g.IntN(3) {
		in, repaired := g.string()
		e.Targets = append(e.Targets, sink.Target{ID: in, Type: "t"})
		targets = append(targets, sink.Target{ID: repaired, Type: "t"})
	}
	changes := []any{}
	for range g.IntN(3) {
		path, wantPath := g.key()
		before, wantBefore := g.value(4)
		after, wantAfter := g.value(4)
		e.Changes = append(e.Changes, sink.Change{Path: path, Before: before, After: after})
		changes = append(changes, []any{wantPath, wantBefore, wantAfter})
	}
	attrs, wantAttrs := g.attrs(g.IntN(12), 4)
	e.Attributes = attrs
	return e, []any{w, targets, changes, wantAttrs}
}

func TestSnapshotsOfRandomEvents(t *testing.T) {
	seed := rand.Uint64()
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 0))}
	for range 2000 {
		g.repaired = 0
		in, want := g.event(t)
		got, info := roundTrip(t, in)
		require.Equal(t, want, eventTree(t, got))
		require.LessOrEqual(t, info.Repaired, g.repaired)
	}
}

// byteSource is a rand.Source in which the fuzzer chooses the first byte of each number, the one that IntN decides by.
// The rest is fixed, and not zero, which IntN would draw again for ever.
type byteSource struct {
	rand.PCG
	chosen []byte
}

func (s *byteSource) Uint64() uint64 {
	n := s.PCG.Uint64()
	if len(s.chosen) > 0 {
		n = n>>8 | uint64(s.chosen[0])<<56
		s.chosen = s.chosen[1:]
	}
	return n
}

// FuzzAppend builds an event from the input and compares its snapshot with the reference.
func FuzzAppend(f *testing.F) {
	for seed := range uint64(20) {
		src := rand.New(rand.NewPCG(seed, 1))
		b := make([]byte, 64<<(seed%4))
		for i := range b {
			b[i] = byte(src.Uint32())
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		g := &generator{Rand: rand.New(&byteSource{chosen: b})}
		in, want := g.event(t)
		got, _ := roundTrip(t, in)
		assert.Equal(t, want, eventTree(t, got))
	})
}

// FuzzRawMessage gives any text as a json.RawMessage: it is kept as a string or says what encoding/json reads in it.
func FuzzRawMessage(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5,"\u00e9",null,{}],"b":{"c":-1e9}}`, `"\ud83d\ude00\ud800"`, "[[],{}]", "{", `{"a":1,"a":2}`, "-0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e := minimal(slog.Any("v", json.RawMessage(text)))
		var enc Encoder
		if _, _, err := enc.Append(nil, &e, testLimit); err != nil {
			return
		}
		got := snapshot(t, json.RawMessage(text))
		if !json.Valid([]byte(text)) {
			assert.Equal(t, strings.ToValidUTF8(text, "\uFFFD"), got)
			return
		}
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		var want any
		require.NoError(t, d.Decode(&want))
		assert.Equal(t, unordered(snapshot(t, want)), unordered(got))
	})
}

// unordered sorts the members of groups. encoding/json replaces each byte of invalid UTF-8, and not each run of them, so
// runs of U+FFFD are taken together.
func unordered(v any) any {
	switch v := v.(type) {
	case string:
		for strings.Contains(v, "\uFFFD\uFFFD") {
			v = strings.ReplaceAll(v, "\uFFFD\uFFFD", "\uFFFD")
		}
		return v
	case []any:
		for i := range v {
			v[i] = unordered(v[i])
		}
		return v
	case group:
		m := map[any]any{}
		for _, p := range v {
			m[unordered(p.Key)] = unordered(p.Value)
		}
		return m
	}
	return v
}
