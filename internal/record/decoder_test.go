package record

import (
	"encoding/binary"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/sink"
)

// fullRecord is the record of an event with everything in it.
func fullRecord(tb testing.TB) string {
	tb.Helper()
	e := fullEvent()
	e.Attributes = append(e.Attributes, slog.Any("all", []any{nil, true, false, -1, uint(200), 3.5, "é", []byte("b"), testNow, time.Second, map[string]any{"k": []any{}}}))
	var enc Encoder
	rec, _, err := enc.Append(nil, &e, testLimit)
	require.NoError(tb, err)
	return string(rec)
}

// record builds a record by hand: a correct beginning, then the parts given instead of the rest of it.
func record(flags byte, parts ...string) string {
	b := []byte{version}
	b = appendTime(b, testNow)
	b = appendTime(b, testNow)
	return string(append(b, flags)) + strings.Join(parts, "")
}

// Parts of records.
const (
	names    = "\x01i\x01a\x01u\x00\x00\x00\x00\x00" // ID, Action, Actor, Source, Message
	noTarget = "\x00"
	noChange = "\x00"
	noAttrs  = "\x00\x00\x00\x00"
	one      = "\x01\x00\x00\x00"
	two      = "\x02\x00\x00\x00"
)

func TestDecodeFindsARepeatedKeyInListsOfEveryLength(t *testing.T) {
	const keys = 2 * fewKeys
	for n := 2; n <= keys; n++ {
		members := make([]string, n)
		for i := range members {
			members[i] = "\x02" + string([]byte{'a' + byte(i/8), '0' + byte(i%8)}) + "\x00"
		}
		count := string(binary.LittleEndian.AppendUint32(nil, uint32(n)))
		var dec Decoder
		_, err := dec.Decode(record(0, names, noTarget, noChange, count, strings.Join(members, "")))
		require.NoError(t, err)
		for _, first := range []int{0, (n - 1) / 2, n - 2} {
			repeated := slices.Clone(members)
			repeated[n-1] = repeated[first]
			_, err := dec.Decode(record(0, names, noTarget, noChange, count, strings.Join(repeated, "")))
			require.ErrorContains(t, err, "a key is repeated", "%d keys, the last like number %d", n, first)
		}
	}
}

func TestDecodeCorrupt(t *testing.T) {
	inAttr := func(value string) string { return record(0, names, noTarget, noChange, one, "\x01k", value) }
	badTime := strings.Repeat("\xff", 8) + "\x00\x00\x00\x7f"
	for _, tt := range []struct{ name, rec, want string }{
		{"empty", "", "byte 0 of 0: it ends too early"},
		{"unknown version", "\x02" + fullRecord(t)[1:], "unknown version"},
		{"ObservedTime out of range", "\x01" + badTime + record(0)[13:], "a time is out of range"},
		{"Time out of range", record(0)[:13] + badTime + "\x00", "a time is out of range"},
		{"no Time", record(0)[:13] + string(appendTime(nil, time.Time{})) + "\x00" + names + noTarget + noChange + noAttrs, "no Time"},
		{"unknown flag", record(0x10, names, noTarget, noChange, noAttrs), "unknown flags"},
		{"unknown outcome", record(0x0c, names, noTarget, noChange, noAttrs), "unknown flags"},
		{"zero trace", record(1, strings.Repeat("\x00", 16), names, noTarget, noChange, noAttrs), "a trace is marked and not there"},
		{"zero span", record(2, strings.Repeat("\x00", 8), names, noTarget, noChange, noAttrs), "a trace is marked and not there"},
		{"no ID", record(0, "\x00\x01a\x01u\x00\x00\x00\x00\x00", noTarget, noChange, noAttrs), "a name is empty"},
		{"no Action", record(0, "\x01i\x00\x01u\x00\x00\x00\x00\x00", noTarget, noChange, noAttrs), "a name is empty"},
		{"no Actor.ID", record(0, "\x01i\x01a\x00\x00\x00\x00\x00\x00", noTarget, noChange, noAttrs), "a name is empty"},
		{"string past the end", record(0, "\x7fi"), "it ends too early"},
		{"string not UTF-8", record(0, "\x01\xff\x01a\x01u\x00\x00\x00\x00\x00", noTarget, noChange, noAttrs), "a string is not UTF-8"},
		{"length of ten bytes and more", record(0, strings.Repeat("\xff", 10)), "a number is too long"},
		{"length that overflows", record(0, strings.Repeat("\xff", 9)+"\x01"), "it ends too early"},
		{"too many targets", record(0, names, "\x02", "\x00\x00\x00", noChange), "it ends too early"},
		{"too many changes", record(0, names, noTarget, "\x7f", "\x01p\x00\x00"), "it ends too early"},
		{"change without path", record(0, names, noTarget, "\x01", "\x00\x00\x00", noAttrs), "a name is empty"},
		{"too many attributes", record(0, names, noTarget, noChange, "\xff\xff\xff\xff", "\x01k\x00"), "it ends too early"},
		{"count cut off", record(0, names, noTarget, noChange, "\x01\x00"), "it ends too early"},
		{"empty key", record(0, names, noTarget, noChange, one, "\x00\x06\x01x"), "a name is empty"},
		{"repeated key", record(0, names, noTarget, noChange, two, "\x01k\x00", "\x01k\x00"), "a key is repeated"},
		{"unknown tag", inAttr("\x0c"), "unknown tag"},
		{"NaN", inAttr("\x05\x00\x00\x00\x00\x00\x00\xf8\x7f"), "a number is not finite"},
		{"infinity", inAttr("\x05\x00\x00\x00\x00\x00\x00\xf0\x7f"), "a number is not finite"},
		{"float cut off", inAttr("\x05\x00\x00"), "it ends too early"},
		{"bytes cut off", inAttr("\x07\x05ab"), "it ends too early"},
		{"time cut off", inAttr("\x08ab"), "it ends too early"},
		{"33 lists", inAttr(strings.Repeat("\x0a"+one, 33) + "\x00"), "it is nested too deep"},
		{"33 groups", inAttr(strings.Repeat("\x0b"+one+"\x01k", 33) + "\x00"), "it is nested too deep"},
		{"33 groups in a change", record(0, names, noTarget, "\x01\x01p", strings.Repeat("\x0b"+one+"\x01k", 33), "\x00\x00", noAttrs), "it is nested too deep"},
		{"more than an event", record(0, names, noTarget, noChange, noAttrs, "\x00"), "bytes follow the event"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var d Decoder
			e, err := d.Decode(tt.rec)
			require.Error(t, err)
			assert.Contains(t, err.Error(), "record: corrupt at byte ")
			assert.Contains(t, err.Error(), tt.want)
			assert.Zero(t, e)
		})
	}
	var d Decoder
	_, err := d.Decode(inAttr(strings.Repeat("\x0a"+one, 32) + "\x00"))
	assert.NoError(t, err, "the handmade records are right but for one thing")
}

