package auditslog_test

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/auditslog"
)

// TestHostileValues covers values whose methods panic or do not end: the record is refused, with the place of the value,
// and the program goes on.
func TestHostileValues(t *testing.T) {
	for _, tt := range []struct {
		name string
		attr slog.Attr
		want string
	}{
		{
			"LogValue panics", slog.Any("v", hostile{0}),
			`auditstream: Event.Attributes["v"] (auditslog_test.hostile): has a LogValue method that panicked`,
		},
		{
			"LogValue goes round in circles", slog.Any("v", hostile{1}),
			`auditstream: Event.Attributes["v"] (auditslog_test.hostile): is behind more than 8 LogValue methods in a row: is it a cycle?`,
		},
		{
			"the same in an actor", slog.Any("actor", hostile{0}),
			`auditstream: Event.Attributes["actor"] (auditslog_test.hostile): has a LogValue method that panicked`,
		},
		{
			"the same in a group", slog.Group("g", slog.Any("v", hostile{0})),
			`auditstream: Event.Attributes["g"]["v"] (auditslog_test.hostile): has a LogValue method that panicked`,
		},
		{
			"Error panics", slog.Any("target", &hostileText{}),
			`auditstream: Event.Attributes["target"] (auditslog_test.hostileText): has an Error method that panicked`,
		},
		{
			"a channel", slog.Any("v", make(chan int)),
			`auditstream: Event.Attributes["v"] (chan int): cannot be recorded: it has no value that means anything elsewhere`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t, auditstream.Config{})
			var told string
			h.logger(auditslog.Options{Actor: alice, OnError: func(_ context.Context, _ auditstream.Event, err error) {
				told = err.Error()
			}}).LogAttrs(t.Context(), slog.LevelInfo, "m", tt.attr)
			assert.Empty(t, h.events(t))
			assert.Equal(t, tt.want, told)
		})
	}
}

// TestConcurrentRecords logs through handlers that have parts in common.
func TestConcurrentRecords(t *testing.T) {
	h := newHost(t, auditstream.Config{})
	base := h.logger(auditslog.Options{}).With("actor", alice, "target", "common", slog.Group("g", "a", 1)).WithGroup("h")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			l := base.With("worker", i)
			for n := range 50 {
				l.Info("m", "target", fmt.Sprint(i, "-", n), "n", n, slog.Group("actor", "name", strconv.Itoa(i)))
			}
		})
	}
	wg.Wait()
	got := h.events(t)
	require.Len(t, got, 400)
	for _, e := range got {
		require.Len(t, e.Targets, 2)
		var worker, n int
		_, err := fmt.Sscanf(e.Targets[1].ID, "%d-%d", &worker, &n)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("[g=[a=1] h=[worker=%d n=%d]]", worker, n), attributes(e))
		require.Equal(t, strconv.Itoa(worker), e.Actor.Name)
		require.Equal(t, "u-1", e.Actor.ID)
	}
}
