package auditstream_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/internal/canary"
	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/otlp"
	"github.com/auditstream/auditstream/sink/splunk"
	"github.com/auditstream/auditstream/sink/sumologic"
)

// route is how a destination of the security tests is reached.
type route struct {
	url     string // scheme, host and port
	tls     sink.TLS
	network sink.Network
	token   string // defaults to the canary
}

func (r route) secret() secret.Value { return secret.New(cmp.Or(r.token, canary.Secret)) }

// overGRPC is the name of the one driver that does not speak plain HTTP.
const overGRPC = "OTLP over gRPC"

// secured are all drivers, each with the token for its credential.
var secured = map[string]func(r route) sink.Destination{
	"OTLP over HTTP": func(r route) sink.Destination {
		return otlp.Config{
			Endpoint: r.url + "/v1/logs?key=#{Secret | UriDataEscape}", Secret: r.secret(), TLS: r.tls, Network: r.network,
			Headers: sink.Headers{"Authorization": "Bearer #{Secret}", "X-Api-Key": "#{Secret | ToBase64}"},
		}
	},
	overGRPC: func(r route) sink.Destination {
		return otlp.Config{
			Endpoint: r.url, Protocol: otlp.GRPC, Secret: r.secret(), TLS: r.tls, Network: r.network,
			Headers: sink.Headers{"Authorization": "Bearer #{Secret}"},
		}
	},
	"Splunk": func(r route) sink.Destination {
		return splunk.Config{
			Endpoint: r.url, Token: r.secret(), TLS: r.tls, Network: r.network,
			Headers: sink.Headers{"X-Api-Key": "#{Secret}"},
		}
	},
	"Sumo Logic": func(r route) sink.Destination {
		path := "/receiver/v1/http/" + url.PathEscape(r.secret().Reveal())
		return sumologic.Config{Endpoint: secret.New(r.url + path), TLS: r.tls, Network: r.network}
	},
}

// sentinel is a server to which every driver can deliver, and which keeps all that comes over its connections as it is
// on the wire.
type sentinel struct {
	listener net.Listener
	answer   func(w http.ResponseWriter, r *http.Request) // nil takes everything
	forget   bool                                         // keeps nothing

	mu       sync.Mutex
	conns    int
	wire     bytes.Buffer
	requests []*http.Request
	peers    []string // the addresses at the other ends, one for each request
}

// newSentinel starts a sentinel on loopback, with TLS if there is a configuration for it.
func newSentinel(t *testing.T, secured *tls.Config, answer http.HandlerFunc) *sentinel {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &sentinel{listener: l, answer: answer}
	s.start(t, secured)
	return s
}

func (s *sentinel) start(t *testing.T, secured *tls.Config) {
	t.Helper()
	srv := &http.Server{Handler: s, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), ReadHeaderTimeout: time.Minute}
	srv.Protocols = new(http.Protocols)
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetHTTP2(true)
	srv.Protocols.SetUnencryptedHTTP2(true)
	var serving sync.WaitGroup
	serving.Go(func() {
		if secured != nil {
			srv.TLSConfig = secured.Clone()
			_ = srv.ServeTLS(wiretap{s.listener, s}, "", "")
			return
		}
		_ = srv.Serve(wiretap{s.listener, s})
	})
	t.Cleanup(func() {
		_ = srv.Close()
		serving.Wait()
	})
}

// ServeHTTP implements [http.Handler].
func (s *sentinel) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	s.mu.Lock()
	if !s.forget {
		s.requests = append(s.requests, r)
		s.peers = append(s.peers, r.RemoteAddr)
	}
	s.mu.Unlock()
	if s.answer != nil {
		s.answer(w, r)
		return
	}
	take(w, r)
}

// take answers as a destination that accepts everything, in the form of the request.
func take(w http.ResponseWriter, r *http.Request) {
	if isGRPC(r) {
		answerGRPC(w, make([]byte, 5))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"text":"Success","code":0}`)
}

func isGRPC(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc")
}

// answerGRPC answers OK, with a message as it stands on the wire: five bytes of prefix in front.
func answerGRPC(w http.ResponseWriter, message []byte) {
	w.Header().Set("Content-Type", "application/grpc")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(message)
	w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
}

func (s *sentinel) host() string { return s.listener.Addr().String() }

// seen returns how many requests and connections there were.
func (s *sentinel) seen() (requests, conns int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.requests), s.conns
}

// eavesdropped returns what came over the connections, as somebody on the way sees it.
func (s *sentinel) eavesdropped() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wire.String()
}

// wiretap is a listener whose connections are overheard.
type wiretap struct {
	net.Listener
	to *sentinel
}

func (w wiretap) Accept() (net.Conn, error) {
	conn, err := w.Listener.Accept()
	if err != nil {
		return nil, err
	}
	w.to.mu.Lock()
	w.to.conns++
	w.to.mu.Unlock()
	return overheard{conn, w.to}, nil
}

type overheard struct {
	net.Conn
	by *sentinel
}

func (o overheard) Read(p []byte) (int, error) {
	n, err := o.Conn.Read(p)
	o.by.mu.Lock()
	if !o.by.forget {
		o.by.wire.Write(p[:n])
	}
	o.by.mu.Unlock()
	return n, err
}

// pipes is a listener without a socket, for bubbles of synctest; nothing is buffered on the way, so that what a server
// could send is what the client took.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9} }

// dial fits sink.Network.DialContext.
func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.conns <- far:
		return near, nil
	case <-p.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// newPipeSentinel starts a sentinel without a socket, and returns the way to it.
func newPipeSentinel(t *testing.T, answer http.HandlerFunc) (*sentinel, route) {
	t.Helper()
	p := newPipes()
	s := &sentinel{listener: p, answer: answer}
	s.start(t, nil)
	return s, route{url: "http://" + s.host(), network: sink.Network{DialContext: p.dial}}
}

// requireSilence checks that nothing in text is a form of the canary, and does not print it if there is.
func requireSilence(t *testing.T, text ...any) {
	t.Helper()
	for i, v := range text {
		found := canary.Find(fmt.Sprintf("%v %+v %#v", v, v, v), canary.Secret)
		require.Empty(t, found, "a form of the secret is in text %d", i)
	}
}

// asSinkError returns the classified error in a chain.
func asSinkError(err error) (*sink.Error, bool) { return errors.AsType[*sink.Error](err) }
