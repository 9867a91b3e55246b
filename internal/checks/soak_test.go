package checks

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/internal/canary"
)

var soakSeed = flag.Uint64("soak.seed", 0, "seed of the soak's randomness; 0 draws one. What goroutines do at once still varies")

const (
	// soakTime is how long the publishers publish, and longOutage how long the network is down in the midst of it.
	soakTime   = 10 * time.Hour
	longOutage = 6 * time.Hour

	// drainTime is what the end may take: the backlog of the long outage is delivered within minutes.
	drainTime = 2 * time.Hour

	// sampleEvery is how often a Status is looked at.
	sampleEvery = 7 * time.Second
)

// TestSoak lets each driver deliver for ten hours of a bubble's time to servers that flap, throttle, refuse, lose
// answers and are away for six hours, while an administrator edits, pauses, deletes, tests and flushes. Nothing that was
// accepted is lost, and the destination is not hammered.
func TestSoak(t *testing.T) {
	seed := *soakSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-soak.seed=%d", seed)
	for name, plan := range map[string]plan{
		"OTLP over HTTP": {start: startOTLP, cfg: auditstream.Config{InFlight: 4}},
		"OTLP over gRPC": {start: startGRPC, cfg: auditstream.Config{InFlight: 2}},
		"Splunk":         {start: startSplunk, cfg: auditstream.Config{InFlight: 8}},
		"Sumo Logic":     {start: startSumoLogic, cfg: auditstream.Config{WhilePaused: auditstream.Refuse}},
		"Splunk, oldest dropped": {
			start: startSplunk, cfg: auditstream.Config{QueueEvents: 2000, Overflow: auditstream.DropOldest},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { newSoak(t, seed, plan).run(t) })
		})
	}
}

// plan is what differs between the soaks.
type plan struct {
	start func(t *testing.T) *station
	cfg   auditstream.Config
}

// soak is one Stream with everybody who has to do with it.
type soak struct {
	cfg        auditstream.Config
	began      time.Time
	stream     *auditstream.Stream
	stations   []*station // the first two are of the kind that the soak is about
	sky        *sky
	log        *attemptLog
	printed    *canary.Log
	goroutines int         // of the bubble, before there was a stream
	over       atomic.Bool // ten hours have passed: the weather is fair, and nobody calls any more
	desk       sync.Mutex  // an administrator's, held for calls that do not wait

	mu       sync.Mutex
	random   *rand.Rand
	accepted map[string]bool
	refused  uint64
	rejected map[uint64]bool
	deleted  []span
	last     auditstream.Totals
	samples  int
	problems []string
}

// span is the sequence numbers after from, to the number to.
type span struct{ from, to uint64 }

func newSoak(t *testing.T, seed uint64, p plan) *soak {
	t.Helper()
	s := &soak{
		cfg:        p.cfg,
		goroutines: len(goroutines(t)),
		began:      time.Now(),
		log:        &attemptLog{began: time.Now()},
		printed:    &canary.Log{},
		random:     rand.New(rand.NewPCG(seed, 0)),
		accepted:   make(map[string]bool),
		rejected:   make(map[uint64]bool),
	}
	s.cfg.Logger = slog.New(slog.NewTextHandler(s.printed, nil))
	s.cfg.OnReject = s.onReject
	s.cfg.BatchEvents = soakBatchEvents
	s.cfg.InFlight = max(s.cfg.InFlight, 1)
	other := startSumoLogic
	first := p.start(t)
	if first.kind == "sumologic" {
		other = startGRPC
	}
	s.stations = []*station{first, p.start(t), other(t)}
	s.sky = newSky(s.stations, rand.New(rand.NewPCG(seed, 1)))
	for _, st := range s.stations {
		st.log, st.sky = s.log, s.sky
	}
	var err error
	s.stream, err = auditstream.New(s.cfg)
	require.NoError(t, err)
	return s
}

