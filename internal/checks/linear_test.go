package checks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/sink"
)

const (
	histories = 250 // of each kind of stream
	clients   = 5   // goroutines of a history
	calls     = 9   // each of them makes

	// tooLong is how long a history may take for the model to know all of it: the model has no clock, so it does not
	// know the second after which an attempt on a replaced sink is given up. A history takes a millisecond.
	tooLong = 500 * time.Millisecond
)

// TestCallsAreLinearizable lets many goroutines call every method of a Stream at once, and looks for one order of the
// calls, attempts included, that explains every answer, every sequence number and every count.
func TestCallsAreLinearizable(t *testing.T) {
	// More threads than cores: the kernel then stops goroutines in the middle of a method too.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4 * runtime.NumCPU()))
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for name, tt := range map[string]struct {
		cfg    auditstream.Config
		answer answerFunc
	}{
		"held while paused": {auditstream.Config{QueueEvents: 4, BatchEvents: 2}, taken},
		"refused while paused": {
			auditstream.Config{QueueEvents: 3, BatchEvents: 2, WhilePaused: auditstream.Refuse}, taken,
		},
		"paused at the start, oldest dropped": {
			auditstream.Config{QueueEvents: 3, BatchEvents: 1, Overflow: auditstream.DropOldest, StartPaused: true}, taken,
		},
		"a destination that takes some": {auditstream.Config{QueueEvents: 4, BatchEvents: 3}, someTaken},
		"a silent destination":          {auditstream.Config{QueueEvents: 4, BatchEvents: 3}, untilDone},
		"a silent destination, refused while paused": {
			auditstream.Config{QueueEvents: 2, BatchEvents: 1, WhilePaused: auditstream.Refuse}, untilDone,
		},
		"three in flight":              {auditstream.Config{QueueEvents: 6, BatchEvents: 2, InFlight: 3}, slowly(taken)},
		"three in flight, some failed": {auditstream.Config{QueueEvents: 5, BatchEvents: 1, InFlight: 3}, slowly(someTaken)},
		"three in flight, oldest dropped": {
			auditstream.Config{QueueEvents: 4, BatchEvents: 1, InFlight: 3, Overflow: auditstream.DropOldest}, slowly(taken),
		},
		"three in flight at a silent destination": {
			auditstream.Config{QueueEvents: 4, BatchEvents: 1, InFlight: 3, WhilePaused: auditstream.Refuse}, untilDone,
		},
	} {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			tt.cfg.BatchDelay, tt.cfg.RetryMin, tt.cfg.RetryMax = 1, 1, 1
			tt.cfg.InFlight = max(tt.cfg.InFlight, 1) // as the model reads it
			operations, slow, most := 0, 0, 0
			for range histories {
				began := time.Now()
				h := newHistory(t, tt.cfg, tt.answer)
				h.run(random)
				require.Empty(t, h.problems)
				if time.Since(began) > tooLong {
					slow++
					continue
				}
				operations += len(h.operations)
				most = max(most, h.most)
				requireLinearizable(t, tt.cfg, h.operations)
			}
			t.Logf("%d operations in %d histories, %d calls at once", operations, histories-slow, most)
		})
	}
}

// requireLinearizable reports a history that no order explains, with the longest part of it that one does.
func requireLinearizable(t *testing.T, cfg auditstream.Config, operations []porcupine.Operation) {
	t.Helper()
	m := sequential(cfg)
	result, info := porcupine.CheckOperationsVerbose(m, operations, time.Minute)
	if result == porcupine.Ok {
		return
	}
	explained := 0
	for _, partial := range info.PartialLinearizations() {
		for _, ids := range partial {
			explained = max(explained, len(ids))
		}
	}
	for _, op := range operations {
		t.Logf("[%d, %d] %s", op.Call, op.Return, m.DescribeOperation(op.Input, op.Output))
	}
	t.Fatalf("%s: no order explains more than %d of %d operations", result, explained, len(operations))
}

// history is the calls of many goroutines to one Stream, and the attempts that it makes meanwhile. Its clock counts
// events, so no two of them are at the same time.
type history struct {
	cfg    auditstream.Config
	stream *auditstream.Stream
	answer answerFunc
	clock  atomic.Int64
	opened atomic.Int64 // sinks
	closed atomic.Int64 // sinks
	ids    atomic.Int64 // of events

	mu         sync.Mutex
	operations []porcupine.Operation
	attempts   []*tried
	numbers    map[string]uint64 // sequence numbers of events, as far as anybody has seen them
	most       int               // calls of one sink at once
	problems   []string
}

