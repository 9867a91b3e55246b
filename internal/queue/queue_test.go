package queue

import (
	"math"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// roomy never refuses what a test puts in.
var roomy = Limits{Events: 1 << 30, Bytes: math.MaxInt}

// fill puts n events of size 1 whose records are their sequence numbers in decimal.
func fill(t *testing.T, q *Queue, n int) {
	t.Helper()
	for range n {
		seq := q.LastSeq() + 1
		got, ok := q.Put([]byte(strconv.FormatUint(seq, 10)), 1)
		require.True(t, ok)
		require.Equal(t, seq, got)
	}
}

// sequences reads segments made by fill and checks that each record is its own.
func sequences(t *testing.T, segments []Segment) (out []uint64) {
	t.Helper()
	for _, s := range segments {
		for seq, rec := range s.Records() {
			require.Equal(t, strconv.FormatUint(seq, 10), rec)
			out = append(out, seq)
		}
	}
	return out
}

func mustLease(t *testing.T, q *Queue, events int) Lease {
	t.Helper()
	l, ok := q.Lease(events, 1<<30)
	require.True(t, ok)
	return l
}

func TestPutHoldsBothBoundsExactly(t *testing.T) {
	tests := []struct {
		name   string
		limits Limits
		sizes  []int
		want   []bool
	}{
		{"events", Limits{Events: 2, Bytes: 100}, []int{1, 1, 1}, []bool{true, true, false}},
		{"bytes to the last one", Limits{Events: 9, Bytes: 10}, []int{4, 6, 1}, []bool{true, true, false}},
		{"a smaller one still fits", Limits{Events: 9, Bytes: 10}, []int{4, 7, 6}, []bool{true, false, true}},
		{"size 0 takes a place but no bytes", Limits{Events: 3, Bytes: 5}, []int{5, 0, 1}, []bool{true, true, false}},
		{"a size near the largest int does not overflow", Limits{Events: 3, Bytes: 10}, []int{5, math.MaxInt}, []bool{true, false}},
		{"no limits, no room", Limits{}, []int{0}, []bool{false}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q := New(tt.limits)
			accepted := uint64(0)
			for i, size := range tt.sizes {
				seq, ok := q.Put([]byte("record"), size)
				require.Equal(t, tt.want[i], ok, "number %d", i)
				if ok {
					accepted++
					assert.Equal(t, accepted, seq, "a refused event must not use up a number")
				}
			}
			assert.Equal(t, accepted, q.LastSeq())
		})
	}
}

func TestPutCopiesTheRecord(t *testing.T) {
	q := New(roomy)
	rec := []byte("1")
	q.Put(rec, 1)
	rec[0] = 'x'
	assert.Equal(t, []uint64{1}, sequences(t, q.All()))
}

func TestLeasedEventsCountAgainstTheBounds(t *testing.T) {
	q := New(Limits{Events: 2, Bytes: 100})
	fill(t, q, 2)
	l := mustLease(t, q, 2)
	_, ok := q.Put(nil, 0)
	assert.False(t, ok)
	require.True(t, q.Commit(l.ID, 1))
	_, ok = q.Put(nil, 0)
	assert.True(t, ok)
}

