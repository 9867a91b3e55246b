package checks

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
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

// watch is what is known about the calls that have returned, and about the attempts on every sink. After Pause, Delete
// or Configure has returned, some attempts may still enter their sink: those whose last look at the state, under the
// stream's lock, came before the call, at most as many as may be in flight. Nothing else may.
type watch struct {
	inFlight int

	mu       sync.Mutex
	paused   bool             // Pause has returned
	deleted  bool             // Delete has returned
	current  int              // the sink of the last Configure that has returned
	inside   map[*inside]bool // the attempts in progress
	entries  []entry
	late     int // entries that a returned call should have kept out, since that call
	lateAll  int
	open     int
	problems []string
}

func newWatch(inFlight int) *watch { return &watch{inFlight: inFlight, inside: make(map[*inside]bool)} }

// inside is an attempt in progress.
type inside struct {
	sink *watched
	ctx  context.Context
}

// entry is one call of Deliver.
type entry struct {
	sink int
	late bool
}

func (w *watch) problem(format string, args ...any) {
	w.problems = append(w.problems, fmt.Sprintf(format, args...))
}

// returned notes that a call has returned.
func (w *watch) returned(note func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.late = 0
	note()
}

// seen returns how many attempts there were.
func (w *watch) seen() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.entries)
}

// since returns the attempts after the first n, and what was wrong with any.
func (w *watch) since(n int) (entries []entry, problems []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.entries[n:]), slices.Clone(w.problems)
}

// closed reports whether every sink is.
func (w *watch) closed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.open == 0
}

// expectEnded notes a problem if the context of an attempt in progress has not ended, on any sink but the given one. It
// is called with the lock held.
func (w *watch) expectEnded(but int, after string) {
	for a := range w.inside {
		if a.sink.number != but && a.ctx.Err() == nil {
			w.problem("an attempt on sink %d goes on after %s", a.sink.number, after)
		}
	}
}

// watched is a destination and its sink.
type watched struct {
	w      *watch
	number int
	answer answerFunc

	calls  int  // that run; guarded by w.mu
	closed bool // guarded by w.mu
}

func (d *watched) MaxInFlight() int { return d.w.inFlight }

func (d *watched) String() string { return "watched" }

func (d *watched) Open() (sink.Sink, error) {
	d.w.mu.Lock()
	defer d.w.mu.Unlock()
	d.w.open++
	return d, nil
}

func (d *watched) Close() error {
	d.w.mu.Lock()
	defer d.w.mu.Unlock()
	if d.calls > 0 || d.closed {
		d.w.problem("sink %d closed while inside: %d, closed: %t", d.number, d.calls, d.closed)
	}
	d.closed = true
	d.w.open--
	return nil
}

func (d *watched) Deliver(ctx context.Context, batch []sink.Event) (int, error) {
	self := &inside{d, ctx}
	if d.enter(self) {
		// It is one of those that may, and its context ends, by Delete at once, by an edit after its grace.
		select {
		case <-ctx.Done():
		case <-time.After(time.Minute):
			d.w.returned(func() { d.w.problem("the context of an attempt on replaced sink %d does not end", d.number) })
		}
	}
	n, err := d.answer(ctx, len(batch))
	d.w.mu.Lock()
	defer d.w.mu.Unlock()
	delete(d.w.inside, self)
	d.calls--
	return n, err
}

// enter notes an attempt, and reports whether its context is to end.
func (d *watched) enter(self *inside) (ends bool) {
	w := d.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if d.calls == w.inFlight || d.closed {
		w.problem("sink %d entered while inside: %d, closed: %t", d.number, d.calls, d.closed)
	}
	d.calls++
	w.inside[self] = true
	replaced := d.number < w.current
	late := w.paused || w.deleted || replaced
	w.entries = append(w.entries, entry{sink: d.number, late: late})
	if !late {
		return false
	}
	w.lateAll++
	// Those that Delete has ended make room for others, which the next Delete may end as well before any has entered.
	if self.ctx.Err() == nil {
		w.late++
	}
	if w.late > w.inFlight {
		w.problem("attempt %d on sink %d after the call", w.late, d.number)
	}
	if w.deleted && self.ctx.Err() == nil {
		w.problem("an attempt on sink %d after Delete, in a context that has not ended", d.number)
	}
	return replaced && !w.paused
}

