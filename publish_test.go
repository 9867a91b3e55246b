package auditstream_test

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/auditstream/auditstream"
)

func TestPublishOnAnInactiveStream(t *testing.T) {
	s := newStream(t, auditstream.Config{WhilePaused: auditstream.Refuse})
	require.ErrorIs(t, s.Publish(event(1)), auditstream.ErrUnconfigured)
	require.NoError(t, s.Configure(newFake(accept)))
	require.NoError(t, s.Pause())
	require.ErrorIs(t, s.Publish(event(1)), auditstream.ErrPaused)
	require.ErrorIs(t, s.PublishContext(t.Context(), event(1)), auditstream.ErrPaused)
	require.NoError(t, s.Delete())
	require.ErrorIs(t, s.Publish(event(1)), auditstream.ErrDeleted)
	require.NoError(t, s.Shutdown(t.Context()))
	require.ErrorIs(t, s.Publish(event(1)), auditstream.ErrShutdown)
	require.ErrorIs(t, s.Publish(auditstream.Event{}), auditstream.ErrShutdown, "nobody looks at what nobody wants")
	assert.Equal(t, auditstream.Totals{RefusedInactive: 6}, s.Status().Totals)
}

func TestPauseWithRefuseKeepsWhatWasQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(accept)
		s := enabled(t, auditstream.Config{WhilePaused: auditstream.Refuse}, f)
		publish(t, s, 1, 2)
		require.NoError(t, s.Pause())
		require.ErrorIs(t, s.Publish(event(3)), auditstream.ErrPaused)
		require.ErrorIs(t, s.PublishObserved(event(3), time.Now()), auditstream.ErrPaused, "paused while it was encoded")
		require.NoError(t, s.Resume())
		publish(t, s, 4, 4)
		require.NoError(t, s.Flush(t.Context()))
		assert.Equal(t, [][]string{{"e1", "e2", "e4"}}, f.attempts())
		assert.EqualValues(t, 3, f.last()[2].Sequence, "a refused event leaves no hole")
	})
}

func TestQueueFullRefusesTheNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(accept)
		s := enabled(t, auditstream.Config{QueueEvents: 3, StartPaused: true}, f)
		publish(t, s, 1, 3)
		require.ErrorIs(t, s.Publish(event(4)), auditstream.ErrQueueFull)
		require.NoError(t, s.Resume())
		require.NoError(t, s.Flush(t.Context()))
		publish(t, s, 5, 5)
		require.NoError(t, s.Flush(t.Context()))
		assert.Equal(t, [][]string{span(1, 3), {"e5"}}, f.attempts())
		assert.Equal(t, auditstream.Totals{Accepted: 4, Delivered: 4, RefusedFull: 1}, s.Status().Totals)
	})
}

func TestQueueFullDropsTheOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		release := make(chan struct{})
		f := newFake(sequence(hang(release), accept))
		s := enabled(t, auditstream.Config{
			QueueEvents: 4, BatchEvents: 2, Overflow: auditstream.DropOldest, Logger: j.logger(),
		}, f)
		publish(t, s, 1, 2)
		synctest.Wait() // e1 and e2 are leased
		publish(t, s, 3, 7)
		assert.EqualValues(t, 3, s.Status().Totals.DiscardedOverflow, "e3, e4 and e5")
		close(release)
		require.NoError(t, s.Flush(t.Context()))
		assert.Equal(t, [][]string{span(1, 2), {"e6", "e7"}}, f.attempts(), "a leased event is never dropped")
		assert.EqualValues(t, 6, f.last()[0].Sequence, "the hole shows")
		time.Sleep(time.Minute)
		assert.Contains(t, j.log(), "oldest events discarded")
	})
}

func TestDropOldestWhenEverythingIsLeased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(untilDone)
		s := enabled(t, auditstream.Config{
			QueueEvents: 2, Overflow: auditstream.DropOldest, RetryMin: time.Hour, RetryMax: time.Hour,
		}, f)
		publish(t, s, 1, 2)
		synctest.Wait()
		require.ErrorIs(t, s.Publish(event(3)), auditstream.ErrQueueFull)
		waited := make(chan error)
		go func() { waited <- s.PublishContext(t.Context(), event(4)) }()
		synctest.Wait()
		time.Sleep(time.Minute)
		require.NoError(t, <-waited, "let in when the lease ends, for the oldest")
		f.answer(accept)
		require.NoError(t, s.Flush(t.Context()))
		assert.Equal(t, []string{"e2", "e4"}, f.attempts()[1])
		assert.EqualValues(t, 1, s.Status().Totals.DiscardedOverflow)
	})
}

func TestPublishContextWaitsForRoomInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		f := newFake(sequence(hang(release), accept))
		s := enabled(t, auditstream.Config{QueueEvents: 2}, f)
		publish(t, s, 1, 2)
		synctest.Wait()
		var group sync.WaitGroup
		for i := range 5 {
			group.Go(func() { assert.NoError(t, s.PublishContext(t.Context(), event(3+i))) })
			synctest.Wait()
		}
		require.ErrorIs(t, s.Publish(event(9)), auditstream.ErrQueueFull, "those who wait go first")
		close(release)
		group.Wait()
		require.NoError(t, s.Flush(t.Context()))
		assert.Equal(t, [][]string{span(1, 2), span(3, 4), span(5, 6), {"e7"}}, f.attempts())
	})
}

func TestPublishContextEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := enabled(t, auditstream.Config{QueueEvents: 1}, newFake(fail(errFake)))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.NoError(t, s.PublishContext(ctx, event(1)), "there is room: the event of an aborted request is audited")
		err := s.PublishContext(ctx, event(2))
		require.ErrorIs(t, err, auditstream.ErrQueueFull)
		require.ErrorIs(t, err, context.Canceled)
		start := time.Now()
		require.ErrorIs(t, s.PublishContext(after(t, time.Hour), event(2)), context.DeadlineExceeded)
		assert.Equal(t, time.Hour, time.Since(start))
		assert.EqualValues(t, 2, s.Status().Totals.RefusedFull)
	})
}

// nosyContext looks at the stream when it is asked why it ended.
type nosyContext struct {
	context.Context
	look func()
}

func (c nosyContext) Err() error {
	c.look()
	return errors.Join(c.Context.Err(), nosyError{c.look})
}

func TestContextsAreAskedWithoutTheLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := enabled(t, auditstream.Config{QueueEvents: 1, StartPaused: true}, newFake(accept))
		publish(t, s, 1, 1)
		err := s.PublishContext(nosyContext{after(t, time.Second), func() { s.Status() }}, event(2))
		require.ErrorIs(t, err, auditstream.ErrQueueFull)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NoError(t, s.Configure(newFake(fail(errFake))))
		require.NoError(t, s.Resume())
		require.ErrorIs(t, s.Flush(nosyContext{after(t, time.Second), func() { s.Status() }}), context.DeadlineExceeded)
		require.ErrorIs(t, s.Shutdown(nosyContext{after(t, time.Second), func() { s.Status() }}), context.DeadlineExceeded)
	})
}

func TestNilContextLocksNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var none context.Context
		s := enabled(t, auditstream.Config{QueueEvents: 1}, newFake(fail(errFake)))
		require.NoError(t, s.PublishContext(none, event(1)), "there is room: nobody asks the context")
		assert.Panics(t, func() { _ = s.PublishContext(none, event(2)) })
		assert.Panics(t, func() { _ = s.Flush(none) })
		require.ErrorIs(t, s.Publish(event(3)), auditstream.ErrQueueFull)
		require.NoError(t, s.Configure(newFake(accept)))
		require.NoError(t, s.Flush(t.Context()))
		assert.EqualValues(t, 1, s.Status().Totals.Accepted, "who has panicked does not wait any more")

		require.NoError(t, s.Configure(newFake(fail(errFake))))
		publish(t, s, 4, 4)
		assert.Panics(t, func() { _ = s.Shutdown(none) })
		require.ErrorIs(t, s.Publish(event(5)), auditstream.ErrShutdown)
		require.NoError(t, s.Delete())
	})
}

