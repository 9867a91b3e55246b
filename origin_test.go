package auditstream_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/auditstream/auditstream"
)

func TestOrigin(t *testing.T) {
	ctx := t.Context()
	assert.Zero(t, auditstream.ActorFrom(ctx))
	assert.Zero(t, auditstream.SourceFrom(ctx))

	ctx = auditstream.WithActor(ctx, auditstream.Actor{ID: "guest"})
	ctx = auditstream.WithSource(ctx, auditstream.Source{Address: "192.0.2.1"})
	inner := auditstream.WithActor(ctx, auditstream.Actor{ID: "alice", Type: auditstream.ActorUser})
	assert.Equal(t, auditstream.Actor{ID: "guest"}, auditstream.ActorFrom(ctx))
	assert.Equal(t, auditstream.Actor{ID: "alice", Type: auditstream.ActorUser}, auditstream.ActorFrom(inner))
	assert.Equal(t, auditstream.Source{Address: "192.0.2.1"}, auditstream.SourceFrom(inner))

	// Publish does not look: what it takes is what the host says in the event.
	s := enabled(t, auditstream.Config{}, newFake(accept))
	var fault *auditstream.EventError
	assert.ErrorAs(t, s.PublishContext(inner, auditstream.Event{Action: "a"}), &fault)
}
