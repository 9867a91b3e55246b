package checks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/sink"
)

const (
	// streams is how many are made, used and ended, at most atOnce of them at a time.
	streams = 1000
	atOnce  = 50

	// maxGrowth is how much the heap may have grown for each of them afterwards, in bytes. It is noise: some tens of
	// bytes are usual. A stream that is still referred to has a multiple of that when it has ended.
	maxGrowth = 512

	// afterglow is for how long net/http keeps the memory of an HTTP/2 connection that is closed: its timers for idle
	// connections run on, of which the longest takes 25 s.
	afterglow = 30 * time.Second
)

// TestStreamsGiveEverythingBack makes, uses and ends a thousand streams of all drivers over real sockets, and looks at
// what is left of them: goroutines, connections, file descriptors.
func TestStreamsGiveEverythingBack(t *testing.T) {
	h := newHost(t, way{})
	h.run(t, atOnce) // what is made once is there
	descriptors := countDescriptors(t)
	leavesNothing(t, func() { h.run(t, streams) })
	eventually(t, func() bool { return countDescriptors(t) <= descriptors })
	assert.EqualValues(t, streams+atOnce, h.dialled.Load(), "a connection for each stream")
	t.Logf("%d streams, %d connections, %d left; file descriptors: %d before, %d after",
		streams, h.dialled.Load()-atOnce, h.open.Load(), descriptors, countDescriptors(t))
}

// TestStreamsGiveTheirMemoryBack measures the heap after a thousand streams of all drivers, and again after a thousand
// more. In a bubble, with pipes in place of sockets, it need not wait for what net/http keeps for a while.
func TestStreamsGiveTheirMemoryBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, way{inMemory: true})
		h.run(t, streams)
		use := func() { h.run(t, streams) }
		grown := growth(streams, use)
		for grown < -maxGrowth { // what an earlier test over sockets had left in the afterglow went meanwhile
			grown = growth(streams, use)
		}
		assert.Less(t, grown, maxGrowth, "bytes of heap for a stream that has ended")
		t.Logf("%d bytes of heap for each stream that has ended", grown)
	})
}

// TestLeaksOfMemoryShow keeps streams that have ended: the test before would notice.
func TestLeaksOfMemoryShow(t *testing.T) {
	const kept = 200
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, way{inMemory: true})
		h.run(t, kept)
		h.keep = true
		grown := growth(kept, func() { h.run(t, kept) })
		assert.Greater(t, grown, maxGrowth, "bytes of heap for a stream that is kept")
		t.Logf("%d bytes of heap for each stream that is kept", grown)
		runtime.KeepAlive(h)
	})
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

func newHost(t *testing.T, w way) *host {
	t.Helper()
	h := new(host)
	for _, name := range slices.Sorted(maps.Keys(drivers)) {
		w.watch = h.watch
		server, dst := drivers[name](t, w)
		h.servers = append(h.servers, server)
		h.destinations = append(h.destinations, dst)
	}
	return h
}

// watch counts the connections that are open.
func (h *host) watch(c net.Conn) net.Conn {
	h.dialled.Add(1)
	h.open.Add(1)
	return &countedConn{Conn: c, closed: sync.OnceFunc(func() { h.open.Add(-1) })}
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

// growth returns by how many bytes for each of n streams use makes the heap grow.
func growth(n int, use func()) int {
	before := heap()
	use()
	return (heap() - before) / n
}

// heap returns how many bytes of it are in use. What pools hold takes two collections to go. It is for bubbles.
func heap() int {
	time.Sleep(afterglow)
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// countDescriptors returns how many file descriptors the process has open, or 0 where it cannot be known.
func countDescriptors(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if errors.Is(err, fs.ErrNotExist) {
		return 0
	}
	require.NoError(t, err)
	return len(files)
}
