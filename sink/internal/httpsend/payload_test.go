package httpsend

import (
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPayloadIsReplayedOnce(t *testing.T) {
	p := newPayload([]byte("body"), false)
	_, err := io.CopyN(io.Discard, p.reader(), 2)
	require.NoError(t, err)
	again, err := p.replay()
	require.NoError(t, err)
	assert.False(t, p.begun, "who asks for it again has not sent it")
	all, err := io.ReadAll(again)
	require.NoError(t, err)
	assert.Equal(t, "body", string(all))
	assert.NoError(t, again.Close())
	_, err = p.replay()
	assert.ErrorIs(t, err, errReplayed)
}

func TestPayloadIsNotReadAfterItsRelease(t *testing.T) {
	for _, compress := range []bool{false, true} {
		p := newPayload([]byte("body"), compress)
		r := p.reader()
		_, err := io.CopyN(io.Discard, r, 2)
		require.NoError(t, err)
		assert.True(t, p.release())
		assert.True(t, p.release(), "the second call only reports")
		n, err := r.Read(make([]byte, 10))
		assert.Zero(t, n)
		assert.ErrorIs(t, err, errReleased)
	}
}

func TestLargeBuffersAreNotPooled(t *testing.T) {
	large := make([]byte, 0, compressed.max+1)
	compressed.put(&large)
	for range 100 {
		assert.LessOrEqual(t, cap(*compressed.get()), compressed.max)
	}
}
