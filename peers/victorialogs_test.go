package peers

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/internal/canary"
)

// TestVictoriaLogs delivers to a log database and asks it for the events by action, by actor and by both: it finds
// exactly those that were published. Before that, a wrong password has blocked the stream, and lost nothing.
func TestVictoriaLogs(t *testing.T) {
	t.Parallel()
	db := startDatabase(t, canary.Secret)
	h := newHost(t, 100)
	events := storable(append(bundled(t), oddEvents()...))
	h.configure(db.destination(h, canary.Secret+"-wrong"))
	publish(t, h.Stream, events)
	requireBlocked(t, h, len(events))
	h.configure(db.destination(h, canary.Secret))
	h.flush()
	requireHealthy(t, h, len(events))
	db.settle()

	byAction, byActor, byBoth := map[string][]string{}, map[string][]string{}, map[string][]string{}
	for _, e := range events {
		action, actor := "audit.action:="+strconv.Quote(e.Action), "audit.actor.id:="+strconv.Quote(e.Actor.ID)
		byAction[action] = append(byAction[action], e.ID)
		byActor[actor] = append(byActor[actor], e.ID)
		byBoth[action+" "+actor] = append(byBoth[action+" "+actor], e.ID)
	}
	for _, queries := range []map[string][]string{byAction, byActor, byBoth} {
		for query, want := range queries {
			var got []string
			for _, entry := range db.query(query) {
				got = append(got, entry["audit.record.id"])
			}
			require.Equal(t, want, got, query)
		}
	}
	assert.Empty(t, db.query(`audit.action:="project.delete" audit.actor.id:="nobody"`))
	t.Logf("%d events found by %d actions, %d actors, %d pairs of them", len(events), len(byAction), len(byActor), len(byBoth))

	entries := db.query("*")
	require.Len(t, entries, len(events))
	for i, e := range events {
		requireEntry(t, wanted(e, i+1, otlpForm), entries[i])
	}
}

// TestHole shows what the sequence numbers are for. VictoriaLogs drops an event that it cannot store, one with too long
// a name in it, and answers that it has taken it: nobody but a reader who counts can know.
func TestHole(t *testing.T) {
	t.Parallel()
	db := startDatabase(t, canary.Secret)
	h := newHost(t, 100)
	h.configure(db.destination(h, canary.Secret))
	events := small(numbered(0, 3))
	events[1].Attributes = []slog.Attr{slog.Bool(strings.Repeat("long", 40), true)}
	publish(t, h.Stream, events)
	h.flush()
	requireHealthy(t, h, 3)
	db.settle()
	var sequence []string
	for _, entry := range db.query("*") {
		sequence = append(sequence, entry["audit.sequence.number"])
	}
	assert.Equal(t, []string{"1", "3"}, sequence)
}

// storable returns the events that VictoriaLogs stores, without what it cannot: times more than a century away, and
// names longer than 128 bytes, which those of nested members become when they are joined.
func storable(events []auditstream.Event) []auditstream.Event {
	var all []auditstream.Event
	for _, e := range events {
		e.Attributes = slices.DeleteFunc(e.Attributes, func(a slog.Attr) bool { return a.Key == "deep" })
		if e.Time.Year() < 2100 {
			all = append(all, e)
		}
	}
	return all
}

// requireEntry compares all fields of an entry with an event.
func requireEntry(t *testing.T, want record, entry map[string]string) {
	t.Helper()
	for _, unknown := range []string{"audit.source.id", "_stream", "_stream_id"} {
		require.NotEmpty(t, entry[unknown])
		delete(entry, unknown)
	}
	got := map[string]any{}
	for name, text := range entry {
		got[name] = text
	}
	expected := entryOf(want)
	for name, value := range expected {
		// Lists are kept as JSON.
		if list, ok := value.([]any); ok {
			var decoded any
			d := json.NewDecoder(strings.NewReader(jsonOf(entry[name])))
			d.UseNumber()
			require.NoError(t, d.Decode(&decoded), "%s of %s", name, want.ID)
			got[name], expected[name] = withoutNull(number(decoded)), withoutNull(list)
		}
	}
	require.Equal(t, expected, got, want.ID)
}

