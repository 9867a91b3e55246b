package auditstream_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/sink"
)

// parallel is a fake whose sinks take several calls at once, each of which waits for the test to answer it.
type parallel struct {
	*fake
	slots int

	mu   sync.Mutex
	open map[string]chan reply // by the id of the batch's first event
	most int
}

// reply is what one Deliver returns.
type reply struct {
	n   int
	err error
}

func newParallel(slots int) *parallel {
	p := &parallel{fake: newFake(nil), slots: slots, open: map[string]chan reply{}}
	p.answer(p.wait)
	return p
}

// wait is the script of a call that is answered by hand, or ends with its context.
func (p *parallel) wait(ctx context.Context, batch []sink.Event) (int, error) {
	replies := make(chan reply, 1)
	id := ids(batch)[0]
	p.mu.Lock()
	p.open[id] = replies
	p.most = max(p.most, len(p.open))
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.open, id)
	}()
	select {
	case r := <-replies:
		return r.n, r.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// reply answers the call whose batch begins with an event, and waits until that has been dealt with.
func (p *parallel) reply(t *testing.T, id string, n int, err error) {
	t.Helper()
	p.mu.Lock()
	replies := p.open[id]
	p.mu.Unlock()
	require.NotNil(t, replies, "no call with %s is running", id)
	replies <- reply{n, err}
	synctest.Wait()
}

// running returns the first ids of the batches in flight.
func (p *parallel) running() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []string
	for id := range p.open {
		all = append(all, id)
	}
	slices.Sort(all)
	return all
}

func (p *parallel) Open() (sink.Sink, error) {
	opened, err := p.fake.Open()
	return &parallelSink{Sink: opened, slots: p.slots}, err
}

// parallelSink is a sink that says how many calls it takes.
type parallelSink struct {
	sink.Sink

	slots int
}

func (p *parallelSink) MaxInFlight() int { return p.slots }

func (p *parallelSink) Close() error { return p.Sink.(*fakeSink).Close() }

// pairs is a Config for batches of two events of which as many as allowed are in flight.
func pairs(inFlight int) auditstream.Config {
	return auditstream.Config{InFlight: inFlight, BatchEvents: 2, BatchDelay: time.Second}
}

// inFlight returns a Stream to p with n full pairs published, and waits until as many as may be are in flight.
func inFlight(t *testing.T, cfg auditstream.Config, p *parallel, n int) *auditstream.Stream {
	t.Helper()
	s := newStream(t, cfg)
	require.NoError(t, s.Configure(p))
	publish(t, s, 1, 2*n)
	synctest.Wait()
	return s
}

func TestInFlightIsTheSmallerOfTheTwo(t *testing.T) {
	for name, tt := range map[string]struct {
		config, sink int
		want         []string
	}{
		"neither":                    {0, 1, []string{"e1"}},
		"the stream alone":           {4, 1, []string{"e1"}},
		"the sink alone":             {0, 4, []string{"e1"}},
		"the stream allows fewer":    {2, 4, []string{"e1", "e3"}},
		"the sink takes fewer":       {4, 3, []string{"e1", "e3", "e5"}},
		"the sink takes none":        {4, 0, []string{"e1"}},
		"the sink talks nonsense":    {4, -3, []string{"e1"}},
		"more than there are events": {99, 99, []string{"e1", "e3", "e5", "e7", "e9"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newParallel(tt.sink)
				s := inFlight(t, pairs(tt.config), p, 5)
				assert.Equal(t, tt.want, p.running())
				assert.EqualValues(t, 10, s.Status().Totals.Pending, "what is in flight is pending")
				p.answer(accept)
				for _, id := range tt.want {
					p.reply(t, id, 2, nil)
				}
				require.NoError(t, s.Flush(t.Context()))
				assert.EqualValues(t, 10, s.Status().Totals.Delivered)
				assert.Equal(t, len(tt.want), p.most)
			})
		})
	}
}

func TestSinkThatDoesNotSayTakesOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(_ context.Context, batch []sink.Event) (int, error) {
			time.Sleep(time.Second)
			return len(batch), nil
		})
		s := enabled(t, pairs(8), f)
		publish(t, s, 1, 10)
		require.NoError(t, s.Flush(t.Context()))
		assert.False(t, f.overlap)
		assert.Equal(t, [][]string{span(1, 2), span(3, 4), span(5, 6), span(7, 8), span(9, 10)}, f.attempts())
	})
}

func TestBatchesInFlightAreAnsweredForOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		cfg := pairs(4)
		cfg.OnReject, cfg.OnTransition = j.onReject, j.onTransition
		p := newParallel(4)
		s := inFlight(t, cfg, p, 4)
		p.reply(t, "e7", 2, nil)
		p.reply(t, "e5", 2, sink.Reject(errFake, 1))
		p.reply(t, "e3", 1, sink.Retry(errFake, 0))
		assert.Equal(t, []string{"e1"}, p.running())
		totals := s.Status().Totals
		assert.EqualValues(t, 4, totals.Delivered)
		assert.EqualValues(t, 1, totals.Rejected)
		assert.EqualValues(t, 3, totals.Pending)
		assert.EqualValues(t, 1, totals.InDoubt)
		assert.Equal(t, []string{"e6"}, j.rejected())
		assert.Equal(t, auditstream.ConditionRetrying, s.Status().Condition)
		time.Sleep(time.Second)
		synctest.Wait()
		assert.Equal(t, []string{"e1", "e4"}, p.running(), "what was not answered for is offered again")
		p.reply(t, "e4", 1, nil)
		p.reply(t, "e1", 2, nil)
		assert.EqualValues(t, 7, s.Status().Totals.Delivered)
		assert.Equal(t, auditstream.ConditionHealthy, s.Status().Condition)
		assert.Equal(t, []string{"enabled/healthy", "enabled/retrying", "enabled/healthy"}, j.moves())
	})
}

func TestBatchesThatFailTogetherAreOneFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParallel(8)
		s := inFlight(t, pairs(8), p, 10)
		running := p.running()
		require.Len(t, running, 8)
		for _, id := range running {
			p.reply(t, id, 0, errFake)
		}
		assert.Empty(t, p.running())
		assert.LessOrEqual(t, time.Until(s.Status().NextAttempt), time.Second, "the first backoff of a streak")
		time.Sleep(time.Second)
		synctest.Wait()
		assert.Equal(t, []string{"e1"}, p.running(), "a destination that fails is tried by one batch")
		p.reply(t, "e1", 0, errFake)
		assert.LessOrEqual(t, time.Until(s.Status().NextAttempt), 2*time.Second, "the second")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		p.reply(t, "e1", 2, nil)
		assert.Len(t, p.running(), 8, "and one that takes it gets them all")
		assert.Equal(t, auditstream.ConditionHealthy, s.Status().Condition)
		assert.EqualValues(t, 18, s.Status().Totals.InDoubt)
	})
}

