package httpsend

import "sync"

// bufferPool lends buffers to all sinks of a process, of which there may be thousands, while few send at the same time.
type bufferPool struct {
	pool sync.Pool
	max  int // capacity of the largest buffer that is kept
}

func newBufferPool(limit int) *bufferPool {
	return &bufferPool{pool: sync.Pool{New: func() any { return new([]byte) }}, max: limit}
}

// get returns an empty buffer.
func (p *bufferPool) get() *[]byte {
	b := p.pool.Get().(*[]byte)
	*b = (*b)[:0]
	return b
}

func (p *bufferPool) put(b *[]byte) {
	if cap(*b) <= p.max {
		p.pool.Put(b)
	}
}

var (
	// bodies holds what drivers encode: a full request of a megabyte and what append makes of it.
	bodies = newBufferPool(2 << 20)

	// compressed holds a fraction of that; a larger buffer comes from data that does not compress, and would stay large
	// for nothing.
	compressed = newBufferPool(512 << 10)
)

// chunks are the buffers between a body and its connection.
var chunks = &bufferPool{pool: sync.Pool{New: func() any { b := make([]byte, chunkSize); return &b }}, max: chunkSize}

const chunkSize = 128 << 10

// GetBody lends an empty buffer for the body of a request. Give it back with [PutBody] when Post has returned.
func GetBody() *[]byte { return bodies.get() }

// PutBody takes a buffer back, as it has grown meanwhile; one over 2 MiB is dropped.
func PutBody(b *[]byte) { bodies.put(b) }
