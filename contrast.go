package auditstream

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/auditstream/auditstream/internal/record"
	"github.com/auditstream/auditstream/sink"
)

// maxRejectedUnproven is how many events in a row may be rejected before the destination has to show that it takes
// events at all.
const maxRejectedUnproven = 2

// errRefusesAll is the failure of a destination that refuses even the test event.
var errRefusesAll = errors.New("auditstream: the destination refuses every event, a test event too")

// contrast keeps a destination that answers 400 to everything from draining the queue into the dead letter. An event is
// at fault only by contrast to one that is taken.
type contrast struct {
	row int // events rejected since one was last delivered
}

// follow counts the outcomes of r in order, and reports whether it would reject an event too many.
func (c *contrast) follow(r ruling) (unproven bool) {
	if r.count > 0 {
		// OTLP's partial success: the events must not be sent again, so there is nothing that a test could decide.
		if r.delivered() > 0 {
			c.row = 0
		} else {
			c.row += r.count
		}
		return false
	}
	next := 0 // the first event after the last rejected one
	for _, i := range r.rejected {
		if i > next {
			c.row = 0
		}
		c.row++
		unproven = unproven || c.row > maxRejectedUnproven
		next = i + 1
	}
	if r.n > next {
		c.row = 0
	}
	return unproven
}

// prove offers the test event alone before r, the ruling on a, rejects an event too many. It returns the ruling to
// carry out: r if the test event was taken, and one that keeps the events otherwise, as when a's destination has been
// replaced. ok is false when a's lease has ended meanwhile and been dealt with.
func (s *Stream) prove(a *attempt, r ruling) (_ ruling, ok bool) {
	kept := ruling{n: r.rejected[0], rest: true, quiet: true}
	// What was taken behind the first rejected event is kept along with it.
	kept.doubt = r.rest && r.doubt || r.delivered() > kept.n
	s.mu.Lock()
	if a.over {
		s.mu.Unlock()
		return kept, false
	}
	if s.state != StateEnabled || a.replaced {
		s.mu.Unlock()
		return kept, true // no attempt starts now; the same question comes up again later
	}
	test := s.newAttempt(a.lease)
	s.exchange(a, test)
	s.mu.Unlock()
	test.batch = []Event{s.testEvent(time.Now())}
	ans, ok := s.run(test)
	if !ok {
		return kept, false
	}
	unjudged := kept
	verdict := rule(ans, 1)
	switch {
	case verdict.delivered() == 1:
		kept = r
	case len(verdict.rejected)+verdict.count > 0:
		kept.verdict, kept.quiet, kept.err = sink.VerdictBlock, false, refusesAll(verdict.err)
	default:
		kept.verdict, kept.quiet, kept.err, kept.after = verdict.verdict, verdict.quiet, verdict.err, verdict.after
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if verdict.panicked {
		s.notePanic(a.outlet, verdict.err)
	}
	if test.over {
		return kept, false
	}
	if verdict.delivered() == 1 {
		s.contrast.row = 0
	}
	s.exchange(test, a) // an edit from now on is a's again
	if a.replaced = test.replaced; a.replaced {
		return unjudged, true // what it refuses is for the new destination to judge
	}
	return kept, true
}

// exchange makes b stand among the attempts in progress where a did. It is called with the lock held.
func (s *Stream) exchange(a, b *attempt) { s.attempts[slices.Index(s.attempts, a)] = b }

// refusesAll is the error of a destination that refused the test event with cause.
func refusesAll(cause error) error {
	e := &sink.Error{
		Verdict: sink.VerdictBlock,
		Err:     fmt.Errorf("%w: %w", errRefusesAll, cause),
		Remedy: "The destination does not take this kind of data: check the URL and its settings for the format of events, " +
			`and try Compression "none".`,
	}
	if inner, ok := errors.AsType[*sink.Error](cause); ok {
		e.Code = inner.Code
	}
	return e
}

// testEvent is the event by which a destination is tried. It has no sequence number, so it leaves no hole.
func (s *Stream) testEvent(now time.Time) Event {
	return Event{
		ID:           record.NewID(now),
		Time:         now.UTC(),
		ObservedTime: now.UTC(),
		StreamID:     s.id,
		Action:       "auditstream.test",
		Outcome:      OutcomeSuccess,
		Actor:        Actor{ID: "auditstream", Type: ActorSystem},
		Message:      "A test of this audit stream; nothing has happened.",
	}
}
