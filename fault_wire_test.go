package auditstream_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
)

// answeringWith leads to a server that reads requests and answers each with the same bytes.
func answeringWith(answer string) dialer {
	return serving(func(conn net.Conn) {
		r := bufio.NewReader(conn)
		for {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			if _, err := io.Copy(io.Discard, req.Body); err != nil {
				return
			}
			if _, err := io.WriteString(conn, answer); err != nil {
				return
			}
		}
	})
}

// serving leads to a server that does to each connection what it is told, and then closes it.
func serving(serve func(net.Conn)) dialer {
	return func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go func() {
			defer far.Close()
			serve(far)
		}()
		return near, nil
	}
}

// swallow reads until the end and says nothing.
func swallow(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

// A blackHole is a connection that a firewall has forgotten as soon as gone is closed: what is written disappears, and
// nothing arrives any more.
type blackHole struct {
	net.Conn
	gone   chan struct{}
	closed chan struct{}
	once   sync.Once
}

// Read implements [net.Conn].
func (c *blackHole) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	select {
	case <-c.gone:
		<-c.closed
		return 0, net.ErrClosed
	default:
		return n, err
	}
}

// Write implements [net.Conn].
func (c *blackHole) Write(p []byte) (int, error) {
	select {
	case <-c.gone:
		return len(p), nil
	default:
		return c.Conn.Write(p)
	}
}

// Close implements [net.Conn].
func (c *blackHole) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