// The wait that a destination asked for is not cut short by an answer that was under way when it asked.
func TestOlderAnswersDoNotEndABackoff(t *testing.T) {
	for name, tt := range map[string]struct {
		n    int
		err  error
		want time.Duration
	}{
		"taken":                      {2, nil, time.Minute},
		"rejected":                   {2, sink.Reject(errFake), time.Minute},
		"refused as a whole":         {0, sink.Split(errFake), time.Minute},
		"failed":                     {0, errFake, time.Minute},
		"blocked":                    {0, sink.Block(errFake), time.Minute},
		"failed, and asks for more":  {0, sink.Retry(errFake, 2*time.Minute), 2 * time.Minute},
		"blocked, and asks for more": {0, &sink.Error{Verdict: sink.VerdictBlock, Err: errFake, After: 2 * time.Minute}, 2 * time.Minute},
		"failed, and asks for less":  {0, sink.Retry(errFake, time.Second), time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newParallel(2)
				s := inFlight(t, pairs(2), p, 4)
				start := time.Now()
				p.reply(t, "e3", 0, sink.Retry(errFake, time.Minute))
				p.reply(t, "e1", tt.n, tt.err)
				status := s.Status()
				assert.Equal(t, auditstream.ConditionRetrying, status.Condition)
				assert.Equal(t, start.Add(tt.want), status.NextAttempt)
				time.Sleep(tt.want - 1)
				synctest.Wait()
				assert.Empty(t, p.running())
				time.Sleep(time.Nanosecond)
				synctest.Wait()
				assert.Len(t, p.running(), 1)
				p.answer(accept)
				p.reply(t, p.running()[0], 0, sink.Retry(errFake, 0))
				require.NoError(t, s.Flush(t.Context()))
				totals := s.Status().Totals
				assert.EqualValues(t, 8, totals.Delivered+totals.Rejected)
			})
		})
	}
}

func TestRangesThatAreRefusedTogetherAreHalvedInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		p := newParallel(4)
		cfg := auditstream.Config{InFlight: 4, BatchEvents: 16, OnReject: j.onReject}
		s := newStream(t, cfg)
		require.NoError(t, s.Configure(p))
		publish(t, s, 1, 64)
		synctest.Wait()
		require.Equal(t, []string{"e1", "e17", "e33", "e49"}, p.running())
		p.answer(poison("e20", "e40"))
		p.reply(t, "e17", 0, sink.Split(errFake))
		p.reply(t, "e33", 0, sink.Split(errFake))
		p.reply(t, "e49", 16, nil)
		p.reply(t, "e1", 16, nil)
		require.NoError(t, s.Flush(t.Context()))
		assert.Equal(t, []string{"e20", "e40"}, j.rejected())
		assert.EqualValues(t, 62, s.Status().Totals.Delivered)
		// For each of two culprits log2(16)+2, one more for the second batch, and what is left behind a culprit.
		assert.LessOrEqual(t, len(p.attempts()), 4+2*(4+2)+1+2)
	})
}

func TestPartsOfARefusedRangeGoOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParallel(4)
		cfg := auditstream.Config{InFlight: 4, BatchEvents: 8, BatchDelay: time.Second}
		s := newStream(t, cfg)
		require.NoError(t, s.Configure(p))
		publish(t, s, 1, 16)
		synctest.Wait()
		require.Equal(t, []string{"e1", "e9"}, p.running())
		p.reply(t, "e1", 0, sink.Split(errFake))
		assert.Equal(t, []string{"e1", "e9"}, p.running(), "half of it, beside what was in flight")
		assert.Equal(t, span(1, 4), p.attempts()[2])
		p.reply(t, "e9", 8, nil)
		assert.Equal(t, []string{"e1"}, p.running(), "and its other half waits")
		p.reply(t, "e1", 4, nil)
		assert.Equal(t, span(5, 6), p.attempts()[3])
		p.reply(t, "e5", 2, nil)
		p.reply(t, "e7", 1, nil)
		p.reply(t, "e8", 0, sink.Split(errFake))
		totals := s.Status().Totals
		assert.EqualValues(t, 15, totals.Delivered)
		assert.EqualValues(t, 1, totals.Rejected)
	})
}

