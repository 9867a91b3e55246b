package peers

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/internal/canary"
)

// TestDelivery publishes the bundled events and odd ones, and compares every field of what the peers decoded.
func TestDelivery(t *testing.T) {
	t.Parallel()
	certificate := newCertificate(t)
	events := append(bundled(t), oddEvents()...)
	for _, k := range kinds {
		for _, encrypted := range []bool{false, true} {
			for _, compress := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s/TLS %t/gzip %t", k.name, encrypted, compress), func(t *testing.T) {
					t.Parallel()
					s := settings{token: canary.Secret, keepAlive: encrypted}
					if encrypted {
						s.tls = certificate
					}
					p := startPeer(t, k, s)
					h := newHost(t, 100)
					deliver(t, p, h, compress, events)
					if k.metadata {
						requireEncoding(t, p, compress)
					}
				})
			}
		}
	}
}

// deliver publishes events to the peer through a new Stream and compares what arrived.
func deliver(t *testing.T, p *peer, h *host, compress bool, events []auditstream.Event) {
	t.Helper()
	h.configure(p.kind.destination(p, h, p.token, compress))
	s := span{from: time.Now()}
	publish(t, h.Stream, events)
	s.to = time.Now()
	h.flush()
	requireRecords(t, events, s, p.read(p.taken()...), p.kind.form, p.kind.precision)
	totals := h.Status().Totals
	assert.EqualValues(t, len(events), totals.Delivered)
	assert.EqualValues(t, 3, totals.Repaired, "the one string that is not UTF-8 is there three times")
}

// requireEncoding requires that all requests were compressed, or none.
func requireEncoding(t *testing.T, p *peer, compress bool) {
	t.Helper()
	var want []string
	if compress {
		want = []string{"gzip"}
	}
	require.NotEmpty(t, p.taken())
	for _, b := range p.taken() {
		require.Equal(t, want, b.meta.Get("Content-Encoding"))
	}
}

// TestAcknowledgement delivers to a token that has indexer acknowledgement, which the library takes and does not await,
// and asks the peer for every acknowledgement that it has promised: it knows them all, on one channel.
func TestAcknowledgement(t *testing.T) {
	t.Parallel()
	p := startPeer(t, hec, settings{token: canary.Secret, ack: true})
	h := newHost(t, 50)
	deliver(t, p, h, true, append(bundled(t), oddEvents()...))
	assert.Equal(t, 1, strings.Count(h.printed.String(), "the token has indexer acknowledgement"), "the warning comes once")

	requireAcknowledgements(t, p, true)
}

// ask asks a peer for acknowledgements.
func ask(t *testing.T, p *peer, channel, question string) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+p.addr+"/services/collector/ack",
		strings.NewReader(question))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Splunk "+p.token)
	req.Header.Set("X-Splunk-Request-Channel", channel)
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, "%s", body)
	return body
}
