package peers

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
)

// bundled reads the events that the quickstart is shipped with, a made-up day of a deployment server. Its own reader is
// part of a program, and a second one finds the mistakes of the first.
func bundled(t *testing.T) []auditstream.Event {
	t.Helper()
	f, err := os.Open("../examples/quickstart/events.ndjson")
	require.NoError(t, err)
	defer f.Close()
	var events []auditstream.Event
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		events = append(events, readEvent(t, lines.Text()))
	}
	require.NoError(t, lines.Err())
	require.Greater(t, len(events), 300, "the bundled file has a day of events")
	return events
}

func readEvent(t *testing.T, line string) auditstream.Event {
	t.Helper()
	var doc struct {
		ID, Action, Outcome, Message string
		Time                         time.Time
		Actor                        party
		Targets                      []party
		Source                       struct {
			Address   string
			UserAgent string `json:"user_agent"`
		}
		Changes    []change
		Attributes map[string]any
		TraceID    string `json:"trace_id"`
		SpanID     string `json:"span_id"`
	}
	d := json.NewDecoder(strings.NewReader(line))
	d.UseNumber()
	require.NoError(t, d.Decode(&doc))
	e := auditstream.Event{
		ID: doc.ID, Time: doc.Time, Action: doc.Action, Outcome: auditstream.Outcome(doc.Outcome), Message: doc.Message,
		Actor:  auditstream.Actor{ID: doc.Actor.ID, Type: auditstream.ActorType(doc.Actor.Type), Name: doc.Actor.Name},
		Source: auditstream.Source{Address: doc.Source.Address, UserAgent: doc.Source.UserAgent},
	}
	for _, p := range doc.Targets {
		e.Targets = append(e.Targets, auditstream.Target{ID: p.ID, Type: auditstream.TargetType(p.Type), Name: p.Name})
	}
	for _, c := range doc.Changes {
		e.Changes = append(e.Changes, auditstream.Change{Path: c.Path, Before: number(c.Before), After: number(c.After)})
	}
	for _, key := range slices.Sorted(maps.Keys(doc.Attributes)) {
		e.Attributes = append(e.Attributes, slog.Any(key, number(doc.Attributes[key])))
	}
	readHex(t, e.TraceID[:], doc.TraceID)
	readHex(t, e.SpanID[:], doc.SpanID)
	return e
}

// number turns the numbers in a decoded JSON value into int64 where they are whole, and float64 where they are not.
func number(v any) any {
	switch v := v.(type) {
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return i
		}
		f, _ := v.Float64()
		return f
	case []any:
		for i := range v {
			v[i] = number(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = number(v[key])
		}
	}
	return v
}

func readHex(t *testing.T, dst []byte, text string) {
	t.Helper()
	raw, err := hex.DecodeString(text)
	require.NoError(t, err)
	require.Contains(t, []int{0, len(dst)}, len(raw))
	copy(dst, raw)
}

// publish publishes events, their odd values unwrapped.
func publish(t *testing.T, s *auditstream.Stream, events []auditstream.Event) {
	t.Helper()
	for _, e := range events {
		require.NoError(t, s.Publish(unwrapped(e)))
	}
}

// small returns events with the given ids and little in them, for tests of how they arrive.
func small(ids []string) []auditstream.Event {
	var events []auditstream.Event
	for _, id := range ids {
		events = append(events, auditstream.Event{
			ID: id, Action: "project.edit", Actor: auditstream.Actor{ID: "alice"},
			Time: time.Date(2026, 3, 4, 5, 6, 7, 8, time.UTC),
		})
	}
	return events
}
