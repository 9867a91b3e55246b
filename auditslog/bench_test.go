package auditslog_test

import (
	"context"
	"io"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/auditslog"
	"github.com/auditstream/auditstream/sink/sinktest"
)

// logRealistic logs a record as hosts do.
func logRealistic(ctx context.Context, l *slog.Logger) {
	l.LogAttrs(ctx, slog.LevelInfo, "Project Payments was deleted",
		slog.String("action", "project.delete"), slog.String("outcome", "success"),
		slog.String("actor.id", "u-1842"), slog.String("actor.type", "user"), slog.String("actor.name", "Alice"))
}

// paused returns a stream that takes everything and delivers nothing.
func paused(tb testing.TB) *auditstream.Stream {
	tb.Helper()
	s, err := auditstream.New(auditstream.Config{Overflow: auditstream.DropOldest, StartPaused: true})
	require.NoError(tb, err)
	require.NoError(tb, s.Configure(&sinktest.Recorder{}))
	return s
}

// BenchmarkHandler compares publishing a record with writing it as JSON, and with not being concerned.
func BenchmarkHandler(b *testing.B) {
	null := slog.NewJSONHandler(io.Discard, nil)
	for _, bb := range []struct {
		name    string
		handler func() slog.Handler
	}{
		{"publish", func() slog.Handler { return auditslog.NewHandler(paused(b), nil) }},
		{"publish, prepared", func() slog.Handler {
			return auditslog.NewHandler(paused(b), nil).WithAttrs([]slog.Attr{slog.String("tenant", "t-1")}).WithGroup("http")
		}},
		{"pass", func() slog.Handler {
			return auditslog.NewHandler(paused(b), &auditslog.Options{Marker: "audit", Next: null})
		}},
		{"slog JSON", func() slog.Handler { return null }},
	} {
		b.Run(bb.name, func(b *testing.B) {
			l := slog.New(bb.handler())
			b.ReportAllocs()
			for b.Loop() {
				logRealistic(b.Context(), l)
			}
		})
	}
}
