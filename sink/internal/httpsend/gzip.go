package httpsend

import (
	"bytes"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// maxPooled is the capacity of the largest buffer that is kept. A batch of a megabyte compresses to a fraction of it; a
// larger buffer comes from data that does not compress and would stay large for nothing.
const maxPooled = 512 << 10

// The pools serve all sinks of a process, of which there may be thousands, while few send at the same time.
var (
	// Writers without state keep a few hundred bytes instead of a megabyte, at the same cost in time and for a few per
	// cent more output.
	gzipWriters = sync.Pool{New: func() any {
		w, err := gzip.NewWriterLevel(io.Discard, gzip.StatelessCompression)
		if err != nil {
			panic(err) // the level is a constant
		}
		return w
	}}
	buffers = sync.Pool{New: func() any { return new([]byte) }}
)

// Compress appends the gzip form of src to dst and returns it.
func Compress(dst, src []byte) []byte {
	buf := bytes.NewBuffer(dst)
	w := gzipWriters.Get().(*gzip.Writer)
	w.Reset(buf)
	// Writing to memory does not fail.
	_, _ = w.Write(src)
	_ = w.Close()
	w.Reset(io.Discard) // or the pool would hold on to buf
	gzipWriters.Put(w)
	return buf.Bytes()
}

func getBuffer() *[]byte { return buffers.Get().(*[]byte) }

func putBuffer(b *[]byte) {
	if cap(*b) > maxPooled {
		return
	}
	buffers.Put(b)
}
