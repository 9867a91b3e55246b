package otlp

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/connectivity"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/httpsend"
	"github.com/auditstream/auditstream/sink/siemtest"
)

// A swallower is a network that can lose what is sent over it without a word.
type swallower struct {
	dial func(ctx context.Context, network, address string) (net.Conn, error)

	mu    sync.Mutex
	conns []*swallowed
	dials int
}

func (s *swallower) dialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := s.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &swallowed{Conn: conn, gone: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dials++
	s.conns = append(s.conns, c)
	return c, nil
}

// swallow makes every connection so far a black hole.
func (s *swallower) swallow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		c.once.Do(func() { close(c.gone) })
	}
}

func (s *swallower) dialled() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dials
}

// swallowed is a connection that may lead nowhere.
type swallowed struct {
	net.Conn
	gone chan struct{}
	once sync.Once
}

func (c *swallowed) Write(p []byte) (int, error) {
	select {
	case <-c.gone:
		return len(p), nil
	default:
		return c.Conn.Write(p)
	}
}

// TestBlackHole has the network swallow a connection that is in use. Whether an attempt ends with its own deadline,
// shorter than any ping, or by the ping, some attempt soon after dials and succeeds.
func TestBlackHole(t *testing.T) {
	tests := []struct {
		name    string
		timeout time.Duration
		failed  int // attempts
	}{
		{"attempts of 60 s", time.Minute, 1},
		{"attempts of 5 s", 5 * time.Second, 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, p := range protocols {
				t.Run(string(p), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						srv := newServer(t, siemtest.OTLPConfig{})
						cfg := configFor(srv, p)
						network := &swallower{dial: cfg.Network.DialContext}
						cfg.Network.DialContext = network.dialContext
						s := open(t, cfg)
						attempt := func() error {
							ctx, cancel := context.WithTimeout(t.Context(), tt.timeout)
							defer cancel()
							_, err := deliver(ctx, s)
							return err
						}
						require.NoError(t, attempt())
						require.NoError(t, attempt())
						assert.Equal(t, 1, network.dialled())

						network.swallow()
						failed := 0
						for attempt() != nil {
							failed++
							require.LessOrEqual(t, failed, tt.failed)
							time.Sleep(time.Second)
						}
						assert.NotZero(t, failed)
						require.NoError(t, s.Close())
						srv.Close()
					})
				})
			}
		})
	}
}

// TestBlackHoleHTTP2 is the same for HTTP/2, where net/http goes on using a connection that it believes in.
func TestBlackHoleHTTP2(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, err := siemtest.NewOTLP(siemtest.OTLPConfig{TLS: true, InMemory: true})
		require.NoError(t, err)
		cfg := configFor(srv, HTTPProtobuf)
		cfg.TLS.PinSHA256 = srv.Fingerprint()
		network := &swallower{dial: cfg.Network.DialContext}
		cfg.Network.DialContext = network.dialContext
		s := open(t, cfg)
		attempt := func() error {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			_, err := deliver(ctx, s)
			return err
		}
		require.NoError(t, attempt())
		require.Equal(t, "HTTP/2.0", srv.Requests()[0].Protocol)
		network.swallow()
		start := time.Now()
		for attempt() != nil {
			require.Less(t, time.Since(start), time.Minute)
		}
		assert.Equal(t, 2, network.dialled())
		require.NoError(t, s.Close())
		srv.Close()
	})
}

// TestKeepaliveEndsTheAttempt checks that gRPC does not wait for the attempt's own deadline.
func TestKeepaliveEndsTheAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, siemtest.OTLPConfig{})
		cfg := configFor(srv, GRPC)
		network := &swallower{dial: cfg.Network.DialContext}
		cfg.Network.DialContext = network.dialContext
		s := open(t, cfg)
		_, err := deliver(t.Context(), s)
		require.NoError(t, err)
		network.swallow()
		start := time.Now()
		_, err = deliver(t.Context(), s)
		assert.Equal(t, sink.VerdictRetry, asError(t, err).Verdict)
		assert.LessOrEqual(t, time.Since(start), keepaliveTime+keepaliveTimeout)
		require.NoError(t, s.Close())
		srv.Close()
	})
}

