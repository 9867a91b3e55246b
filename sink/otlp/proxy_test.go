package otlp

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/siemtest"
)

// A fakeProxy is a proxy in memory that understands CONNECT.
type fakeProxy struct {
	t      *testing.T
	answer string // in place of its own
	target func(ctx context.Context, network, address string) (net.Conn, error)

	mu   sync.Mutex
	asks []string
}

func (p *fakeProxy) dialContext(_ context.Context, _, address string) (net.Conn, error) {
	assert.Equal(p.t, "proxy.example:3128", address)
	near, far := net.Pipe()
	go p.serve(far)
	return near, nil
}

func (p *fakeProxy) serve(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	req, err := http.ReadRequest(r)
	if err != nil {
		return
	}
	p.mu.Lock()
	p.asks = append(p.asks, req.Method+" "+req.Host+" "+req.Header.Get("Proxy-Authorization")+req.Header.Get("User-Agent"))
	p.mu.Unlock()
	if p.answer != "" {
		_, _ = io.WriteString(conn, p.answer)
		return
	}
	back, err := p.target(context.Background(), "tcp", req.Host)
	if err != nil {
		return
	}
	defer back.Close()
	// The target's greeting may come in one piece with the answer.
	greeting := make([]byte, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(back, r)
		_ = back.Close()
	}()
	_, _ = io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n")
	_, _ = back.Read(greeting)
	_, _ = conn.Write(greeting)
	_, _ = io.Copy(conn, back)
	_ = conn.Close()
	<-done
}

func (p *fakeProxy) asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asks
}

func TestProxy(t *testing.T) {
	for _, p := range protocols {
		t.Run(string(p), func(t *testing.T) {
			srv := newServer(t, siemtest.OTLPConfig{})
			proxy := &fakeProxy{t: t, target: srv.DialContext}
			cfg := configFor(srv, p)
			cfg.Network.DialContext = proxy.dialContext
			cfg.Network.Proxy = &url.URL{Scheme: "http", Host: "proxy.example:3128", User: url.UserPassword("ada", "p:w")}
			if p == HTTPProtobuf {
				return // net/http asks a proxy for a plain URL itself, without CONNECT; see package httpsend
			}
			n, err := deliver(t.Context(), open(t, cfg))
			require.NoError(t, err)
			assert.Equal(t, 1, n)
			assert.Equal(t, []string{"CONNECT 127.0.0.1:4317 Basic YWRhOnA6dw=="}, proxy.asked())
		})
	}
}

func TestProxyRefuses(t *testing.T) {
	tests := []struct {
		name    string
		answer  string
		verdict sink.Verdict
		text    string
	}{
		{"407", "HTTP/1.1 407 Proxy Authentication Required\r\nX: raw\r\n\r\nraw", sink.VerdictBlock, "407"},
		{"403", "HTTP/1.1 403 raw\r\n\r\nraw", sink.VerdictBlock, "403"},
		{"502", "HTTP/1.1 502 raw\r\n\r\nraw", sink.VerdictRetry, "502"},
		{"503", "HTTP/1.1 503 raw\r\n\r\nraw", sink.VerdictRetry, "503"},
		{"204", "HTTP/1.1 204 raw\r\n\r\n", sink.VerdictRetry, "204"},
		{"not HTTP", "SSH-2.0-raw\r\n", sink.VerdictRetry, "the proxy"},
		{"nothing", "HTTP/1.1 2", sink.VerdictRetry, "the proxy"},
		{"flood", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("raw", maxProxyAnswer), sink.VerdictRetry, "the proxy"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			proxy := &fakeProxy{t: t, answer: tt.answer}
			_, err := deliver(t.Context(), open(t, Config{
				Endpoint: "http://collector.example:4317", Protocol: GRPC,
				Network: sink.Network{
					DialContext: proxy.dialContext, Proxy: &url.URL{Scheme: "http", Host: "proxy.example:3128"},
				},
			}))
			e := asError(t, err)
			assert.Equal(t, tt.verdict, e.Verdict, e.Error())
			assert.Contains(t, e.Error(), tt.text)
			assert.NotContains(t, e.Error(), "raw")
			assert.NotEmpty(t, e.Remedy)
		})
	}
}

func TestProxyIsDown(t *testing.T) {
	_, err := deliver(t.Context(), open(t, Config{
		Endpoint: "http://collector.example:4317", Protocol: GRPC,
		Network: sink.Network{
			DialContext: func(context.Context, string, string) (net.Conn, error) {
				return nil, &net.OpError{Op: "dial", Net: "tcp", Err: io.ErrUnexpectedEOF}
			},
			Proxy: &url.URL{Scheme: "http", Host: "proxy.example:3128"},
		},
	}))
	e := asError(t, err)
	assert.Equal(t, sink.VerdictRetry, e.Verdict)
	assert.Contains(t, e.Error(), "the proxy proxy.example:3128")
}

// TestProxyHangs has a proxy that takes the connection and says nothing.
func TestProxyHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, Config{
			Endpoint: "http://collector.example:4317", Protocol: GRPC,
			Network: sink.Network{
				DialContext: func(context.Context, string, string) (net.Conn, error) {
					near, far := net.Pipe()
					go func() { _, _ = io.Copy(io.Discard, far) }()
					return near, nil
				},
				Proxy: &url.URL{Scheme: "http", Host: "proxy.example:3128"},
			},
		})
		start := time.Now()
		_, err := deliver(t.Context(), s)
		assert.Equal(t, sink.VerdictRetry, asError(t, err).Verdict)
		assert.Equal(t, tunnelTimeout, time.Since(start))
		require.NoError(t, s.Close())
	})
}

// TestProxyOverTLS checks that the proxy's certificate is verified, by the system's roots.
func TestProxyOverTLS(t *testing.T) {
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{testPair(t)}, MinVersion: tls.VersionTLS12,
	})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, conn)
			_ = conn.Close()
		}
	}()
	_, err = deliver(t.Context(), open(t, Config{
		Endpoint: "http://collector.example:4317", Protocol: GRPC,
		Network: sink.Network{Proxy: &url.URL{Scheme: "https", Host: l.Addr().String()}},
	}))
	e := asError(t, err)
	assert.Equal(t, sink.VerdictBlock, e.Verdict)
	assert.Contains(t, e.Error(), "the proxy")
}

func TestEarlyConn(t *testing.T) {
	near, far := net.Pipe()
	go func() {
		_, _ = io.WriteString(far, "HTTP/1.1 200 OK\r\n\r\nearly")
		_, _ = io.WriteString(far, " and late")
		_ = far.Close()
	}()
	conn, err := readTunnelAnswer(near, &http.Request{Method: http.MethodConnect})
	require.NoError(t, err)
	all, err := io.ReadAll(conn)
	require.NoError(t, err)
	assert.Equal(t, "early and late", string(all))
}
