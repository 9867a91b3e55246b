package otlp

import (
	"context"
	"errors"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/httpsend"
	"github.com/auditstream/auditstream/sink/siemtest"
)

// route is one way to a server: HTTP/2 shares a connection between requests, HTTP/1.1 does not.
type route struct {
	name     string
	protocol Protocol
	tls      bool
	shared   bool
}

var routes = []route{
	{name: "HTTP/1.1", protocol: HTTPProtobuf},
	{name: "HTTP/2", protocol: HTTPProtobuf, tls: true, shared: true},
	{name: "gRPC", protocol: GRPC, shared: true},
}

// roundTrip is how long the server of these tests takes for a request.
const roundTrip = 50 * time.Millisecond

// A crowd is a sink, its server, and the connections between them.
type crowd struct {
	*otlpSink
	server *siemtest.OTLP
	dials  atomic.Int64
	open   atomic.Int64
	oldest atomic.Int64 // how long the connection lived that lived longest
}

// eachRoute runs a test in a bubble for each route. The server answers after roundTrip with what answer says, if it says
// anything; n counts the requests from 1.
func eachRoute(t *testing.T, answer func(n int64) *siemtest.Answer, test func(t *testing.T, r route, c *crowd)) {
	t.Helper()
	for _, r := range routes {
		t.Run(r.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv, err := siemtest.NewOTLP(siemtest.OTLPConfig{InMemory: true, TLS: r.tls})
				require.NoError(t, err)
				var requests atomic.Int64
				srv.Fail(func(siemtest.Request) *siemtest.Answer {
					n := requests.Add(1)
					time.Sleep(roundTrip)
					if answer == nil {
						return nil
					}
					return answer(n)
				})
				c := &crowd{server: srv}
				cfg := configFor(srv, r.protocol)
				cfg.Network.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
					conn, err := srv.DialContext(ctx, network, address)
					c.dials.Add(1)
					c.open.Add(1)
					dialled := time.Now()
					return &counted{Conn: conn, closed: func() {
						c.open.Add(-1)
						c.oldest.Store(max(c.oldest.Load(), int64(time.Since(dialled))))
					}}, err
				}
				if r.tls {
					cfg.TLS.PinSHA256 = srv.Fingerprint()
				}
				c.otlpSink = open(t, cfg)
				test(t, r, c)
				require.NoError(t, c.Close())
				synctest.Wait()
				assert.Zero(t, c.open.Load())
				srv.Close()
			})
		})
	}
}

// all makes one call of Deliver for each batch, all at once, and returns the results.
func (c *crowd) all(ctx context.Context, batches [][]sink.Event) (taken []int, errs []error) {
	taken, errs = make([]int, len(batches)), make([]error, len(batches))
	var wg sync.WaitGroup
	for i := range batches {
		wg.Go(func() { taken[i], errs[i] = c.Deliver(ctx, batches[i]) })
	}
	wg.Wait()
	return taken, errs
}

// batchesOf returns n batches of three events, each event with an ID of its own.
func batchesOf(n int) [][]sink.Event {
	batches := make([][]sink.Event, n)
	for i := range batches {
		for j := range 3 {
			e := minimalEvent()
			e.ID = strconv.Itoa(i) + "-" + strconv.Itoa(j)
			batches[i] = append(batches[i], e)
		}
	}
	return batches
}

// TestInFlight has as many batches under way as the sink takes. They take as long as one would, on connections that are
// kept.
func TestInFlight(t *testing.T) {
	eachRoute(t, nil, func(t *testing.T, r route, c *crowd) {
		n := c.MaxInFlight()
		require.Equal(t, 16, n)
		_, err := c.Deliver(t.Context(), []sink.Event{minimalEvent()}) // HTTP/2 is known from the first answer on
		require.NoError(t, err)
		const rounds = 4
		start := time.Now()
		for range rounds {
			taken, errs := c.all(t.Context(), batchesOf(n))
			assert.NoError(t, errors.Join(errs...))
			for _, got := range taken {
				assert.Equal(t, 3, got)
			}
			synctest.Wait() // until every connection is idle
		}
		assert.Equal(t, rounds*roundTrip, time.Since(start))
		want := n
		if r.shared {
			want = 1
		}
		assert.EqualValues(t, want, c.dials.Load())
		copies := make(map[string]int)
		for _, id := range c.server.IDs() {
			copies[id]++
		}
		assert.Len(t, copies, 3*n+1)
		for _, batch := range batchesOf(n) {
			for i := range batch {
				assert.Equal(t, rounds, copies[batch[i].ID])
			}
		}

		time.Sleep(httpsend.IdleTimeout + time.Second)
		synctest.Wait()
		assert.Zero(t, c.open.Load(), "an idle sink gives everything back")
		_, err = c.Deliver(t.Context(), []sink.Event{minimalEvent()})
		require.NoError(t, err)
	})
}

