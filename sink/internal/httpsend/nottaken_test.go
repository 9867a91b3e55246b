package httpsend_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/httpsend"
)

// An answer takes the doubt away only if whoever gives it cannot have passed the request on.
func TestAnswersThatSayNo(t *testing.T) {
	for status, want := range map[int]bool{
		301: true, 302: true, 303: false, 307: true, 308: true, 400: true, 401: true, 403: true, 404: true, 405: true,
		408: false, 413: true, 415: true, 418: true, 422: true, 425: true, 429: true, 499: true, 500: false, 502: false,
		503: false, 504: false, 599: false, 101: false, 0: false, 600: false,
	} {
		e, ok := errors.AsType[*sink.Error](httpsend.Classify(&httpsend.Response{Status: status}))
		require.True(t, ok, status)
		assert.Equal(t, want, e.NotTaken, status)
	}
	busy, ok := errors.AsType[*sink.Error](httpsend.Classify(&httpsend.Response{Status: 503, RetryAfter: time.Second}))
	require.True(t, ok)
	assert.True(t, busy.NotTaken, "a server that names a time has decided not to take it")
	page, ok := errors.AsType[*sink.Error](httpsend.Classify(&httpsend.Response{Status: 200, Body: []byte("<html>")}))
	require.True(t, ok)
	assert.False(t, page.NotTaken)
}

func TestARequestThatWasBegunIsInDoubt(t *testing.T) {
	for name, serve := range map[string]func(net.Conn){
		"closed": func(conn net.Conn) { _ = readRequest(bufio.NewReader(conn)) },
		"reset": func(conn net.Conn) {
			_, _ = conn.Read(make([]byte, 1))
			tcp, ok := conn.(*net.TCPConn)
			if assert.True(t, ok) {
				assert.NoError(t, tcp.SetLinger(0))
			}
		},
		"not HTTP": answering("SSH-2.0-OpenSSH_9.2\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			assert.False(t, failed(t, newClient(t, newRawServer(t, serve).url, nil)).NotTaken)
		})
	}
}

func TestARequestThatWasNotBegunIsNotTaken(t *testing.T) {
	hang := func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }
	for name, tt := range map[string]struct {
		url  string
		dial func(ctx context.Context, network, address string) (net.Conn, error)
	}{
		"refused": {"http://siem.example", func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
		}},
		"unknown name": {"http://siem.example", func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Err: &net.DNSError{IsNotFound: true}}
		}},
		"a refusal of the host's own": {"http://siem.example", func(context.Context, string, string) (net.Conn, error) {
			return nil, &sink.Error{Err: errors.New("not now"), Code: "own", Remedy: "Wait."}
		}},
		"handshake that hangs": {"https://siem.example", func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			go hang(server)
			return client, nil
		}},
		"handshake that is cut": {"https://siem.example", func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			return client, server.Close()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newClient(t, tt.url, func(o *httpsend.Options) { o.Network.DialContext = tt.dial })
				assert.True(t, failed(t, c).NotTaken)
				c.Close()
			})
		})
	}
}

// A connection from the pool was closed before the request, and there is no other.
func TestAnIdleConnectionThatWasClosedIsNotTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipeListener()
		var closing *closingConn
		l.wrap = func(conn net.Conn) net.Conn {
			closing = &closingConn{Conn: conn}
			return closing
		}
		srv := &http.Server{
			Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }),
		}
		go func() { _ = srv.Serve(l) }()
		c := newClient(t, "http://siem.example", func(o *httpsend.Options) { o.Network.DialContext = l.dial })
		_, err := c.Post(t.Context(), []byte("body"), nil)
		require.NoError(t, err)
		synctest.Wait()
		require.NoError(t, l.Close())
		closing.dead = true
		e := failed(t, c)
		assert.Equal(t, "connect", e.Code)
		assert.True(t, e.NotTaken)
		c.Close()
		require.NoError(t, srv.Close())
	})
}

// closingConn refuses to write anything when it is dead, but its end has not been read yet.
type closingConn struct {
	net.Conn
	dead bool
}

func (c *closingConn) Write(p []byte) (int, error) {
	if c.dead {
		return 0, syscall.EPIPE
	}
	return c.Conn.Write(p)
}
