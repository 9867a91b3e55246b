package auditstream_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/sink"
)

// full returns a stream without room.
func full(t *testing.T, cfg auditstream.Config) (*auditstream.Stream, *fake) {
	t.Helper()
	f := newFake(accept)
	cfg.QueueEvents, cfg.StartPaused = 1, true
	s := enabled(t, cfg, f)
	publish(t, s, 0, 0)
	return s, f
}

// listed returns what a FanoutError lists, as "index name: cause".
func listed(t *testing.T, err error) (list []string, accepted int) {
	t.Helper()
	f, ok := errors.AsType[*auditstream.FanoutError](err)
	require.True(t, ok, "%v", err)
	for _, s := range f.Streams {
		list = append(list, fmt.Sprint(s.Index, " ", s.Name, ": ", s.Err))
	}
	return list, f.Accepted
}

// TestFanoutIsOneEvent checks that streams get the same event, that it was read once, and that each numbers it by itself.
func TestFanoutIsOneEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newFake(accept), newFake(accept)
		one, two := enabled(t, auditstream.Config{}, a), enabled(t, auditstream.Config{}, b)
		require.NoError(t, one.Publish(event(0)))
		fan := auditstream.NewFanout(one, two)
		asked := 0
		e := auditstream.Event{
			Action: "project.edit", Actor: auditstream.Actor{ID: "alice"},
			Attributes: []slog.Attr{slog.Any("v", valuer(func() slog.Value { asked++; return slog.IntValue(asked) }))},
		}
		ctx := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2},
		}))
		require.NoError(t, fan.PublishContext(ctx, e))
		require.NoError(t, fan.Flush(t.Context()))
		got, same := a.last()[1], b.last()[0]
		assert.Equal(t, 1, asked)
		assert.EqualValues(t, 2, got.Sequence)
		assert.EqualValues(t, 1, same.Sequence)
		assert.NotEqual(t, got.StreamID, same.StreamID)
		assert.Equal(t, [16]byte{1}, got.TraceID)
		got.Sequence, got.StreamID, same.Sequence, same.StreamID = 0, "", 0, ""
		assert.Equal(t, got, same)
		assert.NotEmpty(t, got.ID)

		rec := fan.Begin(ctx, auditstream.Event{Action: "project.delete", Actor: auditstream.Actor{ID: "alice"}})
		rec.Succeed()
		rec.End(nil)
		require.NoError(t, rec.Err())
		require.NoError(t, fan.Flush(t.Context()))
		assert.Equal(t, a.last()[0].ID, b.last()[0].ID)
		assert.Equal(t, auditstream.OutcomeSuccess, b.last()[0].Outcome)
		assert.Equal(t, [8]byte{2}, b.last()[0].SpanID)
	})
}

type valuer func() slog.Value

func (v valuer) LogValue() slog.Value { return v() }