// run is the soak: ten hours of trouble, a fair end, and the reckoning.
func (s *soak) run(t *testing.T) {
	t.Helper()
	require.NoError(t, s.stream.Configure(s.stations[0]))
	var all sync.WaitGroup
	for range 4 {
		all.Go(s.publish)
	}
	for range 2 {
		all.Go(s.administrate)
	}
	all.Go(s.sample)
	all.Go(s.sky.storm)
	time.Sleep(soakTime)
	s.over.Store(true)
	all.Wait()
	s.settle(t)
	ctx, cancel := context.WithTimeout(t.Context(), drainTime)
	require.NoError(t, s.stream.Flush(ctx))
	s.publishOne() // so that Shutdown finds connections that are parked, with their timers
	s.log.called()
	require.NoError(t, s.stream.Shutdown(ctx), "everything is delivered in the end")
	cancel()
	s.look()
	ended := time.Now()
	synctest.Wait()
	require.Zero(t, s.log.conns, "a connection outlives Shutdown")
	for _, st := range s.stations {
		st.server.Close()
	}
	s.reckon(t)
	s.requireNothingLeft(t, ended)
}

// settle brings the stream back to where it delivers, by the driver that the soak is about.
func (s *soak) settle(t *testing.T) {
	t.Helper()
	s.log.called()
	require.NoError(t, s.stream.Configure(s.stations[0]))
	require.NoError(t, s.stream.Resume())
}

// draw calls f with the soak's random numbers.
func draw[T any](s *soak, f func(*rand.Rand) T) T {
	s.mu.Lock()
	defer s.mu.Unlock()
	return f(s.random)
}

// between draws a duration from a range, short ones as likely as long ones: uniform on a logarithmic scale.
func between(r *rand.Rand, low, high time.Duration) time.Duration {
	d := low
	for d < high/2 && r.IntN(2) == 0 {
		d *= 2
	}
	return d + time.Duration(r.Int64N(int64(min(d, high-d)+1)))
}

func (s *soak) problem(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.problems) < 20 {
		s.problems = append(s.problems, fmt.Sprintf("%v: ", time.Since(s.began))+fmt.Sprintf(format, args...))
	}
}

// publish publishes as people work: a few events at once, and then nothing for a while.
func (s *soak) publish() {
	for !s.over.Load() {
		for range draw(s, func(r *rand.Rand) int { return 1 + r.IntN(8) }) {
			s.publishOne()
			time.Sleep(draw(s, func(r *rand.Rand) time.Duration { return time.Duration(r.IntN(50)) * time.Millisecond }))
		}
		time.Sleep(draw(s, func(r *rand.Rand) time.Duration { return time.Duration(r.IntN(180_000)) * time.Millisecond }))
	}
}

// poison is the action of events that servers refuse for their content.
const poison = "poison.taken"

func (s *soak) publishOne() {
	e := auditstream.Event{
		Actor:      auditstream.Actor{ID: "users-7", Type: auditstream.ActorUser, Name: "Ada"},
		Targets:    []auditstream.Target{{ID: "projects-12", Type: "project", Name: "Web shop"}},
		Outcome:    auditstream.OutcomeSuccess,
		Message:    "Ada changed the retention of Web shop",
		Changes:    []auditstream.Change{{Path: "retention.days", Before: 30, After: 90}},
		Attributes: []slog.Attr{slog.String("space", "Default"), slog.Int("tasks", 3)},
	}
	n := draw(s, func(r *rand.Rand) int {
		e.ID = fmt.Sprintf("e-%d-%d", len(s.accepted), r.Uint64())
		return r.IntN(400)
	})
	if e.Action = "project.edit"; n == 0 {
		e.Action = poison
	}
	err := s.stream.Publish(e)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil:
		s.accepted[e.ID] = true
	case errors.Is(err, auditstream.ErrDeleted),
		errors.Is(err, auditstream.ErrPaused) && s.cfg.WhilePaused == auditstream.Refuse:
		s.refused++
	default:
		s.problems = append(s.problems, "Publish: "+err.Error())
	}
}

