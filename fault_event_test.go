package auditstream_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/sink/siemtest"
)

// taken returns the events that the SIEM has taken.
func (f *trial) taken(t *testing.T) []siemtest.Received {
	t.Helper()
	siem, ok := f.siem.(interface{ Events() []siemtest.Received })
	require.True(t, ok)
	return siem.Events()
}

// attributesOf returns the host's attributes of an event as they arrived.
func attributesOf(t *testing.T, r siemtest.Received) map[string]any {
	t.Helper()
	if r.Record != nil {
		return r.Document
	}
	attributes, ok := r.Document["attributes"].(map[string]any)
	require.True(t, ok)
	return attributes
}

// with returns a small event with attributes.
func with(attributes ...slog.Attr) auditstream.Event {
	e := event(1)
	e.Attributes = attributes
	return e
}

// carriedTimes returns the time of an event as its protocol carries it, and the one in full, each to the precision it has.
func carriedTimes(t *testing.T, r siemtest.Received) (carried, full time.Time) {
	t.Helper()
	if r.Record != nil {
		carried = time.Unix(0, int64(r.Record.GetTimeUnixNano())).UTC()
		if text, ok := r.Document["audit.record.time"].(string); ok {
			full, err := time.Parse(time.RFC3339Nano, text)
			require.NoError(t, err)
			return carried, full
		}
		return carried, carried
	}
	millis, err := r.Document["timestamp"].(json.Number).Int64()
	require.NoError(t, err)
	assert.Len(t, strconv.FormatInt(millis, 10), 13)
	full, err = time.Parse(time.RFC3339Nano, r.Document["time"].(string))
	require.NoError(t, err)
	return time.UnixMilli(millis).UTC(), full
}

// TestFaultOddTimes also holds the drivers to the range that Totals.Clamped goes by: what does not count is carried by
// all of them, and what counts is not carried by one at least.
func TestFaultOddTimes(t *testing.T) {
	var (
		first = time.Date(2001, 9, 9, 1, 46, 40, 0, time.UTC)
		last  = time.Unix(0, math.MaxInt64).UTC()
		end   = time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC)
	)
	times := []struct {
		name    string
		at      time.Time
		clamped bool
	}{
		{"year 1", time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC), true},
		{"before 1970", time.Date(1969, 7, 20, 20, 17, 40, 5, time.UTC), true},
		{"1970", time.Unix(0, 0).UTC(), true},
		{"just too early", first.Add(-1), true},
		{"first", first, false},
		{"odd zone", time.Date(2026, 3, 29, 2, 30, 0, 123_456_789, time.FixedZone("odd", 16*3600-1)), false},
		{"last", last, false},
		{"just too late", last.Add(1), true},
		{"last of all", end, true},
		{"beyond all", time.Date(200_000, 1, 1, 0, 0, 0, 0, time.UTC), true},
		{"not set", time.Time{}, false},
	}
	uncarried := map[string]bool{}
	inEveryDriver(t, func(t *testing.T, _ driver, f *trial) {
		now := time.Now().UTC()
		for i, tt := range times {
			e := event(i + 1)
			e.Time = tt.at
			require.NoError(t, f.Publish(e), tt.name)
		}
		f.drain(t)
		received := f.taken(t)
		require.Len(t, received, len(times), "accepted, and delivered")
		for i, tt := range times {
			want := tt.at.UTC()
			switch {
			case tt.at.IsZero():
				want = now
			case tt.at.After(end):
				want = end
			}
			carried, full := carriedTimes(t, received[i])
			assert.Equal(t, want, full, tt.name)
			if !tt.at.IsZero() { // the bubble's clock shows 2000, and nobody has set that
				uncarried[tt.name] = uncarried[tt.name] || !carried.Equal(want) && !carried.Equal(want.Truncate(time.Millisecond))
			}
		}
		totals := f.Status().Totals
		assert.EqualValues(t, 7, totals.Clamped)
		assert.EqualValues(t, len(times), totals.Delivered)
	})
	for _, tt := range times {
		assert.Equal(t, tt.clamped, uncarried[tt.name], tt.name)
	}
}

func TestFaultHugeEvent(t *testing.T) {
	huge := strings.Repeat("x", 256<<20)
	many := make([]slog.Attr, 1_000_000)
	for i := range many {
		many[i] = slog.Int("key", i)
	}
	members := make(map[string]int, 100_000)
	for i := range 100_000 {
		members[strconv.Itoa(i)] = i
	}
	message := func(text string) auditstream.Event {
		e := event(1)
		e.Message = text
		return e
	}
	for name, e := range map[string]auditstream.Event{
		"1 MB of message":   message(huge[:1<<20]),
		"256 MB of message": message(huge),
		"string":            with(slog.String("k", huge)),
		"bytes":             with(slog.Any("k", []byte(huge[:1<<20]))),
		"raw JSON":          with(slog.Any("k", json.RawMessage(huge[:1<<20]))),
		"key":               with(slog.Int(huge, 1)),
		"key of a map":      with(slog.Any("k", map[string]int{huge: 1})),
		"many attributes":   with(many...),
		"many members":      with(slog.Any("k", members)),
		"many elements":     with(slog.Any("k", make([]int, 10_000_000))),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(accept)
				s := enabled(t, auditstream.Config{}, f)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				err := s.Publish(e)
				runtime.ReadMemStats(&after)
				var invalid *auditstream.EventError
				require.ErrorAs(t, err, &invalid)
				assert.Equal(t, 64<<10, invalid.Limit)
				assert.Less(t, len(err.Error()), 512)
				assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(256<<10), "it was refused before it was copied")
				assert.Equal(t, auditstream.Totals{RefusedInvalid: 1}, s.Status().Totals)
				publish(t, s, 2, 2)
				require.NoError(t, s.Flush(t.Context()))
				assert.Equal(t, [][]string{{"e2"}}, f.attempts())
			})
		})
	}
}