func TestPutDropOldest(t *testing.T) {
	put := func(q *Queue, size int) (int, bool) {
		_, dropped, ok := q.PutDropOldest([]byte("new"), size)
		return dropped, ok
	}
	t.Run("drops nothing while there is room", func(t *testing.T) {
		q := New(Limits{Events: 3, Bytes: 100})
		fill(t, q, 2)
		dropped, ok := put(q, 1)
		assert.True(t, ok)
		assert.Zero(t, dropped)
	})
	t.Run("drops as few as needed, the oldest", func(t *testing.T) {
		q := New(Limits{Events: 10, Bytes: 10})
		fill(t, q, 10)
		dropped, ok := put(q, 3)
		assert.True(t, ok)
		assert.Equal(t, 3, dropped)
		assert.EqualValues(t, 4, mustLease(t, q, 1).First)
		assert.Equal(t, 10, q.Bytes())
	})
	t.Run("passes over leased events", func(t *testing.T) {
		q := New(Limits{Events: 4, Bytes: 100})
		fill(t, q, 4)
		l := mustLease(t, q, 2)
		dropped, ok := put(q, 1)
		assert.True(t, ok)
		assert.Equal(t, 1, dropped)
		assert.Equal(t, []uint64{1, 2}, sequences(t, q.Segments(l.ID)))
		require.True(t, q.Release(l.ID))
		assert.Equal(t, Lease{ID: 2, Len: 4, Bytes: 4, First: 1, Last: 5}, mustLease(t, q, 9))
	})
	t.Run("refuses and drops nothing when leased events leave no room", func(t *testing.T) {
		q := New(Limits{Events: 4, Bytes: 10})
		fill(t, q, 4)
		mustLease(t, q, 3)
		_, ok := put(q, 8)
		assert.False(t, ok)
		assert.Equal(t, 4, q.Len())
		assert.EqualValues(t, 4, q.LastSeq())
	})
	t.Run("lets those who wait in first", func(t *testing.T) {
		q := New(Limits{Events: 2, Bytes: 100})
		fill(t, q, 2)
		l := mustLease(t, q, 2)
		w := q.Wait([]byte("3"), 1)
		_, ok := put(q, 1)
		assert.False(t, ok, "everything is leased")
		require.True(t, q.Release(l.ID))
		seq, dropped, ok := q.PutDropOldest([]byte("4"), 1)
		require.True(t, ok)
		assert.EqualValues(t, 4, seq)
		assert.Equal(t, 2, dropped)
		requireAdmitted(t, w, 3)
		assert.Equal(t, []uint64{3, 4}, sequences(t, q.All()))
	})
	t.Run("does not pass somebody who waits for more than leased events leave", func(t *testing.T) {
		q := New(Limits{Events: 9, Bytes: 10})
		fill(t, q, 9)
		mustLease(t, q, 3)
		w := q.Wait(nil, 8)
		_, ok := put(q, 1)
		assert.False(t, ok)
		requireWaiting(t, w)
		assert.Equal(t, 9, q.Len())
	})
}

func TestAdmitDropOldest(t *testing.T) {
	q := New(Limits{Events: 2, Bytes: 100})
	fill(t, q, 2)
	l := mustLease(t, q, 2)
	first, second := q.Wait([]byte("3"), 1), q.Wait([]byte("4"), 1)
	assert.Zero(t, q.AdmitDropOldest(), "everything is leased")
	requireWaiting(t, first)
	require.True(t, q.Release(l.ID))
	requireWaiting(t, first)
	assert.Equal(t, 2, q.AdmitDropOldest())
	requireAdmitted(t, first, 3)
	requireAdmitted(t, second, 4)
}

func TestClear(t *testing.T) {
	q := New(Limits{Events: 4, Bytes: 100})
	fill(t, q, 4)
	l := mustLease(t, q, 2)
	w := q.Wait([]byte("5"), 1)
	assert.Equal(t, 4, q.Clear(), "leased events leave too")
	assert.False(t, q.Current(l.ID))
	assert.False(t, q.Commit(l.ID, 2), "the late answer of an attempt that was running")
	requireAdmitted(t, w, 5)
	assert.Equal(t, []uint64{5}, sequences(t, q.All()))
	assert.EqualValues(t, 2, mustLease(t, q, 1).ID, "lease numbers go on")
}

func TestCounts(t *testing.T) {
	q := New(roomy)
	_, ok := q.Oldest()
	assert.False(t, ok)
	fill(t, q, 10)
	mustLease(t, q, 4)
	q.Commit(mustLease(t, q, 2).ID, 2) // 5 and 6 leave; 1 to 4 are leased; 7 to 10 are not.

	events, bytes := q.Unleased()
	assert.Equal(t, []int{8, 8, 4, 4}, []int{q.Len(), q.Bytes(), events, bytes})
	for through, want := range map[uint64][2]int{0: {0, 0}, 3: {3, 0}, 6: {4, 0}, 8: {6, 2}, 10: {8, 4}, 99: {8, 4}} {
		assert.Equal(t, want, [2]int{q.Pending(through), q.UnleasedThrough(through)}, "through %d", through)
	}
	rec, ok := q.Oldest()
	assert.True(t, ok)
	assert.Equal(t, "1", string(rec), "leased events are pending")
}

func TestAllIsInOrderAcrossLeases(t *testing.T) {
	q := New(roomy)
	assert.Nil(t, q.All())
	fill(t, q, 6)
	a, b := mustLease(t, q, 2), mustLease(t, q, 2)
	require.True(t, q.Release(a.ID))
	mustLease(t, q, 1)
	assert.Equal(t, []uint64{1, 2, 3, 4, 5, 6}, sequences(t, q.All()))
	require.True(t, q.Commit(b.ID, 1))
	assert.Equal(t, []uint64{1, 2, 4, 5, 6}, sequences(t, q.All()))
}

func TestRecordsMayStopEarly(t *testing.T) {
	q := New(roomy)
	fill(t, q, 3)
	for seq := range q.All()[0].Records() {
		assert.EqualValues(t, 1, seq)
		break
	}
}
