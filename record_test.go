package auditstream_test

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/sinktest"
)

var errHandler = errors.New("handler: refused")

// recorded carries out an action in a goroutine of its own, whatever its end, and returns the events that it published.
func recorded(t *testing.T, action func(s *auditstream.Stream)) []sink.Event {
	t.Helper()
	rec := &sinktest.Recorder{}
	s := newStream(t, auditstream.Config{})
	require.NoError(t, s.Configure(rec))
	var wg sync.WaitGroup
	wg.Go(func() {
		defer func() { _ = recover() }()
		action(s)
	})
	wg.Wait()
	require.NoError(t, s.Flush(t.Context()))
	return rec.Events()
}

func begin(s *auditstream.Stream) *auditstream.Record {
	return s.Begin(context.Background(), auditstream.Event{Action: "project.delete", Actor: auditstream.Actor{ID: "alice"}})
}

// TestRecordOutcome ends functions in every way that there is, with End deferred in every way that there is.
func TestRecordOutcome(t *testing.T) {
	type body = func(rec *auditstream.Record) error
	ways := map[string]func(s *auditstream.Stream, do body) error{
		"deferred": func(s *auditstream.Stream, do body) (err error) {
			rec := begin(s)
			defer rec.End(&err)
			return do(rec)
		},
		"deferred in a literal": func(s *auditstream.Stream, do body) (err error) {
			rec := begin(s)
			defer func() {
				rec.Event().Message = "over"
				rec.End(&err)
			}()
			return do(rec)
		},
		"deferred in a loop": func(s *auditstream.Stream, do body) (err error) {
			var rec *auditstream.Record
			for range 2 { // a defer in a loop is another one to the compiler
				if rec == nil {
					rec = begin(s)
				}
				defer rec.End(&err)
			}
			return do(rec)
		},
		"deferred where the action must be audited": func(s *auditstream.Stream, do body) (err error) {
			rec := begin(s)
			defer rec.EndOrFail(&err)
			return do(rec)
		},
		"deferred through a function value": func(s *auditstream.Stream, do body) (err error) {
			rec := begin(s)
			end := rec.End
			defer end(&err)
			return do(rec)
		},
	}
	ends := map[string]struct {
		do   body
		want auditstream.Outcome
	}{
		"returns":            {func(*auditstream.Record) error { return nil }, auditstream.OutcomeSuccess},
		"returns an error":   {func(*auditstream.Record) error { return errHandler }, auditstream.OutcomeFailure},
		"panics":             {func(*auditstream.Record) error { panic("a") }, auditstream.OutcomeFailure},
		"panics with an err": {func(*auditstream.Record) error { panic(errHandler) }, auditstream.OutcomeFailure},
		"panics with nil":    {func(*auditstream.Record) error { throw(nil); return nil }, auditstream.OutcomeFailure},
		"exits":              {func(*auditstream.Record) error { runtime.Goexit(); return nil }, auditstream.OutcomeFailure},
		"dereferences nil":   {func(*auditstream.Record) error { return dereference(nil) }, auditstream.OutcomeFailure},
		"errs after success": {func(r *auditstream.Record) error { r.Succeed(); return errHandler }, auditstream.OutcomeFailure},
		"panics after success": {
			func(r *auditstream.Record) error { r.Succeed(); panic("late") }, auditstream.OutcomeFailure,
		},
		"recovers by itself": {
			func(*auditstream.Record) error {
				defer func() { _ = recover() }()
				panic("handled")
			}, auditstream.OutcomeSuccess,
		},
		"sets the outcome": {
			func(r *auditstream.Record) error { r.Event().Outcome = auditstream.OutcomeSuccess; return errHandler },
			auditstream.OutcomeFailure,
		},
	}
	for way, run := range ways {
		for end, tt := range ends {
			t.Run(way+", "+end, func(t *testing.T) {
				got := recorded(t, func(s *auditstream.Stream) { _ = run(s, tt.do) })
				require.Len(t, got, 1)
				assert.Equal(t, tt.want, got[0].Outcome)
			})
		}
	}
}

// TestRecordWithoutError covers handlers that return nothing.
func TestRecordWithoutError(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(rec *auditstream.Record)
		want auditstream.Outcome
	}{
		{"forgets to say", func(*auditstream.Record) {}, auditstream.OutcomeFailure},
		{"succeeds", func(rec *auditstream.Record) { rec.Succeed() }, auditstream.OutcomeSuccess},
		{"succeeds and panics", func(rec *auditstream.Record) { rec.Succeed(); panic("late") }, auditstream.OutcomeFailure},
		{"succeeds and exits", func(rec *auditstream.Record) { rec.Succeed(); runtime.Goexit() }, auditstream.OutcomeFailure},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := recorded(t, func(s *auditstream.Stream) {
				rec := begin(s)
				defer rec.End(nil)
				tt.do(rec)
			})
			require.Len(t, got, 1)
			assert.Equal(t, tt.want, got[0].Outcome)
		})
	}
}

