package hostile

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/internal/canary"
	"github.com/auditstream/auditstream/sink"
)

// figures are what came of one fault, or of several.
type figures struct {
	events, spoiled, lost, duplicates, inDoubt int64
}

// total adds up figures.
type total struct {
	mu sync.Mutex
	figures
	faults int
}

func (s *total) add(f figures) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults++
	s.events += f.events
	s.spoiled += f.spoiled
	s.lost += f.lost
	s.duplicates += f.duplicates
	s.inDoubt += f.inDoubt
}

func (s *total) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("events published %d, faults injected %d, attempts spoiled %d, lost %d, duplicates %d (in doubt %d)",
		s.events, s.faults, s.spoiled, s.lost, s.duplicates, s.inDoubt)
}

// TestHostileNetwork does everything that Toxiproxy can do to the connections between every driver and its server, while
// events are published. When the network has recovered, every event has arrived, and in order.
func TestHostileNetwork(t *testing.T) {
	var all total
	t.Run("peers", func(t *testing.T) {
		for _, p := range peers {
			t.Run(p.name, func(t *testing.T) {
				t.Parallel()
				var sum total
				t.Run("faults", func(t *testing.T) {
					for _, f := range faults {
						t.Run(f.name, func(t *testing.T) {
							t.Parallel()
							got := endure(t, p, f)
							sum.add(got)
							all.add(got)
						})
					}
				})
				t.Logf("figures: %s: %v", p.name, &sum)
			})
		}
	})
	t.Logf("figures: in all: %v", &all)
}

// endure publishes to a peer before, during and after a fault, and checks what has arrived.
func endure(t *testing.T, p peer, f fault) figures {
	t.Helper()
	server, network, dst := p.start(t)
	var m meter
	var said canary.Log
	s := newStream(t, &said, f.attemptTimeout(), metered{dst, &m})
	l := startLoad(t, s)
	meets := func(what string, condition func() bool) {
		t.Helper()
		require.Eventually(t, condition, patience, tick, what)
	}
	meets("nothing was delivered over a good network", func() bool { return m.taken.Load() >= 2 })

	server.Respond(f.answers...)
	f.poison(t, p, network)
	spoiled, taken := m.spoiled.Load(), m.taken.Load()
	if f.spoils {
		meets("the fault spoils no attempt", func() bool { return m.spoiled.Load() >= spoiled+2 })
	} else {
		meets("nothing was delivered over a slow network", func() bool { return m.taken.Load() >= taken+4 })
	}
	l.goOn(t)
	network.heal(t)
	l.goOn(t)
	published, err := l.stop()
	require.NoError(t, err, "from Publish")
	flush(t, s)

	got := compare(t, s, server, published)
	got.spoiled = m.spoiled.Load()
	for _, r := range server.Requests() {
		require.Equal(t, p.protocol, r.Protocol)
	}
	t.Logf("%d events, %d attempts taken, %d spoiled, %d duplicates of %d in doubt",
		got.events, m.taken.Load(), got.spoiled, got.duplicates, got.inDoubt)
	_, _ = fmt.Fprintf(&said, "%+v\n%v\n%v\n", s.Status(), s.Status().LastError, dst)
	require.NoError(t, s.Shutdown(t.Context()))
	require.Empty(t, canary.Find(said.String(), canary.Secret), "a form of the secret is in what came out")
	return got
}

// newStream returns a stream that delivers to dst, in batches and with patience of a size that suits a short test. A
// second or so is what a test of a fault takes.
func newStream(t *testing.T, said *canary.Log, attempts time.Duration, dst sink.Destination) *auditstream.Stream {
	t.Helper()
	s, err := auditstream.New(auditstream.Config{
		BatchEvents:    64,
		BatchDelay:     20 * time.Millisecond,
		AttemptTimeout: attempts,
		RetryMin:       5 * time.Millisecond,
		RetryMax:       50 * time.Millisecond,
		Logger:         slog.New(slog.NewJSONHandler(said, &slog.HandlerOptions{Level: slog.LevelDebug})),
		OnReject:       func(r auditstream.Rejection) { _, _ = fmt.Fprintf(said, "%+v %v\n", r, r.Err) },
		OnTransition:   func(tr auditstream.Transition) { _, _ = fmt.Fprintf(said, "%+v %v\n", tr, tr.Err) },
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Delete() })
	require.NoError(t, s.Configure(dst))
	return s
}

// flush waits until the stream has delivered everything.
func flush(t *testing.T, s *auditstream.Stream) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, s.Flush(ctx))
}

// compare holds the ledger and what was published against what has arrived.
func compare(t *testing.T, s *auditstream.Stream, server siem, published int64) figures {
	t.Helper()
	status := s.Status()
	got, n := status.Totals, uint64(published)
	assert.Equal(t, n, got.Accepted)
	assert.Equal(t, n, got.Delivered)
	assert.Zero(t, got.Rejected+got.Discarded+got.Pending, "an event left otherwise: %+v", got)
	assert.Zero(t, got.RefusedFull+got.RefusedInactive+got.RefusedInvalid, "an event was refused: %+v", got)
	assert.Zero(t, got.SinkPanics)
	assert.Equal(t, auditstream.ConditionHealthy, status.Condition)

	// An event arrives for the first time after those that were accepted before it, of its publisher and of all others.
	copies := make(map[string]int64)
	var next [publishers]int64
	for _, e := range server.Events() {
		copies[e.ID]++
		if copies[e.ID] > 1 {
			continue
		}
		p, i := publisherOf(t, e.ID)
		if uint64(len(copies)) != e.Sequence || next[p] != i {
			require.Fail(t, "an event is out of order", "%v", e)
		}
		next[p]++
	}
	f := figures{events: published, lost: published - int64(len(copies)), inDoubt: int64(got.InDoubt)}
	for _, c := range copies {
		f.duplicates += c - 1
	}
	assert.Zero(t, f.lost, "events lost")
	assert.LessOrEqual(t, f.duplicates, f.inDoubt, "there are duplicates of which the stream says nothing")
	return f
}
