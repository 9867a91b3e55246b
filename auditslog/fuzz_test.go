package auditslog_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/auditslog"
	"github.com/auditstream/auditstream/sink/sinktest"
)

// script makes attributes of bytes: every byte is a choice.
type script []byte

func (s *script) next(n int) int {
	if len(*s) == 0 {
		return 0
	}
	b := int((*s)[0])
	*s = (*s)[1:]
	return b % n
}

var fuzzKeys = []string{
	"a", "action", "outcome", "actor", "actor.id", "actor.name", "target", "target.id", "source", "source.address", "changes",
	"audit", "", "g", "id", "type", "before", "after", "actor.", "\xff",
}

// hostile has methods that no host should have.
type hostile struct{ way int }

func (h hostile) LogValue() slog.Value {
	switch h.way {
	case 0:
		panic("a")
	case 1:
		return slog.AnyValue(h)
	case 2:
		return slog.GroupValue(slog.Any("", h))
	default:
		return slog.GroupValue(slog.Any("actor", hostile{h.way - 1}))
	}
}

type hostileText struct{}

func (*hostileText) MarshalText() ([]byte, error) { panic("b") }
func (*hostileText) Error() string                { panic("c") }

func (s *script) value(depth int) slog.Value {
	switch n := s.next(20); {
	case n < 4 && depth < 40:
		var members []slog.Attr
		for range s.next(5) {
			members = append(members, s.attr(depth+1))
		}
		return slog.GroupValue(members...)
	case n == 4:
		return slog.AnyValue(hostile{s.next(5)})
	case n == 5:
		return slog.AnyValue(&hostileText{})
	case n == 6:
		return slog.AnyValue((*hostileText)(nil))
	case n == 7:
		return slog.AnyValue(make(chan int))
	case n == 8:
		return slog.AnyValue(auditstream.Actor{ID: "u-1", Name: "Alice"})
	case n == 9:
		return slog.AnyValue([]auditstream.Target{{ID: "t-1"}, {ID: "t-2"}})
	case n == 10:
		return slog.AnyValue(auditstream.Change{Path: "p", Before: []int{1}})
	case n == 11:
		return slog.Float64Value(math.NaN())
	case n == 12:
		return slog.BoolValue(s.next(2) == 0)
	case n == 13:
		return slog.TimeValue(time.Unix(0, 0))
	case n == 14:
		return slog.AnyValue(nil)
	case n == 15:
		return slog.AnyValue(map[string]any{"": 1, "k": []any{nil}})
	default:
		return slog.StringValue([]string{"", "success", "x", "\xff", "true"}[s.next(5)])
	}
}

func (s *script) attr(depth int) slog.Attr {
	return slog.Attr{Key: fuzzKeys[s.next(len(fuzzKeys))], Value: s.value(depth)}
}

// FuzzHandler logs whatever attributes there are, through whatever handlers. Nothing panics, and each record ends in one
// place: it is accepted, or told of with an error that says what is wrong with the event, or handed to Next.
func FuzzHandler(f *testing.F) {
	f.Add([]byte{}, "m")
	f.Add([]byte{1, 0, 1, 1, 16, 2, 3, 4, 2, 5, 6, 7}, "Project deleted")
	f.Add([]byte{2, 3, 0, 4, 4, 4, 4, 4, 3, 9, 12, 11, 2, 12, 4, 3, 2}, "")
	f.Fuzz(func(t *testing.T, choices []byte, message string) {
		s, err := auditstream.New(auditstream.Config{StartPaused: true})
		require.NoError(t, err)
		require.NoError(t, s.Configure(&sinktest.Recorder{}))
		refused, passed := 0, 0
		opts := &auditslog.Options{
			Next: forwardTo{slog.NewJSONHandler(io.Discard, nil), &passed},
			OnError: func(_ context.Context, e auditstream.Event, err error) {
				_, ok := errors.AsType[*auditstream.EventError](err)
				assert.True(t, ok, "%v", err)
				assert.Error(t, s.Publish(e), "the event that OnError gets is the one that was refused")
				refused++
			},
		}
		c := script(choices)
		if c.next(2) == 1 {
			opts.Marker = "audit"
		}
		if c.next(4) > 0 {
			opts.Actor = alice
		}
		l := slog.New(auditslog.NewHandler(s, opts))
		records := 0
		for records == 0 || len(c) > 0 {
			switch c.next(4) {
			case 0:
				l = l.WithGroup(fuzzKeys[c.next(len(fuzzKeys))])
			case 1:
				l = slog.New(l.Handler().WithAttrs([]slog.Attr{c.attr(0), c.attr(0)}))
			}
			var attrs []slog.Attr
			for range c.next(8) {
				attrs = append(attrs, c.attr(0))
			}
			l.LogAttrs(t.Context(), slog.LevelInfo, message, attrs...)
			records++
		}
		totals := s.Status().Totals
		assert.EqualValues(t, records, int(totals.Accepted)+refused+passed)
		assert.EqualValues(t, 2*refused, totals.RefusedInvalid) // once more by OnError
		if opts.Marker == "" {
			assert.Zero(t, passed)
		}
	})
}

// forwardTo counts what it hands on. It drops what JSON panics at.
type forwardTo struct {
	slog.Handler
	n *int
}

func (f forwardTo) WithAttrs([]slog.Attr) slog.Handler        { return f }
func (f forwardTo) WithGroup(string) slog.Handler             { return f }
func (f forwardTo) Handle(context.Context, slog.Record) error { *f.n++; return nil }