// TestRecordAtTheEndOfAGoroutine begins and ends in the first function of a goroutine, below which there is only the
// runtime.
func TestRecordAtTheEndOfAGoroutine(t *testing.T) {
	rec := &sinktest.Recorder{}
	s := newStream(t, auditstream.Config{})
	require.NoError(t, s.Configure(rec))
	done := make(chan struct{})
	go topmost(s, done)
	<-done
	require.NoError(t, s.Flush(t.Context()))
	require.Len(t, rec.Events(), 1)
	assert.Equal(t, auditstream.OutcomeSuccess, rec.Events()[0].Outcome)
}

func topmost(s *auditstream.Stream, done chan<- struct{}) {
	defer close(done)
	var err error
	defer begin(s).End(&err)
}

// TestRecordLeavesPanicsAlone checks that who recovers beyond a Record gets the very value, once, and finds on the stack
// where it came from.
func TestRecordLeavesPanicsAlone(t *testing.T) {
	s := enabled(t, auditstream.Config{}, newFake(accept))
	thrown := &struct{ text string }{"thrown"}
	var stack []byte
	caught := func() (p any) {
		defer func() {
			p = recover()
			stack = make([]byte, 64<<10)
			stack = stack[:runtime.Stack(stack, false)]
		}()
		_ = func() (err error) {
			defer begin(s).End(&err)
			throw(thrown)
			return nil
		}()
		return nil
	}()
	assert.Same(t, thrown, caught)
	assert.Contains(t, string(stack), "auditstream_test.throw(")
	assert.NotContains(t, string(stack), "(*Record)")
}

func throw(v any) { panic(v) }

func dereference(e *error) error { return *e }

// TestRecordWhileAnotherPanicPasses carries out an action where a panic has been recovered: it is its own outcome that
// counts.
func TestRecordWhileAnotherPanicPasses(t *testing.T) {
	got := recorded(t, func(s *auditstream.Stream) {
		rollback := func() (err error) {
			defer begin(s).End(&err)
			return nil
		}
		defer func() {
			if recover() != nil {
				_ = rollback()
			}
		}()
		panic("deployment failed")
	})
	require.Len(t, got, 1)
	assert.Equal(t, auditstream.OutcomeSuccess, got[0].Outcome)
}

func TestRecordEndsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(accept)
		s := enabled(t, auditstream.Config{}, f)
		rec := begin(s)
		rec.Succeed()
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() { rec.End(nil) })
		}
		wg.Wait()
		err := errHandler
		rec.End(&err)
		require.NoError(t, s.Flush(t.Context()))
		require.Len(t, f.last(), 1)
		assert.Equal(t, auditstream.OutcomeSuccess, f.last()[0].Outcome)
		assert.EqualValues(t, 1, s.Status().Totals.Accepted)
	})
}

// TestRecordFillsIn checks what Begin takes from the context, that the caller's slices stay the caller's, and that what
// is added meanwhile is published.
func TestRecordFillsIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(accept)
		s := enabled(t, auditstream.Config{}, f)
		ctx := auditstream.WithActor(t.Context(), auditstream.Actor{ID: "alice", Name: "Alice"})
		ctx = auditstream.WithSource(ctx, auditstream.Source{Address: "192.0.2.1", UserAgent: "curl"})
		ctx = trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2},
		}))
		ctx, cancel := context.WithCancel(ctx)
		began := time.Now().UTC()

		common := make([]slog.Attr, 1, 8) // with room for what must not be written there
		common[0] = slog.String("tenant", "t-1")
		rec := s.Begin(ctx, auditstream.Event{
			Action: "project.edit", Attributes: common, Outcome: auditstream.OutcomeUnknown,
		})
		other := s.Begin(ctx, auditstream.Event{
			Action: "project.edit", Attributes: common, Actor: auditstream.Actor{ID: "job"},
			Source: auditstream.Source{Address: "203.0.113.9"}, Time: began.Add(-time.Hour), TraceID: [16]byte{7},
		})
		cancel()
		time.Sleep(3 * time.Second)
		e := rec.Event()
		e.Message = "Alice edited Payments"
		e.Targets = append(e.Targets, auditstream.Target{ID: "p-1"})
		e.Changes = append(e.Changes, auditstream.Change{Path: "name", After: "Payments"})
		e.Attributes = append(e.Attributes, slog.Int("n", 1))
		other.Event().Attributes = append(other.Event().Attributes, slog.Int("n", 2))
		rec.Succeed()
		rec.End(nil)
		other.End(nil)
		require.NoError(t, rec.Err())
		require.NoError(t, s.Flush(t.Context()))

		got := f.last()
		require.Len(t, got, 2)
		assert.Equal(t, auditstream.OutcomeSuccess, got[0].Outcome)
		assert.Equal(t, auditstream.Actor{ID: "alice", Name: "Alice"}, got[0].Actor)
		assert.Equal(t, auditstream.Source{Address: "192.0.2.1", UserAgent: "curl"}, got[0].Source)
		assert.Equal(t, [16]byte{1}, got[0].TraceID)
		assert.Equal(t, [8]byte{2}, got[0].SpanID)
		assert.Equal(t, began, got[0].Time)
		assert.Equal(t, 3*time.Second, got[0].ObservedTime.Sub(got[0].Time))
		assert.Equal(t, "Alice edited Payments", got[0].Message)
		assert.Equal(t, []auditstream.Target{{ID: "p-1"}}, got[0].Targets)
		assert.Len(t, got[0].Changes, 1)
		assert.Equal(t, "[tenant=t-1 n=1]", slog.GroupValue(got[0].Attributes...).String())

		assert.Equal(t, auditstream.OutcomeFailure, got[1].Outcome)
		assert.Equal(t, "job", got[1].Actor.ID)
		assert.Equal(t, "203.0.113.9", got[1].Source.Address)
		assert.Equal(t, began.Add(-time.Hour), got[1].Time)
		assert.Equal(t, [16]byte{7}, got[1].TraceID)
		assert.Zero(t, got[1].SpanID)
		assert.Equal(t, "[tenant=t-1 n=2]", slog.GroupValue(got[1].Attributes...).String())
	})
}

