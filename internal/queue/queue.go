// Package queue holds the events that wait for delivery: a bounded first-in first-out queue of encoded records in
// memory, built on numbered leases.
//
// A [Queue] is not synchronised. The Stream's one mutex guards it together with the ledger, so that one snapshot of
// both is consistent. Nothing here blocks, starts a goroutine or sets a timer; what must be copied under that mutex
// ([Queue.Segments]) is decoded outside it.
//
// Records are opaque bytes. They lie one behind the other in chunks of about 128 KiB without pointers, so the garbage
// collector has nothing to walk in a million pending events, and a chunk is free when its last event has been answered
// for. In whatever order leases end, the chunks that a Queue holds are at most twice as large as the pending records (a
// few bytes each for length and size included) plus a constant below 2 MiB.
package queue

// Limits bounds what is pending, leased events included. Both are exact.
type Limits struct {
	Events int // number of events
	Bytes  int // sum of the measured sizes given to Put, not of the encoded lengths
}

// Queue is the bounded queue. Make one with [New]. It is not safe for concurrent use.
//
// Every pending event is in exactly one place: unleased, or in one lease. Between calls, the first waiting publisher's
// record does not fit: whoever makes room also lets in as many as it holds.
type Queue struct {
	limits Limits
	store  store

	unleased spanList
	leases   map[uint64]lease
	waiters  waiterList

	pending tally // leased or not
	leased  tally

	lastSeq   uint64
	lastLease uint64
}

// tally counts events and the sum of their measured sizes.
type tally struct{ events, bytes int }

func (t *tally) add(s span) { t.events += s.n; t.bytes += s.size }
func (t *tally) sub(s span) { t.events -= s.n; t.bytes -= s.size }

// New returns an empty Queue. It keeps no memory until the first Put.
func New(l Limits) *Queue { return &Queue{limits: l, store: store{full: chunkSize}} }

// Put appends a copy of rec, whose measured size is size (0 or more), and returns its sequence number: 1, 2, 3… without
// gaps in the order of acceptance, never reset in the life of the Queue. The caller may reuse rec.
//
// ok is false, and nothing changes, when the bounds do not allow it or while publishers wait for room: they go first.
func (q *Queue) Put(rec []byte, size int) (seq uint64, ok bool) {
	if q.waiters.n > 0 || !q.fits(size) {
		return 0, false
	}
	return q.accept(rec, size), true
}

// PutDropOldest is Put for Overflow=DropOldest: it makes room by dropping as few as possible of the oldest events that
// are not leased; dropped says how many. Waiting publishers still go first: they are let in by the same dropping.
//
// ok is false, and nothing is dropped, when dropping all that is not leased would not make room for rec, or for somebody
// who waits.
func (q *Queue) PutDropOldest(rec []byte, size int) (seq uint64, dropped int, ok bool) {
	if !q.fitsBesideLeased(size) {
		return 0, 0, false
	}
	for w := q.waiters.first; w != nil; w = w.next {
		if !q.fitsBesideLeased(w.size) {
			return 0, 0, false
		}
	}
	dropped = q.AdmitDropOldest() + q.dropFor(size)
	q.compact()
	return q.accept(rec, size), dropped, true
}

// AdmitDropOldest lets waiting publishers in, in order, by dropping the oldest events that are not leased, and says how
// many it dropped. With Overflow=DropOldest publishers wait only while leased events fill the queue; call it when a
// lease has ended, because Commit and Release let in only those who fit without dropping.
func (q *Queue) AdmitDropOldest() (dropped int) {
	for w := q.waiters.first; w != nil && q.fitsBesideLeased(w.size); w = q.waiters.first {
		dropped += q.dropFor(w.size)
		q.admit()
	}
	q.compact()
	return dropped
}

// Clear makes every event leave, leased or not, ends every lease and releases all memory; events says how many left.
// Sequence and lease numbers go on. Publishers who wait are let in: to send them away, call RefuseWaiters first.
func (q *Queue) Clear() (events int) {
	events = q.pending.events
	q.store, q.unleased, q.leases = store{full: q.store.full}, spanList{}, nil
	q.pending, q.leased = tally{}, tally{}
	q.admit()
	return events
}

// Trim drops the memory kept for reuse. An idle queue that is empty keeps none afterwards.
func (q *Queue) Trim() {
	q.store.trim()
	q.unleased.trim()
	if len(q.leases) == 0 {
		q.leases = nil
	}
}

// Len returns the number of pending events, leased or not.
func (q *Queue) Len() int { return q.pending.events }

// Bytes returns the sum of the measured sizes of all pending events, leased or not.
func (q *Queue) Bytes() int { return q.pending.bytes }

// Unleased returns the number and the measured bytes of the pending events that no lease holds.
func (q *Queue) Unleased() (events, bytes int) {
	return q.pending.events - q.leased.events, q.pending.bytes - q.leased.bytes
}

// LastSeq returns the sequence number of the last accepted event: also how many were ever accepted. 0 before the first.
func (q *Queue) LastSeq() uint64 { return q.lastSeq }

// Pending returns the number of pending events, leased or not, whose sequence number is at most through.
func (q *Queue) Pending(through uint64) int {
	n := q.UnleasedThrough(through)
	for _, l := range q.leases {
		for _, s := range l.spans {
			n += s.through(through)
		}
	}
	return n
}

// UnleasedThrough returns the number of pending events that no lease holds and whose sequence number is at most through.
func (q *Queue) UnleasedThrough(through uint64) int {
	n := 0
	for _, s := range q.unleased.all() {
		if s.seq > through {
			break
		}
		n += s.through(through)
	}
	return n
}

// Oldest returns the oldest pending record, leased or not. It is a view, valid until the next call that changes q.
func (q *Queue) Oldest() (rec []byte, ok bool) {
	var oldest span
	if q.unleased.len() > 0 {
		oldest = *q.unleased.front()
	}
	for _, l := range q.leases {
		if s := l.spans[0]; oldest.n == 0 || s.seq < oldest.seq {
			oldest = s
		}
	}
	if oldest.n == 0 {
		return nil, false
	}
	return oldest.first(), true
}

// Next returns the record that Lease would take first. It is a view, valid until the next call that changes q.
func (q *Queue) Next() (rec []byte, ok bool) {
	if q.unleased.len() == 0 {
		return nil, false
	}
	return q.unleased.front().first(), true
}

// fits reports whether an event of this size may join what is pending. The subtractions cannot overflow.
func (q *Queue) fits(size int) bool {
	return q.pending.events < q.limits.Events && size <= q.limits.Bytes-q.pending.bytes
}

// fitsBesideLeased reports whether it would fit if every event that is not leased were dropped.
func (q *Queue) fitsBesideLeased(size int) bool {
	return q.leased.events < q.limits.Events && size <= q.limits.Bytes-q.leased.bytes
}

// accept appends an event that fits.
func (q *Queue) accept(rec []byte, size int) uint64 {
	q.lastSeq++
	s := q.store.write(rec, size)
	s.seq = q.lastSeq
	q.pending.add(s)
	q.unleased.push(s)
	return s.seq
}

// dropFor drops the oldest unleased events until one of this size fits. The caller knows that it will.
func (q *Queue) dropFor(size int) (dropped int) {
	for !q.fits(size) {
		q.leave(q.unleased.takeOne())
		dropped++
	}
	return dropped
}

// leave removes the events of s, which is in no list any more.
func (q *Queue) leave(s span) {
	q.pending.sub(s)
	q.store.free(s)
}
