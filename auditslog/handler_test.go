package auditslog_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/slogtest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/auditslog"
	"github.com/auditstream/auditstream/sink/sinktest"
)

var alice = auditstream.Actor{ID: "u-1", Type: auditstream.ActorUser, Name: "Alice"}

// host is a program with a stream that records what is delivered.
type host struct {
	stream *auditstream.Stream
	sink   *sinktest.Recorder
}

func newHost(t *testing.T, cfg auditstream.Config) *host {
	t.Helper()
	s, err := auditstream.New(cfg)
	require.NoError(t, err)
	h := &host{stream: s, sink: &sinktest.Recorder{}}
	require.NoError(t, s.Configure(h.sink))
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = s.Shutdown(ctx)
	})
	return h
}

func (h *host) logger(opts auditslog.Options) *slog.Logger {
	return slog.New(auditslog.NewHandler(h.stream, &opts))
}

// events waits for what was published.
func (h *host) events(t *testing.T) []auditstream.Event {
	t.Helper()
	require.NoError(t, h.stream.Flush(t.Context()))
	return h.sink.Events()
}

// only returns the one event that was published.
func (h *host) only(t *testing.T) auditstream.Event {
	t.Helper()
	events := h.events(t)
	require.Len(t, events, 1)
	return events[0]
}

// attributes is what is in the event beside its parts, as slog prints it.
func attributes(e auditstream.Event) string { return slog.GroupValue(e.Attributes...).String() }

func TestSlogtest(t *testing.T) {
	var h *host
	slogtest.Run(t, func(t *testing.T) slog.Handler {
		t.Helper()
		h = newHost(t, auditstream.Config{})
		return auditslog.NewHandler(h.stream, &auditslog.Options{Actor: alice})
	}, func(t *testing.T) map[string]any {
		t.Helper()
		e := h.only(t)
		m := tree(e.Attributes)
		assert.NotContains(t, m, slog.LevelKey)
		m[slog.LevelKey] = "an event has none"
		m[slog.MessageKey] = e.Message
		if !e.Time.Equal(e.ObservedTime) { // that is what an event without a time gets
			m[slog.TimeKey] = e.Time
		}
		return m
	})
}

func tree(attrs []slog.Attr) map[string]any {
	m := map[string]any{}
	for _, a := range attrs {
		if a.Value.Kind() == slog.KindGroup {
			m[a.Key] = tree(a.Value.Group())
		} else {
			m[a.Key] = a.Value.Any()
		}
	}
	return m
}

// TestSelection covers which records are published and which go to Next.
func TestSelection(t *testing.T) {
	const audit = slog.LevelInfo + 2
	marked := auditslog.Options{Marker: "audit"}
	for _, tt := range []struct {
		name string
		opts auditslog.Options
		log  func(l *slog.Logger)
		want bool
	}{
		{"no options", auditslog.Options{}, func(l *slog.Logger) { l.Info("m") }, true},
		{"no options, below info", auditslog.Options{}, func(l *slog.Logger) { l.Debug("m") }, false},
		{"at the level", auditslog.Options{Level: audit}, func(l *slog.Logger) { l.Log(context.Background(), audit, "m") }, true},
		{"below the level", auditslog.Options{Level: audit}, func(l *slog.Logger) { l.Info("m") }, false},
		{"no marker", marked, func(l *slog.Logger) { l.Error("m") }, false},
		{"true", marked, func(l *slog.Logger) { l.Info("m", "audit", true) }, true},
		{"false", marked, func(l *slog.Logger) { l.Info("m", "audit", false) }, false},
		{"an action", marked, func(l *slog.Logger) { l.Info("m", "audit", "project.delete") }, true},
		{"a group", marked, func(l *slog.Logger) { l.Info("m", slog.Group("audit", "action", "a")) }, true},
		{"a LogValuer", marked, func(l *slog.Logger) { l.Info("m", "audit", valuer{slog.BoolValue(false)}) }, false},
		{"in a group without a name", marked, func(l *slog.Logger) { l.Info("m", slog.Group("", "audit", true)) }, true},
		{"in another group", marked, func(l *slog.Logger) { l.Info("m", slog.Group("g", "audit", true)) }, false},
		{"in an open group", marked, func(l *slog.Logger) { l.WithGroup("g").Info("m", "audit", true) }, true},
		{"by With", marked, func(l *slog.Logger) { l.With("audit", true).WithGroup("g").Info("m") }, true},
		{"by With, and taken back", marked, func(l *slog.Logger) { l.With("audit", true).Info("m", "audit", false) }, false},
		{"marked, below info", marked, func(l *slog.Logger) { l.Debug("m", "audit", true) }, false},
		{
			"marked, below the level",
			auditslog.Options{Marker: "audit", Level: slog.LevelWarn},
			func(l *slog.Logger) { l.Info("m", "audit", true) }, false,
		},
		{
			"marked, at a lower level",
			auditslog.Options{Marker: "audit", Level: slog.LevelDebug},
			func(l *slog.Logger) { l.Debug("m", "audit", true) }, true,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t, auditstream.Config{})
			var rest strings.Builder
			tt.opts.Actor = alice
			tt.opts.Next = slog.NewTextHandler(&rest, &slog.HandlerOptions{Level: slog.LevelDebug})
			tt.log(h.logger(tt.opts))
			if tt.want {
				assert.Equal(t, "m", h.only(t).Message)
				assert.NotContains(t, attributes(h.only(t)), "audit")
				assert.Empty(t, rest.String())
			} else {
				assert.Empty(t, h.events(t))
				assert.Contains(t, rest.String(), "msg=m")
			}
		})
	}
}

