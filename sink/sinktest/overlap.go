package sinktest

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/auditstream/auditstream/sink"
)

const (
	// mostOverlapping is how many calls the suite makes at once at most, whatever MaxInFlight says.
	mostOverlapping = 8

	// overlappingBatches of overlappingEvents each are delivered by them.
	overlappingBatches = 32
	overlappingEvents  = 25
)

// abilities are what the optional methods of a sink say.
type abilities struct {
	maxInFlight int // less than 2: calls must not overlap
	timeout     time.Duration
}

// ask asks a sink what it can do.
func (s *suite) ask(k sink.Sink) abilities {
	s.tb.Helper()
	a := abilities{maxInFlight: 1, timeout: attemptTimeout}
	if m, ok := k.(interface{ MaxInFlight() int }); ok && !s.guard("MaxInFlight", func() { a.maxInFlight = m.MaxInFlight() }) {
		s.tb.FailNow()
	}
	if m, ok := k.(interface{ AttemptTimeout() time.Duration }); ok {
		own := time.Duration(0)
		if !s.guard("AttemptTimeout", func() { own = m.AttemptTimeout() }) {
			s.tb.FailNow()
		}
		a.timeout = max(own, a.timeout) // a sink that waits for more than an answer is given the time to
	}
	return a
}

// outcome is what one call of Deliver came to.
type outcome struct {
	n   int
	err error
	ok  bool // there is an answer
}

// overlap calls f in as many goroutines as the sink takes calls at once, and reports false when it takes one at a time.
func (s *suite) overlap(f func(i int)) bool {
	s.tb.Helper()
	calls := min(s.able.maxInFlight, mostOverlapping)
	if calls < 2 {
		s.tb.Log("sinktest: the sink has no MaxInFlight above 1: left out")
		return false
	}
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range calls {
		all.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	all.Wait()
	return true
}

// checkOverlap delivers many batches, as many at once as the sink takes, and closes the sink when they have returned.
func checkOverlap(s *suite, dst sink.Destination, srv Server) {
	s.tb.Helper()
	k := s.open(dst)
	batches := slices.Collect(slices.Chunk(makeEvents(overlappingBatches*overlappingEvents, 10), overlappingEvents))
	outcomes := make([]outcome, len(batches))
	var next atomic.Int64
	overlapped := s.overlap(func(int) {
		for b := int(next.Add(1)) - 1; b < len(batches); b = int(next.Add(1)) - 1 {
			outcomes[b] = s.attempt(s.tb.Context(), k, slices.Clone(batches[b]))
		}
	})
	s.close(k)
	if !overlapped {
		return
	}
	for b, o := range outcomes {
		s.checkBeside(srv, batches[b], o)
	}
	if got := len(srv.IDs()); got != overlappingBatches*overlappingEvents {
		s.broken(ruleOverlap, "%d events arrived of calls at once, want %d", got, overlappingBatches*overlappingEvents)
	}
	s.checkGone(k)
}

// checkOverlapFailing lets two of the calls at once fail: one has no time, and one an event that the server refuses. The
// others have nothing to do with that.
func checkOverlapFailing(s *suite, dst sink.Destination, srv Server) {
	s.tb.Helper()
	k := s.open(dst)
	defer s.close(k)
	over, cancel := context.WithCancel(s.tb.Context())
	cancel()
	good := slices.Collect(slices.Chunk(makeEvents(mostOverlapping*overlappingEvents, 10), overlappingEvents))
	bad := makeEvents((mostOverlapping+2)*overlappingEvents, 10)[mostOverlapping*overlappingEvents:]
	bad[len(bad)-1].Action = PoisonAction
	outcomes := make([]outcome, mostOverlapping)
	s.overlap(func(i int) {
		switch i {
		case 0:
			_ = s.attempt(over, k, slices.Clone(bad[:overlappingEvents]))
		case 1:
			_ = s.attempt(s.tb.Context(), k, slices.Clone(bad[overlappingEvents:]))
		}
		outcomes[i] = s.attempt(s.tb.Context(), k, slices.Clone(good[i]))
	})
	for i, o := range outcomes[:min(max(s.able.maxInFlight, 1), mostOverlapping)] {
		s.checkBeside(srv, good[i], o)
	}
}

// checkBeside checks that a batch has arrived whole, once and in order, whatever arrived beside it.
func (s *suite) checkBeside(srv Server, batch []sink.Event, o outcome) {
	s.tb.Helper()
	if !o.ok {
		return // reported, or never made
	}
	if o.n != len(batch) || o.err != nil {
		s.broken(ruleOverlap, "Deliver returned %d and %s for a batch of %d that the server takes, beside others",
			o.n, describe(o.err), len(batch))
		return
	}
	own := idsOf(batch)
	got := slices.DeleteFunc(srv.IDs(), func(id string) bool { return !slices.Contains(own, id) })
	if !slices.Equal(got, own) {
		s.broken(ruleOverlap, "a batch of %d that was taken beside others did not arrive whole, once and in order", len(batch))
	}
}
