package checks

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/auditstream/auditstream"
)

// administrate makes a call every few minutes.
func (s *soak) administrate() {
	for {
		time.Sleep(draw(s, func(r *rand.Rand) time.Duration { return between(r, 10*time.Second, 12*time.Minute) }))
		if s.over.Load() {
			return
		}
		switch n := draw(s, func(r *rand.Rand) int { return r.IntN(100) }); {
		case n < 20:
			s.configure(s.stream.Status().Destination)
		case n < 45:
			s.configure("")
		case n < 70:
			s.rest()
		case n < 74:
			s.remove()
		case n < 87:
			s.test()
		default:
			s.flush()
		}
	}
}

// expect notes a problem with an answer other than nil and the given ones.
func (s *soak) expect(what string, err error, but ...error) {
	if err == nil || slices.ContainsFunc(but, func(target error) bool { return errors.Is(err, target) }) {
		return
	}
	s.problem("%s: %v", what, err)
}

// configure edits the destination: to itself if it is the one of that name, and to any of them otherwise. A deleted
// stream is left to whoever has deleted it.
func (s *soak) configure(name string) {
	st := draw(s, func(r *rand.Rand) *station {
		for _, st := range s.stations {
			if st.String() == name {
				return st
			}
		}
		return s.stations[r.IntN(len(s.stations))]
	})
	s.desk.Lock()
	defer s.desk.Unlock()
	if s.stream.Status().State != auditstream.StateDeleted {
		s.log.called()
		s.expect("Configure", s.stream.Configure(st))
	}
}

// rest pauses the stream for a while.
func (s *soak) rest() {
	s.expect("Pause", s.stream.Pause(), auditstream.ErrDeleted)
	time.Sleep(draw(s, func(r *rand.Rand) time.Duration { return between(r, time.Second, 10*time.Minute) }))
	s.log.called()
	s.expect("Resume", s.stream.Resume(), auditstream.ErrDeleted)
}

// mostDeleted is how long a queue may be to be deleted: the backlog of an outage is to be delivered.
const mostDeleted = 200

// remove deletes the stream and configures it again. What was queued is the last that was accepted.
func (s *soak) remove() {
	s.desk.Lock()
	status := s.stream.Status()
	if status.Queue.Events > mostDeleted || status.State == auditstream.StateDeleted {
		s.desk.Unlock()
		return
	}
	before := status.Totals.DiscardedDeleted
	s.log.called()
	s.expect("Delete", s.stream.Delete())
	l := s.stream.Status().Totals
	s.desk.Unlock()
	s.mu.Lock()
	s.deleted = append(s.deleted, span{from: l.Accepted - (l.DiscardedDeleted - before), to: l.Accepted})
	s.mu.Unlock()
	time.Sleep(draw(s, func(r *rand.Rand) time.Duration { return between(r, time.Second, time.Minute) }))
	s.desk.Lock()
	defer s.desk.Unlock()
	s.log.called()
	s.expect("Configure", s.stream.Configure(s.stations[0]))
}

// test tries a destination; that it fails in this weather is no problem.
func (s *soak) test() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	st := draw(s, func(r *rand.Rand) *station { return s.stations[r.IntN(len(s.stations))] })
	s.log.mu.Lock()
	s.log.tests = append(s.log.tests, time.Now())
	s.log.mu.Unlock()
	_ = s.stream.Test(ctx, st)
}

func (s *soak) flush() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s.log.called()
	s.expect("Flush", s.stream.Flush(ctx), context.DeadlineExceeded, auditstream.ErrDeleted, auditstream.ErrPaused)
}

// arrivals reads what the servers have taken. Where one batch is in flight at a time, first arrivals are in the order of
// the sequence numbers, at each server, and at all of them together.
func (s *soak) arrivals(t *testing.T) arrivals {
	t.Helper()
	type arrival struct {
		at     time.Time
		number uint64
		id     string
	}
	var all []arrival
	for _, st := range s.stations {
		requests := st.server.Requests()
		for _, e := range st.server.Events() {
			if e.Sequence > 0 {
				all = append(all, arrival{requests[e.Request].Time, e.Sequence, e.ID})
			}
		}
		last := uint64(0)
		seen := make(map[uint64]bool)
		for _, e := range st.server.Events() {
			if e.Sequence > 0 && !seen[e.Sequence] {
				if e.Sequence < last && (s.cfg.InFlight == 1 || st.kind == "sumologic") {
					assert.Fail(t, "first arrivals out of order", "%s: %d after %d", st.kind, e.Sequence, last)
				}
				seen[e.Sequence], last = true, max(last, e.Sequence)
			}
		}
	}
	// Two servers may take events at the same time of the bubble's clock.
	slices.SortFunc(all, func(a, b arrival) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.number, b.number)) })
	a := arrivals{numbers: make(map[string]uint64), first: make(map[uint64]bool)}
	last := uint64(0)
	for _, e := range all {
		if !a.first[e.number] && e.number < last && s.cfg.InFlight == 1 {
			assert.Fail(t, "first arrivals out of order", "%d after %d", e.number, last)
		}
		last = max(last, e.number)
		if number, ok := a.numbers[e.id]; ok && number != e.number {
			assert.Fail(t, "one event with two numbers", "%s: %d and %d", e.id, number, e.number)
		}
		a.numbers[e.id] = e.number
		if a.first[e.number] {
			a.duplicates++
		}
		a.first[e.number] = true
	}
	return a
}
