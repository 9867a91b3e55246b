//go:build !race

// The race detector makes sync.Pool forget at random, so allocations are counted without it.

package auditstream_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
)

func TestPublishAllocatesNothing(t *testing.T) {
	s := enabled(t, auditstream.Config{StartPaused: true, QueueEvents: 1 << 20, QueueBytes: 1 << 30}, newFake(accept))
	for range 1000 {
		require.NoError(t, publishRealistic(s))
	}
	// One chunk of 128 KiB holds some 250 such events: that is the fraction that AllocsPerRun rounds away.
	allocs := testing.AllocsPerRun(5000, func() { _ = publishRealistic(s) })
	assert.Zero(t, allocs)
}

// TestPublishAllocatesNothingWithMetrics expects a MeterProvider to have no part in Publish, accepted or not.
func TestPublishAllocatesNothingWithMetrics(t *testing.T) {
	for name, cfg := range map[string]auditstream.Config{
		"accepted": {QueueEvents: 1 << 20, QueueBytes: 1 << 30},
		"refused":  {QueueEvents: 500},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProvider()
			cfg.StartPaused, cfg.MeterProvider = true, p
			s := enabled(t, cfg, newFake(accept))
			for range 1000 {
				_ = publishRealistic(s)
			}
			allocs := testing.AllocsPerRun(5000, func() { _ = publishRealistic(s) })
			assert.Zero(t, allocs)
			assert.Empty(t, p.recorded)
		})
	}
}
