//go:build !race

// The race detector makes sync.Pool forget at random, so allocations are counted without it.

package httpsend_test

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/discard"
	"github.com/auditstream/auditstream/sink/internal/httpsend"
)

func TestPostAllocatesLittle(t *testing.T) {
	for name, compress := range map[string]bool{"plain": false, "gzip": true} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, "http://127.0.0.1", func(o *httpsend.Options) {
				o.Gzip = compress
				o.Network = sink.Network{DialContext: discard.Dialer(`{"text":"Success","code":0}`)}
			})
			body := lines(500_000)
			post := func() {
				_, err := c.Post(t.Context(), body, nil)
				require.NoError(t, err)
			}
			post()
			// Nearly all of it is net/http's.
			assert.LessOrEqual(t, testing.AllocsPerRun(100, post), 80.0)
			assert.LessOrEqual(t, bytesPerRun(post), 8<<10)
		})
	}
}

// bytesPerRun is what f allocates on the average of 100 calls, whatever its size.
func bytesPerRun(f func()) int {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	f()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 100 {
		f()
	}
	runtime.ReadMemStats(&after)
	return int(after.TotalAlloc-before.TotalAlloc) / 100
}
