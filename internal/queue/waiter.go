package queue

import "errors"

// errNeverFits refuses a record that an empty queue could not hold. The limits of a Stream rule it out.
var errNeverFits = errors.New("queue: the record is larger than the whole queue")

// A Waiter is a publisher that waits for room. Its record stays in the publisher's own buffer and is appended by
// whoever makes room, in order of arrival: nobody is woken to find the room taken.
type Waiter struct {
	rec     []byte
	size    int
	seq     uint64 // 0 until accepted
	refused error  // nil until refused
	done    chan struct{}

	prev, next *Waiter
	waiting    bool
}

// Done is closed when the record has been accepted or refused. It stays open after Leave.
func (w *Waiter) Done() <-chan struct{} { return w.done }

// Seq returns the sequence number of the accepted record. ok is false when it was refused. Both are valid once Done is
// closed, and then without a lock.
func (w *Waiter) Seq() (seq uint64, ok bool) { return w.seq, w.seq != 0 }

// Refused returns why the record was refused: what RefuseWaiters was given. It is nil when the record was accepted, and
// valid like Seq.
func (w *Waiter) Refused() error { return w.refused }

// Wait lines up a publisher whose record Put has not accepted. The caller keeps rec unchanged until Done is closed or
// Leave has returned true. If there is room the record is accepted at once; if it could not even be accepted by an
// empty queue it is refused at once, because it would hold up everybody behind it for ever.
func (q *Queue) Wait(rec []byte, size int) *Waiter {
	w := &Waiter{rec: rec, size: size, done: make(chan struct{})}
	if q.limits.Events < 1 || size > q.limits.Bytes {
		w.refused = errNeverFits
		close(w.done)
		return w
	}
	q.waiters.push(w)
	q.admit()
	return w
}

// Leave removes a publisher whose ctx has ended, which may let in those behind it. It returns false if the record was
// accepted or refused meanwhile.
func (q *Queue) Leave(w *Waiter) bool {
	if !w.waiting {
		return false
	}
	q.waiters.remove(w)
	q.admit()
	return true
}

// RefuseWaiters sends everybody away who waits, for a reason, and says how many.
func (q *Queue) RefuseWaiters(reason error) (refused int) {
	for w := q.waiters.first; w != nil; w = q.waiters.first {
		q.waiters.remove(w)
		w.refused = reason
		close(w.done)
		refused++
	}
	return refused
}

// Waiters returns the number of publishers who wait for room.
func (q *Queue) Waiters() int { return q.waiters.n }

// admit lets in publishers from the front of the line until the first whose record does not fit.
func (q *Queue) admit() {
	for w := q.waiters.first; w != nil && q.fits(w.size); w = q.waiters.first {
		q.waiters.remove(w)
		w.seq = q.accept(w.rec, w.size)
		w.rec = nil
		close(w.done)
	}
}

// A waiterList is a doubly linked list, because anybody in it may leave.
type waiterList struct {
	first, last *Waiter
	n           int
}

func (l *waiterList) push(w *Waiter) {
	w.waiting = true
	w.prev = l.last
	if l.last == nil {
		l.first = w
	} else {
		l.last.next = w
	}
	l.last = w
	l.n++
}

func (l *waiterList) remove(w *Waiter) {
	if w.prev == nil {
		l.first = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		l.last = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.prev, w.next, w.waiting = nil, nil, false
	l.n--
}
