package checks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/sink"
)

// TestStreamModel drives a Stream with random calls and random answers of its sinks, and compares states, ledger and
// order with a model after every step.
func TestStreamModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		bubble(t, func() {
			m := newModel(rt)
			defer m.abandon()
			rt.Repeat(map[string]func(*rapid.T){
				"":          m.check,
				"configure": m.configure,
				"publish":   m.publish,
				"wait":      m.publishContext,
				"pause":     m.pause,
				"resume":    m.resume,
				"delete":    m.delete,
				"flush":     m.flush,
				"time":      m.passTime,
				"answer":    m.script,
				"release":   m.release,
			})
			m.finish(rt)
		})
	})
}

// bubble runs f in a bubble of its own and brings out the panic by which rapid ends a run that failed. One bubble for
// all runs would let rapid's time limit pass on the bubble's clock.
func bubble(t *testing.T, f func()) {
	t.Helper()
	var failure any
	synctest.Test(t, func(*testing.T) {
		defer func() { failure = recover() }()
		f()
	})
	if failure != nil {
		panic(failure)
	}
}

// model is what the Stream is expected to be.
type model struct {
	cfg    auditstream.Config
	stream *auditstream.Stream
	dst    *destination

	state     auditstream.State
	published int      // events handed to Publish and the like
	accepted  []string // ids by sequence, from 1
	refused   int

	mu      sync.Mutex
	counted uint64 // events told to OnReject
	told    []auditstream.Transition
}

func (m *model) onReject(r auditstream.Rejection) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counted += r.Count
}

func (m *model) onTransition(tr auditstream.Transition) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.told = append(m.told, tr)
}

// heard returns what the callbacks were told.
func (m *model) heard() (rejections uint64, transitions []auditstream.Transition) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.counted, slices.Clone(m.told)
}

func newModel(rt *rapid.T) *model {
	m := &model{state: auditstream.StateUnconfigured, dst: &destination{mode: "accept", seen: map[uint64]bool{}}}
	m.cfg = auditstream.Config{
		QueueEvents:  rapid.IntRange(1, 9).Draw(rt, "QueueEvents"),
		Overflow:     rapid.SampledFrom([]auditstream.Overflow{auditstream.RefuseNew, auditstream.DropOldest}).Draw(rt, "Overflow"),
		WhilePaused:  rapid.SampledFrom([]auditstream.PausePolicy{auditstream.Hold, auditstream.Refuse}).Draw(rt, "WhilePaused"),
		StartPaused:  rapid.Bool().Draw(rt, "StartPaused"),
		OnReject:     m.onReject,
		OnTransition: m.onTransition,
	}
	m.cfg.BatchEvents = rapid.IntRange(1, m.cfg.QueueEvents).Draw(rt, "BatchEvents")
	var err error
	m.stream, err = auditstream.New(m.cfg)
	require.NoError(rt, err)
	return m
}

func (m *model) configure(rt *rapid.T) {
	require.NoError(rt, m.stream.Configure(m.dst))
	switch {
	case m.state == auditstream.StateUnconfigured && m.cfg.StartPaused:
		m.state = auditstream.StatePaused
	case m.state != auditstream.StatePaused:
		m.state = auditstream.StateEnabled
	}
}

// inactive is the error of a state that takes no events, or nil.
func (m *model) inactive() error {
	switch m.state {
	case auditstream.StateUnconfigured:
		return auditstream.ErrUnconfigured
	case auditstream.StateDeleted:
		return auditstream.ErrDeleted
	case auditstream.StatePaused:
		if m.cfg.WhilePaused == auditstream.Refuse {
			return auditstream.ErrPaused
		}
	case auditstream.StateEnabled:
	}
	return nil
}

func (m *model) next() auditstream.Event {
	m.published++
	return auditstream.Event{ID: fmt.Sprint("e", m.published), Action: "a", Actor: auditstream.Actor{ID: "b"}}
}