func (s *soak) onReject(r auditstream.Rejection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range r.Events {
		s.rejected[e.Sequence] = true
		if e.Action != poison {
			s.problems = append(s.problems, fmt.Sprintf("event %d was rejected: %v", e.Sequence, r.Err))
		}
	}
}

// sample looks at the Status now and then.
func (s *soak) sample() {
	for !s.over.Load() {
		s.look()
		time.Sleep(sampleEvery)
	}
}

// look checks one snapshot.
func (s *soak) look() {
	status := s.stream.Status()
	l, cfg := status.Totals, s.cfg
	if status.LastError != nil {
		_, _ = fmt.Fprintf(s.printed, "%v %+v", status.LastError, status)
	}
	if l.Accepted != l.Delivered+l.Rejected+l.Discarded+l.Pending ||
		l.Discarded != l.DiscardedOverflow+l.DiscardedDeleted+l.DiscardedShutdown || l.Pending != uint64(status.Queue.Events) {
		s.problem("the ledger does not balance: %+v", l)
	}
	if (cfg.QueueEvents > 0 && status.Queue.Events > cfg.QueueEvents) || status.Queue.Events > 100_000 ||
		status.Queue.Bytes > 64<<20 {
		s.problem("the queue exceeds its bounds: %+v", status.Queue)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.samples++
	was := s.last
	if l.Accepted < was.Accepted || l.Delivered < was.Delivered || l.Rejected < was.Rejected || l.Discarded < was.Discarded {
		s.problems = append(s.problems, fmt.Sprintf("the ledger runs backwards: %+v after %+v", l, was))
	}
	s.last = l
}

// reckon compares what was accepted with what arrived.
func (s *soak) reckon(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	assert.Empty(t, s.problems)
	assert.Empty(t, canary.Find(s.printed.String(), canary.Secret), "the secret was printed")
	l := s.stream.Status().Totals
	a := s.arrivals(t)
	assert.Len(t, s.accepted, int(l.Accepted))
	assert.Equal(t, s.refused, l.RefusedInactive)
	assert.Zero(t, l.Pending+l.RefusedFull+l.RefusedInvalid+l.DiscardedShutdown)
	assert.Len(t, s.rejected, int(l.Rejected), "rejections and calls of OnReject")
	for id := range a.numbers {
		if !s.accepted[id] {
			assert.Fail(t, "an event arrived that was not accepted", "%s", id)
		}
	}
	excused := make(map[uint64]bool)
	for _, d := range s.deleted {
		for n := d.from + 1; n <= d.to; n++ {
			excused[n] = true
		}
	}
	assert.Len(t, excused, int(l.DiscardedDeleted))
	lost := -int(l.DiscardedOverflow) // which events were dropped for room the stream does not say, only how many
	if s.cfg.InFlight > 1 {           // those that Delete finds are not the last that were accepted then
		clear(excused)
		lost -= int(l.DiscardedDeleted)
	}
	for n := uint64(1); n <= l.Accepted; n++ {
		if !a.first[n] && !excused[n] && !s.rejected[n] {
			lost++
		}
	}
	lost = max(lost, 0) // what was dropped for room may have arrived, by an attempt whose answer was lost
	assert.Zero(t, lost, "accepted, and neither delivered nor counted as anything else")
	if s.cfg.Overflow != auditstream.DropOldest {
		assert.Zero(t, l.DiscardedOverflow)
	}
	s.requireBounded(t)
	t.Logf("%d events published, %d delivered, %d rejected, %d deleted, %d dropped for room, %d duplicates, lost: %d",
		l.Accepted, l.Delivered, l.Rejected, l.DiscardedDeleted, l.DiscardedOverflow, a.duplicates, lost)
	t.Logf("%d faults injected: %s; %d snapshots, %d in doubt", s.sky.faults(), s.sky.describe(), s.samples, l.InDoubt)
}

// arrivals is what arrived anywhere.
type arrivals struct {
	numbers    map[string]uint64
	first      map[uint64]bool
	duplicates int
}
