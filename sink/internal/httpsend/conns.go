package httpsend

import (
	"io"
	"net"
	"sync"
)

// conns are the open connections of a Client.
//
// The transport closes idle connections only, and a connection is not idle yet when the request on it has just been
// given up: over HTTP/2 its stream is taken off in another goroutine, some time after RoundTrip has returned. Such a
// connection, and one whose dialling outlasts its request, would stay for 25 s after Close.
type conns struct {
	mu   sync.Mutex
	open map[*trackedConn]struct{}
}

// add returns conn in a form that takes itself off when it is closed.
func (s *conns) add(conn net.Conn) net.Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = make(map[*trackedConn]struct{})
	}
	c := &trackedConn{Conn: conn, conns: s}
	s.open[c] = struct{}{}
	return c
}

// closeAll closes the connections that are open.
func (s *conns) closeAll() {
	s.mu.Lock()
	open := s.open
	s.open = nil
	s.mu.Unlock()
	for c := range open {
		_ = c.Conn.Close()
	}
}

// trackedConn is a connection in conns.
type trackedConn struct {
	net.Conn
	conns *conns
}

// Close implements [net.Conn].
func (c *trackedConn) Close() error {
	c.conns.mu.Lock()
	delete(c.conns.open, c)
	c.conns.mu.Unlock()
	return c.Conn.Close()
}

// ReadFrom implements [io.ReaderFrom]: net/http writes a body over HTTP/1.1 without TLS by it, and would otherwise make
// a buffer of 32 KiB for each. With one of four times the size, a body of half a megabyte takes a tenth less time.
func (c *trackedConn) ReadFrom(r io.Reader) (int64, error) {
	buf := chunks.get()
	defer chunks.put(buf)
	*buf = (*buf)[:cap(*buf)]
	return io.CopyBuffer(struct{ io.Writer }{c.Conn}, r, *buf) // the struct hides a ReadFrom that would not use buf
}
