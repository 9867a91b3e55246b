package checks

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/siemtest"
)

// The sockets here are real, which is why the leaks cannot be left to a bubble of testing/synctest. The servers still run
// when the detector looks, so that a connection which is left open shows as a goroutine of a server. The tests are not
// parallel: what others have started is no leak.

// patience is when a condition that was waited for has failed.
const patience = time.Minute

// fates are what may become of a stream, up to its end.
var fates = map[string]func(t *testing.T, open driver){
	"everything is delivered": func(t *testing.T, open driver) {
		server, dst := open(t, way{})
		leavesNothing(t, func() {
			s := publish(t, auditstream.Config{}, dst)
			require.NoError(t, s.Flush(t.Context()))
			require.NoError(t, s.Test(t.Context(), dst))
			require.NoError(t, s.Shutdown(t.Context()))
			assert.Len(t, server.Events(), 4)
		})
	},
	"the server does not answer, and the stream is deleted": func(t *testing.T, open driver) {
		server, dst := open(t, way{})
		server.Respond(siemtest.Hang())
		leavesNothing(t, func() {
			s := publish(t, auditstream.Config{}, dst)
			eventually(t, func() bool { return len(server.Requests()) > 0 })
			remove(t, s)
		})
	},
	"the server does not answer, and the stream is shut down in a hurry": func(t *testing.T, open driver) {
		server, dst := open(t, way{})
		server.Respond(siemtest.Hang())
		leavesNothing(t, func() {
			s := publish(t, auditstream.Config{}, dst)
			eventually(t, func() bool { return len(server.Requests()) > 0 })
			abandon(t, s)
		})
	},
	"the server does not answer to a test": func(t *testing.T, open driver) {
		server, dst := open(t, way{})
		server.Respond(siemtest.Hang())
		leavesNothing(t, func() {
			s, err := auditstream.New(auditstream.Config{})
			require.NoError(t, err)
			ctx, cancel := context.WithCancel(t.Context())
			var testing sync.WaitGroup
			testing.Go(func() { err = s.Test(ctx, dst) })
			eventually(t, func() bool { return len(server.Requests()) > 0 })
			cancel()
			testing.Wait()
			require.ErrorIs(t, err, context.Canceled)
		})
	},
	"attempts run out of time": func(t *testing.T, open driver) {
		server, dst := open(t, way{})
		server.Fail(func(siemtest.Request) *siemtest.Answer { a := siemtest.Hang(); return &a })
		leavesNothing(t, func() {
			s := publish(t, auditstream.Config{AttemptTimeout: 50 * time.Millisecond, RetryMin: time.Millisecond}, dst)
			eventually(t, func() bool { return len(server.Requests()) > 2 })
			remove(t, s)
		})
	},
	"the server is busy": func(t *testing.T, open driver) {
		server, dst := open(t, way{})
		server.Respond(siemtest.Status(503, ""), siemtest.Drop(), siemtest.Reset(), siemtest.Status(502, ""))
		leavesNothing(t, func() {
			s := publish(t, auditstream.Config{RetryMin: time.Millisecond}, dst)
			require.NoError(t, s.Flush(t.Context()))
			eventually(t, func() bool { return s.Status().Totals.Pending == 0 })
			require.NoError(t, s.Shutdown(t.Context()))
		})
	},
	"connections are refused": func(t *testing.T, open driver) {
		server, dst := open(t, way{})
		require.NoError(t, server.SetOutage(true))
		leavesNothing(t, func() {
			s := publish(t, auditstream.Config{}, dst)
			eventually(t, func() bool { return s.Status().Condition == auditstream.ConditionRetrying })
			require.Error(t, s.Test(t.Context(), dst))
			remove(t, s)
		})
	},
	"connections lead nowhere": func(t *testing.T, open driver) {
		hole := newBlackHole(t)
		_, dst := open(t, way{network: sink.Network{DialContext: hole.dial}})
		leavesNothing(t, func() {
			s := publish(t, auditstream.Config{}, dst)
			eventually(t, func() bool { return hole.len() > 0 })
			abandon(t, s)
		})
		hole.expectClosed(t)
	},
	"dialling does not end": func(t *testing.T, open driver) {
		dialled := make(chan struct{}, 100)
		_, dst := open(t, way{network: sink.Network{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			dialled <- struct{}{}
			<-ctx.Done()
			return nil, ctx.Err()
		}}})
		leavesNothing(t, func() {
			s := publish(t, auditstream.Config{}, dst)
			<-dialled
			remove(t, s)
		})
	},
	"the way leads through a proxy": func(t *testing.T, open driver) {
		proxy := newConnectProxy(t)
		server, dst := open(t, way{network: sink.Network{Proxy: proxy.url}})
		leavesNothing(t, func() {
			s := publish(t, auditstream.Config{}, dst)
			require.NoError(t, s.Flush(t.Context()))
			server.Respond(siemtest.Hang())
			require.NoError(t, s.Publish(event()))
			eventually(t, func() bool { return len(server.Requests()) > 1 })
			remove(t, s)
			assert.Positive(t, proxy.taken.Load())
		})
	},
	"the destination is edited": func(t *testing.T, open driver) {
		first, from := open(t, way{})
		second, to := open(t, way{})
		leavesNothing(t, func() {
			s := publish(t, auditstream.Config{}, from)
			require.NoError(t, s.Flush(t.Context()))
			first.Respond(siemtest.Hang())
			require.NoError(t, s.Publish(event()))
			eventually(t, func() bool { return len(first.Requests()) > 1 })
			require.NoError(t, s.Configure(to))
			require.NoError(t, s.Flush(t.Context()))
			require.NoError(t, s.Pause())
			require.NoError(t, s.Publish(event()))
			remove(t, s)
			assert.Len(t, second.Events(), 1)
		})
	},
}

