package peers

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/internal/canary"
	"github.com/auditstream/auditstream/sink"
)

// TestToken leads a stream to a peer with a wrong token: it blocks and keeps everything. The right one, by Configure,
// drains it. Then the peer's token changes under the running stream, and the same happens again. The receivers that
// check tokens repeat the one they got in their answer, which is nowhere to be seen.
func TestToken(t *testing.T) {
	t.Parallel()
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			const first, second = canary.Secret, canary.Secret + "-2"
			p := startPeer(t, k, settings{token: first})
			h := newHost(t, batchSize)
			ids := numbered(0, 100)

			h.configure(k.destination(p, h, canary.Secret+"-wrong", true))
			publish(t, h.Stream, small(ids[:50]))
			requireBlocked(t, h, 50)
			require.Empty(t, p.taken())
			h.configure(k.destination(p, h, first, true))
			h.flush()
			requireHealthy(t, h, 50)

			p.stop()
			p.token = second
			p.start()
			publish(t, h.Stream, small(ids[50:]))
			requireBlocked(t, h, 50)
			h.configure(k.destination(p, h, second, true))
			h.flush()
			requireHealthy(t, h, 100)

			assert.Zero(t, requireOrder(t, ids, p.read(p.taken()...)), "nothing arrives twice")
		})
	}
}

// requireBlocked requires that the stream comes to be blocked, keeps all of its events, and says what to do.
func requireBlocked(t *testing.T, h *host, pending int) {
	t.Helper()
	h.await(auditstream.ConditionBlocked)
	status := h.Status()
	require.EqualValues(t, pending, status.Totals.Pending)
	e, ok := errors.AsType[*sink.Error](status.LastError)
	require.True(t, ok)
	h.print(status.LastError, e, e.Code, e.Remedy)
	assert.Equal(t, sink.VerdictBlock, e.Verdict)
	assert.NotEmpty(t, e.Remedy)
}

// requireHealthy requires that the stream has delivered everything.
func requireHealthy(t *testing.T, h *host, delivered int) {
	t.Helper()
	status := h.Status()
	require.Equal(t, auditstream.ConditionHealthy, status.Condition)
	require.EqualValues(t, delivered, status.Totals.Delivered)
	require.Zero(t, status.Totals.Pending)
}
