package checks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/auditstream/auditstream"
)

// TestStreamModel drives a Stream with random calls and random answers of its sinks, several of which may be awaited at
// once, and compares states, ledger and order with a model after every step.
func TestStreamModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		bubble(t, func() {
			m := newModel(rt)
			defer m.abandon()
			if rapid.Bool().Draw(rt, "configured") {
				m.configure(rt)
			}
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
				"answers":   m.script,
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
	// When rapid looks for a shorter run that fails, it tells panics apart by their line. One is no failure: the run that it
	// tried ended too soon.
	if fmt.Sprintf("%T", failure) == "rapid.invalidData" {
		panic(failure)
	}
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
	m.dst.rejected(r)
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
	m := &model{state: auditstream.StateUnconfigured}
	m.cfg = auditstream.Config{
		InFlight:     rapid.IntRange(1, 4).Draw(rt, "InFlight"),
		QueueEvents:  rapid.IntRange(1, 20).Draw(rt, "QueueEvents"),
		Overflow:     rapid.SampledFrom([]auditstream.Overflow{auditstream.RefuseNew, auditstream.DropOldest}).Draw(rt, "Overflow"),
		WhilePaused:  rapid.SampledFrom([]auditstream.PausePolicy{auditstream.Hold, auditstream.Refuse}).Draw(rt, "WhilePaused"),
		StartPaused:  rapid.Bool().Draw(rt, "StartPaused"),
		BatchDelay:   200*time.Millisecond + 1, // at no time at which something else happens
		OnReject:     m.onReject,
		OnTransition: m.onTransition,
	}
	m.cfg.BatchEvents = rapid.IntRange(1, min(m.cfg.QueueEvents, 6)).Draw(rt, "BatchEvents")
	m.dst = newDestination(m.cfg)
	var err error
	m.stream, err = auditstream.New(m.cfg)
	require.NoError(rt, err)
	return m
}

func (m *model) configure(rt *rapid.T) {
	m.dst.equip(
		rapid.IntRange(-1, 4).Draw(rt, "MaxInFlight"),
		rapid.SampledFrom([]time.Duration{0, 0, 3 * time.Second, 5 * time.Minute}).Draw(rt, "AttemptTimeout"),
	)
	m.dst.edited()
	require.NoError(rt, m.stream.Configure(m.dst))
	m.dst.edited() // whatever was answered meanwhile
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
	for range rapid.IntRange(1, 12).Draw(rt, "events") {
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

func (m *model) pause(rt *rapid.T) { m.move(rt, m.stream.Pause(), auditstream.StatePaused) }

func (m *model) resume(rt *rapid.T) {
	if m.state == auditstream.StatePaused {
		m.dst.resumed()
	}
	m.move(rt, m.stream.Resume(), auditstream.StateEnabled)
}

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
	if rapid.IntRange(0, 3).Draw(rt, "really") > 0 {
		return // or most runs would have little to do
	}
	require.NoError(rt, m.stream.Delete())
	m.dst.edited()
	m.state = auditstream.StateDeleted
	status := m.stream.Status()
	require.Zero(rt, status.Totals.Pending)
	require.Empty(rt, status.Destination)
	require.NoError(rt, status.LastError)
}

func (m *model) flush(rt *rapid.T) {
	ctx, cancel := context.WithTimeout(context.Background(), rapid.SampledFrom([]time.Duration{0, time.Hour}).Draw(rt, "patience"))
	defer cancel()
	m.dst.pressed()
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
		time.Millisecond, 200 * time.Millisecond, time.Second, 2 * time.Second, 10 * time.Second, 2 * time.Minute, time.Hour,
	}).Draw(rt, "time"))
}

func (m *model) script(rt *rapid.T) {
	m.dst.script(
		rapid.SliceOfN(rapid.SampledFrom(modes), 1, 3).Draw(rt, "modes"),
		rapid.SliceOfN(rapid.SampledFrom(delays), 1, 3).Draw(rt, "delays"),
	)
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
	m.dst.check(rt, status)
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
	patience := time.Hour
	if recovered {
		m.dst.script([]string{"accept"}, []time.Duration{0})
		m.dst.release()
		if m.state == auditstream.StatePaused {
			m.resume(rt)
		}
	} else {
		patience = rapid.SampledFrom([]time.Duration{0, 2*time.Second + 7, time.Hour}).Draw(rt, "patience")
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	m.dst.pressed()
	err := m.stream.Shutdown(ctx)
	m.dst.ended()
	m.dst.settle()
	m.check(rt)
	l := m.stream.Status().Totals
	require.Zero(rt, l.Pending)
	if recovered {
		require.NoError(rt, err)
	}
	if left, ok := errors.AsType[*auditstream.UndeliveredError](err); ok {
		require.EqualValues(rt, len(left.Events), l.DiscardedShutdown)
		for _, e := range left.Events {
			require.Equal(rt, m.accepted[e.Sequence-1], e.ID)
		}
	}
	m.dst.reckon(rt, l)
}

// abandon ends the Stream of a run that failed, so that no goroutine is left to the next.
func (m *model) abandon() {
	m.dst.settle()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = m.stream.Shutdown(ctx)
	synctest.Wait()
}