// tried is an attempt as its sink saw it.
type tried struct {
	sink              int64
	since             int64 // it began after this: the sink was opened, or there was a place for another call
	entered, returned int64 // returned is 0 while it is inside
	settled           int64 // before this; 0: before the end
	ctx               context.Context
	events            set
	answered          int
}

// answerFunc is what a sink says to a batch of events.
type answerFunc func(ctx context.Context, n int) (int, error)

func taken(_ context.Context, n int) (int, error) { return n, nil }

// someTaken takes a part, or all, or none.
func someTaken(_ context.Context, n int) (int, error) {
	if k := rand.IntN(n + 1); k < n {
		return k, errFake
	}
	return n, nil
}

// slowly lets others run before it answers.
func slowly(answer answerFunc) answerFunc {
	return func(ctx context.Context, n int) (int, error) {
		for range rand.IntN(20) {
			runtime.Gosched()
		}
		return answer(ctx, n)
	}
}

func untilDone(ctx context.Context, _ int) (int, error) {
	<-ctx.Done()
	return 0, ctx.Err()
}

func newHistory(t *testing.T, cfg auditstream.Config, answer answerFunc) *history {
	t.Helper()
	h := &history{cfg: cfg, answer: answer, numbers: make(map[string]uint64)}
	var err error
	h.stream, err = auditstream.New(cfg)
	require.NoError(t, err)
	return h
}

// run makes the calls, ends the stream, and completes the history by what only shows at its end.
func (h *history) run(random *rand.Rand) {
	var callers sync.WaitGroup
	start := make(chan struct{})
	for client := range clients {
		own := rand.New(rand.NewPCG(random.Uint64(), 0))
		callers.Go(func() {
			<-start
			for range calls {
				h.call(client, own)
				for range own.IntN(3) {
					runtime.Gosched()
				}
			}
		})
	}
	close(start)
	callers.Wait()
	h.shutdown(0, 0)
	h.status(0)
	for h.closed.Load() < h.opened.Load() { // every sink is closed, when it has come back
		runtime.Gosched()
	}
	h.complete()
}

// call makes a random call, mostly of Publish.
func (h *history) call(client int, random *rand.Rand) {
	switch n := random.IntN(100); {
	case n < 35:
		h.publish(client, h.stream.Publish)
	case n < 45:
		h.publish(client, func(e auditstream.Event) error {
			ctx, cancel := context.WithTimeout(context.Background(), time.Duration(random.IntN(200))*time.Microsecond)
			defer cancel()
			return h.stream.PublishContext(ctx, e)
		})
	case n < 55:
		h.move(client, opPause, h.stream.Pause)
	case n < 67:
		h.move(client, opResume, h.stream.Resume)
	case n < 79:
		h.configure(client)
	case n < 85:
		h.move(client, opDelete, h.stream.Delete)
	case n < 95:
		h.status(client)
	case n < 99:
		// Not a part of the history: it only hurries.
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Microsecond)
		defer cancel()
		_ = h.stream.Flush(ctx)
	default:
		h.shutdown(client, time.Duration(random.IntN(500))*time.Microsecond)
	}
}

// record adds an operation to the history.
func (h *history) record(client int, called int64, in input, out output) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.operations = append(h.operations, porcupine.Operation{
		ClientId: client, Input: in, Call: called, Output: out, Return: h.clock.Add(1),
	})
}

func (h *history) publish(client int, publish func(auditstream.Event) error) {
	e := auditstream.Event{
		ID: fmt.Sprint("e", h.ids.Add(1)), Action: "a", Actor: auditstream.Actor{ID: "b"},
	}
	called := h.clock.Add(1)
	err := publish(e)
	h.record(client, called, input{op: opPublish, id: e.ID}, output{err: plain(err)})
}

func (h *history) move(client int, op string, call func() error) {
	called := h.clock.Add(1)
	err := call()
	h.record(client, called, input{op: op}, output{err: plain(err)})
}

// configure gives the stream a sink of its own.
func (h *history) configure(client int) {
	dst := &observed{h: h}
	called := h.clock.Add(1)
	err := h.stream.Configure(dst)
	h.record(client, called, input{op: opConfigure, sink: dst.number}, output{err: plain(err)})
}

func (h *history) status(client int) {
	called := h.clock.Add(1)
	s := h.stream.Status()
	h.record(client, called, input{op: opStatus}, output{state: s.State, totals: s.Totals, queued: s.Queue.Events})
}

