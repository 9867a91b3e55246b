package auditstream_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
)

// masked is a secret that this test can look for without holding it: every byte is the complement of what it is.
type masked []byte

func newMasked(t *testing.T) masked {
	t.Helper()
	random := make([]byte, 24)
	_, err := io.ReadFull(rand.Reader, random)
	require.NoError(t, err)
	m := masked(base64.RawURLEncoding.AppendEncode(nil, random))
	clear(random)
	for i := range m {
		m[i] = ^m[i]
	}
	return m
}

// reveal returns the secret, in memory of its own.
func (m masked) reveal() string {
	plain := bytes.Clone(m)
	for i := range plain {
		plain[i] = ^plain[i]
	}
	return string(plain)
}

// occurs counts how often the secret is in the live heap of this process. What is garbage has been collected before,
// pools included, which keep what they have for two rounds.
func (m masked) occurs(t *testing.T) int {
	t.Helper()
	for range 4 {
		runtime.GC()
	}
	path := filepath.Join(t.TempDir(), "heap")
	f, err := os.Create(path)
	require.NoError(t, err)
	debug.WriteHeapDump(f.Fd())
	require.NoError(t, f.Close())
	dump, err := os.ReadFile(path)
	require.NoError(t, err)
	for i := range dump {
		dump[i] = ^dump[i] // and is no place where the secret is either
	}
	return bytes.Count(dump, m)
}

// TestDeleteForgetsTheSecret looks for the secret in all of the live heap, before Delete and after. It is informative
// about what the runtime and other libraries keep, which nobody can promise; but what it finds is a reference that
// somebody holds, and none of ours may. The test is not parallel, so that the dumps are of a quiet process.
func TestDeleteForgetsTheSecret(t *testing.T) {
	for driver := range secured {
		t.Run(driver, func(t *testing.T) {
			m := newMasked(t)
			s := deliverAndDelete(t, driver, m)
			left := m.occurs(t)
			// The sink is closed in a goroutine that nobody waits for, and the connections' goroutines end after that.
			for start := time.Now(); left > 0 && time.Since(start) < time.Minute; {
				left = m.occurs(t)
			}
			assert.Zero(t, left, "places in the live heap that hold the secret after Delete")
			assert.Equal(t, auditstream.StateDeleted, s.Status().State)
			runtime.KeepAlive(s)
		})
	}
}

// deliverAndDelete returns a stream that has delivered with the secret and was deleted. The server, which has seen it
// too, is gone when it returns, and so is everything on the stack.
//
//go:noinline
func deliverAndDelete(t *testing.T, driver string, m masked) *auditstream.Stream {
	t.Helper()
	s := newStream(t, auditstream.Config{BatchDelay: time.Nanosecond})
	t.Run("delivers", func(t *testing.T) {
		_, way := newForgetful(t)
		way.token = m.reveal()
		require.NoError(t, s.Configure(secured[driver](way)))
		publish(t, s, 1, 2)
		waitDelivered(t, s, 2)
		require.NotZero(t, m.occurs(t), "the dump does not show a secret that is in use")
		require.NoError(t, s.Delete())
	})
	return s
}

// newForgetful starts a sentinel that keeps nothing of what it is sent.
func newForgetful(t *testing.T) (*sentinel, route) {
	t.Helper()
	s := newSentinel(t, nil, take)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget = true
	return s, route{url: "http://" + s.host()}
}
