package checks

import (
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/sink"
)

const (
	// streams is how many are made, used and ended, at most atOnce of them at a time.
	streams = 1000
	atOnce  = 50

	// maxGrowth is how much the heap may have grown for each of them afterwards, in bytes. It is noise: some tens of
	// bytes are usual. A stream that is still referred to is several times as large when it has ended, and a sink a
	// multiple of that.
	maxGrowth = 512
)

// TestStreamsGiveEverythingBack makes, uses and ends a thousand streams, of all drivers, and looks at what is left of them:
// goroutines, connections, file descriptors, memory. Before that as many have gone the same way, so that what is made
// once is there.
func TestStreamsGiveEverythingBack(t *testing.T) {
	h := newHost(t)
	h.run(t, streams)
	descriptors := countDescriptors(t)
	goroutines := goleak.IgnoreCurrent()
	growth := h.growth(t, func() { h.run(t, streams) })
	goleak.VerifyNone(t, goroutines)
	assert.Zero(t, h.open.Load(), "connections that are still open")
	assert.Equal(t, descriptors, countDescriptors(t), "file descriptors")
	assert.Less(t, growth, maxGrowth, "bytes of heap for a stream that has ended")
	t.Logf("%d streams, %d connections: %d bytes of heap for each stream", streams, h.dialled.Load()/2, growth)
}

// TestLeaksOfMemoryShow keeps streams that have ended: what is measured would be noticed.
func TestLeaksOfMemoryShow(t *testing.T) {
	h := newHost(t)
	h.run(t, streams)
	h.keep = true
	growth := h.growth(t, func() { h.run(t, streams) })
	assert.Greater(t, growth, maxGrowth, "bytes of heap for a stream that is kept")
	t.Logf("%d bytes of heap for each stream that is kept", growth)
	runtime.KeepAlive(h)
}

// A host has the servers of all drivers, and makes streams to them.
type host struct {
	servers       []siem
	destinations  []sink.Destination
	dialled, open atomic.Int64

	keep bool
	mu   sync.Mutex
	kept []*auditstream.Stream
}

func newHost(t *testing.T) *host {
	t.Helper()
	h := new(host)
	for _, name := range slices.Sorted(maps.Keys(drivers)) {
		server, dst := drivers[name](t, way{network: sink.Network{DialContext: h.dial}})
		h.servers = append(h.servers, server)
		h.destinations = append(h.destinations, dst)
	}
	return h
}

// dial counts the connections that are open.
func (h *host) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	h.dialled.Add(1)
	h.open.Add(1)
	return &countedConn{Conn: c, closed: sync.OnceFunc(func() { h.open.Add(-1) })}, nil
}

type countedConn struct {
	net.Conn
	closed func()
}

func (c *countedConn) Close() error {
	c.closed()
	return c.Conn.Close()
}

// run makes, uses and ends n streams, and returns when their connections are closed.
func (h *host) run(t *testing.T, n int) {
	t.Helper()
	for first := 0; first < n; first += atOnce {
		var living sync.WaitGroup
		for i := first; i < min(first+atOnce, n); i++ {
			living.Go(func() { assert.NoError(t, h.live(t.Context(), i)) })
		}
		living.Wait()
	}
	for _, s := range h.servers {
		s.Clear()
	}
	eventually(t, func() bool { return h.open.Load() == 0 })
}

// live is the life of one stream: it delivers, and then it is deleted or shut down, or both.
func (h *host) live(ctx context.Context, i int) error {
	s, err := auditstream.New(auditstream.Config{BatchDelay: time.Nanosecond})
	if err != nil {
		return err
	}
	if h.keep {
		h.mu.Lock()
		h.kept = append(h.kept, s)
		h.mu.Unlock()
	}
	if err := s.Configure(h.destinations[i%len(h.destinations)]); err != nil {
		return err
	}
	for range 3 {
		if err := s.Publish(event()); err != nil {
			return err
		}
	}
	if err := s.Flush(ctx); err != nil {
		return err
	}
	if got := s.Status().Totals.Delivered; got != 3 {
		return fmt.Errorf("%d events were delivered", got)
	}
	if i/len(h.destinations)%2 == 0 {
		return s.Shutdown(ctx)
	}
	return s.Delete()
}

// growth returns by how many bytes for a stream use makes the heap grow.
func (h *host) growth(t *testing.T, use func()) int {
	t.Helper()
	before := heap()
	use()
	return (heap() - before) / streams
}

// heap returns how many bytes of it are in use. What pools hold takes two collections to go.
func heap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// countDescriptors returns how many file descriptors the process has open, or 0 where it cannot be known. Those of
// servers, whose goroutines close them a little later than the client does, are waited for.
func countDescriptors(t *testing.T) int {
	t.Helper()
	const list = "/proc/self/fd"
	if _, err := os.Stat(list); err != nil {
		return 0
	}
	count := func() int {
		files, err := os.ReadDir(list)
		require.NoError(t, err)
		return len(files)
	}
	last, same := count(), 0
	eventually(t, func() bool {
		now := count()
		if now == last {
			same++
		} else {
			last, same = now, 0
		}
		return same > 20
	})
	return last
}
