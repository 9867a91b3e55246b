package httpsend

import (
	"errors"
	"io"
	"sync"
)

var (
	errReleased = errors.New("httpsend: the request is over")
	errReplayed = errors.New("httpsend: the request was sent twice already")
)

// payload is the body of one request. A transport may go on reading a body after it has given up on the request, in a
// goroutine of its own; the buffer goes back to its pool, or to the caller, only when that can no longer happen.
type payload struct {
	mu       sync.Mutex
	data     []byte
	pooled   *[]byte // where data came from, if it was compressed
	begun    bool    // something of it was given to the transport, which may have sent it
	released bool
	replayed bool
}

func newPayload(body []byte, compress bool) *payload {
	if !compress {
		return &payload{data: body}
	}
	buf := compressed.get()
	*buf = Compress(*buf, body)
	return &payload{data: *buf, pooled: buf}
}

func (p *payload) reader() io.ReadCloser { return &payloadReader{p: p} }

// replay returns the body anew, once. A transport asks for it when it knows that the server has not seen the request:
// a pooled connection was closed before the first byte, or an HTTP/2 server went away. A POST without an idempotency
// key, which settings refuse, is never sent again for another reason. HTTP/2 would go on asking; once must do, for the
// stream has a backoff of its own.
func (p *payload) replay() (io.ReadCloser, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begun = false
	if p.replayed {
		return nil, errReplayed
	}
	p.replayed = true
	return p.reader(), nil
}

// release ends all reading, and reports whether the server may have got something of the payload. Later calls only
// report.
func (p *payload) release() (begun bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pooled != nil {
		compressed.put(p.pooled)
	}
	p.released, p.data, p.pooled = true, nil, nil
	return p.begun
}

// payloadReader reads a payload once. It has no WriteTo, which would take the data out of the lock.
type payloadReader struct {
	p   *payload
	off int
}

// Read implements [io.Reader].
func (r *payloadReader) Read(b []byte) (int, error) {
	r.p.mu.Lock()
	defer r.p.mu.Unlock()
	if r.p.released {
		return 0, errReleased
	}
	if r.off == len(r.p.data) {
		return 0, io.EOF
	}
	r.p.begun = true
	n := copy(b, r.p.data[r.off:])
	r.off += n
	return n, nil
}

// Close implements [io.Closer].
func (*payloadReader) Close() error { return nil }
