package queue

import (
	"runtime"
	"testing"
	"weak"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// commit answers for the oldest n unleased events.
func commit(t *testing.T, q *Queue, n int) {
	t.Helper()
	for n > 0 {
		l, ok := q.Lease(min(n, 512), 1<<30)
		require.True(t, ok)
		require.True(t, q.Commit(l.ID, l.Len))
		n -= l.Len
	}
}

func TestChunksOfAnsweredEventsAreCollected(t *testing.T) {
	q := New(roomy)
	rec := make([]byte, 1000)
	var chunks []weak.Pointer[chunk]
	for q.Len() < 1000 { // 8 chunks.
		q.Put(rec, 1)
		if p := weak.Make(q.store.tail); len(chunks) == 0 || chunks[len(chunks)-1] != p {
			chunks = append(chunks, p)
		}
	}
	require.Len(t, chunks, 8)

	collected := func() (n int) {
		runtime.GC()
		for _, p := range chunks {
			if p.Value() == nil {
				n++
			}
		}
		return n
	}
	assert.Zero(t, collected())
	commit(t, q, 500)
	// Three are done with; of them one stays for reuse. The first grew up to full size, so it is the one.
	assert.Equal(t, 2, collected())
	commit(t, q, 500)
	assert.Equal(t, 6, collected(), "the tail and one spare are kept for reuse")
	q.Trim()
	assert.Equal(t, 8, collected(), "an idle queue keeps no memory")
	runtime.KeepAlive(q)
}

func TestClearReleasesLeasedMemory(t *testing.T) {
	q := New(roomy)
	q.Put(make([]byte, 1000), 1)
	p := weak.Make(q.store.tail)
	mustLease(t, q, 1)
	q.Clear()
	runtime.GC()
	assert.Nil(t, p.Value())
	runtime.KeepAlive(q)
}

func TestAQuietQueueIsSmall(t *testing.T) {
	q := New(roomy)
	assert.Zero(t, q.store.capacity, "before the first event")
	fill(t, q, 1)
	assert.Equal(t, 4<<10, q.store.capacity)
	commit(t, q, 1)
	fill(t, q, 1000)
	commit(t, q, 1000)
	assert.LessOrEqual(t, q.store.capacity, 8<<10)
}

func TestLargeRecordsWasteNothing(t *testing.T) {
	q := New(roomy)
	rec := make([]byte, 70<<10) // Two would not fit into one chunk.
	for range 100 {
		q.Put(rec, len(rec))
		q.Put(rec[:10], 10)
	}
	assert.Less(t, q.store.capacity, 100*(71<<10))
	assert.Equal(t, 200, mustLease(t, q, 1000).Len)
}

// One lease is released again and again, with one event more each time, while everything behind it is delivered: each
// of its events is the last one in a chunk.
func TestFragmentsAreCompacted(t *testing.T) {
	q := New(roomy)
	rec := make([]byte, 1000)
	for kept := 1; kept <= 400; kept++ {
		for range 200 {
			q.Put(rec, 1)
		}
		l := mustLease(t, q, kept)
		commit(t, q, 200-1)
		require.True(t, q.Release(l.ID))
		require.Equal(t, kept, q.Len())
		require.LessOrEqual(t, q.store.capacity, 2*q.store.live+(slackChunks+1)*chunkSize)
	}
	requireSound(t, q)
	assert.Equal(t, Lease{ID: q.lastLease + 1, Len: 400, Bytes: 400, First: 1, Last: 399*200 + 1}, mustLease(t, q, 1000))
}

func TestNoAllocationPerEvent(t *testing.T) {
	q := New(roomy)
	rec := make([]byte, 300)
	cycle := func() {
		for range 1000 {
			q.Put(rec, 300)
		}
		commit(t, q, 900) // Never quite empty, as with a steady publisher.
		commit(t, q, 100)
	}
	cycle()
	// A lease and its list of spans, for each of four batches.
	assert.LessOrEqual(t, testing.AllocsPerRun(100, cycle), 8.0, "allocations for 1000 events")
}

func TestTheListOfSpansShrinks(t *testing.T) {
	q := New(roomy)
	rec := make([]byte, chunkSize/8) // A chunk and a span each.
	for range 2 * keepSpans {
		q.Put(rec, 1)
	}
	assert.Equal(t, 2*keepSpans, q.unleased.len())
	commit(t, q, 2*keepSpans)
	assert.LessOrEqual(t, cap(q.unleased.buf), keepSpans)
}