// TestNext checks that the other records reach Next as they would without the Handler in front of it.
func TestNext(t *testing.T) {
	h := newHost(t, auditstream.Config{})
	var rest strings.Builder
	opts := auditslog.Options{
		Marker: "audit",
		Next: slog.NewTextHandler(&rest, &slog.HandlerOptions{
			Level: slog.LevelWarn,
			ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey {
					return slog.Attr{}
				}
				return a
			},
		}),
	}
	l := h.logger(opts)
	l.With("actor.id", "u-1", "a", 1).WithGroup("g").With("b", 2).Warn("careful", "action", "x", "c", 3)
	l.Info("not for Next either")
	assert.Equal(t, "level=WARN msg=careful actor.id=u-1 a=1 g.b=2 g.action=x g.c=3\n", rest.String())
	assert.Empty(t, h.events(t))

	ctx := t.Context()
	assert.True(t, l.Enabled(ctx, slog.LevelInfo), "it may be marked")
	assert.False(t, l.Enabled(ctx, slog.LevelDebug))
	opts.Level = slog.LevelError
	assert.True(t, h.logger(opts).Enabled(ctx, slog.LevelWarn), "Next wants it")
	assert.False(t, h.logger(opts).Enabled(ctx, slog.LevelInfo))

	opts.Next = nil
	h.logger(opts).With("a", 1).WithGroup("g").Info("dropped")
	assert.Empty(t, h.events(t))
}

// TestLevelVar checks that the level may change while the handler runs.
func TestLevelVar(t *testing.T) {
	h := newHost(t, auditstream.Config{})
	level := new(slog.LevelVar)
	l := h.logger(auditslog.Options{Level: level, Actor: alice})
	level.Set(slog.LevelError)
	l.Info("dropped")
	level.Set(slog.LevelDebug)
	l.Debug("kept")
	assert.Equal(t, "kept", h.only(t).Message)
}

// TestContext checks what comes from the context, and that Handle does not wait.
func TestContext(t *testing.T) {
	source := auditstream.Source{Address: "192.0.2.1", UserAgent: "curl"}
	ctx := auditstream.WithActor(t.Context(), alice)
	ctx = auditstream.WithSource(ctx, source)
	ctx = trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2},
	}))
	for _, wait := range []bool{false, true} {
		h := newHost(t, auditstream.Config{})
		l := h.logger(auditslog.Options{Actor: auditstream.Actor{ID: "program"}, Wait: wait})
		l.InfoContext(ctx, "from the context")
		l.InfoContext(ctx, "from the record", "actor.id", "bob", "source", "203.0.113.1")
		l.Info("from the options")
		got := h.events(t)
		require.Len(t, got, 3)
		assert.Equal(t, alice, got[0].Actor)
		assert.Equal(t, source, got[0].Source)
		assert.Equal(t, [16]byte{1}, got[0].TraceID)
		assert.Equal(t, [8]byte{2}, got[0].SpanID)
		assert.Equal(t, auditstream.Actor{ID: "bob"}, got[1].Actor)
		assert.Equal(t, auditstream.Source{Address: "203.0.113.1"}, got[1].Source)
		assert.Equal(t, auditstream.Actor{ID: "program"}, got[2].Actor)
		assert.Zero(t, got[2].Source)
		assert.Zero(t, got[2].TraceID)
	}
}

