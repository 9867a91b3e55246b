package queue

import (
	"cmp"
	"math"
	"slices"
)

// keepSpans is how large a list may stay when it becomes empty.
const keepSpans = 1024

// A span is a run of pending events that are consecutive both in sequence and in memory.
type span struct {
	chunk    *chunk
	off, end int    // the frames are chunk.data[off:end]
	seq      uint64 // of the first event
	n        int    // events
	size     int    // sum of their measured sizes
}

// last returns the sequence number of the last event.
func (s span) last() uint64 { return s.seq + uint64(s.n) - 1 } //nolint:gosec // A span has at least one event.

// first returns the record of the first event, a view into the chunk.
func (s span) first() []byte {
	f := readFrame(s.chunk.data, s.off)
	return s.chunk.data[f.rec:f.end:f.end]
}

// through returns how many events have a sequence number of at most seq.
func (s span) through(seq uint64) int {
	switch {
	case seq < s.seq:
		return 0
	case seq >= s.last():
		return s.n
	default:
		return int(seq-s.seq) + 1 //nolint:gosec // Less than s.n.
	}
}

// joins reports whether t continues s.
func (s span) joins(t span) bool {
	return s.chunk == t.chunk && s.end == t.off && s.last()+1 == t.seq
}

// join appends t, which continues s.
func (s *span) join(t span) {
	s.end = t.end
	s.n += t.n
	s.size += t.size
}

// cut splits s after as many events as the bounds allow. Either part may be empty (n == 0).
func (s span) cut(events, size int) (head, rest span) {
	if s.n <= events && s.size <= size {
		return s, span{}
	}
	head, rest = s, s
	head.n, head.size = 0, 0
	off := s.off
	for head.n < events {
		f := readFrame(s.chunk.data, off)
		if f.size > size-head.size {
			break
		}
		head.n++
		head.size += f.size
		off = f.end
	}
	head.end, rest.off = off, off
	rest.seq += uint64(head.n) //nolint:gosec // Counted up from 0.
	rest.n -= head.n
	rest.size -= head.size
	return head, rest
}

// cutOne splits s after its first event.
func (s span) cutOne() (head, rest span) { return s.cut(1, math.MaxInt) }

// A spanList is a deque of spans in order of sequence; neighbours that join are one span. Slots outside the list are
// zero, so that they hold no chunk back.
type spanList struct {
	buf  []span
	head int // the list is buf[head:]
}

func (l *spanList) len() int     { return len(l.buf) - l.head }
func (l *spanList) all() []span  { return l.buf[l.head:] }
func (l *spanList) front() *span { return &l.buf[l.head] }

// push appends s, which is younger than everything in the list.
func (l *spanList) push(s span) {
	if l.len() > 0 {
		if last := &l.buf[len(l.buf)-1]; last.joins(s) {
			last.join(s)
			return
		}
	}
	// Move down instead of growing when at least half is free: each move is paid for by as many pops.
	if len(l.buf) == cap(l.buf) && l.head > len(l.buf)/2 {
		n := copy(l.buf, l.all())
		clear(l.buf[n:])
		l.buf, l.head = l.buf[:n], 0
	}
	l.buf = append(l.buf, s)
}

// pop removes the first span.
func (l *spanList) pop() {
	*l.front() = span{}
	l.head++
	if l.head < len(l.buf) {
		return
	}
	l.buf, l.head = l.buf[:0], 0
	if cap(l.buf) > keepSpans {
		l.buf = nil
	}
}

// replaceFront sets the first span to rest, or removes it if rest is empty.
func (l *spanList) replaceFront(rest span) {
	if rest.n == 0 {
		l.pop()
		return
	}
	*l.front() = rest
}

// takeOne removes the first event.
func (l *spanList) takeOne() span {
	one, rest := l.front().cutOne()
	l.replaceFront(rest)
	return one
}

// take removes the oldest events within the bounds, and at least one; the list is not empty.
func (l *spanList) take(events, size int) (taken []span) {
	one := l.takeOne()
	taken = append(taken, one)
	events, size = events-one.n, size-one.size
	for l.len() > 0 {
		s, rest := l.front().cut(events, size)
		if s.n == 0 {
			break
		}
		taken = appendJoined(taken, s)
		events, size = events-s.n, size-s.size
		l.replaceFront(rest)
	}
	return taken
}

// insert puts spans back at their places in the order of sequence. Nearly always they are the oldest, and there is
// room before the head, from which they came.
func (l *spanList) insert(spans []span) {
	if len(spans) == 0 {
		return
	}
	last := spans[len(spans)-1].seq
	older, _ := slices.BinarySearchFunc(l.all(), last, func(s span, seq uint64) int { return cmp.Compare(s.seq, seq) })
	k := min(older+1, l.len()) // The one behind may join too.
	l.replaceFirst(k, merge(spans, l.all()[:k]))
}

// merge returns the spans of a and b in order of sequence, joined where they can be.
func merge(a, b []span) []span {
	out := make([]span, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if a[0].seq < b[0].seq {
			out, a = appendJoined(out, a[0]), a[1:]
		} else {
			out, b = appendJoined(out, b[0]), b[1:]
		}
	}
	for _, s := range a {
		out = appendJoined(out, s)
	}
	for _, s := range b {
		out = appendJoined(out, s)
	}
	return out
}

func appendJoined(spans []span, s span) []span {
	if n := len(spans); n > 0 && spans[n-1].joins(s) {
		spans[n-1].join(s)
		return spans
	}
	return append(spans, s)
}

// replaceFirst puts with in the place of the first k spans.
func (l *spanList) replaceFirst(k int, with []span) {
	end := l.head + k
	if start := end - len(with); start >= 0 {
		copy(l.buf[start:end], with)
		if start > l.head {
			clear(l.buf[l.head:start])
		}
		l.head = start
		return
	}
	l.buf = slices.Replace(l.buf, 0, end, with...)
	l.head = 0
}

// trim drops spare capacity.
func (l *spanList) trim() { *l = spanList{buf: append([]span(nil), l.all()...)} }
