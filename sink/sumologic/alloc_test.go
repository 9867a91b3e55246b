//go:build !race

// The race detector makes sync.Pool forget at random, so allocations are counted without it.

package sumologic_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/sink/internal/discard"
	"github.com/auditstream/auditstream/sink/sumologic"
)

// TestDeliverAllocatesNothingForEachEvent has a budget that does not grow with the batch: what remains is the request's,
// and nearly all of that net/http's.
func TestDeliverAllocatesNothingForEachEvent(t *testing.T) {
	for _, compression := range []sumologic.Compression{sumologic.Gzip, sumologic.None} {
		t.Run(string(compression), func(t *testing.T) {
			c := endpoint("http://127.0.0.1/receiver/v1/http/" + code)
			c.Compression = compression
			c.Network.DialContext = discard.Dialer("")
			s, batch := open(t, c), events(1000, 100.0)
			deliver := func() {
				_, err := s.Deliver(t.Context(), batch)
				require.NoError(t, err)
			}
			deliver()
			assert.LessOrEqual(t, testing.AllocsPerRun(100, deliver), 100.0)
		})
	}
}
