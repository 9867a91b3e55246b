package peers

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/internal/canary"
)

// The outages of a peer.
const (
	outages = 3

	// running and down are how many events are published before the peer is down, and while it is.
	running, down = 150, 50

	// batchSize is how many events an attempt offers at most.
	batchSize = 20
)

// TestOutage stops the peer in mid-stream, in between taking a batch and answering for it, and starts it again on the
// same port. Nothing is lost, the order is kept, and the only repeats are the batches that were taken and not answered.
func TestOutage(t *testing.T) {
	t.Parallel()
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			p := startPeer(t, k, settings{token: canary.Secret, keepAlive: true})
			h := newHost(t, batchSize)
			h.configure(k.destination(p, h, p.token, true))
			var ids []string
			taken := 0
			for range outages {
				more := numbered(len(ids), running+down)
				ids = append(ids, more...)
				taken += outage(t, p, h, small(more))
			}
			h.flush()

			got := p.read(p.taken()...)
			repeats := requireOrder(t, ids, got)
			t.Logf("%d events published, %d outages, 0 lost, %d repeated", len(ids), outages, repeats)
			if k.graceful {
				assert.Zero(t, repeats, "the receiver answers what it has taken before it stops")
			} else {
				assert.Equal(t, taken, repeats, "the receiver never answers for a batch that it has taken, once an outage")
			}
			assert.LessOrEqual(t, repeats, outages*batchSize)
			assert.EqualValues(t, len(ids), h.Status().Totals.Delivered)
		})
	}
}

// outage publishes events while the peer goes down with a batch in its hands, and starts it again. It returns how many
// events that batch had.
func outage(t *testing.T, p *peer, h *host, events []auditstream.Event) int {
	t.Helper()
	held, release := p.hold()
	defer release()
	var publisher sync.WaitGroup
	publisher.Go(func() { publish(t, h.Stream, events[:running]) })
	taken := <-held
	if p.kind.graceful {
		// It waits for the request in progress, which is answered once it accepts no more connections.
		var stopping sync.WaitGroup
		stopping.Go(p.stop)
		require.Eventually(t, func() bool { return !listening(p.addr) }, patience, tick)
		release()
		stopping.Wait()
	} else {
		p.stop()
		release()
	}
	publisher.Wait()
	publish(t, h.Stream, events[running:])
	h.await(auditstream.ConditionRetrying)
	p.start()
	h.flush()
	assert.Equal(t, auditstream.ConditionHealthy, h.Status().Condition)
	return len(p.read(taken))
}

// requireOrder requires that the events with the given ids have all arrived, in this order and numbered in it, and
// returns how many have arrived once more.
func requireOrder(t *testing.T, ids []string, got []record) (repeats int) {
	t.Helper()
	seen := map[string]bool{}
	var first []string
	for _, r := range got {
		if seen[r.ID] {
			repeats++
			continue
		}
		seen[r.ID] = true
		first = append(first, r.ID)
		require.EqualValues(t, len(first), r.Sequence)
	}
	require.Equal(t, ids, first)
	return repeats
}

// numbered returns n ids, from number first on.
func numbered(first, n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("event %06d", first+i)
	}
	return ids
}