// TestServerStopsReading has a server that pings and reads no answers, so that everything the client writes waits.
func TestServerStopsReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, Config{
			Endpoint: "http://127.0.0.1:4317", Protocol: GRPC,
			Network: sink.Network{DialContext: func(context.Context, string, string) (net.Conn, error) {
				near, far := net.Pipe()
				go pingOnly(far)
				return near, nil
			}},
		})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		start := time.Now()
		_, err := deliver(ctx, s)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 5*time.Second, time.Since(start), "the stream waits a second more and no longer")
	})
}

// pingOnly reads a request over HTTP/2 to its end and sends a ping.
func pingOnly(conn net.Conn) {
	const frameData, frameSettings, framePing = 0, 4, 6
	preface := make([]byte, len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
	if _, err := io.ReadFull(conn, preface); err != nil {
		return
	}
	go func() { _, _ = conn.Write([]byte{0, 0, 0, frameSettings, 0, 0, 0, 0, 0}) }() // while the client writes its own
	for {
		header := make([]byte, 9)
		if _, err := io.ReadFull(conn, header); err != nil {
			return
		}
		if _, err := io.CopyN(io.Discard, conn, int64(header[0])<<16|int64(header[1])<<8|int64(header[2])); err != nil {
			return
		}
		if header[3] == frameData {
			break
		}
	}
	_, _ = conn.Write(append([]byte{0, 0, 8, framePing, 0, 0, 0, 0, 0}, make([]byte, 8)...))
}

// TestHandshakeHangs has a server that takes the connection and says nothing.
func TestHandshakeHangs(t *testing.T) {
	for _, p := range protocols {
		t.Run(string(p), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := open(t, Config{
					Endpoint: "https://collector.example:4317", Protocol: p,
					Network: sink.Network{DialContext: func(context.Context, string, string) (net.Conn, error) {
						near, far := net.Pipe()
						go func() { _, _ = io.Copy(io.Discard, far) }()
						return near, nil
					}},
				})
				start := time.Now()
				_, err := deliver(t.Context(), s)
				e := asError(t, err)
				assert.Equal(t, sink.VerdictRetry, e.Verdict)
				assert.Equal(t, httpsend.CodeTimeout, e.Code, e.Error())
				assert.Equal(t, httpsend.HandshakeTimeout, time.Since(start))
				require.NoError(t, s.Close())
			})
		})
	}
}

// TestSlowServer checks that a server which takes a minute to answer is not annoyed by pings.
func TestSlowServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, siemtest.OTLPConfig{})
		srv.Fail(func(siemtest.Request) *siemtest.Answer {
			time.Sleep(59 * time.Second)
			return nil
		})
		s := open(t, configFor(srv, GRPC))
		for range 5 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			n, err := deliver(ctx, s)
			cancel()
			require.NoError(t, err)
			require.Equal(t, 1, n)
		}
		assert.Equal(t, 1, srv.Connections())
		require.NoError(t, s.Close())
		srv.Close()
	})
}

// TestSlowServerAndLongAttempts is the same for a host that lets attempts take longer than the default. A server that
// allows no more than the pings of a minute would cut off each attempt, and nothing would ever be delivered.
func TestSlowServerAndLongAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, siemtest.OTLPConfig{})
		srv.Fail(func(siemtest.Request) *siemtest.Answer {
			time.Sleep(9 * time.Minute)
			return nil
		})
		s := open(t, configFor(srv, GRPC))
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			n, err := deliver(ctx, s)
			cancel()
			require.NoError(t, err)
			require.Equal(t, 1, n)
		}
		assert.Equal(t, 3, srv.Connections(), "a connection older than five minutes is not used again")
		require.NoError(t, s.Close())
		srv.Close()
	})
}

// TestIdle checks that an idle sink gives its connection back, and dials anew afterwards. Goroutines that were left would
// fail the bubble.
func TestIdle(t *testing.T) {
	for _, p := range protocols {
		t.Run(string(p), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := newServer(t, siemtest.OTLPConfig{})
				cfg := configFor(srv, p)
				var open atomic.Int64
				cfg.Network.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
					conn, err := srv.DialContext(ctx, network, address)
					open.Add(1)
					return &counted{Conn: conn, closed: func() { open.Add(-1) }}, err
				}
				s, err := cfg.Open()
				require.NoError(t, err)
				assert.Zero(t, open.Load(), "nothing is dialled before the first Deliver")
				for i := range 3 {
					_, err := deliver(t.Context(), s)
					require.NoError(t, err)
					time.Sleep(httpsend.IdleTimeout - time.Second)
					_, err = deliver(t.Context(), s)
					require.NoError(t, err)
					assert.Equal(t, i+1, srv.Connections())
					assert.EqualValues(t, 1, open.Load())
					time.Sleep(httpsend.IdleTimeout + time.Second)
					synctest.Wait()
					assert.Zero(t, open.Load())
				}
				srv.Close()
			})
		})
	}
}

