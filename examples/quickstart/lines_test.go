package main

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
)

// read returns what parse yields, errors as text.
func read(r io.Reader) (ids, problems []string) {
	for e, err := range parse(r) {
		if err != nil {
			problems = append(problems, err.Error())
			continue
		}
		ids = append(ids, e.ID)
	}
	return ids, problems
}

// own returns a line in our own form.
func own(id string) string {
	return `{"id":"` + id + `","action":"project.delete","actor":{"id":"users-7"}}`
}

func TestParseGoesOnAfterBadLines(t *testing.T) {
	t.Parallel()
	input := strings.Join([]string{
		"\ufeff" + own("1"),
		`{"id":"2"`,
		"",
		"   \t\r",
		own("3") + "\r",
		`[]`,
		`"text"`,
		`null`,
		own("4") + own("5"),
		own("6") + "]",
		`{"level":"info","msg":"started"}`,
		`{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[]}`,
		`{"kind":"Event","apiVersion":"audit.k8s.io/v1beta1","verb":"get"}`,
		`{"action":7,"actor":{"id":"users-7"}}`,
		`{"action":"a","actor":{"id":["users-7"]}}`,
		`{"action":"a","actor":"users-7"}`,
		`{"action":"a","actor":{"id":"u"},"timestamp":"soon"}`,
		`{"action":"a","actor":{"id":"u"},"targets":{}}`,
		`{"action":"a","actor":{"id":"u"},"time":"yesterday"}`,
		`{"action":"a","actor":{"name":"u"}}`,
		`{"action":"a","actor":{"id":"u"},"trace_id":"4bf9"}`,
		`{"action":"a","actor":{"id":"u"},"span_id":"00f067aa0ba902bz"}`,
		own("7"),
	}, "\n")

	ids, problems := read(strings.NewReader(input))

	assert.Equal(t, []string{"1", "3", "7"}, ids)
	shape := `is neither an event of ours (it has no "action") ` +
		`nor a Kubernetes audit event (its "apiVersion" is not "audit.k8s.io/v1")`
	assert.Equal(t, []string{
		`line 2 is not JSON: it ends in the middle`,
		`line 6 is a JSON array, not an object`,
		`line 7 is a JSON string, not an object`,
		`line 8 ` + shape,
		`line 9 has something after the JSON object`,
		`line 10 has something after the JSON object`,
		`line 11 ` + shape,
		`line 12 is a Kubernetes audit "EventList": write one Event a line`,
		`line 13 ` + shape,
		`line 14 has a JSON number in "action", where a string belongs`,
		`line 15 has a JSON array in "actor.id", where a string belongs`,
		`line 16 has a JSON string in "actor", where an object belongs`,
		`line 17 has a JSON string in "timestamp", where a whole number belongs`,
		`line 18 has a JSON object in "targets", where an array belongs`,
		`line 19 has a time that is not in the form of RFC 3339`,
		`line 20 has no "action" or no "actor" with an "id"`,
		`line 21 has a "trace_id" that is not 32 hexadecimal digits`,
		`line 22 has a "span_id" that is not 16 hexadecimal digits`,
	}, problems)
}

func TestParseLongLines(t *testing.T) {
	t.Parallel()
	line := func(size int) string {
		text := `{"id":"long","action":"a","actor":{"id":"u"},"message":""}`
		return strings.Replace(text, `""}`, `"`+strings.Repeat("x", size-len(text))+`"}`, 1)
	}
	longest, tooLong := line(maxLine), line(maxLine+1)
	require.Len(t, tooLong, maxLine+1)
	tests := map[string]struct {
		input    string
		ids      []string
		problems []string
	}{
		"the longest":                 {longest + "\n" + own("next") + "\n", []string{"long", "next"}, nil},
		"the longest at the end":      {longest, []string{"long"}, nil},
		"one byte more":               {tooLong + "\n" + own("next"), []string{"next"}, []string{"line 1 is longer than 1048576 bytes"}},
		"one byte more at the end":    {own("first") + "\n" + tooLong, []string{"first"}, []string{"line 2 is longer than 1048576 bytes"}},
		"several times the limit":     {strings.Repeat(longest, 5) + "\n" + own("next"), []string{"next"}, []string{"line 1 is longer than 1048576 bytes"}},
		"no line feed after the last": {own("first") + "\n" + own("last"), []string{"first", "last"}, nil},
		"nothing":                     {"", nil, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ids, problems := read(strings.NewReader(test.input))
			assert.Equal(t, test.ids, ids)
			assert.Equal(t, test.problems, problems)
			small, _ := read(iotest.HalfReader(strings.NewReader(test.input)))
			assert.Equal(t, test.ids, small)
		})
	}
}

