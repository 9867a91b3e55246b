//go:build !race

package auditstream_test

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
)

func TestFanoutPublishAllocatesNothing(t *testing.T) {
	cfg := auditstream.Config{StartPaused: true, QueueEvents: 1 << 20, QueueBytes: 1 << 30}
	fan := auditstream.NewFanout(newStream(t, auditstream.Config{})) // and one that nobody has configured
	for range 3 {
		fan.Add(enabled(t, cfg, newFake(accept)))
	}
	publish := func() error {
		return fan.Publish(auditstream.Event{
			Action:     "project.member.add",
			Actor:      auditstream.Actor{ID: "u-1842", Type: auditstream.ActorUser, Name: "Alice Example"},
			Targets:    []auditstream.Target{{ID: "p-77", Type: "project", Name: "Payments"}},
			Message:    "Alice Example added Bob to Payments",
			Attributes: []slog.Attr{slog.String("request.id", "req-8c1f2a"), slog.Int("n", 1)},
		})
	}
	for range 1000 {
		require.NoError(t, publish())
	}
	// A chunk of 128 KiB holds hundreds of such events: that is the fraction that AllocsPerRun rounds away.
	assert.Zero(t, testing.AllocsPerRun(2000, func() { _ = publish() }))
	ctx, e := t.Context(), event(1)
	assert.Zero(t, testing.AllocsPerRun(2000, func() { _ = fan.PublishContext(ctx, e) }))
}
