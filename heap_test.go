//go:build !race

// The race detector has its own idea of how much memory things take.

package auditstream_test

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
)

// TestAllocatedHeapOfPendingEvents holds the queue to 0.8 times what Sumo Logic and Splunk would get.
func TestAllocatedHeapOfPendingEvents(t *testing.T) {
	const events = 50_000
	s := pendingStream(t, new(patient), events)
	before := liveHeap()
	for range events {
		require.NoError(t, publishRealistic(s))
	}
	assert.Less(t, float64(liveHeap()-before), 0.8*events*float64(len(jsonOf(t))))
	require.NoError(t, s.Delete())
}

// TestAllocatedHeapOfIdleStreams holds what a stream costs beside its sink, with nothing to do, to less than half of
// what a stream may take with a driver.
func TestAllocatedHeapOfIdleStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		streams := make([]*auditstream.Stream, 2000)
		heap, running := liveHeap(), runtime.NumGoroutine()
		each := func() int { return (int(liveHeap()) - int(heap)) / len(streams) }
		for i := range streams {
			var err error
			streams[i], err = auditstream.New(auditstream.Config{})
			require.NoError(t, err)
			require.NoError(t, streams[i].Configure(discard{}))
		}
		assert.LessOrEqual(t, each(), 2048, "never used")
		assert.Equal(t, running, runtime.NumGoroutine())
		for _, s := range streams {
			require.NoError(t, publishRealistic(s))
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.LessOrEqual(t, each(), 3072, "a minute after one event: the runtime keeps some of its goroutines' memory")
		assert.Equal(t, running, runtime.NumGoroutine())
		for _, s := range streams {
			assert.EqualValues(t, 1, s.Status().Totals.Delivered)
			require.NoError(t, s.Shutdown(t.Context()))
		}
	})
}
