package queue

import "encoding/binary"

// chunkSize trades the memory that one event can hold back against the number of allocations.
const chunkSize = 128 << 10

// A chunk is a run of frames: uvarint record length, uvarint measured size, record. It holds no pointers, and is
// reachable only from the spans that lie in it and from the store's tail.
type chunk struct {
	data []byte
	live int // bytes of frames whose events are pending
}

// A store writes frames into chunks and counts their memory.
type store struct {
	full  int    // size of a full chunk: chunkSize, less in tests
	tail  *chunk // where the next frame goes
	spare *chunk // a chunk whose events have all been answered for, kept so that a steady publisher allocates nothing

	live     int // bytes of frames whose events are pending
	capacity int // bytes of the chunks they lie in and of the tail, without spare
}

// write appends a frame and returns its span, without a sequence number.
func (st *store) write(rec []byte, size int) span {
	var buf [2 * binary.MaxVarintLen64]byte
	head := binary.AppendUvarint(buf[:0], uint64(len(rec)))
	head = binary.AppendUvarint(head, uint64(size)) //nolint:gosec // A measured size is a sum of lengths, never negative.

	n := len(head) + len(rec)
	c := st.room(n)
	off := len(c.data)
	c.data = append(c.data, head...) // two steps make no store of a pointer
	c.data = append(c.data, rec...)
	c.live += n
	st.live += n
	return span{chunk: c, off: off, end: off + n, n: 1, size: size}
}

// room returns a chunk to which n bytes can be appended without another allocation.
func (st *store) room(n int) *chunk {
	// A large event gets an allocation of its own, exactly as large as it is; the tail stays open for the next small
	// one. So what is left at the end of a full chunk is at most an eighth.
	if n > st.full/8 {
		return st.alloc(n)
	}
	switch {
	case st.tail == nil: // A quiet stream begins with 4 KiB: thousands of them must not cost 128 each.
		st.tail = st.alloc(max(st.full/32, n))
	case len(st.tail.data)+n <= cap(st.tail.data):
	case len(st.tail.data)+n <= st.full:
		st.grow(n)
	default: // The tail is full. Spans refer to it; the stream is busy, so the next begins at full size.
		st.tail = st.next()
	}
	return st.tail
}

// grow at least doubles the tail. Spans hold offsets, so they do not notice that the bytes have moved.
func (st *store) grow(n int) {
	old := st.tail.data
	size := min(st.full, max(2*cap(old), len(old)+n))
	st.tail.data = append(make([]byte, 0, size), old...)
	st.capacity += size - cap(old)
}

// next returns an empty chunk of full size.
func (st *store) next() *chunk {
	c := st.spare
	if c == nil {
		return st.alloc(st.full)
	}
	st.spare = nil
	st.capacity += cap(c.data)
	return c
}

func (st *store) alloc(size int) *chunk {
	st.capacity += size
	return &chunk{data: make([]byte, 0, size)}
}

// free gives back the frames of s. A chunk without pending events is referred to by no span, so its memory may be
// written again: segments are copies, and views end with the call.
func (st *store) free(s span) {
	c, n := s.chunk, s.end-s.off
	c.live -= n
	st.live -= n
	if c.live > 0 {
		return
	}
	if c == st.tail {
		c.data = c.data[:0]
		return
	}
	st.capacity -= cap(c.data)
	if st.spare == nil && cap(c.data) == st.full {
		c.data = c.data[:0]
		st.spare = c
	}
}

// trim drops the spare chunk, and the tail if nothing is in it.
func (st *store) trim() {
	st.spare = nil
	if st.tail != nil && st.tail.live == 0 {
		st.capacity -= cap(st.tail.data)
		st.tail = nil
	}
}

// A frame is where one record lies in a chunk, or in a copy of one.
type frame struct {
	rec, end int // data[rec:end] is the record; the next frame begins at end
	size     int // measured size
}

// readFrame reads the frame that begins at off.
func readFrame[T string | []byte](data T, off int) frame {
	length, off := uvarint(data, off)
	size, off := uvarint(data, off)
	return frame{rec: off, end: off + length, size: size}
}

// uvarint is binary.Uvarint for strings too. The queue has written what it reads, so there is nothing to check.
func uvarint[T string | []byte](data T, off int) (v, next int) {
	for shift := 0; ; shift += 7 {
		b := data[off]
		off++
		v |= int(b&0x7f) << shift
		if b < 0x80 {
			return v, off
		}
	}
}
