package checks

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// listen opens a socket on loopback until the test ends.
func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// A blackHole takes connections, reads nothing and says nothing.
type blackHole struct {
	listener net.Listener
	mu       sync.Mutex
	conns    []net.Conn
}

func newBlackHole(t *testing.T) *blackHole {
	t.Helper()
	h := &blackHole{listener: listen(t)}
	go func() {
		for {
			c, err := h.listener.Accept()
			if err != nil {
				return
			}
			h.mu.Lock()
			h.conns = append(h.conns, c)
			h.mu.Unlock()
		}
	}()
	return h
}

// dial fits sink.Network.DialContext.
func (h *blackHole) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, h.listener.Addr().String())
}

func (h *blackHole) len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.conns)
}

// expectClosed waits until the other end of every connection is closed.
func (h *blackHole) expectClosed(t *testing.T) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.conns {
		require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
		_, err := io.Copy(io.Discard, c)
		e, ok := err.(net.Error) //nolint:errorlint // what a connection returns is not wrapped
		assert.False(t, ok && e.Timeout(), "a connection is still open")
		_ = c.Close()
	}
}

// A connectProxy is a forward proxy, for destinations with TLS and without.
type connectProxy struct {
	url   *url.URL
	taken atomic.Int64
}

func newConnectProxy(t *testing.T) *connectProxy {
	t.Helper()
	l := listen(t)
	p := &connectProxy{url: &url.URL{Scheme: "http", Host: l.Addr().String()}}
	onward := &http.Transport{DisableKeepAlives: true}
	srv := &http.Server{ReadHeaderTimeout: patience, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.taken.Add(1)
		if r.Method == http.MethodConnect {
			tunnel(w, r)
			return
		}
		forward(w, r, onward)
	})}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { _ = srv.Close() })
	return p
}

// forward passes on a request that is not encrypted.
func forward(w http.ResponseWriter, r *http.Request, onward http.RoundTripper) {
	r.RequestURI = ""
	resp, err := onward.RoundTrip(r)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, resp.Body)
}

// tunnel copies in both directions until either end is closed.
func tunnel(w http.ResponseWriter, r *http.Request) {
	server, err := new(net.Dialer).DialContext(r.Context(), "tcp", r.Host)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	w.WriteHeader(http.StatusOK)
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = server.Close()
		return
	}
	var copying sync.WaitGroup
	pass := func(dst net.Conn, src io.Reader) {
		_, _ = io.Copy(dst, src)
		_, _ = client.Close(), server.Close()
	}
	copying.Go(func() { pass(server, buffered) })
	copying.Go(func() { pass(client, server) })
	copying.Wait()
}
