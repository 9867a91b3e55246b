package peers

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/internal/canary"
	"github.com/auditstream/auditstream/sink"
)

// patience is how long a test waits for what has to happen. It is only ever reached by a failure.
const patience = 30 * time.Second

// tick is how often it looks.
const tick = time.Millisecond

// host is a Stream in the hands of a host that prints whatever it learns.
type host struct {
	*auditstream.Stream

	t       *testing.T
	printed *canary.Log
}

// newHost returns a host whose Stream backs off for milliseconds only and delivers batches of at most batch events. At
// the end of the test nothing that was printed may hold the secret.
func newHost(t *testing.T, batch int) *host {
	t.Helper()
	return newHostInFlight(t, batch, 1)
}

// newHostInFlight is newHost with several batches in flight.
func newHostInFlight(t *testing.T, batch, inFlight int) *host {
	t.Helper()
	h := &host{t: t, printed: &canary.Log{}}
	s, err := auditstream.New(auditstream.Config{
		BatchEvents: batch, InFlight: inFlight, BatchDelay: time.Millisecond, RetryMin: 2 * time.Millisecond, RetryMax: 50 * time.Millisecond,
		Logger:       h.logger(),
		OnReject:     func(r auditstream.Rejection) { h.print(r.Count, r.Err) },
		OnTransition: func(tr auditstream.Transition) { h.print(tr, tr.Err) },
	})
	require.NoError(t, err)
	h.Stream = s
	t.Cleanup(h.end)
	return h
}

// end stops the Stream and looks through what was printed.
func (h *host) end() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := h.Shutdown(ctx)
	status := h.Status()
	h.print(err, status, status.LastError)
	totals := status.Totals
	assert.Equal(h.t, totals.Accepted, totals.Delivered+totals.Rejected+totals.Discarded+totals.Pending)
	assert.Zero(h.t, totals.Rejected, "the peer takes every event")
	// What was printed is not shown here either: it may hold the secret.
	assert.Empty(h.t, canary.Find(h.printed.String(), canary.Secret), "a form of the secret is in what was printed")
}

func (h *host) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(h.printed, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// print prints values in every form that a host may use.
func (h *host) print(values ...any) {
	for _, v := range values {
		text, _ := json.Marshal(v)
		_, _ = fmt.Fprintf(h.printed, "%v %+v %#v %s\n", v, v, v, text)
	}
}

// configure leads the Stream to dst.
func (h *host) configure(dst sink.Destination) {
	h.t.Helper()
	h.print(dst, dst.String())
	require.NoError(h.t, h.Configure(dst))
}

// flush waits until everything has been answered for.
func (h *host) flush() {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	if err := h.Flush(ctx); err != nil {
		h.print(err)
		require.FailNow(h.t, "not everything was delivered", "%+v", h.Status().Totals)
	}
}

// await waits for a condition of the Stream.
func (h *host) await(want auditstream.Condition) {
	h.t.Helper()
	require.Eventually(h.t, func() bool { return h.Status().Condition == want }, patience, tick,
		"the stream never was %s", want)
}