// A destination that refuses everything gets no more than two events into the dead letter, however many are in flight.
func TestContrastHoldsForBatchesInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		p := newParallel(4)
		s := newStream(t, auditstream.Config{InFlight: 4, BatchEvents: 1, OnReject: j.onReject})
		require.NoError(t, s.Configure(p))
		publish(t, s, 1, 8)
		synctest.Wait()
		require.Len(t, p.running(), 4)
		p.answer(func(context.Context, []sink.Event) (int, error) { return 1, sink.Reject(errFake) })
		for i := 1; i <= 4; i++ {
			p.reply(t, fmt.Sprint("e", i), 1, sink.Reject(errFake))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		status := s.Status()
		assert.Equal(t, auditstream.ConditionBlocked, status.Condition)
		assert.Len(t, j.rejected(), 2)
		assert.EqualValues(t, 6, status.Totals.Pending)

		p.answer(accept)
		require.NoError(t, s.Flush(t.Context()))
		assert.EqualValues(t, 6, s.Status().Totals.Delivered)
	})
}

func TestCallsWithBatchesInFlight(t *testing.T) {
	t.Run("Pause", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := newParallel(2)
			s := inFlight(t, pairs(2), p, 4)
			require.NoError(t, s.Pause())
			p.reply(t, "e1", 2, nil)
			assert.Equal(t, []string{"e3"}, p.running(), "no other starts")
			require.NoError(t, s.Resume())
			synctest.Wait()
			assert.Equal(t, []string{"e3", "e5"}, p.running())
		})
	})
	t.Run("Pause until all have ended", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := newParallel(2)
			s := inFlight(t, pairs(2), p, 2)
			require.NoError(t, s.Pause())
			p.reply(t, "e1", 2, nil)
			p.reply(t, "e3", 2, nil)
			assert.Zero(t, s.Status().Queue.Events)
			require.NoError(t, s.Resume())
			p.answer(accept)
			publish(t, s, 5, 5)
			require.NoError(t, s.Flush(t.Context()))
			assert.EqualValues(t, 5, s.Status().Totals.Delivered)
		})
	})
	t.Run("Configure", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p, fresh := newParallel(3), newParallel(3)
			s := inFlight(t, pairs(3), p, 4)
			require.NoError(t, s.Configure(fresh))
			p.reply(t, "e3", 2, nil)
			require.Equal(t, []string{"e7"}, fresh.running(), "the place of one that has ended")
			time.Sleep(time.Second)
			synctest.Wait()
			assert.Empty(t, p.running())
			assert.Equal(t, []string{"e1", "e5", "e7"}, fresh.running())
			assert.Equal(t, 1, p.closes())
			assert.Equal(t, auditstream.ConditionHealthy, s.Status().Condition)
		})
	})
	t.Run("Delete", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := newParallel(3)
			s := inFlight(t, pairs(3), p, 4)
			require.NoError(t, s.Delete())
			synctest.Wait()
			assert.Empty(t, p.running())
			assert.Equal(t, 1, p.closes())
			assert.EqualValues(t, 8, s.Status().Totals.DiscardedDeleted)
		})
	})
	t.Run("Shutdown", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := newParallel(3)
			s := inFlight(t, pairs(3), p, 4)
			done := make(chan error, 1)
			go func() { done <- s.Shutdown(context.Background()) }()
			synctest.Wait()
			p.reply(t, "e5", 2, nil)
			p.reply(t, "e1", 2, nil)
			p.reply(t, "e7", 2, nil)
			assert.Empty(t, done, "a batch is still in flight")
			p.reply(t, "e3", 2, nil)
			require.NoError(t, <-done)
		})
	})
	t.Run("Shutdown while paused", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := newParallel(2)
			s := inFlight(t, pairs(2), p, 3)
			require.NoError(t, s.Pause())
			done := make(chan error, 1)
			go func() { done <- s.Shutdown(context.Background()) }()
			synctest.Wait()
			p.reply(t, "e1", 2, nil)
			assert.Empty(t, done, "a batch is still in flight")
			p.reply(t, "e3", 2, nil)
			var left *auditstream.UndeliveredError
			require.ErrorAs(t, <-done, &left)
			assert.Equal(t, span(5, 6), ids(left.Events), "what was not under way is not drained")
		})
	})
	t.Run("Shutdown at once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := newParallel(3)
			s := inFlight(t, pairs(3), p, 4)
			p.reply(t, "e3", 1, sink.Block(errFake))
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			var left *auditstream.UndeliveredError
			require.ErrorAs(t, s.Shutdown(ctx), &left)
			assert.Equal(t, []string{"e1", "e2", "e4", "e5", "e6", "e7", "e8"}, ids(left.Events))
			synctest.Wait()
			assert.Empty(t, p.running())
		})
	})
	t.Run("Flush", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := newParallel(3)
			s := inFlight(t, pairs(3), p, 1)
			publish(t, s, 3, 3)
			done := make(chan error, 1)
			go func() { done <- s.Flush(context.Background()) }()
			synctest.Wait()
			assert.Equal(t, []string{"e1", "e3"}, p.running(), "it does not wait for company")
			publish(t, s, 4, 4)
			synctest.Wait()
			assert.Equal(t, []string{"e1", "e3"}, p.running(), "what comes later does")
			p.reply(t, "e1", 2, nil)
			p.reply(t, "e3", 1, nil)
			require.NoError(t, <-done)
		})
	})
}

func TestCallThatHangsBesideOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		p := newParallel(3)
		wait := p.current()
		p.answer(func(ctx context.Context, batch []sink.Event) (int, error) {
			if ids(batch)[0] == "e3" {
				return hang(release)(ctx, batch)
			}
			return wait(ctx, batch)
		})
		s := inFlight(t, pairs(3), p, 4)
		time.Sleep(30 * time.Second)
		p.reply(t, "e1", 2, nil)
		require.Equal(t, []string{"e5", "e7"}, p.running())
		p.reply(t, "e5", 2, nil)
		time.Sleep(31 * time.Second)
		synctest.Wait()
		status := s.Status()
		assert.Equal(t, auditstream.ConditionBlocked, status.Condition)
		require.ErrorContains(t, status.LastError, "does not return")
		assert.Equal(t, []string{"e7"}, p.running(), "what is under way goes on")
		p.reply(t, "e7", 2, nil)
		assert.EqualValues(t, 6, s.Status().Totals.Delivered)
		time.Sleep(time.Hour)
		assert.Empty(t, p.running(), "no other starts")
		p.answer(accept)
		close(release)
		synctest.Wait()
		assert.EqualValues(t, 8, s.Status().Totals.Delivered)
		assert.Equal(t, auditstream.ConditionHealthy, s.Status().Condition)
	})
}

func TestCompanyIsWaitedForBesideBatchesInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParallel(3)
		s := inFlight(t, pairs(3), p, 1)
		time.Sleep(10 * time.Second)
		publish(t, s, 3, 3)
		time.Sleep(time.Second - 1)
		synctest.Wait()
		assert.Equal(t, []string{"e1"}, p.running())
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		assert.Equal(t, []string{"e1", "e3"}, p.running(), "its delay counts from its own time")
		publish(t, s, 4, 5)
		synctest.Wait()
		assert.Equal(t, []string{"e1", "e3", "e4"}, p.running(), "a full batch goes at once")
	})
}

func TestStreamWithBatchesInFlightComesToRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParallel(8)
		before := goroutines()
		s := inFlight(t, pairs(8), p, 8)
		for _, id := range p.running() {
			p.reply(t, id, 2, nil)
		}
		time.Sleep(31 * time.Second)
		synctest.Wait()
		assert.Equal(t, before, goroutines())
		assert.EqualValues(t, 16, s.Status().Totals.Delivered)
	})
}

// timed is a fake whose sinks have a time limit of their own.
type timed struct {
	*fake
	limit time.Duration
}

func (d *timed) Open() (sink.Sink, error) {
	opened, err := d.fake.Open()
	return &timedSink{Sink: opened, limit: d.limit}, err
}

type timedSink struct {
	sink.Sink

	limit time.Duration
}

