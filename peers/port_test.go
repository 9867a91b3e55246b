package peers

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// ports are those that tests have got so far. A peer that is down for a while has nobody listen on its port.
var ports struct {
	mu    sync.Mutex
	given map[int]bool
}

// freeAddress returns an address of loopback on which nobody listens, and returns it once. It is none of those that
// systems give to outgoing connections, so that it will still be free when a peer is started for the second time.
func freeAddress(t *testing.T) string {
	t.Helper()
	ports.mu.Lock()
	defer ports.mu.Unlock()
	if ports.given == nil {
		ports.given = map[int]bool{}
	}
	for range 1000 {
		port := 20_000 + rand.IntN(12_000)
		if ports.given[port] {
			continue
		}
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		if l, err := net.Listen("tcp", addr); err == nil {
			require.NoError(t, l.Close())
			ports.given[port] = true
			return addr
		}
	}
	require.FailNow(t, "no port is free")
	return ""
}

// listening reports whether somebody accepts connections.
func listening(addr string) bool {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}