// TestOneInFlightFails has one request of many fail. The others, on the same connection or not, are taken, and so are
// those that come after.
func TestOneInFlightFails(t *testing.T) {
	const n, unlucky = 8, 5
	tests := []struct {
		name    string
		answer  siemtest.Answer
		verdict sink.Verdict
		late    bool // the context ends before there is an answer
	}{
		{name: "busy", answer: siemtest.Status(http.StatusServiceUnavailable, ""), verdict: sink.VerdictRetry},
		{name: "forbidden", answer: siemtest.Status(http.StatusUnauthorized, ""), verdict: sink.VerdictBlock},
		{name: "refused", answer: siemtest.Status(http.StatusBadRequest, ""), verdict: sink.VerdictSplit},
		{name: "hanging", answer: siemtest.Hang(), late: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			answer := func(n int64) *siemtest.Answer {
				if n == unlucky {
					return &tt.answer
				}
				return nil
			}
			eachRoute(t, answer, func(t *testing.T, _ route, c *crowd) {
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				taken, errs := c.all(ctx, batchesOf(n))
				failures := 0
				for i, err := range errs {
					if err == nil {
						assert.Equal(t, 3, taken[i])
						continue
					}
					failures++
					assert.Zero(t, taken[i])
					if tt.late {
						assert.ErrorIs(t, err, context.DeadlineExceeded)
					} else {
						assert.Equal(t, tt.verdict, asError(t, err).Verdict)
					}
				}
				assert.Equal(t, 1, failures)
				assert.Len(t, c.server.Events(), 3*(n-1))
				_, errs = c.all(t.Context(), batchesOf(n))
				assert.NoError(t, errors.Join(errs...))
			})
		})
	}
}

// TestPartialSuccessInFlight has each request be refused a number of its own.
func TestPartialSuccessInFlight(t *testing.T) {
	eachRoute(t, nil, func(t *testing.T, _ route, c *crowd) {
		c.server.PartialIf(func(r siemtest.Received) bool { return r.Action == "poison" })
		batches := batchesOf(8)
		for i, batch := range batches {
			for j := range i % 4 {
				batch[j].Action = "poison"
			}
		}
		taken, errs := c.all(t.Context(), batches)
		for i, err := range errs {
			assert.Equal(t, 3, taken[i])
			if i%4 == 0 {
				assert.NoError(t, err)
				continue
			}
			assert.Equal(t, i%4, asError(t, err).Count)
			assert.Equal(t, sink.VerdictReject, asError(t, err).Verdict)
		}
	})
}

// TestConnectionsGrowOldInFlight keeps a sink busy without a pause: there is always a request under way.
func TestConnectionsGrowOldInFlight(t *testing.T) {
	const n, trip = 4, 20 * time.Second
	slow := func(int64) *siemtest.Answer {
		time.Sleep(trip)
		return nil
	}
	eachRoute(t, slow, func(t *testing.T, _ route, c *crowd) {
		start := time.Now()
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * trip / n)
				for time.Since(start) < 4*httpsend.MaxConnAge {
					_, err := deliver(t.Context(), c)
					assert.NoError(t, err)
				}
			})
		}
		wg.Wait()
		require.NoError(t, c.Close())
		synctest.Wait()
		oldest := time.Duration(c.oldest.Load())
		assert.Greater(t, oldest, httpsend.MaxConnAge/2, "connections are used again")
		assert.Less(t, oldest, httpsend.MaxConnAge+httpsend.IdleTimeout+2*trip)
	})
}

// TestCloseInFlight closes the sink under a request, which a stream does not do. Nothing is left behind.
func TestCloseInFlight(t *testing.T) {
	eachRoute(t, nil, func(t *testing.T, r route, c *crowd) {
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				_, err := deliver(t.Context(), c)
				if r.protocol == GRPC {
					assert.NoError(t, err)
				} else {
					assert.Equal(t, sink.VerdictRetry, asError(t, err).Verdict)
				}
			})
		}
		time.Sleep(roundTrip / 2)
		require.NoError(t, c.Close())
		wg.Wait()
	})
}

// TestIdleAgainIsSmall bounds what a sink keeps of a delivery when it has been idle for a minute.
func TestIdleAgainIsSmall(t *testing.T) {
	const sinks, budget = 100, 4 << 10
	for _, p := range protocols {
		t.Run(string(p), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := newServer(t, siemtest.OTLPConfig{})
				cfg := configFor(srv, p)
				cfg.Headers = sink.Headers{"Authorization": "Bearer t0ken"}
				kept := make([]sink.Sink, sinks)
				for i := range kept {
					s, err := cfg.Open()
					require.NoError(t, err)
					_, err = deliver(t.Context(), s)
					require.NoError(t, err)
					kept[i] = s
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				with := heap()
				runtime.KeepAlive(kept)
				clear(kept)
				each := (with - heap()) / sinks
				t.Logf("%d bytes a sink", each)
				assert.Less(t, each, int64(budget))
				srv.Close()
			})
		})
	}
}