func TestDecodeTruncated(t *testing.T) {
	rec := fullRecord(t)
	var d Decoder
	for n := range len(rec) {
		_, err := d.Decode(rec[:n])
		require.Error(t, err, n)
	}
	_, err := d.Decode(rec)
	require.NoError(t, err)
}

// TestDecodeAllocatesInProportion gives counts that promise far more than the record holds.
func TestDecodeAllocatesInProportion(t *testing.T) {
	huge := binary.LittleEndian.AppendUint32(nil, 1<<31)
	lists := "\x0a" + string(binary.LittleEndian.AppendUint32(nil, 100_000)) + strings.Repeat("\x00", 100_000)
	for name, rec := range map[string]string{
		"attributes":   record(0, names, noTarget, noChange, string(huge)),
		"list":         record(0, names, noTarget, noChange, one, "\x01k\x0a", string(huge), strings.Repeat("\x00", 1000)),
		"targets":      record(0, names, "\xff\xff\xff\xff\x07", strings.Repeat("\x00", 1000)),
		"nested lists": record(0, names, noTarget, noChange, one, "\x01k", strings.Repeat("\x0a"+string(huge), 31), strings.Repeat("\x00", 1000)),
		"true lists":   record(0, names, noTarget, noChange, one, "\x01k", lists),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			var d Decoder
			_, _ = d.Decode(rec)
			runtime.ReadMemStats(&after)
			assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(40*len(rec)+100_000))
		})
	}
}

// TestDecodedEventsShareNothing checks that what is appended to a slice of one event is not seen in the next one's.
func TestDecodedEventsShareNothing(t *testing.T) {
	rec := fullRecord(t)
	var d Decoder
	var events []sink.Event
	for range 300 {
		e, err := d.Decode(rec)
		require.NoError(t, err)
		events = append(events, e)
	}
	want := eventTree(t, events[299])
	for i := range events[:299] {
		e := &events[i]
		_ = append(e.Attributes, slog.Int("x", 1))
		_ = append(e.Targets, sink.Target{ID: "x"})
		_ = append(e.Changes, sink.Change{Path: "x"})
		clear(e.Attributes)
		clear(e.Targets)
		clear(e.Changes)
	}
	assert.Equal(t, want, eventTree(t, events[299]))
}

// FuzzDecode decodes any bytes. What it accepts is a snapshot: encoding it again gives an equal event.
func FuzzDecode(f *testing.F) {
	f.Add(fullRecord(f))
	f.Add(record(0, names, noTarget, noChange, noAttrs))
	f.Add(record(4, names, "\x01\x00\x00\x00", noChange, two, "\x01a\x0a"+noAttrs, "\x01b\x0b"+one+"\x01c\x0b"+noAttrs))
	f.Fuzz(func(t *testing.T, rec string) {
		var d Decoder
		_ = ObservedTime(rec)
		e, err := d.Decode(rec)
		if err != nil {
			assert.Zero(t, e)
			return
		}
		got, _ := roundTrip(t, e)
		assert.Equal(t, eventTree(t, e), eventTree(t, got))
	})
}
