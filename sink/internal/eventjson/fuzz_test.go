package eventjson_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/eventjson"
)

// FuzzAppend checks that whatever goes in comes out as one line of JSON, and that reading it gives back what went in.
func FuzzAppend(f *testing.F) {
	f.Add("id", "user.sign_in", "key", "text", []byte{1, 2}, int64(5), uint64(6), 7.5, int64(1_700_000_000), int64(1_500_000_000))
	f.Add("", "\x00\x1f\x7f\x80", "\u2028", "\xff\xed\xa0\x80", []byte(nil), int64(math.MinInt64), uint64(math.MaxUint64),
		math.Inf(-1), int64(math.MinInt64), int64(math.MinInt64))
	f.Add("\"", "\\", "\u202e\u2066", "</script>", []byte("\n"), int64(1<<53), uint64(1<<53+1), math.Copysign(0, -1),
		int64(math.MaxInt64), int64(999_999_999))
	f.Fuzz(func(t *testing.T, id, action, key, text string, raw []byte, i int64, u uint64, x float64, sec, nsec int64) {
		at := time.Unix(sec, nsec%1_000_000_000)
		e := sink.Event{
			ID: id, Time: at, ObservedTime: at, Action: action, Sequence: u, StreamID: text, Message: text,
			Actor:   sink.Actor{ID: id, Type: sink.ActorType(key), Name: text},
			Targets: []sink.Target{{ID: id, Name: text}},
			Changes: []sink.Change{{Path: key, Before: raw, After: []any{text, i, []slog.Attr{slog.String(key, text)}}}},
			Attributes: []slog.Attr{
				slog.Int64("i", i), slog.Uint64("u", u), slog.Float64("x", x), slog.Time("at", at),
				slog.Duration("d", time.Duration(nsec)), slog.Any("raw", raw), slog.String(key, text),
			},
		}
		line := eventjson.Append(nil, &e)
		require.True(t, json.Valid(line), "%q", line)
		require.Equal(t, -1, bytes.IndexAny(line, "\r\n"), "%q", line)
		require.LessOrEqual(t, bytes.IndexByte(line, ','), len(`{"timestamp":9999999999999`), "%q", line)

		var got struct {
			Timestamp int64
			Time      time.Time
			ID        string
			Sequence  any
			StreamID  string `json:"stream_id"`
			Action    string
			Message   string
			Actor     struct{ ID, Type, Name string }
			Targets   []struct{ ID, Name string }
			Changes   []struct {
				Path, Before string
				After        []any
			}
			Attributes map[string]any
		}
		decoder := json.NewDecoder(bytes.NewReader(line))
		decoder.UseNumber()
		require.NoError(t, decoder.Decode(&got), "%q", line)

		id, action, key, text = valid(id), valid(action), valid(key), valid(text)
		require.Equal(t, id, got.ID)
		require.Equal(t, action, got.Action)
		require.Equal(t, text, got.StreamID)
		require.Equal(t, text, got.Message)
		require.Equal(t, struct{ ID, Type, Name string }{id, key, text}, got.Actor)
		require.Equal(t, id, got.Targets[0].ID)
		require.Equal(t, text, got.Targets[0].Name)
		require.Equal(t, key, got.Changes[0].Path)
		require.Equal(t, base64.StdEncoding.EncodeToString(raw), got.Changes[0].Before)
		require.Equal(t, []any{text, whole(strconv.FormatInt(i, 10)), map[string]any{key: text}}, got.Changes[0].After)
		require.Equal(t, text, got.Attributes[key], "the last of equal keys")
		if key == "i" || key == "u" || key == "x" || key == "d" {
			return
		}
		require.Equal(t, whole(strconv.FormatInt(i, 10)), got.Attributes["i"])
		require.Equal(t, whole(strconv.FormatUint(u, 10)), got.Attributes["u"])
		requireFloat(t, x, got.Attributes["x"])
		requireDuration(t, time.Duration(nsec), got.Attributes["d"])
		if u != 0 {
			require.Equal(t, got.Attributes["u"], got.Sequence)
		}
		if got.Time.Year() > 0 && got.Time.Year() < 9999 {
			require.True(t, at.Equal(got.Time), "%v is not %v", got.Time, at)
		}
	})
}

// valid returns s as a decoder of the line must read it.
func valid(s string) string { return string([]rune(s)) }

// whole returns the decimal number as it appears in JSON: in quotes when it is too large for a float64.
func whole(digits string) any {
	if len(strings.TrimPrefix(digits, "-")) < len("9007199254740992") {
		return json.Number(digits)
	}
	if f, err := strconv.ParseInt(digits, 10, 64); err == nil && -1<<53 <= f && f <= 1<<53 {
		return json.Number(digits)
	}
	return digits
}

func requireFloat(t *testing.T, want float64, got any) {
	t.Helper()
	number, ok := got.(json.Number)
	if !ok {
		require.True(t, math.IsNaN(want) || math.IsInf(want, 0), "%v is written as %v", want, got)
		return
	}
	read, err := number.Float64()
	require.NoError(t, err)
	require.Equal(t, math.Float64bits(want), math.Float64bits(read))
}

func requireDuration(t *testing.T, want time.Duration, got any) {
	t.Helper()
	number, ok := got.(json.Number)
	require.True(t, ok)
	// ParseDuration is exact where a float64 is not.
	read, err := time.ParseDuration(number.String() + "s")
	require.NoError(t, err)
	require.Equal(t, want, read)
}