func TestParseStops(t *testing.T) {
	t.Parallel()
	t.Run("when reading fails", func(t *testing.T) {
		t.Parallel()
		broken := io.MultiReader(strings.NewReader(own("1")+"\n"+own("2")), iotest.ErrReader(errors.New("disk on fire")))
		ids, problems := read(broken)
		assert.Equal(t, []string{"1"}, ids, "half a line is no line")
		assert.Equal(t, []string{"reading line 2: disk on fire"}, problems)
	})
	t.Run("when the caller does", func(t *testing.T) {
		t.Parallel()
		input := own("1") + "\nbad\n" + own("2") + "\n"
		for stop := 1; stop <= 3; stop++ {
			n := 0
			for _, err := range parse(strings.NewReader(input)) {
				assert.Equal(t, n == 1, err != nil, "only the second line is bad")
				if n++; n == stop {
					break
				}
			}
			assert.Equal(t, stop, n)
		}
	})
}

func TestParseOwn(t *testing.T) {
	t.Parallel()
	line := `{"timestamp":1772600767089,"time":"2026-03-04T05:06:07.089000001Z","id":"0199c7a4-5b2e-7c3d-9f10-2a3b4c5d6e7f",` +
		`"stream_id":"s","sequence":42,"schema_version":"1","observed_time":"2026-03-04T05:06:07.090123456Z",` +
		`"action":"project.variables.update","outcome":"success","actor":{"id":"users-7","type":"user","name":"Ada"},` +
		`"targets":[{"id":"projects-12","type":"project","name":"Billing"},{"id":"environments-3"}],` +
		`"source":{"address":"203.0.113.9","user_agent":"curl/8"},"message":"Changed","changes":[` +
		`{"path":"Port","before":80,"after":9007199254740993},{"path":"Hosts","before":null,"after":["a"]}],` +
		`"attributes":{"z":true,"a":{"k":1.5},"m":null},"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736",` +
		`"span_id":"00f067aa0ba902b7","later":"a key of a later version"}`

	e, err := parseLine([]byte(line))

	require.NoError(t, err)
	assert.Equal(t, "0199c7a4-5b2e-7c3d-9f10-2a3b4c5d6e7f", e.ID)
	assert.Equal(t, time.Date(2026, 3, 4, 5, 6, 7, 89_000_001, time.UTC), e.Time)
	assert.Equal(t, "project.variables.update", e.Action)
	assert.Equal(t, auditstream.OutcomeSuccess, e.Outcome)
	assert.Equal(t, auditstream.Actor{ID: "users-7", Type: auditstream.ActorUser, Name: "Ada"}, e.Actor)
	assert.Equal(t, []auditstream.Target{{ID: "projects-12", Type: "project", Name: "Billing"}, {ID: "environments-3"}}, e.Targets)
	assert.Equal(t, auditstream.Source{Address: "203.0.113.9", UserAgent: "curl/8"}, e.Source)
	assert.Equal(t, "Changed", e.Message)
	require.Len(t, e.Changes, 2)
	assert.Equal(t, "9007199254740993", e.Changes[0].After.(interface{ String() string }).String(), "no digit is lost")
	assert.Equal(t, auditstream.Change{Path: "Hosts", After: []any{"a"}}, e.Changes[1])
	require.Len(t, e.Attributes, 3)
	assert.Equal(t, "a", e.Attributes[0].Key)
	assert.Equal(t, "z", e.Attributes[2].Key)
	assert.Equal(t, byte(0x4b), e.TraceID[0])
	assert.Equal(t, byte(0xb7), e.SpanID[7])
	assert.Zero(t, e.Sequence, "it is the stream that numbers")
}

func TestParseOwnWithMillisecondsOnly(t *testing.T) {
	t.Parallel()
	e, err := parseLine([]byte(`{"timestamp":1772600767089,"action":"a","actor":{"id":"u"}}`))
	require.NoError(t, err)
	assert.Equal(t, time.UnixMilli(1772600767089), e.Time)
}

func TestBundledEvents(t *testing.T) {
	t.Parallel()
	var events []auditstream.Event
	for e, err := range parse(bytes.NewReader(bundled)) {
		require.NoError(t, err)
		events = append(events, e.Event)
	}
	assert.GreaterOrEqual(t, len(events), 300)
	assert.Equal(t, len(events), distinct(events, func(e auditstream.Event) string { return e.ID }), "IDs are unique")
	assert.Greater(t, distinct(events, func(e auditstream.Event) string { return e.Action }), 40)
	for i := 1; i < len(events); i++ {
		assert.True(t, events[i].Time.After(events[i-1].Time), "event %d is in order", i)
	}
}