// entryOf returns what VictoriaLogs makes of an event. Every value is text; maps become fields of their own, with the
// names joined by dots; null and empty text are the same as no field.
func entryOf(want record) map[string]any {
	entry := map[string]any{
		"_time": time.Unix(0, int64(want.PeerTime)).UTC().Format(time.RFC3339Nano),
		"_msg":  cmp.Or(want.Message, noMessage), "event_name": want.Action, "severity": "Unspecified",
		"service.name":      "peers",
		"audit.source.type": "stream", "audit.schema.version": want.Schema, "audit.record.id": want.ID,
		"audit.sequence.number": strconv.FormatUint(want.Sequence, 10), "audit.action": want.Action, "audit.outcome": want.Outcome,
		"trace_id": want.TraceID, "span_id": want.SpanID,
		"client.address": want.Address, "user_agent.original": want.UserAgent,
	}
	flatten(entry, "audit.actor", map[string]any{"id": want.Actor.ID, "type": want.Actor.Type, "name": want.Actor.Name})
	if len(want.Targets) > 0 {
		first := want.Targets[0]
		flatten(entry, "audit.target", map[string]any{"id": first.ID, "type": first.Type, "name": first.Name})
	}
	if len(want.Targets) > 1 {
		list := []any{}
		for _, p := range want.Targets {
			list = append(list, map[string]any{"id": p.ID, "type": p.Type, "name": p.Name})
		}
		entry["audit.targets"] = list
	}
	if len(want.Changes) > 0 {
		list := []any{}
		for _, c := range want.Changes {
			list = append(list, map[string]any{"path": c.Path, "before": c.Before, "after": c.After})
		}
		entry["audit.changes"] = list
	}
	if at := time.Unix(0, int64(want.PeerTime)); !at.Equal(want.Time) {
		entry["audit.record.time"] = want.Time.Format("2006-01-02T15:04:05.000000000Z")
	}
	for key, value := range want.Attributes {
		flatten(entry, key, value)
	}
	for name, value := range entry {
		if value == "" {
			delete(entry, name)
		}
	}
	return entry
}

// flatten adds a value to an entry.
func flatten(entry map[string]any, name string, value any) {
	switch v := value.(type) {
	case nil:
	case map[string]any:
		for key := range v {
			flatten(entry, name+"."+key, v[key])
		}
	case []any:
		entry[name] = v
	case []byte:
		entry[name] = base64.StdEncoding.EncodeToString(v)
	case float64:
		entry[name] = strconv.FormatFloat(v, 'f', -1, 64)
	default:
		entry[name] = fmt.Sprint(v)
	}
}

// goEscape is an escape sequence.
var goEscape = regexp.MustCompile(`\\(U[0-9a-f]{8}|x[0-9a-f]{2}|.)`)

// jsonOf returns a list of an entry as JSON. VictoriaLogs escapes text in it as Go does.
func jsonOf(text string) string {
	return goEscape.ReplaceAllStringFunc(text, func(escape string) string {
		if !strings.ContainsAny(escape[1:2], "Uxav") {
			return escape
		}
		r, _, _, err := strconv.UnquoteChar(escape, '"')
		if err != nil {
			return escape
		}
		quoted, _ := json.Marshal(string(r)) // It cannot fail for a string.
		return string(quoted[1 : len(quoted)-1])
	})
}

// withoutNull returns a value in which bytes are text, and maps have no members that are null or empty text: in the
// lists of an entry they are there or not as the encoder likes.
func withoutNull(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = withoutNull(v[i])
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for key := range v {
			if v[key] != nil && v[key] != "" {
				out[key] = withoutNull(v[key])
			}
		}
		return out
	case []byte:
		return base64.StdEncoding.EncodeToString(v)
	}
	return v
}
