package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/auditstream/auditstream"
)

// ownEvent is the document of docs/event.schema.json. The keys that only a Stream gives (stream_id, sequence,
// observed_time, schema_version) are passed over, and so are keys that are not known.
type ownEvent struct {
	Timestamp  int64          `json:"timestamp"`
	Time       time.Time      `json:"time"`
	ID         string         `json:"id"`
	Action     string         `json:"action"`
	Outcome    string         `json:"outcome"`
	Actor      ownParty       `json:"actor"`
	Targets    []ownParty     `json:"targets"`
	Source     ownSource      `json:"source"`
	Message    string         `json:"message"`
	Changes    []ownChange    `json:"changes"`
	Attributes map[string]any `json:"attributes"`
	TraceID    string         `json:"trace_id"`
	SpanID     string         `json:"span_id"`
}

type ownParty struct {
	ID   string `json:"id"`
	Type string `json:"type"`
	Name string `json:"name"`
}

type ownSource struct {
	Address   string `json:"address"`
	UserAgent string `json:"user_agent"`
}

type ownChange struct {
	Path   string `json:"path"`
	Before any    `json:"before"`
	After  any    `json:"after"`
}

// parseOwn reads an event in the JSON form that this library writes.
func parseOwn(line []byte) (auditstream.Event, error) {
	var doc ownEvent
	if err := decode(line, &doc); err != nil {
		return auditstream.Event{}, err
	}
	if doc.Action == "" || doc.Actor.ID == "" {
		return auditstream.Event{}, errors.New(`has no "action" or no "actor" with an "id"`)
	}
	e := auditstream.Event{
		ID:         doc.ID,
		Time:       doc.Time,
		Action:     doc.Action,
		Outcome:    auditstream.Outcome(doc.Outcome),
		Actor:      auditstream.Actor{ID: doc.Actor.ID, Type: auditstream.ActorType(doc.Actor.Type), Name: doc.Actor.Name},
		Source:     auditstream.Source{Address: doc.Source.Address, UserAgent: doc.Source.UserAgent},
		Message:    doc.Message,
		Attributes: attributes(doc.Attributes),
	}
	if e.Time.IsZero() && doc.Timestamp != 0 {
		e.Time = time.UnixMilli(doc.Timestamp)
	}
	for _, t := range doc.Targets {
		e.Targets = append(e.Targets, auditstream.Target{ID: t.ID, Type: auditstream.TargetType(t.Type), Name: t.Name})
	}
	for _, c := range doc.Changes {
		e.Changes = append(e.Changes, auditstream.Change{Path: c.Path, Before: c.Before, After: c.After})
	}
	return e, errors.Join(decodeHex("trace_id", e.TraceID[:], doc.TraceID), decodeHex("span_id", e.SpanID[:], doc.SpanID))
}

// attributes returns the members of an object in the order of their names.
func attributes(object map[string]any) []slog.Attr {
	attrs := make([]slog.Attr, 0, len(object))
	for _, name := range slices.Sorted(maps.Keys(object)) {
		attrs = append(attrs, slog.Any(name, object[name]))
	}
	return attrs
}

// decodeHex fills dst, unless text is empty.
func decodeHex(name string, dst []byte, text string) error {
	if text == "" {
		return nil
	}
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(dst) {
		return fmt.Errorf("has a %q that is not %d hexadecimal digits", name, 2*len(dst))
	}
	copy(dst, raw)
	return nil
}