// TestRecordNotAccepted checks who learns that an event was refused.
func TestRecordNotAccepted(t *testing.T) {
	full := func(t *testing.T) *auditstream.Stream {
		t.Helper()
		s := enabled(t, auditstream.Config{QueueEvents: 1, StartPaused: true}, newFake(accept))
		publish(t, s, 1, 1)
		return s
	}
	unconfigured := func(t *testing.T) *auditstream.Stream { t.Helper(); return newStream(t, auditstream.Config{}) }
	for _, tt := range []struct {
		name   string
		stream func(t *testing.T) *auditstream.Stream
		err    error // of the handler
		reason error // why the event is not accepted
		fails  bool  // whether EndOrFail tells the caller
	}{
		{"full", full, nil, auditstream.ErrQueueFull, true},
		{"full, and the action failed", full, errHandler, auditstream.ErrQueueFull, true},
		{"nobody has asked for a stream", unconfigured, nil, auditstream.ErrUnconfigured, false},
		{
			"no stream was made", func(*testing.T) *auditstream.Stream { return nil }, nil,
			auditstream.ErrUnconfigured, false,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := tt.stream(t)
			var rec *auditstream.Record
			err := func() (err error) {
				rec = begin(s)
				defer rec.End(&err)
				return tt.err
			}()
			assert.Equal(t, tt.err, err) //nolint:testifylint // the very error, not one around it
			assert.ErrorIs(t, rec.Err(), tt.reason)

			err = func() (err error) {
				rec = begin(s)
				defer rec.EndOrFail(&err)
				defer rec.EndOrFail(&err) // says it once
				return tt.err
			}()
			assert.ErrorIs(t, rec.Err(), tt.reason)
			if !tt.fails {
				assert.Equal(t, tt.err, err) //nolint:testifylint // the very error, not one around it
				return
			}
			assert.ErrorIs(t, err, tt.reason)
			if tt.err != nil {
				assert.ErrorIs(t, err, tt.err)
				assert.Equal(t, tt.err.Error()+"\n"+tt.reason.Error(), err.Error())
			}

			rec = begin(s)
			rec.EndOrFail(nil) // has nobody to tell
			assert.ErrorIs(t, rec.Err(), tt.reason)
		})
	}
}

// BenchmarkRecord is a handler that does nothing else; BenchmarkPublish without one is what to compare it with.
func BenchmarkRecord(b *testing.B) {
	s, err := auditstream.New(auditstream.Config{Overflow: auditstream.DropOldest, StartPaused: true})
	require.NoError(b, err)
	require.NoError(b, s.Configure(newFake(accept)))
	e := auditstream.Event{Action: "project.delete", Actor: auditstream.Actor{ID: "alice"}}
	b.Run("publish", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = s.Publish(e)
		}
	})
	b.Run("begin and end", func(b *testing.B) {
		b.ReportAllocs()
		ctx := b.Context()
		handler := func() (err error) {
			defer s.Begin(ctx, e).End(&err)
			return nil
		}
		for b.Loop() {
			_ = handler()
		}
	})
}