func TestFaultKeys(t *testing.T) {
	for name, attribute := range map[string]slog.Attr{
		"empty":         slog.String("", "v"),
		"in a group":    slog.Group("g", slog.Int("a", 1), slog.Int("", 2)),
		"in a map":      slog.Any("m", map[string]int{"": 1}),
		"in a list":     slog.Any("l", []any{map[string]int{"": 1}}),
		"of no text":    slog.Any("m", map[float64]int{1: 1}),
		"with one text": slog.Any("m", map[parity]int{1: 1, 3: 3}),
	} {
		t.Run(name, func(t *testing.T) {
			s := enabled(t, auditstream.Config{}, newFake(accept))
			var invalid *auditstream.EventError
			require.ErrorAs(t, s.Publish(with(attribute)), &invalid)
			assert.Equal(t, auditstream.Totals{RefusedInvalid: 1}, s.Status().Totals)
		})
	}
	t.Run("repeated", func(t *testing.T) {
		inEveryDriver(t, func(t *testing.T, _ driver, f *trial) {
			require.NoError(t, f.Publish(with(slog.Int("a", 1), slog.Int("b", 2), slog.Int("a", 3), slog.Int("\xff", 4),
				slog.Int("\ufffd", 5), slog.Group("g", slog.String("k", "first"), slog.String("k", "last")))))
			f.drain(t)
			got := attributesOf(t, f.taken(t)[0])
			assert.Equal(t, "3", fmt.Sprint(got["a"]), "the last wins")
			assert.Equal(t, "2", fmt.Sprint(got["b"]))
			assert.Equal(t, "5", fmt.Sprint(got["\ufffd"]), "and so it does when repair makes keys alike")
			assert.Equal(t, map[string]any{"k": "last"}, got["g"])
		})
	})
	t.Run("order", func(t *testing.T) {
		inDrivers(t, drivers[2:3], auditstream.Config{}, func(t *testing.T, _ driver, f *trial) {
			members := map[string]int{}
			for i := range 50 {
				members[strconv.Itoa(i)] = i
			}
			for range 20 {
				require.NoError(t, f.Publish(with(slog.Any("m", members))))
			}
			f.drain(t)
			for _, r := range f.taken(t) {
				_, first, _ := strings.Cut(string(f.taken(t)[0].Raw), `"attributes"`)
				_, attributes, _ := strings.Cut(string(r.Raw), `"attributes"`)
				assert.Equal(t, first, attributes, "one map is written in one order")
			}
		})
	})
}

// parity is a key of which not every value has a text of its own.
type parity int

func (p parity) MarshalText() ([]byte, error) { return strconv.AppendInt(nil, int64(p%2), 10), nil }

func TestFaultOddNumbers(t *testing.T) {
	numbers := []struct {
		name     string
		value    any
		inJSON   any
		overOTLP any
	}{
		{"NaN", math.NaN(), "NaN", "NaN"},
		{"float32 NaN", float32(math.NaN()), "NaN", "NaN"},
		{"infinity", math.Inf(1), "Infinity", "Infinity"},
		{"minus infinity", math.Inf(-1), "-Infinity", "-Infinity"},
		{"minus zero", math.Copysign(0, -1), json.Number("-0"), math.Copysign(0, -1)},
		{"smallest", math.SmallestNonzeroFloat64, json.Number("5e-324"), math.SmallestNonzeroFloat64},
		{"1e400", json.Number("1e400"), "1e400", "1e400"},
		{"no number", json.Number("0x10"), "0x10", "0x10"},
		{"2^53", int64(1 << 53), json.Number("9007199254740992"), int64(1 << 53)},
		{"2^53+1", int64(1<<53 + 1), "9007199254740993", int64(1<<53 + 1)},
		{"-2^53-1", int64(-1<<53 - 1), "-9007199254740993", int64(-1<<53 - 1)},
		{"2^53+1 as text", json.Number("9007199254740993"), "9007199254740993", int64(1<<53 + 1)},
		{"largest", int64(math.MaxInt64), "9223372036854775807", int64(math.MaxInt64)},
		{"smallest whole", int64(math.MinInt64), "-9223372036854775808", int64(math.MinInt64)},
		{"unsigned", uint64(math.MaxUint64), "18446744073709551615", "18446744073709551615"},
		{"2^64", json.Number("18446744073709551616"), "18446744073709551616", "18446744073709551616"},
	}
	inEveryDriver(t, func(t *testing.T, _ driver, f *trial) {
		var attributes []slog.Attr
		for _, tt := range numbers {
			attributes = append(attributes, slog.Any(tt.name, tt.value))
		}
		require.NoError(t, f.Publish(with(attributes...)))
		f.drain(t)
		r := f.taken(t)[0]
		for _, tt := range numbers {
			want := tt.inJSON
			if r.Record != nil {
				want = tt.overOTLP
			}
			got := attributesOf(t, r)[tt.name]
			assert.Equal(t, want, got, tt.name)
			if zero, ok := got.(float64); ok && zero == 0 {
				assert.True(t, math.Signbit(zero), tt.name)
			}
		}
	})
}
