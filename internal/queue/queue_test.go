package queue

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSmoke(t *testing.T) {
	q := New(Limits{Events: 3, Bytes: 100})
	for i := range 3 {
		seq, ok := q.Put([]byte{byte(i)}, 10)
		require.True(t, ok)
		require.EqualValues(t, i+1, seq)
	}
	_, ok := q.Put(nil, 0)
	require.False(t, ok)
	l, ok := q.Lease(2, 100)
	require.True(t, ok)
	require.Equal(t, Lease{ID: 1, Len: 2, Bytes: 20, First: 1, Last: 2}, l)
	w := q.Wait([]byte{9}, 10)
	require.True(t, q.Commit(l.ID, 1))
	<-w.Done()
	require.Equal(t, 3, q.Len())
	for _, s := range q.All() {
		for seq, rec := range s.Records() {
			t.Log(seq, []byte(rec))
		}
	}
}
