package httpsend

import (
	"bytes"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// gzipWriters serves all sinks of a process. Writers without state keep a few hundred bytes instead of a megabyte, at
// the same cost in time and for a few per cent more output.
var gzipWriters = sync.Pool{New: func() any {
	w, err := gzip.NewWriterLevel(io.Discard, gzip.StatelessCompression)
	if err != nil {
		panic(err) // the level is a constant
	}
	return w
}}

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
