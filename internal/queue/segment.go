package queue

import (
	"cmp"
	"iter"
	"slices"
)

// A Segment is a copy of records that are consecutive in sequence. It does not refer to the queue's memory: it can be
// read outside the lock and kept.
type Segment struct {
	First uint64 // sequence number of the first record
	Len   int    // records
	data  string // their frames
}

// Records yields each record with its sequence number. The records are substrings of one string, so keeping one keeps
// the segment's memory.
func (s Segment) Records() iter.Seq2[uint64, string] {
	return func(yield func(uint64, string) bool) {
		seq := s.First
		for off := 0; off < len(s.data); seq++ {
			f := readFrame(s.data, off)
			if !yield(seq, s.data[f.rec:f.end]) {
				return
			}
			off = f.end
		}
	}
}

// Segments returns copies of the leased records, in order of sequence, or nil if the lease is not current.
func (q *Queue) Segments(id uint64) []Segment { return segments(q.leases[id].spans) }

// All returns copies of every pending record, leased or not, in order of sequence, or nil if there is none.
func (q *Queue) All() []Segment {
	spans := slices.Clone(q.unleased.all())
	for _, l := range q.leases {
		spans = append(spans, l.spans...)
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.seq, b.seq) })
	return segments(spans)
}

func segments(spans []span) []Segment {
	if len(spans) == 0 {
		return nil
	}
	out := make([]Segment, len(spans))
	for i, s := range spans {
		out[i] = Segment{First: s.seq, Len: s.n, data: string(s.chunk.data[s.off:s.end])}
	}
	return out
}
