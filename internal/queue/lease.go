package queue

import "math"

// A Lease names a batch of events that an attempt works on. Its events stay pending, and nobody else is offered them,
// until the lease ends: by Commit, Release or Clear.
type Lease struct {
	ID          uint64 // 1, 2, 3…, never used again
	Len         int    // events, at least 1
	Bytes       int    // sum of their measured sizes
	First, Last uint64 // sequence numbers; there may be gaps between them
}

// lease is what the queue keeps of a current Lease.
type lease struct {
	tally
	spans []span // in order of sequence
}

// Lease takes out a lease on the oldest events that are not leased: at least one if there is any, at most maxEvents,
// and of at most maxBytes measured bytes apart from a single event that is larger. ok is false when there is none.
func (q *Queue) Lease(maxEvents, maxBytes int) (l Lease, ok bool) {
	if q.unleased.len() == 0 {
		return Lease{}, false
	}
	spans := q.unleased.take(maxEvents, maxBytes)
	var sum tally
	for _, s := range spans {
		sum.add(s)
		q.leased.add(s)
	}
	if q.leases == nil {
		q.leases = make(map[uint64]lease)
	}
	q.lastLease++
	q.leases[q.lastLease] = lease{tally: sum, spans: spans}
	return Lease{
		ID: q.lastLease, Len: sum.events, Bytes: sum.bytes,
		First: spans[0].seq, Last: spans[len(spans)-1].last(),
	}, true
}

// Current reports whether the lease has not ended.
func (q *Queue) Current(id uint64) bool {
	_, ok := q.leases[id]
	return ok
}

// Commit ends a lease: its first n events are answered for and leave, the rest goes back to be leased again, in order
// and before younger ones. An n that is not in [0, Len] counts as 0, so that nonsense loses no event. Publishers who
// wait are let in as far as there is room.
//
// ok is false, and nothing changes, when the lease is not current: the answer came too late.
func (q *Queue) Commit(id uint64, n int) (ok bool) {
	l, ok := q.leases[id]
	if !ok {
		return false
	}
	delete(q.leases, id)
	for _, s := range l.spans {
		q.leased.sub(s)
	}
	if n > l.events {
		n = 0
	}
	rest := l.spans
	for n > 0 {
		done, left := rest[0].cut(n, math.MaxInt)
		q.leave(done)
		n -= done.n
		if left.n > 0 {
			rest[0] = left
			break
		}
		rest = rest[1:]
	}
	q.unleased.insert(rest)
	q.compact()
	q.admit()
	return true
}

// Release ends a lease whose events have not been answered for: it is Commit(id, 0).
func (q *Queue) Release(id uint64) (ok bool) { return q.Commit(id, 0) }