func TestWaitingPublishersAreSentAway(t *testing.T) {
	for name, tt := range map[string]struct {
		stop func(*auditstream.Stream)
		want error
	}{
		"Pause":  {func(s *auditstream.Stream) { _ = s.Pause() }, auditstream.ErrPaused},
		"Delete": {func(s *auditstream.Stream) { _ = s.Delete() }, auditstream.ErrDeleted},
		"Shutdown": {func(s *auditstream.Stream) {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			_ = s.Shutdown(ctx)
		}, auditstream.ErrShutdown},
		"Delete and Configure": {func(s *auditstream.Stream) {
			_ = s.Delete()
			_ = s.Configure(newFake(accept))
		}, auditstream.ErrDeleted},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := enabled(t, auditstream.Config{QueueEvents: 1, WhilePaused: auditstream.Refuse}, newFake(fail(errFake)))
				publish(t, s, 1, 1)
				waited := make(chan error)
				go func() { waited <- s.PublishContext(t.Context(), event(2)) }()
				synctest.Wait()
				tt.stop(s)
				require.ErrorIs(t, <-waited, tt.want)
				assert.EqualValues(t, 1, s.Status().Totals.RefusedInactive)
			})
		})
	}
}

func TestWaitingPublisherHurriesTheBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := enabled(t, auditstream.Config{QueueBytes: 100_000, BatchDelay: time.Hour}, newFake(accept))
		big := event(1)
		big.Message = strings.Repeat("x", 60_000)
		start := time.Now()
		require.NoError(t, s.Publish(big))
		synctest.Wait()
		require.NoError(t, s.PublishContext(t.Context(), big), "no room until the batch has gone")
		assert.Equal(t, start, time.Now())
	})
}

func TestPublishTakesTheTraceFromItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(accept)
		s := enabled(t, auditstream.Config{}, f)
		span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
		ctx := trace.ContextWithSpanContext(t.Context(), span)
		require.NoError(t, s.PublishContext(ctx, event(1)))
		own := event(2)
		own.TraceID = [16]byte{9}
		require.NoError(t, s.PublishContext(ctx, own))
		require.NoError(t, s.Flush(t.Context()))
		assert.Equal(t, [16]byte{1}, f.last()[0].TraceID)
		assert.Equal(t, [8]byte{2}, f.last()[0].SpanID)
		assert.Equal(t, [16]byte{9}, f.last()[1].TraceID)
		assert.Zero(t, f.last()[1].SpanID)
	})
}

func TestInvalidEvents(t *testing.T) {
	cycle := map[string]any{}
	cycle["self"] = cycle
	for name, tt := range map[string]struct {
		change func(*auditstream.Event)
		path   string
	}{
		"no action":  {func(e *auditstream.Event) { e.Action = "" }, "Action"},
		"no actor":   {func(e *auditstream.Event) { e.Actor.ID = "" }, "Actor.ID"},
		"outcome":    {func(e *auditstream.Event) { e.Outcome = "s3cr3t" }, "Outcome"},
		"channel":    {func(e *auditstream.Event) { e.Attributes = []slog.Attr{slog.Any("c", make(chan int))} }, `Attributes["c"]`},
		"cycle":      {func(e *auditstream.Event) { e.Attributes = []slog.Attr{slog.Any("m", cycle)} }, `Attributes["m"]`},
		"empty key":  {func(e *auditstream.Event) { e.Attributes = []slog.Attr{slog.String("", "s3cr3t")} }, "Attributes"},
		"huge":       {func(e *auditstream.Event) { e.Message = strings.Repeat("s3cr3t", 20_000) }, "Message"},
		"bad change": {func(e *auditstream.Event) { e.Changes = []auditstream.Change{{Path: "p", After: func() {}}} }, "Changes"},
	} {
		t.Run(name, func(t *testing.T) {
			s := enabled(t, auditstream.Config{}, newFake(accept))
			e := event(1)
			tt.change(&e)
			err := s.Publish(e)
			var invalid *auditstream.EventError
			require.ErrorAs(t, err, &invalid)
			assert.True(t, strings.HasPrefix(invalid.Path, tt.path), invalid.Path)
			assert.NotContains(t, err.Error(), "s3cr3t")
			assert.Equal(t, auditstream.Totals{RefusedInvalid: 1}, s.Status().Totals)
		})
	}
}