// TestFanoutErrors covers who is listed in an error, and what the error matches.
func TestFanoutErrors(t *testing.T) {
	healthy := func(t *testing.T) *auditstream.Stream {
		t.Helper()
		return enabled(t, auditstream.Config{Name: "healthy"}, newFake(accept))
	}
	fullOne := func(t *testing.T) *auditstream.Stream {
		t.Helper()
		s, _ := full(t, auditstream.Config{Name: "full"})
		return s
	}
	small := func(t *testing.T) *auditstream.Stream {
		t.Helper()
		return enabled(t, auditstream.Config{Name: "small", MaxEventBytes: 400}, newFake(accept))
	}
	unconfigured := func(t *testing.T) *auditstream.Stream {
		t.Helper()
		return newStream(t, auditstream.Config{Name: "unconfigured"})
	}
	paused := func(t *testing.T) *auditstream.Stream {
		t.Helper()
		return enabled(t, auditstream.Config{Name: "paused", StartPaused: true, WhilePaused: auditstream.Refuse}, newFake(accept))
	}
	ended := func(t *testing.T) *auditstream.Stream {
		t.Helper()
		s := enabled(t, auditstream.Config{Name: "ended"}, newFake(accept))
		require.NoError(t, s.Shutdown(t.Context()))
		return s
	}
	notMade := func(*testing.T) *auditstream.Stream { return new(auditstream.Stream) }
	const (
		isFull     = "auditstream: the queue is full"
		isNot      = "auditstream: the stream takes no events: it has no destination yet"
		isPaused   = "auditstream: the stream takes no events: it is paused"
		isOver     = "auditstream: the stream was shut down"
		isTooLarge = "auditstream: Event: is larger than 400 bytes: record less, or raise MaxEventBytes"
	)
	type streams = []func(t *testing.T) *auditstream.Stream
	valid := auditstream.Event{Action: "a", Actor: auditstream.Actor{ID: "alice"}}
	large := auditstream.Event{Action: "a", Actor: auditstream.Actor{ID: "alice"}, Message: strings.Repeat("x", 400)}
	for _, tt := range []struct {
		name     string
		streams  streams
		event    auditstream.Event
		want     []string
		accepted int
		matches  []error
	}{
		{"all take it", streams{healthy, healthy}, valid, nil, 2, nil},
		{"one is full", streams{healthy, fullOne}, valid, []string{"1 full: " + isFull}, 1, []error{auditstream.ErrQueueFull}},
		{"inactive ones do not count", streams{unconfigured, healthy, paused, notMade}, valid, nil, 1, nil},
		{
			"all are inactive",
			streams{unconfigured, paused},
			valid,
			[]string{"0 unconfigured: " + isNot, "1 paused: " + isPaused},
			0,
			[]error{auditstream.ErrInactive, auditstream.ErrUnconfigured, auditstream.ErrPaused},
		},
		{
			"inactive ones are no excuse",
			streams{unconfigured, fullOne},
			valid,
			[]string{"1 full: " + isFull},
			0,
			[]error{auditstream.ErrQueueFull},
		},
		{"one has ended", streams{ended, healthy}, valid, []string{"0 ended: " + isOver}, 1, []error{auditstream.ErrShutdown}},
		{
			"two reasons",
			streams{fullOne, healthy, ended},
			valid,
			[]string{"0 full: " + isFull, "2 ended: " + isOver},
			1,
			[]error{auditstream.ErrQueueFull, auditstream.ErrShutdown},
		},
		{"too large for one", streams{healthy, small, healthy}, large, []string{"1 small: " + isTooLarge}, 2, nil},
		{"small enough", streams{healthy, small}, valid, nil, 2, nil},
		{
			"at fault itself", streams{unconfigured, healthy, small}, auditstream.Event{Action: "a"}, []string{
				"1 healthy: auditstream: Event.Actor.ID (string): is required: say who did it",
				"2 small: auditstream: Event.Actor.ID (string): is required: say who did it",
			}, 0, nil,
		},
		{"no stream that was made", streams{notMade}, valid, []string{
			"0 : " + isNot + ": the Stream was not made by auditstream.New",
		}, 0, []error{auditstream.ErrInactive, auditstream.ErrUnconfigured}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fan := new(auditstream.Fanout)
			for _, makeStream := range tt.streams {
				fan.Add(makeStream(t))
			}
			var before []auditstream.Totals
			for _, s := range fan.Streams() {
				before = append(before, s.Status().Totals)
			}
			err := fan.Publish(tt.event)
			if tt.want == nil {
				require.NoError(t, err)
			} else {
				list, accepted := listed(t, err)
				assert.Equal(t, tt.want, list)
				assert.Equal(t, tt.accepted, accepted)
			}
			for _, target := range []error{
				auditstream.ErrInactive, auditstream.ErrUnconfigured, auditstream.ErrPaused, auditstream.ErrDeleted,
				auditstream.ErrShutdown, auditstream.ErrQueueFull,
			} {
				assert.Equal(t, slices.Contains(tt.matches, target), errors.Is(err, target), "%v", target)
			}
			accepted := 0
			for i, s := range fan.Streams() {
				now := s.Status().Totals
				if made := now != (auditstream.Totals{}); made {
					assert.EqualValues(t, 1, answers(now)-answers(before[i]), "each stream counts the event once")
				}
				accepted += int(now.Accepted - before[i].Accepted)
			}
			assert.Equal(t, tt.accepted, accepted)
		})
	}
}

// answers is how many events a stream has accepted or refused.
func answers(l auditstream.Totals) uint64 {
	return l.Accepted + l.RefusedFull + l.RefusedInactive + l.RefusedInvalid
}