// TestNothingIsLeftBehind looks for goroutines after the end of a stream, whatever it has met.
func TestNothingIsLeftBehind(t *testing.T) {
	for name, fate := range fates {
		t.Run(name, func(t *testing.T) {
			for name, open := range drivers {
				t.Run(name, func(t *testing.T) { fate(t, open) })
			}
		})
	}
}

// leavesNothing runs use and looks for goroutines that it has left behind.
func leavesNothing(t *testing.T, use func()) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	use()
	goleak.VerifyNone(t, before)
}

func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, patience, time.Millisecond)
}

func event() auditstream.Event {
	return auditstream.Event{Action: "project.delete", Actor: auditstream.Actor{ID: "users-7"}}
}

// publish hands three events to a new stream.
func publish(t *testing.T, cfg auditstream.Config, dst sink.Destination) *auditstream.Stream {
	t.Helper()
	cfg.BatchDelay = time.Nanosecond
	s, err := auditstream.New(cfg)
	require.NoError(t, err)
	require.NoError(t, s.Configure(dst))
	for range 3 {
		require.NoError(t, s.Publish(event()))
	}
	return s
}

// remove deletes a stream that has something in its queue.
func remove(t *testing.T, s *auditstream.Stream) {
	t.Helper()
	require.NoError(t, s.Delete())
	require.Positive(t, s.Status().Totals.DiscardedDeleted)
}

// abandon shuts down a stream that has something in its queue, without giving it time.
func abandon(t *testing.T, s *auditstream.Stream) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, ok := errors.AsType[*auditstream.UndeliveredError](s.Shutdown(ctx))
	require.True(t, ok, "Shutdown hands back what it could not deliver")
}

// TestIdleStreamsOwnNothing lets a stream fall idle. It stays enabled, and so does its server. With pipes in place of
// sockets it can wait for that in a bubble.
func TestIdleStreamsOwnNothing(t *testing.T) {
	for name, open := range drivers {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, dst := open(t, way{inMemory: true})
				before := goleak.IgnoreCurrent()
				s := publish(t, auditstream.Config{}, dst)
				require.NoError(t, s.Flush(t.Context()))
				time.Sleep(time.Minute)
				goleak.VerifyNone(t, before)
				require.NoError(t, s.Publish(event()))
				require.NoError(t, s.Flush(t.Context()))
				assert.Len(t, server.Events(), 4)
				assert.Equal(t, 2, server.Connections(), "the first one was closed")
				require.NoError(t, s.Shutdown(t.Context()))
			})
		})
	}
}

// TestServersLeaveNothingBehind opens and closes the fake servers, with clients that have connected and say
// nothing.
func TestServersLeaveNothingBehind(t *testing.T) {
	for _, inMemory := range []bool{false, true} {
		for name, open := range drivers {
			t.Run(fmt.Sprintf("%s, in memory %t", name, inMemory), func(t *testing.T) {
				leavesNothing(t, func() {
					server, dst := open(t, way{inMemory: inMemory})
					s := publish(t, auditstream.Config{}, dst)
					require.NoError(t, s.Flush(t.Context()))
					stay(t, server, dst)
					require.NoError(t, server.SetOutage(true))
					require.NoError(t, server.SetOutage(false))
					stay(t, server, dst)
					server.Close()
					require.NoError(t, s.Shutdown(t.Context()))
				})
			})
		}
	}
}

// stay connects to a server and says nothing until the end of the test.
func stay(t *testing.T, server siem, dst sink.Destination) {
	t.Helper()
	_, address, ok := strings.Cut(dst.String(), "://")
	require.True(t, ok)
	connections := server.Connections()
	c, err := server.DialContext(t.Context(), "tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	eventually(t, func() bool { return server.Connections() > connections })
}
