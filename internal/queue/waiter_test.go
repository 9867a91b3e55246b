package queue

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func requireWaiting(t *testing.T, w *Waiter) {
	t.Helper()
	select {
	case <-w.Done():
		require.FailNow(t, "was let in or refused")
	default:
	}
}

func requireAdmitted(t *testing.T, w *Waiter, want uint64) {
	t.Helper()
	select {
	case <-w.Done():
	default:
		require.FailNow(t, "still waits")
	}
	seq, ok := w.Seq()
	require.True(t, ok)
	require.Equal(t, want, seq)
}

func requireRefused(t *testing.T, w *Waiter) {
	t.Helper()
	select {
	case <-w.Done():
	default:
		require.FailNow(t, "still waits")
	}
	_, ok := w.Seq()
	require.False(t, ok)
	require.Error(t, w.Refused())
}

var errRefused = errors.New("the stream takes no events")

func TestWaitersAreLetInInOrder(t *testing.T) {
	q := New(Limits{Events: 9, Bytes: 10})
	_, ok := q.Put(nil, 10)
	require.True(t, ok)
	large, small := q.Wait([]byte("2"), 9), q.Wait([]byte("3"), 2)
	assert.Equal(t, 2, q.Waiters())

	_, ok = q.Put(nil, 0)
	assert.False(t, ok, "an event that would fit passes those who wait")

	l, _ := q.Lease(1, 10)
	require.True(t, q.Commit(l.ID, 1))
	requireAdmitted(t, large, 2)
	requireWaiting(t, small)

	l, _ = q.Lease(1, 10)
	require.True(t, q.Commit(l.ID, 1))
	requireAdmitted(t, small, 3)
	assert.Zero(t, q.Waiters())
	assert.Equal(t, []uint64{3}, sequences(t, q.All()))
}

func TestWaitWithRoom(t *testing.T) {
	q := New(Limits{Events: 1, Bytes: 1})
	requireAdmitted(t, q.Wait([]byte("1"), 1), 1)
	requireWaiting(t, q.Wait([]byte("2"), 1))
}

func TestWaitForTheImpossible(t *testing.T) {
	q := New(Limits{Events: 1, Bytes: 10})
	requireRefused(t, q.Wait(nil, 11))
	assert.Zero(t, q.Waiters())
	requireRefused(t, New(Limits{Bytes: 10}).Wait(nil, 1))
}

func TestLeave(t *testing.T) {
	t.Run("from the middle", func(t *testing.T) {
		q := New(Limits{Events: 1, Bytes: 10})
		fill(t, q, 1)
		a, b, c := q.Wait([]byte("2"), 1), q.Wait([]byte("x"), 1), q.Wait([]byte("3"), 1)
		assert.True(t, q.Leave(b))
		assert.False(t, q.Leave(b), "twice")
		q.Commit(mustLease(t, q, 1).ID, 1)
		requireAdmitted(t, a, 2)
		q.Commit(mustLease(t, q, 1).ID, 1)
		requireAdmitted(t, c, 3)
		requireWaiting(t, b)
	})
	t.Run("a large one at the front lets those behind it in", func(t *testing.T) {
		q := New(Limits{Events: 9, Bytes: 10})
		fill(t, q, 5)
		large, small, last := q.Wait(nil, 6), q.Wait(nil, 5), q.Wait(nil, 1)
		assert.True(t, q.Leave(large))
		requireAdmitted(t, small, 6)
		requireWaiting(t, last)
	})
	t.Run("too late", func(t *testing.T) {
		q := New(Limits{Events: 1, Bytes: 10})
		fill(t, q, 1)
		admitted, refused := q.Wait(nil, 1), q.Wait(nil, 1)
		q.Commit(mustLease(t, q, 1).ID, 1)
		q.RefuseWaiters(errRefused)
		require.NoError(t, admitted.Refused())
		assert.False(t, q.Leave(admitted))
		assert.False(t, q.Leave(refused))
		assert.Equal(t, 1, q.Len())
	})
}

func TestRefuseWaiters(t *testing.T) {
	q := New(Limits{Events: 1, Bytes: 10})
	fill(t, q, 1)
	a, b := q.Wait(nil, 1), q.Wait(nil, 1)
	assert.Equal(t, 2, q.RefuseWaiters(errRefused))
	requireRefused(t, a)
	requireRefused(t, b)
	require.ErrorIs(t, b.Refused(), errRefused)
	assert.Zero(t, q.RefuseWaiters(errRefused))
	assert.Equal(t, 1, q.Clear())
	fill(t, q, 1) // Nobody is left to go first.
}