func (s *timedSink) AttemptTimeout() time.Duration { return s.limit }

func TestSinkWithATimeLimitOfItsOwn(t *testing.T) {
	for name, tt := range map[string]struct {
		limit, want time.Duration
		text        string
	}{
		"longer":   {5 * time.Minute, 5 * time.Minute, "the destination's own time-out"},
		"shorter":  {time.Second, time.Second, "the destination's own time-out"},
		"none":     {0, time.Minute, "Config.AttemptTimeout"},
		"nonsense": {-time.Second, time.Minute, "Config.AttemptTimeout"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &timed{newFake(untilDone), tt.limit}
				s := newStream(t, auditstream.Config{BatchDelay: 1})
				require.NoError(t, s.Configure(d))
				publish(t, s, 1, 1)
				time.Sleep(time.Nanosecond)
				synctest.Wait()
				time.Sleep(tt.want - 1)
				synctest.Wait()
				require.NoError(t, s.Status().LastError)
				time.Sleep(time.Nanosecond)
				synctest.Wait()
				require.ErrorContains(t, s.Status().LastError, tt.text)

				start := time.Now()
				require.ErrorContains(t, s.Test(t.Context(), nil), tt.text)
				assert.Equal(t, tt.want, time.Since(start))
			})
		})
	}
}

// curious is a destination whose sinks panic when they are asked what they can do.
type curious struct{ *fake }

func (d *curious) Open() (sink.Sink, error) { return &curiousSink{}, nil }

type curiousSink struct{ fakeSink }

func (*curiousSink) MaxInFlight() int { panic("curious") }

func TestSinkThatPanicsWhenAsked(t *testing.T) {
	s := newStream(t, auditstream.Config{})
	require.ErrorContains(t, s.Configure(&curious{newFake(accept)}), "panicked")
	assert.Equal(t, auditstream.StateUnconfigured, s.Status().State)
}

// Batches that come back while another is being halved are older than its end, and make the range longer than a batch.
func TestPartsAreNoLargerThanABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParallel(4)
		s := inFlight(t, pairs(4), p, 4)
		p.reply(t, "e7", 0, sink.Split(errFake))
		require.Equal(t, []string{"e1", "e3", "e5", "e7"}, p.running())
		for _, id := range []string{"e1", "e3", "e5"} {
			p.reply(t, id, 0, errFake)
		}
		p.answer(accept)
		p.reply(t, "e7", 1, nil)
		require.NoError(t, s.Flush(t.Context()))
		for _, batch := range p.attempts() {
			assert.LessOrEqual(t, len(batch), 2, "%v", batch)
		}
		assert.EqualValues(t, 8, s.Status().Totals.Delivered)
	})
}

// What a destination asked for in one answer holds, whatever the answers to other batches are.
func TestNoAnswerCutsShortWhatTheDestinationAskedFor(t *testing.T) {
	for name, answer := range map[string]reply{
		"taken":              {2, nil},
		"failed":             {0, errFake},
		"blocked":            {0, sink.Block(errFake)},
		"refused as a whole": {0, sink.Split(errFake)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newParallel(2)
				s := inFlight(t, pairs(2), p, 4)
				p.reply(t, "e1", 0, errFake)
				time.Sleep(time.Second)
				synctest.Wait()
				require.Equal(t, []string{"e1", "e3"}, p.running())
				p.reply(t, "e3", 0, sink.Retry(errFake, 5*time.Minute))
				p.reply(t, "e1", answer.n, answer.err)
				time.Sleep(5*time.Minute - time.Nanosecond)
				synctest.Wait()
				assert.Empty(t, p.running())
				time.Sleep(time.Nanosecond)
				synctest.Wait()
				assert.NotEmpty(t, p.running())
				p.answer(accept)
				for _, id := range p.running() {
					p.reply(t, id, 2, nil)
				}
				require.NoError(t, s.Flush(t.Context()))
			})
		})
	}
}
