package auditstream

import (
	"github.com/auditstream/auditstream/internal/queue"
)

// doubleAfter is how many batches in a row a destination must take before the learnt size is doubled: often enough to
// recover within seconds, seldom enough that a fixed limit costs one refused request in 16.
const doubleAfter = 16

// split remembers a range of events that the destination refused as a whole, and halves it, accepted or not, until one
// event is left: log2(n)+2 further requests at most. If that one is refused alone, it is at fault. If none is, the
// batch was too large, and the size that passed is kept.
type split struct {
	end    uint64 // sequence number of the range's last event; 0: there is no range
	passed int    // bytes of the largest part taken since the range was refused; 0 without a range
	limit  int    // bytes of events that the destination is known to take at once; 0: no limit is known
	streak int    // batches taken since limit was set or doubled
}

// bisecting reports whether there is a range to halve.
func (p *split) bisecting() bool { return p.end != 0 }

// part returns how many events to offer next, or 0 for a full batch.
func (p *split) part(q *queue.Queue) int {
	if p.end == 0 {
		return 0
	}
	left := q.UnleasedThrough(p.end)
	if left == 0 {
		p.conclude(false) // overflow has dropped what was left
		return 0
	}
	return max(left/2, 1)
}

// refused remembers that an attempt's events were refused as a whole. There is one range at a time: a batch that was in
// flight beside the first is offered again and has its turn later, with what has been learnt by then.
func (p *split) refused(a *attempt) {
	if a.part || !p.bisecting() {
		p.end = a.lease.Last
	}
}

// taken learns from the lease of an attempt that was accepted whole.
func (p *split) taken(a *attempt, batchBytes int) {
	l := a.lease
	switch {
	case p.bisecting() && !a.part: // it was in flight before the range was known
	case p.bisecting():
		p.passed = max(p.passed, l.Bytes)
		if l.Last >= p.end {
			p.conclude(false)
		}
	case p.limit > 0:
		if p.streak++; p.streak >= doubleAfter {
			p.streak = 0
			if p.limit *= 2; p.limit >= batchBytes {
				p.limit = 0
			}
		}
	}
}

// conclude ends the range: with a culprit found, or with the lesson that it was too large.
func (p *split) conclude(culprit bool) {
	if !culprit && p.passed > 0 {
		p.limit, p.streak = p.passed, 0
	}
	p.end, p.passed = 0, 0
}
