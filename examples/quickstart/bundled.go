package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"slices"

	"github.com/auditstream/auditstream"
)

// bundled holds a made-up day of a deployment server, in the form of docs/event.schema.json: sign-ins and an attack on
// them, permissions, projects, secrets, exports, service accounts.
//
//go:embed events.ndjson
var bundled []byte

// bundledEvents returns the events that come with the program.
func bundledEvents() ([]auditstream.Event, error) {
	events := make([]auditstream.Event, 0, bytes.Count(bundled, []byte("\n")))
	for e, err := range parse(bytes.NewReader(bundled)) {
		if err != nil {
			return nil, fmt.Errorf("events.ndjson: %w", err)
		}
		events = append(events, e.Event)
	}
	return events, nil
}

// distinct counts the different values of f among the events.
func distinct(events []auditstream.Event, f func(auditstream.Event) string) int {
	values := make([]string, len(events))
	for i := range events {
		values[i] = f(events[i])
	}
	slices.Sort(values)
	return len(slices.Compact(values))
}