func (m *model) publish(rt *rapid.T) {
	for range rapid.IntRange(1, 4).Draw(rt, "events") {
		synctest.Wait()
		before := m.stream.Status()
		e := m.next()
		m.answered(rt, e, before, m.stream.Publish(e))
	}
}

func (m *model) publishContext(rt *rapid.T) {
	synctest.Wait()
	before := m.stream.Status()
	e := m.next()
	ctx, cancel := context.WithTimeout(context.Background(), rapid.SampledFrom([]time.Duration{0, time.Minute}).Draw(rt, "wait"))
	defer cancel()
	err := m.stream.PublishContext(ctx, e)
	if err != nil && m.inactive() == nil {
		require.ErrorIs(rt, err, auditstream.ErrQueueFull)
		require.ErrorIs(rt, err, context.DeadlineExceeded)
		require.Equal(rt, m.cfg.QueueEvents, before.Queue.Events, "there was room")
		m.refused++
		return
	}
	if err == nil {
		m.accepted = append(m.accepted, e.ID) // perhaps after waiting for room
		return
	}
	m.answered(rt, e, before, err)
}

// answered compares the answer of Publish with what the state before allows.
func (m *model) answered(rt *rapid.T, e auditstream.Event, before auditstream.Status, err error) {
	full := before.Queue.Events == m.cfg.QueueEvents
	switch want := m.inactive(); {
	case want != nil:
		require.ErrorIs(rt, err, want)
		m.refused++
	case err == nil:
		require.False(rt, full && m.cfg.Overflow == auditstream.RefuseNew, "accepted beyond QueueEvents")
		m.accepted = append(m.accepted, e.ID)
	default:
		require.ErrorIs(rt, err, auditstream.ErrQueueFull)
		require.True(rt, full, "refused though there was room")
		m.refused++
	}
}

func (m *model) pause(rt *rapid.T)  { m.move(rt, m.stream.Pause(), auditstream.StatePaused) }
func (m *model) resume(rt *rapid.T) { m.move(rt, m.stream.Resume(), auditstream.StateEnabled) }

func (m *model) move(rt *rapid.T, err error, to auditstream.State) {
	switch m.state {
	case auditstream.StateUnconfigured:
		require.ErrorIs(rt, err, auditstream.ErrUnconfigured)
	case auditstream.StateDeleted:
		require.ErrorIs(rt, err, auditstream.ErrDeleted)
	case auditstream.StateEnabled, auditstream.StatePaused:
		require.NoError(rt, err)
		m.state = to
	}
}

func (m *model) delete(rt *rapid.T) {
	require.NoError(rt, m.stream.Delete())
	m.state = auditstream.StateDeleted
	status := m.stream.Status()
	require.Zero(rt, status.Totals.Pending)
	require.Empty(rt, status.Destination)
	require.NoError(rt, status.LastError)
}

func (m *model) flush(rt *rapid.T) {
	ctx, cancel := context.WithTimeout(context.Background(), rapid.SampledFrom([]time.Duration{0, time.Hour}).Draw(rt, "patience"))
	defer cancel()
	err := m.stream.Flush(ctx)
	pending := m.stream.Status().Totals.Pending
	switch {
	case m.state == auditstream.StateDeleted:
		require.ErrorIs(rt, err, auditstream.ErrDeleted)
	case err == nil:
		require.Zero(rt, pending)
		rejected, _ := m.heard()
		require.Equal(rt, m.stream.Status().Totals.Rejected, rejected, "rejections are handed over before Flush returns")
	case m.state == auditstream.StatePaused:
		require.ErrorIs(rt, err, auditstream.ErrPaused)
		require.NotZero(rt, pending)
	default:
		require.ErrorIs(rt, err, context.DeadlineExceeded)
	}
}

func (m *model) passTime(rt *rapid.T) {
	time.Sleep(rapid.SampledFrom([]time.Duration{
		time.Millisecond, 200 * time.Millisecond, time.Second, 10 * time.Second, 2 * time.Minute, time.Hour,
	}).Draw(rt, "time"))
}