// TestConnectionsGrowOld checks that a busy stream dials now and then.
func TestConnectionsGrowOld(t *testing.T) {
	for _, p := range protocols {
		t.Run(string(p), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := newServer(t, siemtest.OTLPConfig{})
				s := open(t, configFor(srv, p))
				for range 61 {
					_, err := deliver(t.Context(), s)
					require.NoError(t, err)
					time.Sleep(10 * time.Second)
				}
				assert.Equal(t, 3, srv.Connections(), "ten minutes")
				require.NoError(t, s.Close())
				srv.Close()
			})
		})
	}
}

// TestServerRestarts checks that a connection which the server closed between two deliveries costs no attempt.
func TestServerRestarts(t *testing.T) {
	for _, p := range protocols {
		t.Run(string(p), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := newServer(t, siemtest.OTLPConfig{})
				s := open(t, configFor(srv, p))
				for range 3 {
					n, err := deliver(t.Context(), s)
					require.NoError(t, err)
					require.Equal(t, 1, n)
					require.NoError(t, srv.SetOutage(true))
					require.NoError(t, srv.SetOutage(false))
					synctest.Wait()
				}
				require.NoError(t, s.Close())
				srv.Close()
			})
		})
	}
}

type counted struct {
	net.Conn
	once   sync.Once
	closed func()
}

func (c *counted) Close() error {
	c.once.Do(c.closed)
	return c.Conn.Close()
}

func TestClose(t *testing.T) {
	for _, p := range protocols {
		t.Run(string(p), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := newServer(t, siemtest.OTLPConfig{})
				s := open(t, configFor(srv, p))
				_, err := deliver(t.Context(), s)
				require.NoError(t, err)
				require.NoError(t, s.Close())
				require.NoError(t, s.Close())
				if p == GRPC {
					// A Deliver that was under way when the stream gave up on it leaves nothing behind either.
					_, err = deliver(t.Context(), s)
					require.NoError(t, err)
				}
				synctest.Wait()
				srv.Close()
			})
		})
	}
}

func TestSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := grpcWireFor(t)
		join := func() *session {
			s, err := g.sessions.join(func() (*session, error) { return g.open(t.Context()) })
			require.NoError(t, err)
			return s
		}
		leave := func(s *session, good bool) {
			e, err := g.sessions.exporter(s)
			require.NoError(t, err)
			g.sessions.leave(s, e, good)
		}
		first := join()
		assert.Same(t, first, join(), "one connection for all")
		leave(first, true)
		assert.Same(t, first, join())
		leave(first, false)
		second := join()
		assert.NotSame(t, first, second, "none after a failure")
		assert.NotEqual(t, connectivity.Shutdown, first.conn.GetState(), "a call is under way on it")
		leave(first, true)
		assert.Equal(t, connectivity.Shutdown, first.conn.GetState())

		leave(second, true)
		g.sessions.expire(first)
		assert.Same(t, second, join())
		g.sessions.expire(second) // the timer had fired already when a call joined
		leave(second, true)
		assert.Same(t, second, join())
		time.Sleep(httpsend.MaxConnAge)
		third := join()
		assert.NotSame(t, second, third)
		leave(second, true)
		assert.Equal(t, connectivity.Shutdown, second.conn.GetState())

		g.sessions.close()
		assert.NotEqual(t, connectivity.Shutdown, third.conn.GetState())
		leave(third, true)
		assert.Equal(t, connectivity.Shutdown, third.conn.GetState())
		late := join()
		leave(late, true)
		assert.Equal(t, connectivity.Shutdown, late.conn.GetState())
	})
}

func grpcWireFor(t *testing.T) *grpcWire {
	t.Helper()
	g, ok := open(t, Config{Endpoint: "http://127.0.0.1:4317", Protocol: GRPC}).wire.(*grpcWire)
	require.True(t, ok)
	return g
}
