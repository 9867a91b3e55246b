package queue

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLeaseBounds(t *testing.T) {
	tests := []struct {
		name      string
		sizes     []int
		maxEvents int
		maxBytes  int
		want      Lease
	}{
		{"all", []int{1, 2, 3}, 9, 99, Lease{Len: 3, Bytes: 6, First: 1, Last: 3}},
		{"events", []int{1, 2, 3}, 2, 99, Lease{Len: 2, Bytes: 3, First: 1, Last: 2}},
		{"bytes, exactly", []int{1, 2, 3}, 9, 3, Lease{Len: 2, Bytes: 3, First: 1, Last: 2}},
		{"bytes, one less", []int{1, 2, 3}, 9, 2, Lease{Len: 1, Bytes: 1, First: 1, Last: 1}},
		{"a larger first one goes alone", []int{9, 0, 1}, 9, 5, Lease{Len: 1, Bytes: 9, First: 1, Last: 1}},
		{"a larger later one waits", []int{1, 9, 1}, 9, 5, Lease{Len: 1, Bytes: 1, First: 1, Last: 1}},
		{"at least one", []int{1, 1}, 0, 0, Lease{Len: 1, Bytes: 1, First: 1, Last: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q := New(roomy)
			for _, size := range tt.sizes {
				q.Put([]byte("record"), size)
			}
			tt.want.ID = 1
			l, ok := q.Lease(tt.maxEvents, tt.maxBytes)
			require.True(t, ok)
			assert.Equal(t, tt.want, l)
		})
	}
}

func TestLeaseOfNothing(t *testing.T) {
	q := New(roomy)
	_, ok := q.Lease(1, 1)
	assert.False(t, ok)
	fill(t, q, 1)
	mustLease(t, q, 1)
	_, ok = q.Lease(1, 1)
	assert.False(t, ok, "everything is leased")
}

func TestCommit(t *testing.T) {
	tests := []struct {
		name string
		n    int
		want []uint64 // still pending of 1 to 6, where 1 to 4 are leased
	}{
		{"all", 4, []uint64{5, 6}},
		{"a prefix", 3, []uint64{4, 5, 6}},
		{"nothing", 0, []uint64{1, 2, 3, 4, 5, 6}},
		{"a negative count loses nothing", -1, []uint64{1, 2, 3, 4, 5, 6}},
		{"too large a count loses nothing", 5, []uint64{1, 2, 3, 4, 5, 6}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q := New(roomy)
			fill(t, q, 6)
			l := mustLease(t, q, 4)
			assert.Equal(t, []uint64{1, 2, 3, 4}, sequences(t, q.Segments(l.ID)))
			require.True(t, q.Commit(l.ID, tt.n))
			assert.Equal(t, tt.want, sequences(t, q.Segments(mustLease(t, q, 9).ID)), "leased again in order")
		})
	}
}

func TestAnEndedLeaseIsDead(t *testing.T) {
	q := New(roomy)
	fill(t, q, 4)
	l := mustLease(t, q, 2)
	assert.True(t, q.Current(l.ID))
	require.True(t, q.Release(l.ID))

	again := mustLease(t, q, 2) // The same events under another number.
	assert.Equal(t, l.First, again.First)
	assert.False(t, q.Current(l.ID))
	assert.False(t, q.Commit(l.ID, 2), "a late answer must not remove events that are offered again")
	assert.False(t, q.Release(l.ID))
	assert.Nil(t, q.Segments(l.ID))
	assert.Equal(t, 4, q.Len())
	assert.True(t, q.Current(again.ID))
}

func TestLeasesEndInAnyOrder(t *testing.T) {
	q := New(roomy)
	fill(t, q, 8)
	var ls []Lease
	for range 4 {
		ls = append(ls, mustLease(t, q, 2))
	}
	require.True(t, q.Commit(ls[2].ID, 2)) // 5 and 6 leave.
	require.True(t, q.Release(ls[3].ID))   // 7 and 8 come back.
	require.True(t, q.Commit(ls[0].ID, 1)) // 1 leaves, 2 comes back before them.
	require.True(t, q.Release(ls[1].ID))   // 3 and 4 come back between.
	assert.Equal(t, 2, q.unleased.len(), "2 to 4 and 7 to 8 are joined again")
	assert.Equal(t, []uint64{2, 3, 4, 7, 8}, sequences(t, q.Segments(mustLease(t, q, 9).ID)))
}

func TestSegmentsOutliveTheQueuesMemory(t *testing.T) {
	q := New(roomy)
	fill(t, q, 100)
	l := mustLease(t, q, 100)
	segments := q.Segments(l.ID)
	require.True(t, q.Commit(l.ID, 100))
	fill(t, q, 100) // Into the same buffer.
	assert.EqualValues(t, 100, sequences(t, segments)[99])
	assert.EqualValues(t, 200, sequences(t, q.All())[99])
}