func TestFanoutErrorText(t *testing.T) {
	one, _ := full(t, auditstream.Config{Name: "one"})
	two, _ := full(t, auditstream.Config{Name: "two"})
	fan := auditstream.NewFanout(one)
	assert.EqualError(t, fan.Publish(event(1)), `auditstream: stream "one" (0): auditstream: the queue is full`)
	fan.Add(two)
	assert.EqualError(t, fan.Publish(event(1)), `auditstream: 2 streams failed; `+
		`auditstream: stream "one" (0): auditstream: the queue is full; auditstream: stream "two" (1): auditstream: the queue is full`)
	failed, ok := errors.AsType[*auditstream.StreamError](fan.Publish(event(1)))
	require.True(t, ok)
	assert.Equal(t, "one", failed.Name)
}

func TestFanoutWithoutStreams(t *testing.T) {
	for name, fan := range map[string]*auditstream.Fanout{
		"nil": nil, "zero": {}, "none": auditstream.NewFanout(), "of nobody": auditstream.NewFanout(nil, nil),
	} {
		t.Run(name, func(t *testing.T) {
			assert.ErrorIs(t, fan.Publish(event(1)), auditstream.ErrUnconfigured)
			assert.ErrorIs(t, fan.PublishContext(t.Context(), event(1)), auditstream.ErrInactive)
			assert.NoError(t, fan.Flush(t.Context()))
			assert.NoError(t, fan.Shutdown(t.Context()))
			assert.Empty(t, fan.Streams())
		})
	}
}

func TestFanoutAddAndRemove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newFake(accept), newFake(accept)
		one, two := enabled(t, auditstream.Config{}, a), enabled(t, auditstream.Config{}, b)
		fan := auditstream.NewFanout(one, one, nil)
		require.NoError(t, fan.Publish(event(1)))
		fan.Add(two)
		fan.Add(two)
		before := fan.Streams()
		require.NoError(t, fan.Publish(event(2)))
		fan.Remove(one)
		fan.Remove(one)
		require.NoError(t, fan.Publish(event(3)))
		require.NoError(t, one.Flush(t.Context()))
		require.NoError(t, two.Flush(t.Context()))
		assert.Equal(t, [][]string{span(1, 2)}, a.attempts())
		assert.Equal(t, [][]string{span(2, 3)}, b.attempts())
		assert.Equal(t, []*auditstream.Stream{one, two}, before)
		assert.Equal(t, []*auditstream.Stream{two}, fan.Streams())
	})
}

// TestFanoutWaits checks that a full stream holds nobody back, and that waiting for two takes no longer than for one.
func TestFanoutWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free := newFake(accept)
		first, firstSink := full(t, auditstream.Config{Name: "first"})
		second, secondSink := full(t, auditstream.Config{Name: "second"})
		fan := auditstream.NewFanout(first, second, enabled(t, auditstream.Config{BatchDelay: 1}, free))
		done := make(chan error, 1)
		go func() { done <- fan.PublishContext(t.Context(), event(1)) }()
		time.Sleep(time.Millisecond)
		assert.Equal(t, [][]string{span(1, 1)}, free.attempts(), "it was not held back")

		// The second gets room first, and takes the event although the publisher waits for the first.
		require.NoError(t, second.Resume())
		time.Sleep(time.Second)
		assert.Equal(t, [][]string{span(0, 0), span(1, 1)}, secondSink.attempts())
		select {
		case err := <-done:
			t.Fatal("it did not wait for the first:", err)
		default:
		}
		require.NoError(t, first.Resume())
		require.NoError(t, <-done)
		require.NoError(t, fan.Flush(t.Context()))
		assert.Equal(t, [][]string{span(0, 0), span(1, 1)}, firstSink.attempts())
	})
}

