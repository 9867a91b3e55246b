package splunk_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/splunk"
)

// deliverAll is the part of a Stream that the driver's counts are for: it offers what is left until nothing is, and
// returns the ids of rejected events.
func deliverAll(t *testing.T, s sink.Sink, batch []sink.Event) (rejected []string) {
	t.Helper()
	for len(batch) > 0 {
		n, err := s.Deliver(t.Context(), batch)
		if err == nil {
			require.Len(t, batch, n)
			return rejected
		}
		e := asError(t, err)
		switch e.Verdict {
		case sink.VerdictReject:
			require.Positive(t, n)
			rejected = append(rejected, batch[e.Index[0]].ID)
			batch = batch[n:]
		case sink.VerdictSplit:
			batch = batch[n:]
			if len(batch) == 1 {
				return append(rejected, batch[0].ID)
			}
			rejected = append(rejected, deliverAll(t, s, batch[:len(batch)/2])...)
			batch = batch[len(batch)/2:]
		default:
			require.Failf(t, "unexpected verdict", "%v: %v", e.Verdict, e)
		}
	}
	return rejected
}

// TestPartialAcceptance runs a batch with bad events against a server that indexes what stands before each.
func TestPartialAcceptance(t *testing.T) {
	for _, code := range []int{6, 12, 13, 15} {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			bad := map[any]bool{"e0": true, "e7": true, "e8": true, "e29": true}
			server := &hecServer{refuse: func(event map[string]any) int {
				if bad[event["id"]] {
					return code
				}
				return 0
			}}
			s := open(t, splunk.Config{Endpoint: server.start(t)})
			rejected := deliverAll(t, s, events(30, 10))
			assert.Equal(t, []string{"e0", "e7", "e8", "e29"}, rejected)
			var want []string
			for _, id := range ids(0, 30) {
				if !bad[id] {
					want = append(want, id)
				}
			}
			assert.Equal(t, want, server.indexed, "each once, in order")
			assert.Len(t, server.requests, 4)
		})
	}
}

// TestPartialAcceptanceOfLargeRequests has a bad event first in a large request, which looks like a size limit.
func TestPartialAcceptanceOfLargeRequests(t *testing.T) {
	server := &hecServer{refuse: func(event map[string]any) int {
		if event["id"] == "e0" {
			return 6
		}
		return 0
	}}
	s := open(t, splunk.Config{Endpoint: server.start(t)})
	assert.Equal(t, []string{"e0"}, deliverAll(t, s, events(16, 50_000)))
	assert.Equal(t, ids(1, 16), server.indexed)
}

// TestSizeLimitLooksLikeABadEvent loses no event to a cap that Splunk Cloud reports as a bad first event.
func TestSizeLimitLooksLikeABadEvent(t *testing.T) {
	server := &hecServer{maxBody: 150_000}
	s := open(t, splunk.Config{Endpoint: server.start(t)})
	assert.Empty(t, deliverAll(t, s, events(16, 50_000)))
	assert.Equal(t, ids(0, 16), server.indexed)
}

func TestIncorrectIndexKeepsEvents(t *testing.T) {
	server := &hecServer{refuse: func(event map[string]any) int {
		if event["id"] == "e2" {
			return 7
		}
		return 0
	}}
	n, err := open(t, splunk.Config{Endpoint: server.start(t)}).Deliver(t.Context(), events(5, 10))
	e := asError(t, err)
	assert.Equal(t, 2, n)
	assert.Equal(t, server.indexed, ids(0, n), "what is answered for is what was indexed")
	assert.Equal(t, sink.VerdictBlock, e.Verdict)
	assert.Equal(t, "HEC 7", e.Code)
	assert.Contains(t, e.Remedy, "allowed indexes")
}
