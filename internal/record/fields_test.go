package record

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type (
	Base     struct{ ID, Name string }
	Other    struct{ ID, Size int }
	inner    struct{ Exposed, hidden int }
	Named    struct{ Base }
	Deep     struct{ Named }
	TagWins1 struct {
		X int `json:"x"`
	}
	TagWins2 struct{ X int }
	number1  int
	Left     struct{ Base }
	Right    struct{ Base }
	Self     struct {
		*Self
		N int
	}
	// Mutual embeds come back to themselves.
	Ping struct {
		*Pong
		A int
	}
	Pong struct {
		*Ping
		B int
	}
	zero struct{ n int }
)

func (z zero) IsZero() bool { return z.n == 7 }

type pointerZero struct{ N int }

func (z *pointerZero) IsZero() bool { return z.N == 7 }

type iface interface{ IsZero() bool }

// twoTags returns a struct whose fields A and B have the same tag, which go vet does not let one write down.
func twoTags(a, b, c int) any {
	intType := reflect.TypeFor[int]()
	v := reflect.New(reflect.StructOf([]reflect.StructField{
		{Name: "A", Type: intType, Tag: `json:"x"`},
		{Name: "B", Type: intType, Tag: `json:"x"`},
		{Name: "C", Type: intType},
	})).Elem()
	for i, n := range []int{a, b, c} {
		v.Field(i).SetInt(int64(n))
	}
	return v.Interface()
}

// TestStructsLikeJSON compares the fields of structs with those that encoding/json writes.
func TestStructsLikeJSON(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   any
	}{
		{"plain", Base{"1", "n"}},
		{"unexported fields", inner{1, 2}},
		{"names", struct {
			A int `json:"a"`
			B int `json:"-"`
			C int `json:"-,"` //nolint:staticcheck // the name "-" of encoding/json
			D int `json:",omitempty"`
			E int `json:"with space"`
			F int `json:"bad\"name"` //nolint:staticcheck // what encoding/json makes of it
			G int `json:"ü-1"`
			H int `other:"x"`
		}{1, 2, 3, 4, 5, 6, 7, 8}},
		{"omitempty, empty", struct {
			A int            `json:",omitempty"`
			B string         `json:",omitempty"`
			C []int          `json:",omitempty"`
			D map[string]int `json:",omitempty"`
			E *int           `json:",omitempty"`
			F any            `json:",omitempty"`
			G [0]int         `json:",omitempty"`
			H struct{}       `json:",omitempty"`
			I bool           `json:",omitempty"`
			J float64        `json:",omitempty"`
			K time.Time      `json:",omitempty"`
			L [2]int         `json:",omitempty"`
		}{C: []int{}, D: map[string]int{}}},
		{"omitempty, full", struct {
			A int   `json:",omitempty"`
			C []int `json:",omitempty"`
			E *int  `json:",omitempty"`
			F any   `json:",omitempty"`
		}{1, []int{0}, new(int), 0}},
		{"omitzero", struct {
			A int         `json:",omitzero"`
			B time.Time   `json:",omitzero"`
			C zero        `json:",omitzero"`
			D zero        `json:",omitzero"`
			E pointerZero `json:",omitzero"`
			F pointerZero `json:",omitzero"`
			G *zero       `json:",omitzero"`
			H iface       `json:",omitzero"`
			I iface       `json:",omitzero"`
			J []int       `json:",omitzero"`
			K struct{}    `json:",omitzero,omitempty"`
		}{C: zero{7}, D: zero{0}, E: pointerZero{7}, F: pointerZero{1}, I: zero{7}, J: []int{}}},
		{"string", struct {
			A int      `json:",string"`
			B uint8    `json:",string"`
			C bool     `json:",string"`
			D *int     `json:",string"`
			E *int     `json:",string"`
			F []int    `json:",string"` //nolint:staticcheck // is to change nothing
			G float64  `json:",string"`
			H float32  `json:",string"`
			I shout    `json:",string"`
			J any      `json:",string"` //nolint:staticcheck // is to change nothing
			K struct{} `json:",string"` //nolint:staticcheck // is to change nothing
		}{1, 2, true, new(int), nil, []int{1}, 0.1, 0.1, "x", 5, struct{}{}}},
		{"embedded", Named{Base{"1", "n"}}},
		{"embedded deeper", Deep{Named{Base{"1", "n"}}}},
		{"embedded pointer", struct{ *Base }{&Base{"1", "n"}}},
		{"embedded nil pointer", struct {
			*Base
			X int
		}{nil, 1}},
		{"embedded and named by a tag", struct {
			Base `json:"base"`
		}{Base{"1", "n"}}},
		{"embedded of an unexported type", struct {
			inner
			X int
		}{inner{1, 2}, 3}},
		{"embedded pointer of an unexported type", struct{ *inner }{&inner{1, 2}}},
		{"embedded that is no struct", struct {
			number1
			Shout shout
		}{1, "a"}},
		{"embedded interface", struct{ iface }{nil}},
		{"the shallower field wins", struct {
			Base
			ID int
		}{Base{"1", "n"}, 5}},
		{"two of one name at one depth hide each other", struct {
			Base
			Other
		}{Base{"1", "n"}, Other{1, 2}}},
		{"a tag wins", struct {
			TagWins1
			TagWins2
		}{TagWins1{1}, TagWins2{2}}},
		{"a tag wins over a field of its name", struct {
			TagWins2
			Y int `json:"X"`
		}{TagWins2{1}, 2}},
		{"two tags hide each other", twoTags(1, 2, 3)},
		{"one type embedded twice", struct {
			Left
			Right
		}{Left{Base{"1", "a"}}, Right{Base{"2", "b"}}}},
		{"embedding itself", Self{&Self{nil, 2}, 1}},
		{"embedding each other", Ping{&Pong{&Ping{nil, 3}, 2}, 1}},
		{"order of declaration", struct {
			Z int
			Base
			A int `json:"B"`
		}{1, Base{"i", "n"}, 2}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text, err := json.Marshal(tt.in)
			require.NoError(t, err)
			// Both sides go through the same reader, so that only the fields and their values are compared.
			assert.Equal(t, jsonTree(t, string(text)), jsonTree(t, toJSON(t, snapshot(t, tt.in))))
		})
	}
}

// jsonTree reads a JSON text, keeping the order of its members.
func jsonTree(t *testing.T, text string) any {
	t.Helper()
	return snapshot(t, json.RawMessage(text))
}

// toJSON writes a tree.
func toJSON(t *testing.T, v any) string {
	t.Helper()
	var parts []string
	switch v := v.(type) {
	case group:
		for _, m := range v {
			parts = append(parts, toJSON(t, m.Key)+":"+toJSON(t, m.Value))
		}
		return "{" + strings.Join(parts, ",") + "}"
	case []any:
		for _, x := range v {
			parts = append(parts, toJSON(t, x))
		}
		return "[" + strings.Join(parts, ",") + "]"
	}
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return string(b)
}

func TestStringOptionOfStrings(t *testing.T) {
	// encoding/json quotes the string once more, which is an artefact of its form: here it is a string already.
	assert.Equal(t, group{{"S", "x"}, {"N", "NaN"}}, snapshot(t, struct {
		S string  `json:",string"`
		N float64 `json:",string"`
	}{"x", nan}))
}
