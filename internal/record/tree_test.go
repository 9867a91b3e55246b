package record

import (
	"log/slog"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/sink"
)

// The events of tests are compared as trees of the types below. reflect.DeepEqual, and with it testify, must not see a
// slog.Value: it would follow the pointer inside to the first byte of a string and no further.
type (
	group  []pair
	pair   struct{ Key, Value any }
	number uint64 // the bits of a float64, so that -0 is not 0
)

// tree returns v, a plain value, in a form that can be compared. It fails the test for a value that is not plain.
func tree(tb testing.TB, v any) any {
	tb.Helper()
	switch v := v.(type) {
	case nil, bool, int64, uint64, string, []byte, time.Duration:
		return v
	case float64:
		require.False(tb, math.IsNaN(v) || math.IsInf(v, 0))
		return number(math.Float64bits(v))
	case time.Time:
		require.Equal(tb, time.UTC, v.Location())
		return v
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = tree(tb, v[i])
		}
		return list
	case []slog.Attr:
		return attrsTree(tb, v)
	}
	require.Failf(tb, "not plain", "%T", v)
	return nil
}

// attrsTree is tree for the members of a group. The value of each must be what slog.AnyValue makes of it.
func attrsTree(tb testing.TB, list []slog.Attr) group {
	tb.Helper()
	g := group{}
	for _, a := range list {
		v := a.Value.Any()
		if a.Value.Kind() != slog.KindAny {
			require.Equal(tb, slog.AnyValue(v).Kind(), a.Value.Kind())
		}
		g = append(g, pair{a.Key, tree(tb, v)})
	}
	return g
}

// eventTree is the tree of a whole event.
func eventTree(tb testing.TB, e sink.Event) any {
	tb.Helper()
	changes := []any{}
	for _, c := range e.Changes {
		changes = append(changes, []any{c.Path, tree(tb, c.Before), tree(tb, c.After)})
	}
	attrs := attrsTree(tb, e.Attributes)
	targets := append([]sink.Target{}, e.Targets...)
	e.Changes, e.Attributes, e.Targets = nil, nil, nil
	return []any{e, targets, changes, attrs}
}

// treeSize is the part of a plain value in Info.Size, written down once more.
func treeSize(v any) int {
	size := 16
	switch v := v.(type) {
	case string:
		size += len(v)
	case []byte:
		size += len(v)
	case []any:
		for _, x := range v {
			size += treeSize(x)
		}
	case group:
		for _, m := range v {
			size += len(m.Key.(string)) + treeSize(m.Value)
		}
	}
	return size
}

// eventSizeOf is Info.Size of an event that is a snapshot.
func eventSizeOf(tb testing.TB, e sink.Event) int {
	tb.Helper()
	size := 160 + len(e.ID) + len(e.Action) + len(e.Message) + len(e.Source.Address) + len(e.Source.UserAgent) +
		len(e.Actor.ID) + len(e.Actor.Type) + len(e.Actor.Name)
	for _, x := range e.Targets {
		size += 16 + len(x.ID) + len(x.Type) + len(x.Name)
	}
	for _, c := range e.Changes {
		size += len(c.Path) + treeSize(tree(tb, c.Before)) + treeSize(tree(tb, c.After))
	}
	return size + treeSize(attrsTree(tb, e.Attributes)) - 16
}

const testLimit = 1 << 20

var testNow = time.Date(2026, 11, 23, 6, 7, 8, 123456789, time.UTC)

// minimal returns an event with the attributes given and nothing else that is not required.
func minimal(attrs ...slog.Attr) sink.Event {
	return sink.Event{Action: "a", Actor: sink.Actor{ID: "u"}, ObservedTime: testNow, Attributes: attrs}
}

// roundTrip encodes and decodes e, and checks what holds for every event.
func roundTrip(tb testing.TB, e sink.Event) (sink.Event, Info) {
	tb.Helper()
	var enc Encoder
	rec, info, err := enc.Append([]byte("before"), &e, testLimit)
	require.NoError(tb, err)
	require.Equal(tb, "before", string(rec[:6]))
	rec = rec[6:]
	var dec Decoder
	got, err := dec.Decode(string(rec))
	require.NoError(tb, err)
	require.Equal(tb, eventSizeOf(tb, got), info.Size)
	require.LessOrEqual(tb, len(rec), info.Size)
	require.Equal(tb, got.ObservedTime, ObservedTime(rec))

	again, info2, err := enc.Append(nil, &got, testLimit)
	require.NoError(tb, err)
	require.Equal(tb, string(rec), string(again), "encoding a snapshot changes nothing")
	require.True(tb, info2.Clamped || !info.Clamped)
	require.Equal(tb, Info{Size: info.Size, Clamped: info2.Clamped}, info2)
	return got, info
}

// snapshot returns what becomes of v as the value of an attribute, and of one side of a change.
func snapshot(tb testing.TB, v any) any {
	tb.Helper()
	e := minimal(slog.Any("v", v))
	e.Changes = []sink.Change{{Path: "p", Before: v}}
	got, _ := roundTrip(tb, e)
	require.Len(tb, got.Attributes, 1)
	want := attrsTree(tb, got.Attributes)[0].Value
	require.Equal(tb, want, tree(tb, got.Changes[0].Before))
	return want
}

// refuse encodes e and returns the error that it must give.
func refuse(tb testing.TB, e sink.Event, limit int) *Error {
	tb.Helper()
	var enc Encoder
	rec, info, err := enc.Append([]byte("before"), &e, limit)
	require.Error(tb, err)
	require.Equal(tb, "before", string(rec))
	require.Zero(tb, info)
	wrong, ok := err.(*Error) //nolint:errorlint // exactly this type is promised.
	require.True(tb, ok)

	// The encoder is as good as new.
	_, _, err = enc.Append(nil, &sink.Event{Action: "a", Actor: sink.Actor{ID: "u"}}, testLimit)
	require.NoError(tb, err)
	return wrong
}