func (m *model) script(rt *rapid.T) {
	m.dst.script(rapid.SampledFrom(modes).Draw(rt, "mode"))
}

func (m *model) release(*rapid.T) { m.dst.release() }

// check compares the Stream with the model. It runs after every step.
func (m *model) check(rt *rapid.T) {
	synctest.Wait()
	status := m.stream.Status()
	l := status.Totals
	require.Equal(rt, m.state, status.State)
	require.Equal(rt, l.Accepted, l.Delivered+l.Rejected+l.Discarded+l.Pending, "the ledger: %+v", l)
	require.EqualValues(rt, len(m.accepted), l.Accepted)
	require.EqualValues(rt, m.refused, l.RefusedFull+l.RefusedInactive)
	require.EqualValues(rt, l.Pending, status.Queue.Events)
	require.LessOrEqual(rt, status.Queue.Events, m.cfg.QueueEvents)
	rejected, told := m.heard()
	require.Equal(rt, l.Rejected, rejected, "every rejection is told")
	require.Equal(rt, status.Queue.Events == 0, status.Queue.Oldest.IsZero())
	m.dst.check(rt, m)
	for i, tr := range told {
		if i > 0 {
			require.Equal(rt, told[i-1].To, tr.From, "transitions follow each other")
			require.Equal(rt, told[i-1].ToCondition, tr.FromCondition)
		}
	}
	if n := len(told); n > 0 {
		require.Equal(rt, status.State, told[n-1].To)
		require.Equal(rt, status.Condition, told[n-1].ToCondition)
	}
}