// TestFanoutWaitEnds covers what ends the wait of one stream while another has room.
func TestFanoutWaitEnds(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(cancel context.CancelFunc, first, second *auditstream.Stream)
		want []string
		is   error
	}{
		{"ctx", func(cancel context.CancelFunc, _, _ *auditstream.Stream) { cancel() }, []string{
			"0 first: auditstream: the queue is full: context canceled", "1 second: auditstream: the queue is full: context canceled",
		}, context.Canceled},
		{"room for one, and ctx", func(cancel context.CancelFunc, _, second *auditstream.Stream) {
			_ = second.Resume()
			time.Sleep(time.Second)
			cancel()
		}, []string{"0 first: auditstream: the queue is full: context canceled"}, auditstream.ErrQueueFull},
		{"one is deleted, room for the other", func(_ context.CancelFunc, first, second *auditstream.Stream) {
			_ = first.Delete()
			_ = second.Resume()
		}, nil, nil},
		{"both are deleted", func(_ context.CancelFunc, first, second *auditstream.Stream) {
			_ = first.Delete()
			_ = second.Delete()
		}, nil, nil}, // for there is a third that has taken it
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				first, _ := full(t, auditstream.Config{Name: "first"})
				second, _ := full(t, auditstream.Config{Name: "second"})
				third := enabled(t, auditstream.Config{}, newFake(accept))
				fan := auditstream.NewFanout(first, second, third)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				done := make(chan error, 1)
				go func() { done <- fan.PublishContext(ctx, event(1)) }()
				synctest.Wait()
				tt.end(cancel, first, second)
				err := <-done
				if tt.want == nil {
					require.NoError(t, err)
				} else {
					list, _ := listed(t, err)
					assert.Equal(t, tt.want, list)
					assert.ErrorIs(t, err, tt.is)
				}
				require.NoError(t, third.Flush(t.Context()))
				for _, s := range fan.Streams() {
					checkLedger(t, s)
				}
				cancel()
				fan.Remove(first)
				fan.Remove(second)
				require.NoError(t, fan.PublishContext(ctx, event(2)), "who has room takes an event under a ctx that is done")
			})
		})
	}
}

// TestFanoutWithoutContext checks that a nil context, which panics, leaves nobody in a line.
func TestFanoutWithoutContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, f := full(t, auditstream.Config{})
		second, g := full(t, auditstream.Config{})
		fan := auditstream.NewFanout(first, second)
		assert.Panics(t, func() { _ = fan.PublishContext(nil, event(1)) }) //nolint:staticcheck // that is what is tested
		for _, s := range fan.Streams() {
			require.NoError(t, s.Resume())
		}
		require.NoError(t, fan.Flush(t.Context()))
		assert.Equal(t, [][]string{span(0, 0)}, f.attempts())
		assert.Equal(t, [][]string{span(0, 0)}, g.attempts())
	})
}

func TestFanoutFlushAndShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		healthy, hung := enabled(t, auditstream.Config{Name: "healthy"}, newFake(accept)), newFake(untilDone)
		slow := enabled(t, auditstream.Config{Name: "slow"}, hung)
		deleted := enabled(t, auditstream.Config{Name: "deleted"}, newFake(accept))
		fan := auditstream.NewFanout(healthy, slow, deleted)
		require.NoError(t, fan.Publish(event(1)))
		require.NoError(t, deleted.Delete())

		start := time.Now()
		err := fan.Flush(after(t, time.Second))
		list, _ := listed(t, err)
		assert.Equal(t, []string{
			`1 slow: auditstream: flush of "slow" ended with 1 events not answered for: context deadline exceeded`,
		}, list)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Second, time.Since(start))

		err = fan.Shutdown(after(t, time.Second))
		list, _ = listed(t, err)
		require.Len(t, list, 1)
		left, ok := errors.AsType[*auditstream.UndeliveredError](err)
		require.True(t, ok)
		assert.Equal(t, "e1", left.Events[0].ID)
		assert.EqualValues(t, 1, healthy.Status().Totals.Delivered)
		list, _ = listed(t, fan.Publish(event(2)))
		assert.Len(t, list, 3)
	})
}

// TestFanoutStreamsAreIndependent does the same to the streams of a Fanout and to others that are alone: after whatever
// steps, each has done what its twin has, however its neighbours are: blocked, full, paused, hung or deleted.
func TestFanoutStreamsAreIndependent(t *testing.T) {
	for seed := range uint64(25) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				independent(t, rand.New(rand.NewPCG(seed, 1)))
			})
		})
	}
}

