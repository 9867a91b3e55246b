package peers

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/internal/canary"
	"github.com/auditstream/auditstream/sink/splunk"
)

// inFlight is how many batches are on their way to a peer at a time.
const inFlight = 8

// acknowledging returns the destination of a peer whose acknowledgements are awaited.
func acknowledging(p *peer, h *host) splunk.Config {
	dst := hec.destination(p, h, p.token, true).(splunk.Config)
	dst.Acknowledge = true
	return dst
}

// TestAcknowledged awaits the acknowledgements of events in bulk, with several batches in flight. All are given, none is
// left at the peer, and nothing arrives twice.
func TestAcknowledged(t *testing.T) {
	t.Parallel()
	p := startPeer(t, hec, settings{token: canary.Secret, ack: true})
	h := newHostInFlight(t, 100, inFlight)
	h.configure(acknowledging(p, h))
	ids := numbered(0, 2500)
	publish(t, h.Stream, small(ids[:100]))
	h.flush()

	// With one batch held, the others in flight arrive all the same, and no more than those: nothing is delivered before
	// it is acknowledged.
	held, release := p.hold()
	defer release()
	publish(t, h.Stream, small(ids[100:]))
	<-held
	require.Eventually(t, func() bool { return len(p.taken()) == 1+inFlight }, patience, tick)
	require.EqualValues(t, 100, h.Status().Totals.Delivered)
	release()
	h.flush()
	requireHealthy(t, h, len(ids))
	assert.Zero(t, h.Status().Totals.InDoubt)
	requireOnce(t, ids, p)
	requireNoneOwed(t, p)
	assert.NotContains(t, h.printed.String(), "useACK")
}

// TestAcknowledgedAfterRestart restarts a peer, which numbers its acknowledgements anew.
func TestAcknowledgedAfterRestart(t *testing.T) {
	t.Parallel()
	p := startPeer(t, hec, settings{token: canary.Secret, ack: true})
	h := newHostInFlight(t, 100, inFlight)
	h.configure(acknowledging(p, h))
	ids := numbered(0, 1000)
	for part := range slices.Chunk(ids, 250) {
		publish(t, h.Stream, small(part))
		h.flush()
		p.stop()
		p.start()
	}
	requireHealthy(t, h, len(ids))
	requireOnce(t, ids, p)
}

// TestAcknowledgedByNobody awaits acknowledgements of a peer that gives none. It is told once, and delivers all the
// same.
func TestAcknowledgedByNobody(t *testing.T) {
	t.Parallel()
	p := startPeer(t, hec, settings{token: canary.Secret})
	h := newHostInFlight(t, 100, inFlight)
	h.configure(acknowledging(p, h))
	ids := numbered(0, 2500)
	publish(t, h.Stream, small(ids))
	h.flush()
	requireHealthy(t, h, len(ids))
	requireOnce(t, ids, p)
	assert.Equal(t, 1, strings.Count(h.printed.String(), "the token has no indexer acknowledgement"))
}

// requireOnce requires that the events with the given ids have arrived, each of them once and in any order.
func requireOnce(t *testing.T, ids []string, p *peer) {
	t.Helper()
	var got []string
	for _, r := range p.read(p.taken()...) {
		got = append(got, r.ID)
	}
	slices.Sort(got)
	require.Equal(t, ids, got)
}

// requireNoneOwed requires that everything came by one channel, and that all of its acknowledgements were asked for.
func requireNoneOwed(t *testing.T, p *peer) {
	t.Helper()
	requireAcknowledgements(t, p, false) // the peer gives each once
}

// requireAcknowledgements requires that everything came by one channel, and asks the peer for all of its acknowledgements.
func requireAcknowledgements(t *testing.T, p *peer, given bool) {
	t.Helper()
	channel := p.taken()[0].meta.Get("X-Splunk-Request-Channel")
	require.Len(t, channel, 1)
	want := map[string]bool{}
	var ids []string
	for i, b := range p.taken() {
		require.Equal(t, channel, b.meta.Get("X-Splunk-Request-Channel"))
		id := strconv.Itoa(i + 1) // the receiver counts from 1
		ids, want[id] = append(ids, id), given
	}
	var answer struct{ Acks map[string]bool }
	require.NoError(t, json.Unmarshal(ask(t, p, channel[0], `{"acks":[`+strings.Join(ids, ",")+`]}`), &answer))
	assert.Equal(t, want, answer.Acks)
}
