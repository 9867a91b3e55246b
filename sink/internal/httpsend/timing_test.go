package httpsend_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/httpsend"
)

// closeWatch notes when a client closes its connection.
type closeWatch struct {
	net.Conn
	closed func()
	once   sync.Once
}

func (c *closeWatch) Close() error {
	c.once.Do(c.closed)
	return c.Conn.Close()
}

// bubble starts a server on pipes inside a synctest bubble.
type bubble struct {
	*pipeListener
	start  time.Time
	closed []time.Duration // when the client closed connections, in order
	mu     sync.Mutex
	client *httpsend.Client
}

func newBubble(t *testing.T, answer http.HandlerFunc) *bubble {
	t.Helper()
	b := &bubble{pipeListener: newPipeListener(), start: time.Now()}
	b.wrap = func(c net.Conn) net.Conn {
		return &closeWatch{Conn: c, closed: func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.closed = append(b.closed, time.Since(b.start))
		}}
	}
	srv := &http.Server{
		ReadHeaderTimeout: time.Hour,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // until then, the server does not look whether the client is still there
			answer(w, r)
		}),
	}
	go func() { _ = srv.Serve(b) }()
	t.Cleanup(func() { assert.NoError(t, srv.Close()) })
	b.client = newClient(t, "http://siem.example", func(o *httpsend.Options) { o.Network.DialContext = b.dial })
	return b
}

func (b *bubble) post(t *testing.T) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := b.client.Post(ctx, []byte("body"), nil)
	require.NoError(t, err)
	return r.Status
}

func (b *bubble) closings() []time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]time.Duration(nil), b.closed...)
}

func TestAnIdleConnectionIsGivenBackAfter25Seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, accept)
		b.post(t)
		time.Sleep(24 * time.Second)
		b.post(t)
		assert.Equal(t, int64(1), b.dials.Load())
		time.Sleep(25*time.Second - time.Nanosecond)
		synctest.Wait()
		assert.Empty(t, b.closings())
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		assert.Equal(t, []time.Duration{49 * time.Second}, b.closings())
		b.post(t)
		assert.Equal(t, int64(2), b.dials.Load())
	})
}

// A stream that never rests must notice that a name leads elsewhere now.
func TestAConnectionIsLeftAfter5Minutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, accept)
		for range 90 { // for 15 minutes
			b.post(t)
			time.Sleep(10 * time.Second)
		}
		assert.Equal(t, int64(3), b.dials.Load())
		assert.Equal(t, []time.Duration{5 * time.Minute, 10 * time.Minute}, b.closings())
	})
}

// A balancer that is asked again on the same connection gives the same busy server.
func TestABusyServerIsLeft(t *testing.T) {
	for status, leaves := range map[int]bool{
		200: false, 400: false, 401: false, 429: true, 500: false, 502: true, 503: true, 504: false,
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBubble(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
			for range 3 {
				assert.Equal(t, status, b.post(t))
				time.Sleep(time.Second)
			}
			want := int64(1)
			if leaves {
				want = 3
			}
			assert.Equal(t, want, b.dials.Load(), status)
		})
	}
}

func TestAHandshakeThatHangsEndsAfter10Seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipeListener()
		go func() {
			conn, err := l.Accept()
			if err == nil {
				_, _ = io.Copy(io.Discard, conn)
			}
		}()
		c := newClient(t, "https://siem.example", func(o *httpsend.Options) { o.Network.DialContext = l.dial })
		start := time.Now()
		e := failed(t, c)
		assert.Equal(t, 10*time.Second, time.Since(start))
		assert.Equal(t, sink.VerdictRetry, e.Verdict)
		assert.Equal(t, "timeout", e.Code)
		assert.EqualError(t, e, "siem.example:443 accepted the connection and then took too long to answer")
	})
}

func TestTheEndOfTheContextIsReturnedAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		for _, test := range []struct {
			ctx  func() (context.Context, context.CancelFunc)
			want error
		}{
			{func() (context.Context, context.CancelFunc) { return context.WithTimeout(t.Context(), time.Minute) }, context.DeadlineExceeded},
			{func() (context.Context, context.CancelFunc) {
				return context.WithTimeoutCause(t.Context(), time.Minute, assert.AnError)
			}, context.DeadlineExceeded},
			{func() (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Second, cancel)
				return ctx, cancel
			}, context.Canceled},
			{func() (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				return ctx, cancel
			}, context.Canceled},
		} {
			ctx, cancel := test.ctx()
			r, err := b.client.Post(ctx, []byte("body"), nil)
			cancel()
			assert.Nil(t, r)
			assert.Equal(t, test.want, err)
		}
	})
}

// blackHole swallows what a client sends once it is shut, and delivers nothing more, like a firewall that has forgotten
// the connection.
type blackHole struct {
	net.Conn
	shut   *atomic.Bool
	closed chan struct{}
	once   sync.Once
}

func (c *blackHole) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.shut.Load() {
		<-c.closed
		return 0, net.ErrClosed
	}
	return n, err
}

func (c *blackHole) Write(p []byte) (int, error) {
	if c.shut.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

func (c *blackHole) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

func TestABlackHoledConnectionIsLeft(t *testing.T) {
	for name, test := range map[string]struct {
		protocols []string
		most      time.Duration // until the attempt fails
	}{
		"HTTP/2":   {[]string{"h2"}, 25 * time.Second},
		"HTTP/1.1": {[]string{"http/1.1"}, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			cert := newCertificate(t, nil)
			synctest.Test(t, func(t *testing.T) {
				l := newPipeListener()
				var shut *atomic.Bool // of the connection dialled last
				l.wrap = func(c net.Conn) net.Conn {
					shut = new(atomic.Bool)
					return &blackHole{Conn: c, shut: shut, closed: make(chan struct{})}
				}
				srv := &http.Server{
					ReadHeaderTimeout: time.Hour,
					TLSConfig: &tls.Config{
						Certificates: []tls.Certificate{cert}, NextProtos: test.protocols, MinVersion: tls.VersionTLS12,
					},
					Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						w.Header().Set("Content-Type", r.Proto)
					}),
				}
				go func() { _ = srv.ServeTLS(l, "", "") }()
				defer func() { assert.NoError(t, srv.Close()) }()
				c := newClient(t, "https://siem.example", func(o *httpsend.Options) {
					o.Network.DialContext, o.TLS = l.dial, trusting(cert)
				})
				post := func() (*httpsend.Response, error) {
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					defer cancel()
					return c.Post(ctx, lines(50_000), nil)
				}
				r, err := post()
				require.NoError(t, err)
				assert.Contains(t, name+".0", r.ContentType[:6])

				shut.Store(true)
				start := time.Now()
				_, err = post()
				require.Error(t, err)
				assert.LessOrEqual(t, time.Since(start), test.most)
				r, err = post()
				require.NoError(t, err, "one attempt failed, no more")
				assert.Equal(t, 200, r.Status)
				assert.Equal(t, int64(2), l.dials.Load())
			})
		})
	}
}

// An HTTP/2 server that refuses streams is asked once more for the same request, and not six times with pauses.
func TestHTTP2GoesAwayGracefully(t *testing.T) {
	cert := newCertificate(t, nil)
	synctest.Test(t, func(t *testing.T) {
		l := newPipeListener()
		var srv *http.Server
		var requests atomic.Int64
		srv = &http.Server{
			ReadHeaderTimeout: time.Hour,
			TLSConfig: &tls.Config{
				Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12,
			},
			Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				requests.Add(1)
				w.Header().Set("Connection", "close") // HTTP/2: GOAWAY
			}),
		}
		go func() { _ = srv.ServeTLS(l, "", "") }()
		defer func() { assert.NoError(t, srv.Close()) }()
		c := newClient(t, "https://siem.example", func(o *httpsend.Options) {
			o.Network.DialContext, o.TLS = l.dial, trusting(cert)
		})
		for range 3 {
			r, err := c.Post(t.Context(), lines(1000), nil)
			require.NoError(t, err)
			assert.Equal(t, 200, r.Status)
		}
		assert.Equal(t, int64(3), requests.Load())
	})
}