// administrator makes calls of one stream, one after the other.
type administrator struct {
	t      *testing.T
	stream *auditstream.Stream
	watch  *watch
	answer answerFunc
	sinks  int
}

// call makes a random call and notes that it has returned.
func (a *administrator) call(n int) {
	w := a.watch
	switch {
	case n < 30:
		if a.stream.Pause() == nil {
			w.returned(func() { w.paused = true })
		}
	case n < 60:
		w.returned(func() { w.paused = false }) // it may start attempts before it returns
		_ = a.stream.Resume()
	case n < 85:
		w.returned(func() { w.deleted = false })
		a.sinks++
		require.NoError(a.t, a.stream.Configure(&watched{w: w, number: a.sinks, answer: a.answer}))
		w.returned(func() { w.current = a.sinks })
	default:
		require.NoError(a.t, a.stream.Delete())
		w.returned(func() {
			w.paused, w.deleted = false, true
			w.expectEnded(0, "Delete")
		})
	}
}

// publishUntil publishes until done is closed.
func publishUntil(stream *auditstream.Stream, done <-chan struct{}) {
	e := auditstream.Event{Action: "a", Actor: auditstream.Actor{ID: "b"}}
	for {
		select {
		case <-done:
			return
		default:
			_ = stream.Publish(e)
			runtime.Gosched()
		}
	}
}

// TestNoAttemptStartsAfterTheCall lets publishers, a worker and an administrator run at once, and looks at every attempt
// that enters a sink after a call that should have kept it out.
func TestNoAttemptStartsAfterTheCall(t *testing.T) {
	for _, inFlight := range []int{1, 3} {
		t.Run(fmt.Sprint(inFlight, " in flight"), func(t *testing.T) { noAttemptStarts(t, inFlight) })
	}
}

func noAttemptStarts(t *testing.T, inFlight int) {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4 * runtime.NumCPU()))
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	stream, err := auditstream.New(auditstream.Config{
		QueueEvents: 256, BatchEvents: 8, InFlight: inFlight, BatchDelay: 1, RetryMin: 1, RetryMax: 1,
	})
	require.NoError(t, err)
	w := newWatch(inFlight)
	done := make(chan struct{})
	var publishers sync.WaitGroup
	for range 3 {
		publishers.Go(func() { publishUntil(stream, done) })
	}
	a := &administrator{t: t, stream: stream, watch: w, answer: someTaken}
	const calls = 12_000
	for range calls {
		a.call(random.IntN(100))
		for range random.IntN(30) {
			runtime.Gosched()
		}
	}
	close(done)
	publishers.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = stream.Shutdown(ctx)
	require.Eventually(t, w.closed, time.Minute, time.Millisecond, "a sink is not closed")
	w.mu.Lock()
	defer w.mu.Unlock()
	assert.Empty(t, w.problems)
	t.Logf("%d calls, %d attempts; in %d the last look had come before the call", calls, len(w.entries), w.lateAll)
}

// TestNoAttemptStartsAfterTheCallInTime is the same with time that passes: when everything that a call found in progress
// has come to rest, no attempt at all follows, however long one waits.
func TestNoAttemptStartsAfterTheCallInTime(t *testing.T) {
	for _, inFlight := range []int{1, 3} {
		t.Run(fmt.Sprint(inFlight, " in flight"), func(t *testing.T) { noAttemptStartsInTime(t, inFlight) })
	}
}

