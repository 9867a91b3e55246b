package otlp

import "sync"

// maxPooled is the capacity of the largest buffer that is kept: what a batch of the default size needs, uncompressed.
const maxPooled = 2 << 20

// buffers lends buffers to all sinks of a process, of which there may be thousands, while few send at the same time.
var buffers = bufferPool{sync.Pool{New: func() any { return new([]byte) }}}

type bufferPool struct{ pool sync.Pool }

// get returns an empty buffer.
func (p *bufferPool) get() *[]byte {
	b := p.pool.Get().(*[]byte) //nolint:forcetypeassert // New makes nothing else
	*b = (*b)[:0]
	return b
}

func (p *bufferPool) put(b *[]byte) {
	if cap(*b) <= maxPooled {
		p.pool.Put(b)
	}
}