// shutdown is two operations: from the first on nothing is accepted, and with the second everything ends.
func (h *history) shutdown(client int, patience time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	called := h.clock.Add(1)
	err := h.stream.Shutdown(ctx)
	h.record(client, called, input{op: opClose}, output{})
	left, undelivered := errors.AsType[*auditstream.UndeliveredError](err)
	switch {
	case undelivered:
		h.record(client, called, input{op: opEnd}, output{left: len(left.Events)})
		h.see(left.Events)
	case err == nil:
		h.record(client, called, input{op: opEnd}, output{})
	}
	// Otherwise somebody else had called it, and this call did not wait for the end.
}

// see notes the sequence numbers of events.
func (h *history) see(events []sink.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, e := range events {
		if known, ok := h.numbers[e.ID]; ok && known != e.Sequence {
			h.problems = append(h.problems, fmt.Sprintf("%s is number %d and %d", e.ID, known, e.Sequence))
		}
		h.numbers[e.ID] = e.Sequence
		if i > 0 && e.Sequence <= events[i-1].Sequence {
			h.problems = append(h.problems, fmt.Sprintf("%d follows %d", e.Sequence, events[i-1].Sequence))
		}
	}
}

// complete adds the attempts, and to each accepted event the number that it was given.
func (h *history) complete() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, op := range h.operations {
		if in, ok := op.Input.(input); ok && in.op == opPublish {
			out := op.Output.(output)
			out.number = h.numbers[in.id]
			h.operations[i].Output = out
		}
	}
	end := h.clock.Add(1)
	for number, a := range h.attempts {
		attempt := input{op: opAttempt, attempt: number + 1, sink: a.sink, events: a.events}
		h.operations = append(h.operations, porcupine.Operation{
			ClientId: clients, Input: attempt, Call: a.since, Output: output{}, Return: a.entered,
		})
		h.operations = append(h.operations, porcupine.Operation{
			ClientId: clients, Input: input{op: opSettle, attempt: number + 1}, Call: a.returned,
			Output: output{answered: a.answered}, Return: cmp.Or(a.settled, end),
		})
	}
}

// settle notes which attempts have been settled, or ended by somebody else, when another enters: those that have
// returned, if all that may be in progress are inside. An attempt whose context has not ended is in progress since it
// began. The one that enters was when it began, and all places but its own may have been empty then.
func (h *history) settle() {
	inside := 0
	for _, a := range h.attempts {
		if a.returned == 0 && a.ctx.Err() == nil {
			inside++
		}
	}
	if max(inside, 1) < h.cfg.InFlight {
		return
	}
	for _, a := range h.attempts {
		if a.returned != 0 && a.settled == 0 {
			a.settled = h.clock.Load()
		}
	}
}

// observed is a destination, and the sink that it opens, which notes every attempt in the history.
type observed struct {
	h      *history
	number int64 // of the sink, from 1

	// Guarded by h.mu.
	since  int64 // opened, or returned from a Deliver when all places were taken
	inside int
	closed bool
}

func (o *observed) String() string { return "observed" }

func (o *observed) MaxInFlight() int { return maxInFlight }

func (o *observed) Open() (sink.Sink, error) {
	o.number = o.h.opened.Add(1)
	o.since = o.h.clock.Add(1)
	return o, nil
}

func (o *observed) Close() error {
	o.h.mu.Lock()
	defer o.h.mu.Unlock()
	if o.closed || o.inside > 0 {
		o.h.problems = append(o.h.problems, fmt.Sprintf("closed; closed before: %t, inside: %d", o.closed, o.inside))
	}
	o.closed = true
	o.h.closed.Add(1)
	return nil
}

func (o *observed) Deliver(ctx context.Context, batch []sink.Event) (int, error) {
	a := o.enter(ctx, batch)
	n, err := o.h.answer(ctx, len(batch))
	o.h.mu.Lock()
	defer o.h.mu.Unlock()
	a.answered = n
	a.returned = o.h.clock.Add(1)
	if o.inside == o.h.cfg.InFlight {
		o.since = a.returned
	}
	o.inside--
	return n, err
}

func (o *observed) enter(ctx context.Context, batch []sink.Event) *tried {
	o.h.see(batch)
	o.h.mu.Lock()
	defer o.h.mu.Unlock()
	if o.closed || o.inside == o.h.cfg.InFlight {
		o.h.problems = append(o.h.problems, fmt.Sprintf("called; closed: %t, inside: %d", o.closed, o.inside))
	}
	o.inside++
	o.h.most = max(o.h.most, o.inside)
	a := &tried{sink: o.number, since: o.since, entered: o.h.clock.Add(1), ctx: ctx, events: setOf(batch)}
	o.h.attempts = append(o.h.attempts, a)
	o.h.settle()
	return a
}