func noAttemptStartsInTime(t *testing.T, inFlight int) {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	answers := []answerFunc{
		taken, someTaken, untilDone,
		func(ctx context.Context, n int) (int, error) { // slow
			select {
			case <-time.After(3 * time.Second):
				return n, nil
			case <-ctx.Done():
				return 0, ctx.Err()
			}
		},
		func(context.Context, int) (int, error) { return 0, sink.Block(errFake) },
	}
	synctest.Test(t, func(t *testing.T) {
		stream, err := auditstream.New(auditstream.Config{
			QueueEvents: 64, BatchEvents: 4, InFlight: inFlight, AttemptTimeout: 10 * time.Second,
		})
		require.NoError(t, err)
		w := newWatch(inFlight)
		a := &administrator{t: t, stream: stream, watch: w}
		for range 1200 {
			for range random.IntN(6 * inFlight) {
				_ = stream.Publish(auditstream.Event{Action: "a", Actor: auditstream.Actor{ID: "b"}})
			}
			time.Sleep(time.Duration(random.Int64N(int64(400 * time.Millisecond))))
			a.answer = answers[random.IntN(len(answers))]
			a.call(random.IntN(100))
			synctest.Wait()
			before := w.seen()
			pause := []time.Duration{0, time.Second, time.Hour}[random.IntN(3)]
			time.Sleep(pause)
			synctest.Wait()
			if pause > 0 {
				w.returned(func() { w.expectEnded(a.sinks, "the grace of an edit") })
			}
			entries, problems := w.since(before)
			for _, e := range entries {
				require.False(t, e.late, "an attempt on sink %d after the call", e.sink)
			}
			require.Empty(t, problems)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_ = stream.Shutdown(ctx)
		synctest.Wait()
		assert.True(t, w.closed(), "a sink is not closed")
		t.Logf("%d attempts", w.seen())
	})
}

// TestAnAttemptInTheMakingIsCalledOff calls while the worker decodes a large batch: after it has leased the batch and
// before its last look. That attempt must not start any more.
func TestAnAttemptInTheMakingIsCalledOff(t *testing.T) {
	for name, call := range map[string]func(*auditstream.Stream) error{
		"Pause":     (*auditstream.Stream).Pause,
		"Delete":    (*auditstream.Stream).Delete,
		"Configure": func(s *auditstream.Stream) error { return s.Configure(&watched{w: newWatch(1), answer: taken}) },
	} {
		t.Run(name, func(t *testing.T) {
			// The call is made while the batch is decoded, unless this goroutine is kept from running for as long as
			// that takes. Then the attempt has started before, and the trial says nothing.
			trials, started := 0, 0
			for range 20 {
				missed, late := callOff(t, call)
				if missed {
					continue
				}
				if trials++; late {
					started++
				}
				if trials == 3 {
					break
				}
			}
			require.Equal(t, 3, trials, "the call was never made in time")
			// One may have taken its last look in the moment between the two.
			require.Less(t, started, 2, "attempts start that have been called off")
		})
	}
}

// callOff makes a call while an attempt is in the making. It reports whether it missed the moment, and otherwise whether
// the attempt started after the call had returned.
func callOff(t *testing.T, call func(*auditstream.Stream) error) (missed, late bool) {
	t.Helper()
	const events = 20_000
	synctest.Test(t, func(t *testing.T) {
		stream, err := auditstream.New(auditstream.Config{
			QueueEvents: events, BatchEvents: events, BatchBytes: 32 << 20, RetryMin: time.Hour, RetryMax: time.Hour,
		})
		require.NoError(t, err)
		w := newWatch(1)
		fail := func(context.Context, int) (int, error) { return 0, errFake }
		require.NoError(t, stream.Configure(&watched{w: w, answer: fail}))
		for range events {
			require.NoError(t, stream.Publish(auditstream.Event{Action: "a", Actor: auditstream.Actor{ID: "b"}}))
		}
		synctest.Wait() // it waits for its second attempt
		require.Equal(t, 1, w.seen())
		require.False(t, stream.Status().NextAttempt.IsZero())
		ctx, cancel := context.WithCancel(t.Context())
		var flush sync.WaitGroup
		flush.Go(func() { _ = stream.Flush(ctx) })
		for !stream.Status().NextAttempt.IsZero() {
			runtime.Gosched()
		}
		// None is due, for one has been begun.
		require.NoError(t, call(stream))
		missed = w.seen() > 1
		synctest.Wait()
		late = w.seen() > 1
		cancel()
		flush.Wait()
		_ = stream.Shutdown(ctx)
	})
	return missed, late
}
