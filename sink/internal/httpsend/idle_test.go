package httpsend_test

import (
	"net/http"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/httpsend"
)

// A server can have a sink for each of thousands of tenants, and most of them idle.
func TestUnusedClientIsSmall(t *testing.T) {
	tlsConfig, err := sink.TLS{}.ClientConfig()
	require.NoError(t, err)
	const count = 2000
	clients := make([]*httpsend.Client, count)
	goroutines := runtime.NumGoroutine()
	before := liveHeap()
	for i := range clients {
		clients[i] = httpsend.New(httpsend.Options{
			URL: mustURL(t, "https://siem.example/in"), TLS: tlsConfig, Gzip: true,
			Header: http.Header{"Authorization": {"Bearer " + canary}, "Content-Type": {"application/json"}},
		})
	}
	each := (liveHeap() - before) / count
	assert.LessOrEqual(t, each, 1100)
	assert.LessOrEqual(t, runtime.NumGoroutine(), goroutines)
	runtime.KeepAlive(clients)
}

// liveHeap returns how many bytes are in use, those that only a finalizer or a pool holds not counted.
func liveHeap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