// TestErrors checks who learns that a record was not accepted.
func TestErrors(t *testing.T) {
	for _, wait := range []bool{false, true} {
		h := newHost(t, auditstream.Config{QueueEvents: 1, StartPaused: true})
		var (
			told   []auditstream.Event
			reason error
		)
		handler := auditslog.NewHandler(h.stream, &auditslog.Options{
			Actor: alice,
			Wait:  wait,
			OnError: func(_ context.Context, e auditstream.Event, err error) {
				told, reason = append(told, e), err
			},
		})
		l := slog.New(handler)
		l.Info("first")
		assert.Empty(t, told)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		l.WithGroup("g").InfoContext(ctx, "second", "action", "a.b", slog.Group("h", "k", "v"), "target", "t-1")
		l.InfoContext(ctx, "third", "another", "attribute", slog.Group("h", "k", "w"), "target", "t-2")
		require.Len(t, told, 2)
		assert.ErrorIs(t, reason, auditstream.ErrQueueFull)
		assert.Equal(t, wait, errors.Is(reason, context.Canceled))
		assert.Equal(t, "a.b", told[0].Action)
		assert.Equal(t, "[g=[h=[k=v]]]", attributes(told[0]), "the event is the host's to keep")
		assert.Equal(t, []auditstream.Target{{ID: "t-1"}}, told[0].Targets)

		err := handler.Handle(ctx, slog.NewRecord(time.Now(), slog.LevelInfo, "fourth", 0))
		assert.ErrorIs(t, err, auditstream.ErrQueueFull)
	}
}

func TestNoStream(t *testing.T) {
	for _, h := range []*auditslog.Handler{
		auditslog.NewHandler(nil, nil), auditslog.NewHandler((*auditstream.Stream)(nil), nil),
	} {
		err := h.Handle(t.Context(), slog.NewRecord(time.Now(), slog.LevelInfo, "m", 0))
		assert.ErrorIs(t, err, auditstream.ErrInactive)
	}
}

// TestOnErrorThatLogs checks that a program ends no stack that tells of its errors in the very log that fails.
func TestOnErrorThatLogs(t *testing.T) {
	h := newHost(t, auditstream.Config{QueueEvents: 1, StartPaused: true})
	var l *slog.Logger
	told := 0
	l = h.logger(auditslog.Options{
		Actor: alice,
		OnError: func(ctx context.Context, e auditstream.Event, err error) {
			told++
			l.With("event", e.Action).ErrorContext(ctx, "an event was not accepted", "error", err)
		},
	})
	l.Info("first")
	l.Info("second")
	l.Info("third")
	assert.Equal(t, 2, told)
	assert.EqualValues(t, 4, h.stream.Status().Totals.RefusedFull)
}

// TestOwnLogger gives a stream the logger that publishes to it, and a destination that refuses everything but what the
// stream itself would say.
func TestOwnLogger(t *testing.T) {
	var (
		mu   sync.Mutex
		rest strings.Builder
	)
	s, err := auditstream.New(auditstream.Config{
		QueueEvents: 1, Overflow: auditstream.DropOldest, StartPaused: true,
		Logger: slog.New(forward(func() slog.Handler { return ownLogger })),
	})
	require.NoError(t, err)
	next := slog.NewTextHandler(writer(func(p []byte) { mu.Lock(); defer mu.Unlock(); rest.Write(p) }), nil)
	ownLogger = auditslog.NewHandler(s, &auditslog.Options{Actor: alice, Next: next})
	require.NoError(t, s.Configure(&sinktest.Recorder{}))
	l := slog.New(ownLogger)
	for range 3 {
		l.Info("overflows") // which the stream logs
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.Error(t, s.Shutdown(ctx))
	require.Eventually(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return strings.Contains(rest.String(), "shut down") && strings.Contains(rest.String(), "queue full")
	}, time.Minute, time.Millisecond)
	mu.Lock()
	defer mu.Unlock()
	assert.NotContains(t, rest.String(), "overflows")
	assert.EqualValues(t, 3, s.Status().Totals.Accepted, "none of the stream's own")
	assert.False(t, withoutNext.Load(), "and without Next they are dropped")
}

var (
	ownLogger   slog.Handler
	withoutNext atomic.Bool
)

// forward is a handler that another one takes the place of. It finds out whether a Handler without Next would want the
// last record.
type forward func() slog.Handler

func (f forward) Enabled(ctx context.Context, l slog.Level) bool { return f().Enabled(ctx, l) }
func (f forward) WithAttrs([]slog.Attr) slog.Handler             { return f }
func (f forward) WithGroup(string) slog.Handler                  { return f }

func (f forward) Handle(ctx context.Context, r slog.Record) error {
	withoutNext.Store(auditslog.NewHandler(nil, nil).Enabled(ctx, r.Level))
	return f().Handle(ctx, r)
}

type writer func(p []byte)

func (w writer) Write(p []byte) (int, error) { w(p); return len(p), nil }

// valuer is a LogValuer.
type valuer struct{ v slog.Value }

func (v valuer) LogValue() slog.Value { return v.v }
