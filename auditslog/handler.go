package auditslog

import (
	"cmp"
	"context"
	"log/slog"
	"runtime"
	"slices"

	"go.opentelemetry.io/otel/trace"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/internal/selflog"
)

// Handler is a [slog.Handler] that publishes audit records as events. Make one with [NewHandler]. It may be used by any
// number of goroutines.
type Handler struct {
	pub  auditstream.Publisher
	opts Options
	next slog.Handler // nil if there is none

	// parts is what WithAttrs has said of the event, and groups holds the other attributes: groups[0] those that are in
	// no group, and each of the others those of one that WithGroup has opened.
	parts  parts
	groups []group
}

// A group is an open group and its attributes so far.
type group struct {
	name  string
	attrs []slog.Attr
}

// NewHandler returns a Handler that publishes to pub, with the default options if opts is nil. A nil pub refuses
// everything, like a nil Stream.
func NewHandler(pub auditstream.Publisher, opts *Options) *Handler {
	if pub == nil {
		pub = (*auditstream.Stream)(nil)
	}
	if opts == nil {
		opts = &Options{}
	}
	h := &Handler{pub: pub, opts: *opts, next: opts.Next, groups: make([]group, 1)}
	h.opts.Keys = opts.Keys.withDefaults()
	if h.opts.Level == nil {
		h.opts.Level = slog.LevelInfo
	}
	return h
}

// Enabled reports whether a record of this level may be an audit record, or is enabled in Options.Next.
func (h *Handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.takes(ctx, level) || h.passes(ctx, level)
}

// takes reports whether a record of this level may be an audit record. A Stream's own is not.
func (h *Handler) takes(ctx context.Context, level slog.Level) bool {
	return level >= h.opts.Level.Level() && !selflog.Is(ctx)
}

// passes reports whether Next wants a record of this level.
func (h *Handler) passes(ctx context.Context, level slog.Level) bool {
	return h.next != nil && h.next.Enabled(ctx, level)
}

// Handle publishes r if it is an audit record, and hands it to Options.Next otherwise. It never waits, unless Options.Wait
// says so. Its error is that of Publish, or of Next.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	if h.takes(ctx, r.Level) && h.marked(&r) {
		return h.publish(ctx, &r)
	}
	if h.passes(ctx, r.Level) {
		return h.next.Handle(ctx, r)
	}
	return nil
}

// marked reports whether a record of sufficient level is an audit record.
func (h *Handler) marked(r *slog.Record) bool {
	if h.opts.Marker == "" {
		return true
	}
	marked := h.parts.marked
	r.Attrs(func(a slog.Attr) bool {
		marked = mark(a, h.opts.Marker, marked)
		return true
	})
	return marked
}

// mark returns what a says of whether the record is marked, or what was said before if it says nothing.
func mark(a slog.Attr, marker string, before bool) bool {
	switch {
	case a.Key == marker:
		v := resolve(a.Value)
		return v.Kind() != slog.KindBool || v.Bool()
	case a.Key == "" && a.Value.Kind() == slog.KindGroup:
		for _, member := range a.Value.Group() {
			before = mark(member, marker, before)
		}
	}
	return before
}

// publish makes an event of r and publishes it.
func (h *Handler) publish(ctx context.Context, r *slog.Record) error {
	rd := readers.Get().(*reader)
	defer rd.free()
	rd.start(h)
	r.Attrs(func(a slog.Attr) bool {
		rd.attr(a, 0)
		return true
	})
	e := rd.event(ctx, h, r)
	var err error
	if h.opts.Wait {
		err = h.pub.PublishContext(ctx, e)
	} else {
		if span := trace.SpanContextFromContext(ctx); span.IsValid() {
			e.TraceID, e.SpanID = span.TraceID(), span.SpanID()
		}
		err = h.pub.Publish(e)
	}
	if err != nil {
		h.tell(ctx, e, err)
	}
	return err
}

// event puts together what was read.
func (rd *reader) event(ctx context.Context, h *Handler, r *slog.Record) auditstream.Event {
	p := &rd.parts
	p.close(h.opts.Keys, &rd.attrs)
	e := auditstream.Event{
		Time:    r.Time,
		Action:  cmp.Or(p.action, r.Message),
		Outcome: p.outcome,
		Actor:   p.actor,
		Targets: p.targets,
		Source:  p.source,
		Message: r.Message,
		Changes: p.changes,
	}
	if e.Actor.ID == "" && ctx != nil {
		e.Actor = auditstream.ActorFrom(ctx)
	}
	if e.Actor.ID == "" {
		e.Actor = h.opts.Actor
	}
	if e.Source == (auditstream.Source{}) && ctx != nil {
		e.Source = auditstream.SourceFrom(ctx)
	}
	e.Attributes = rd.nest(h.groups)
	return e
}

// WithAttrs returns a Handler whose records have these attributes too. They are read at once: a [slog.LogValuer] among
// them is asked now, and not for each record.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	if len(attrs) == 0 {
		return h
	}
	var rd reader // its slices become the Handler's, so it does not come from the pool
	rd.start(h)
	for _, a := range attrs {
		rd.parts.marked = mark(a, h.opts.Marker, rd.parts.marked)
		rd.attr(a, 0)
	}
	c := *h
	c.parts = rd.parts.clip()
	c.groups = slices.Clone(h.groups)
	c.groups[len(c.groups)-1].attrs = slices.Clip(rd.attrs)
	if h.next != nil {
		c.next = h.next.WithAttrs(attrs)
	}
	return &c
}

// WithGroup returns a Handler that puts the attributes of its records into a group, but for those that become parts of
// the event.
func (h *Handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	c := *h
	c.groups = append(slices.Clip(h.groups), group{name: name})
	if h.next != nil {
		c.next = h.next.WithGroup(name)
	}
	return &c
}

// tell hands an event that was not accepted to OnError, unless it was logged by OnError: that would never end, and a
// stack that overflows takes the process with it.
func (h *Handler) tell(ctx context.Context, e auditstream.Event, err error) {
	if h.opts.OnError == nil || telling() {
		return
	}
	// What the event refers to is used again for the next one.
	e.Targets, e.Changes, e.Attributes = slices.Clone(e.Targets), slices.Clone(e.Changes), cloneAttrs(e.Attributes)
	h.opts.OnError(ctx, e, err)
}

// telling reports whether tell has been called by what tell has called. It looks as far up the stack as a few handlers
// around this one need.
func telling() bool {
	var pcs [96]uintptr
	n := runtime.Callers(3, pcs[:]) // without Callers, telling and the tell that asks
	frames := runtime.CallersFrames(pcs[:n])
	for {
		frame, more := frames.Next()
		if frame.Function == tellName {
			return true
		}
		if !more {
			return false
		}
	}
}

const tellName = "github.com/auditstream/auditstream/auditslog.(*Handler).tell"
