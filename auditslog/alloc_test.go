//go:build !race

// The race detector makes sync.Pool forget at random, so allocations are counted without it.

package auditslog_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/auditstream/auditstream/auditslog"
)

func TestHandleAllocatesNothing(t *testing.T) {
	handler := auditslog.NewHandler(paused(t), nil)
	plain := slog.New(handler)
	prepared := slog.New(auditslog.NewHandler(paused(t), &auditslog.Options{Marker: "audit"})).
		With("tenant", "t-1", "audit", true).WithGroup("http").With("n", 1).WithGroup("request")
	grouped := slog.NewRecord(time.Now(), slog.LevelInfo, "m", 0) // a group costs its caller something
	grouped.Add(slog.Group("actor", "id", "u-1", "name", "Alice"), slog.Group("target", "id", "t-1"), "a", 1)
	ctx := t.Context()
	for name, log := range map[string]func(){
		"plain":    func() { logRealistic(ctx, plain) },
		"prepared": func() { logRealistic(ctx, prepared) },
		"groups":   func() { _ = handler.Handle(ctx, grouped) },
	} {
		for range 2000 {
			log()
		}
		assert.Zero(t, testing.AllocsPerRun(2000, log), name)
	}
}
