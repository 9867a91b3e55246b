package queue

import (
	"cmp"
	"slices"
)

// slackChunks is how much memory beyond twice the pending frames is left alone. The usual waste, a head chunk partly
// answered for and a tail partly filled, stays below it: compaction is for leases that end in odd orders.
const slackChunks = 8

// compact keeps the chunks within twice the pending frames plus the slack. A few events that are retried for hours while
// thousands around them are delivered would otherwise each hold a whole chunk.
//
// It moves events out of chunks that are at least a quarter dead. What it writes is packed full, so a byte is moved only
// after a third as many next to it have been answered for, and the work is linear in what leaves.
func (q *Queue) compact() {
	if q.store.capacity <= 2*q.store.live+slackChunks*q.store.full {
		return
	}
	var group []*span
	size := 0
	for _, s := range q.sparse() {
		n := s.end - s.off
		if size+n > q.store.full {
			q.store.pack(group, size)
			group, size = group[:0], 0
		}
		group = append(group, s)
		size += n
	}
	q.store.pack(group, size)
}

// sparse returns the spans that lie in sparse chunks, in order of sequence.
func (q *Queue) sparse() []*span {
	var out []*span
	collect := func(spans []span) {
		for i := range spans {
			if c := spans[i].chunk; c != q.store.tail && c.live < cap(c.data)/4*3 {
				out = append(out, &spans[i])
			}
		}
	}
	collect(q.unleased.all())
	for _, l := range q.leases {
		collect(l.spans)
	}
	slices.SortFunc(out, func(a, b *span) int { return cmp.Compare(a.seq, b.seq) })
	return out
}

// pack moves spans, of size bytes together, into a new chunk that they fill.
func (st *store) pack(spans []*span, size int) {
	c := st.alloc(size)
	for _, s := range spans {
		old := *s
		s.chunk, s.off = c, len(c.data)
		c.data = append(c.data, old.chunk.data[old.off:old.end]...)
		s.end = len(c.data)
		n := s.end - s.off
		c.live += n
		st.live += n
		st.free(old)
	}
}
