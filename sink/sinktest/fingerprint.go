package sinktest

import (
	"fmt"
	"hash/maphash"
	"io"
	"log/slog"

	"github.com/auditstream/auditstream/sink"
)

// fingerprintSeed makes the fingerprints of one run comparable.
var fingerprintSeed = maphash.MakeSeed()

// fingerprint returns a hash that changes when anything does that events refer to, the room behind the ends of slices
// included: a driver that appends to a slice of an event writes there.
func fingerprint(events []sink.Event) uint64 {
	var h maphash.Hash
	h.SetSeed(fingerprintSeed)
	for i := range events {
		e := &events[i]
		_, _ = io.WriteString(&h, e.ID)
		for _, t := range e.Targets[:cap(e.Targets)] {
			_, _ = fmt.Fprintf(&h, "%q %q %q ", t.ID, t.Type, t.Name)
		}
		for _, c := range e.Changes[:cap(e.Changes)] {
			_, _ = fmt.Fprintf(&h, "%q ", c.Path)
			hashPlain(&h, c.Before)
			hashPlain(&h, c.After)
		}
		hashPlain(&h, e.Attributes)
	}
	return h.Sum64()
}

// hashPlain adds a plain value and its type.
func hashPlain(h *maphash.Hash, value any) {
	switch v := value.(type) {
	case string:
		_, _ = io.WriteString(h, v)
	case []byte:
		_, _ = fmt.Fprintf(h, "bytes %x ", v[:cap(v)])
	case []any:
		_, _ = io.WriteString(h, "[ ")
		for _, e := range v[:cap(v)] {
			hashPlain(h, e)
		}
		_, _ = io.WriteString(h, "] ")
	case []slog.Attr:
		_, _ = io.WriteString(h, "{ ")
		for _, a := range v[:cap(v)] {
			_, _ = fmt.Fprintf(h, "%q ", a.Key)
			hashPlain(h, a.Value.Any())
		}
		_, _ = io.WriteString(h, "} ")
	default:
		_, _ = fmt.Fprintf(h, "%T %v ", v, v)
	}
}