func TestSnapshotIsTakenAtPublish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(accept)
		s := enabled(t, auditstream.Config{}, f)
		m := map[string]any{"k": "before"}
		list := []string{"before"}
		e := event(1)
		e.Attributes = []slog.Attr{slog.Any("m", m), slog.Any("l", list), slog.Float64("nan", math.NaN()), slog.String("bad", "\xff")}
		e.Targets = []auditstream.Target{{ID: "before"}}
		e.Changes = []auditstream.Change{{Path: "p", Before: list, After: int64(math.MaxInt64)}}
		require.NoError(t, s.Publish(e))
		m["k"], list[0], e.Targets[0].ID = "after", "after", "after"
		require.NoError(t, s.Flush(t.Context()))
		got := f.last()[0]
		assert.Equal(t, "[k=before]", got.Attributes[0].Value.String())
		assert.Equal(t, []any{"before"}, got.Attributes[1].Value.Any())
		assert.Equal(t, "NaN", got.Attributes[2].Value.String())
		assert.Equal(t, "\ufffd", got.Attributes[3].Value.String())
		assert.Equal(t, "before", got.Targets[0].ID)
		assert.Equal(t, []any{"before"}, got.Changes[0].Before)
		assert.Equal(t, int64(math.MaxInt64), got.Changes[0].After)
		assert.EqualValues(t, 1, s.Status().Totals.Repaired)
	})
}

func TestPublishRacesEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(accept)
		s := enabled(t, auditstream.Config{QueueEvents: 64, BatchEvents: 8, RetryMin: time.Millisecond, RetryMax: time.Second}, f)
		var group sync.WaitGroup
		for p := range 8 {
			group.Go(func() {
				for i := range 200 {
					err := s.Publish(event(p*1000 + i))
					if err != nil && !errors.Is(err, auditstream.ErrQueueFull) && !errors.Is(err, auditstream.ErrInactive) {
						assert.NoError(t, err)
					}
					time.Sleep(time.Millisecond)
				}
			})
		}
		for name, call := range map[string]func() error{
			"pause":     s.Pause,
			"resume":    s.Resume,
			"configure": func() error { return s.Configure(f) },
			"delete":    func() error { return errors.Join(s.Delete(), s.Configure(f)) },
			"status":    func() error { checkLedger(t, s); return nil },
		} {
			group.Go(func() {
				for range 50 {
					if err := call(); err != nil && !errors.Is(err, auditstream.ErrInactive) {
						assert.NoError(t, err, name)
					}
					time.Sleep(7 * time.Millisecond)
				}
			})
		}
		group.Wait()
		_ = s.Resume()
		require.NoError(t, s.Configure(f))
		require.NoError(t, s.Resume())
		require.NoError(t, s.Flush(t.Context()))
		totals := s.Status().Totals
		assert.Equal(t, totals.Accepted, totals.Delivered+totals.DiscardedDeleted)
		assert.EqualValues(t, 1600, totals.Accepted+totals.RefusedFull+totals.RefusedInactive)
	})
}

// publishRealistic builds an event with 10 string attributes, a target and no ID, and publishes it. Building it in the
// caller's frame shows that nothing of it has to be on the heap.
func publishRealistic(s *auditstream.Stream) error {
	return s.Publish(auditstream.Event{
		Action:  "project.member.add",
		Outcome: auditstream.OutcomeSuccess,
		Actor:   auditstream.Actor{ID: "u-1842", Type: auditstream.ActorUser, Name: "Alice Example"},
		Targets: []auditstream.Target{{ID: "p-77", Type: "project", Name: "Payments"}},
		Source:  auditstream.Source{Address: "203.0.113.7", UserAgent: "Mozilla/5.0 (X11; Linux x86_64)"},
		Message: "Alice Example added Bob to Payments",
		Attributes: []slog.Attr{
			slog.String("request.id", "req-8c1f2a"), slog.String("space", "Default"), slog.String("role", "Deployer"),
			slog.String("member", "bob@example.com"), slog.String("method", "POST"), slog.String("path", "/api/projects/77"),
			slog.String("session", "s-19923"), slog.String("mfa", "totp"), slog.String("region", "eu-west-1"),
			slog.String("node", "web-3"),
		},
	})
}
