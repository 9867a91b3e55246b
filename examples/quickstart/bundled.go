package main

import (
	_ "embed"
	"slices"

	"github.com/auditstream/auditstream"
)

// bundled holds a made-up day of a deployment server, in the form of docs/event.schema.json: sign-ins and an attack on
// them, permissions, projects, secrets, exports, service accounts.
//
//go:embed events.ndjson
var bundled []byte

// distinct counts the different values of f among the events.
func distinct(events []auditstream.Event, f func(auditstream.Event) string) int {
	values := make([]string, len(events))
	for i := range events {
		values[i] = f(events[i])
	}
	slices.Sort(values)
	return len(slices.Compact(values))
}