func independent(t *testing.T, random *rand.Rand) {
	t.Helper()
	// None of these answers leads to a backoff, whose length is random.
	rejectFirst := func(context.Context, []sink.Event) (int, error) { return 1, sink.Reject(errFake, 0) }
	scripts := []deliverFunc{accept, fail(sink.Block(errFake)), untilDone, rejectFirst}
	configs := []auditstream.Config{
		{},
		{QueueEvents: 7, BatchEvents: 2},
		{QueueEvents: 5, Overflow: auditstream.DropOldest},
		{MaxEventBytes: 300, WhilePaused: auditstream.Refuse},
		{WhilePaused: auditstream.Refuse, StartPaused: true},
	}
	var twins [][2]*auditstream.Stream
	fan := new(auditstream.Fanout)
	for _, cfg := range configs {
		pair := [2]*auditstream.Stream{newStream(t, cfg), newStream(t, cfg)}
		fan.Add(pair[0])
		twins = append(twins, pair)
	}
	for step := range 120 {
		if random.IntN(3) > 0 {
			e := event(step)
			switch random.IntN(8) {
			case 0:
				e.Message = strings.Repeat("x", 400) // too large for one of them
			case 1:
				e.Actor = auditstream.Actor{}
			}
			err := fan.Publish(e)
			checkAnswer(t, err, twins, e)
		} else {
			pair, verb, script := twins[random.IntN(len(twins))], random.IntN(5), scripts[random.IntN(len(scripts))]
			for _, s := range pair {
				switch verb {
				case 0:
					require.NoError(t, s.Configure(newFake(script)))
				case 1:
					_ = s.Pause()
				case 2:
					_ = s.Resume()
				case 3:
					require.NoError(t, s.Delete())
				case 4:
					require.NoError(t, s.Configure(newFake(accept)))
				}
			}
		}
		if random.IntN(4) == 0 {
			time.Sleep(time.Duration(random.IntN(400)) * time.Millisecond)
		}
		synctest.Wait()
		for i, pair := range twins {
			mine, alone := pair[0].Status(), pair[1].Status()
			require.Equal(t, alone.Totals, mine.Totals, "step %d, stream %d", step, i)
			require.Equal(t, alone.State, mine.State)
			require.Equal(t, alone.Condition, mine.Condition)
			require.Equal(t, alone.Queue, mine.Queue)
			checkLedger(t, pair[0])
		}
	}
}

// checkAnswer publishes e to the streams that are alone, and checks that their errors are those of the Fanout.
func checkAnswer(t *testing.T, err error, twins [][2]*auditstream.Stream, e auditstream.Event) {
	t.Helper()
	causes := map[int]error{}
	if err != nil {
		failed, ok := errors.AsType[*auditstream.FanoutError](err)
		require.True(t, ok)
		for _, s := range failed.Streams {
			causes[s.Index] = s.Err
		}
	}
	for i, pair := range twins {
		alone := pair[1].Publish(e)
		switch inactive := errors.Is(alone, auditstream.ErrInactive); {
		case alone == nil:
			require.NoError(t, causes[i])
		case inactive && !errors.Is(err, auditstream.ErrInactive):
			require.NoError(t, causes[i])
		case inactive, errors.Is(alone, auditstream.ErrQueueFull):
			require.Equal(t, alone, causes[i])
		default:
			var fault *auditstream.EventError
			require.ErrorAs(t, causes[i], &fault)
		}
	}
}

// TestFanoutIsConcurrentSafe lets publishers, waiters, an administrator and whoever adds and removes streams run at once.
func TestFanoutIsConcurrentSafe(t *testing.T) {
	var streams []*auditstream.Stream
	for range 3 {
		streams = append(streams, enabled(t, auditstream.Config{QueueEvents: 20, BatchDelay: 1}, newFake(accept)))
	}
	extra := enabled(t, auditstream.Config{QueueEvents: 20, BatchDelay: 1}, newFake(accept))
	fan := auditstream.NewFanout(streams...)
	var (
		everybody sync.WaitGroup
		accepted  atomic.Uint64 // by all three
	)
	for p := range 4 {
		everybody.Go(func() {
			for i := range 100 {
				if p%2 == 0 {
					_ = fan.Publish(event(i))
				} else if fan.PublishContext(t.Context(), event(i)) == nil {
					accepted.Add(1)
				}
			}
		})
	}
	everybody.Go(func() {
		for range 100 {
			fan.Add(extra)
			_, _ = fan.Streams(), extra.Status()
			fan.Remove(extra)
		}
	})
	everybody.Go(func() {
		for range 100 {
			_ = streams[1].Pause()
			_ = streams[1].Resume()
		}
	})
	everybody.Wait()
	assert.EqualValues(t, 200, accepted.Load(), "none of the three is inactive or without room for ever")
	require.NoError(t, fan.Flush(t.Context()))
	for _, s := range streams {
		checkLedger(t, s)
		assert.GreaterOrEqual(t, s.Status().Totals.Delivered, accepted.Load())
	}
}
