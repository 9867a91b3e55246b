package record

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var nan = math.NaN()

func float(f float64) number { return number(math.Float64bits(f)) }

func TestNumbers(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want any
	}{
		{"0", int64(0)},
		{"-0", float(math.Copysign(0, -1))},
		{"-1", int64(-1)},
		{"9223372036854775807", int64(math.MaxInt64)},
		{"-9223372036854775808", int64(math.MinInt64)},
		{"9223372036854775808", uint64(1 << 63)},
		{"18446744073709551615", uint64(math.MaxUint64)},
		{"18446744073709551616", "18446744073709551616"},
		{"-9223372036854775809", "-9223372036854775809"},
		{"100000000000000000000000", "100000000000000000000000"},
		{"0.1", float(0.1)},
		{"0.30000000000000004", float(0.30000000000000004)},
		{"-12.50", float(-12.5)},
		{"0.0", float(0)},
		{"-0.0e5", float(math.Copysign(0, -1))},
		{"1e3", float(1000)},
		{"1E+3", float(1000)},
		{"120e-1", float(12)},
		{"0.00012e4", float(1.2)},
		{"5e-324", float(5e-324)},
		{"1.7976931348623157e308", float(math.MaxFloat64)},
		{"1e400", "1e400"},
		{"-1e400", "-1e400"},
		{"1e-400", "1e-400"},
		{"1e99999999999999999999", "1e99999999999999999999"},
		{"0.1234567890123456789", "0.1234567890123456789"},
		{"3.141592653589793238462643", "3.141592653589793238462643"},
	} {
		t.Run(tt.in, func(t *testing.T) {
			assert.Equal(t, tt.want, snapshot(t, json.Number(tt.in)), "json.Number")
			assert.Equal(t, tt.want, snapshot(t, json.RawMessage(tt.in)), "json.RawMessage")
		})
	}
	for _, text := range []string{"", "+1", "01", "0x10", "1_000", "Inf", "NaN", " 1", "1.", ".5", "1e", "--1", "canary"} {
		t.Run("no number: "+text, func(t *testing.T) {
			assert.Equal(t, text, snapshot(t, json.Number(text)))
		})
	}
}

func TestRawMessages(t *testing.T) {
	deep := strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)
	for _, tt := range []struct {
		name, in string
		want     any
	}{
		{"null", "null", nil},
		{"true", " true ", true},
		{"false", "false\n", false},
		{"string", `"x"`, "x"},
		{"empty string", `""`, ""},
		{"escapes", `"\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac"`, "\"\\/\b\f\n\r\tAé€"},
		{"text around escapes", `"a\nb\nc"`, "a\nb\nc"},
		{"NUL", `"\u0000"`, "\x00"},
		{"surrogate pair", `"\ud83d\ude00!"`, "😀!"},
		{"lone high surrogate", `"\ud83dx"`, "\uFFFDx"},
		{"lone low surrogate", `"\ude00"`, "\uFFFD"},
		{"high surrogate before another escape", `"\ud83d\n\ud83d\u0041"`, "\uFFFD\n\uFFFDA"},
		{"invalid UTF-8", "\"a\xff\\n\"", "a\uFFFD\n"},
		{"empty list", "[]", []any{}},
		{"empty list with space", "[ \t]", []any{}},
		{"empty object", "{ }", group{}},
		{"list", ` [ 1 , "a" , [ ] , { } , null ] `, []any{int64(1), "a", []any{}, group{}, nil}},
		{"object in its own order", `{"b":1, "a" : {"c":[true,false]}}`, group{{"b", int64(1)}, {"a", group{{"c", []any{true, false}}}}}},
		{"escaped keys", `{"\u0061\n":1,"\\":2}`, group{{"a\n", int64(1)}, {"\\", int64(2)}}},
		{"the last duplicate wins", `{"a":{"x":1},"b":2,"\u0061":[3]}`, group{{"b", int64(2)}, {"a", []any{int64(3)}}}},
		{"duplicates at every level", `{"a":[{"k":1,"k":2}],"b":{"a":1,"a":2}}`, group{{"a", []any{group{{"k", int64(2)}}}}, {"b", group{{"a", int64(2)}}}}},
		{"not JSON", `{"a":`, `{"a":`},
		{"two values", `1 2`, `1 2`},
		{"empty", "", ""},
		{"not UTF-8 and not JSON", "\xff{", "\uFFFD{"},
		{"deeper than encoding/json reads", deep, deep},
		{"32 deep", strings.Repeat("[", 32) + strings.Repeat("]", 32), nest(31, []any{})},
	} {
		t.Run(tt.name, func(t *testing.T) {
			assert.Equal(t, tt.want, snapshot(t, json.RawMessage(tt.in)))
		})
	}
	assert.Nil(t, snapshot(t, json.RawMessage(nil)))
}

func TestRawMessageRefused(t *testing.T) {
	for _, tt := range []struct {
		name, in, path string
		limit          int
	}{
		{"33 deep", strings.Repeat("[", 33) + strings.Repeat("]", 33), strings.Repeat("[0]", 32), MaxDepth},
		{"far deeper", strings.Repeat(`{"a":[1,`, 5000) + "0" + strings.Repeat("]}", 5000), strings.Repeat(`["a"][1]`, 16), MaxDepth},
		{"empty key", `{"a":[{"":1}]}`, `["a"][0]`, 0},
		{"longer than the limit", `"` + strings.Repeat(`\n`, 40_000) + `"`, "", 64 << 10},
		{"more values than the limit holds", `[` + strings.Repeat("1,", 20_000) + `0]`, "[4082]", 64 << 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := refuse(t, minimal(slog.Any("v", json.RawMessage(tt.in))), 64<<10)
			assert.Equal(t, `Attributes["v"]`+tt.path, err.Path)
			assert.Equal(t, tt.limit, err.Limit)
		})
	}
}

func TestRepairsAreCounted(t *testing.T) {
	_, info := roundTrip(t, minimal(
		slog.String("a\xff", "b\xff\xfe c\xff"),
		slog.String("fine", "\uFFFD"),
		slog.Any("json", json.RawMessage(`["\ud800 \udc00", "\ufffd"]`)),
		slog.Any("list", []string{"\xc0", "x"}),
	))
	assert.Equal(t, 4, info.Repaired)
}

// TestRawMessageLikeJSON compares what is read with what encoding/json reads.
func TestRawMessageLikeJSON(t *testing.T) {
	text := `{"kind":"Event","n":[0,-1.5,1e3,true,null,"\u00e4\t"],"o":{"a":{"b":{}},"c":[[],[{}]]},"s":" x "}`
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	var want any
	require.NoError(t, d.Decode(&want))
	assert.Equal(t, snapshot(t, want), snapshot(t, json.RawMessage(text)))
}