// finish ends the Stream and checks that everything accepted is accounted for.
func (m *model) finish(rt *rapid.T) {
	recovered := rapid.Bool().Draw(rt, "recovered")
	if recovered {
		m.dst.script("accept")
		m.dst.release()
		if m.state == auditstream.StatePaused {
			m.resume(rt)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	err := m.stream.Shutdown(ctx)
	m.dst.settle()
	m.check(rt)
	require.Zero(rt, m.stream.Status().Totals.Pending)
	if recovered {
		require.NoError(rt, err)
	}
	if left, ok := errors.AsType[*auditstream.UndeliveredError](err); ok {
		require.EqualValues(rt, len(left.Events), m.stream.Status().Totals.DiscardedShutdown)
		for _, e := range left.Events {
			require.Equal(rt, m.accepted[e.Sequence-1], e.ID)
		}
	}
	m.dst.mu.Lock()
	defer m.dst.mu.Unlock()
	require.Equal(rt, m.dst.opened, m.dst.closed, "every sink is closed, once")
}

// abandon ends the Stream of a run that failed, so that no goroutine is left to the next.
func (m *model) abandon() {
	m.dst.settle()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = m.stream.Shutdown(ctx)
	synctest.Wait()
}

// modes are the ways in which a destination answers.
var modes = []string{
	"accept", "accept", "prefix", "retry", "later", "block", "reject first", "reject last", "reject all", "count",
	"split third", "split all", "until done", "hang", "panic", "nonsense", "silent", "slow",
}

// slow is how long a slow call takes, whatever its context says.
const slow = 5 * time.Second

// destination is a sink.Destination whose sinks answer by one mode at a time.
type destination struct {
	mu       sync.Mutex
	mode     string
	hung     chan struct{}
	opened   int
	closed   int
	highest  uint64          // sequence number offered so far
	seen     map[uint64]bool // sequence numbers offered so far
	last     []uint64        // the last batch
	problems []string
}

func (d *destination) script(mode string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mode = mode
}

// release lets hung calls return.
func (d *destination) release() {
	d.mu.Lock()
	if d.hung != nil {
		close(d.hung)
		d.hung = nil
	}
	d.mu.Unlock()
	synctest.Wait()
}

// settle lets every call return, slow ones too.
func (d *destination) settle() {
	d.script("accept")
	d.release()
	time.Sleep(2 * slow)
	synctest.Wait()
}

func (d *destination) Open() (sink.Sink, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.opened++
	return &fake{d: d}, nil
}

// current returns the mode, and the channel that a call that hangs waits for.
func (d *destination) current() (string, <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mode == "hang" && d.hung == nil {
		d.hung = make(chan struct{})
	}
	return d.mode, d.hung
}

func (d *destination) problem(text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.problems = append(d.problems, text)
}

func (d *destination) String() string { return "model" }

// check reports what the sinks have seen. Everything is at rest: the model has waited.
func (d *destination) check(rt *rapid.T, m *model) {
	d.mu.Lock()
	defer d.mu.Unlock()
	require.Empty(rt, d.problems)
	if n := len(d.last); n > 0 {
		require.LessOrEqual(rt, n, m.cfg.BatchEvents)
		require.LessOrEqual(rt, d.last[n-1], uint64(len(m.accepted)))
	}
}

// fake is one sink of a destination.
type fake struct {
	d       *destination
	running atomic.Bool
}

func (f *fake) Close() error {
	if f.running.Load() {
		f.d.problem("closed while Deliver runs")
	}
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	f.d.closed++
	return nil
}

var errFake = errors.New("fake")

func (f *fake) Deliver(ctx context.Context, batch []sink.Event) (int, error) {
	if f.running.Swap(true) {
		f.d.problem("calls overlap")
	}
	defer f.running.Store(false)
	mode, hung := f.d.current()
	if batch[0].Action == "auditstream.test" {
		return answerTest(mode)
	}
	f.d.see(batch)
	n := len(batch)
	switch mode {
	case "prefix":
		return n / 2, errFake
	case "retry":
		return 0, errFake
	case "later":
		return 0, sink.Retry(errFake, time.Hour)
	case "block":
		return 0, sink.Block(errFake)
	case "reject first":
		return 1, sink.Reject(errFake, 0)
	case "reject last":
		return n, sink.Reject(errFake)
	case "reject all":
		var all []int
		for i := range n {
			all = append(all, i)
		}
		return n, sink.Reject(errFake, all...)
	case "count":
		return n, sink.RejectCount(errFake, 1)
	case "split third":
		return splitThird(batch)
	case "split all":
		return 0, sink.Split(errFake)
	case "until done":
		<-ctx.Done()
		return 0, ctx.Err()
	case "hang":
		<-hung
	case "panic":
		panic("model")
	case "nonsense":
		return n + 1, nil
	case "silent":
		return n - 1, nil
	case "slow":
		time.Sleep(slow)
	}
	return n, nil
}

// answerTest answers the test event: it is taken, unless the mode refuses everything.
func answerTest(mode string) (int, error) {
	switch mode {
	case "split all", "reject all":
		return 1, sink.Reject(errFake, 0)
	case "retry":
		return 0, errFake
	}
	return 1, nil
}

// splitThird refuses every batch with an event in it whose number leaves a remainder of 1.
func splitThird(batch []sink.Event) (int, error) {
	for _, e := range batch {
		if e.Sequence%3 == 1 {
			return 0, sink.Split(errFake)
		}
	}
	return len(batch), nil
}

// see notes a batch and what is wrong with its order: sequence numbers rise within it, and no event is offered for the
// first time after a younger one was.
func (d *destination) see(batch []sink.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last = d.last[:0]
	for i, e := range batch {
		if i > 0 && e.Sequence <= batch[i-1].Sequence {
			d.problems = append(d.problems, fmt.Sprintf("event %d after %d", e.Sequence, batch[i-1].Sequence))
		}
		if e.Sequence < d.highest && !d.seen[e.Sequence] {
			d.problems = append(d.problems, fmt.Sprintf("event %d first offered after %d", e.Sequence, d.highest))
		}
		d.last = append(d.last, e.Sequence)
	}
	for _, seq := range d.last {
		d.seen[seq] = true
		d.highest = max(d.highest, seq)
	}
}
