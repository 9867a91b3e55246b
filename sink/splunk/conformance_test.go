package splunk_test

import (
	"encoding/json"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/siemtest"
	"github.com/auditstream/auditstream/sink/sinktest"
	"github.com/auditstream/auditstream/sink/splunk"
)

// canary is a token with everything in it that some encoding escapes.
const canary = `c4n4ry+/=&<>"'%20\{}|^~!$(),;?@[]`

// startFake starts a fake Splunk that behaves as a part of the conformance suite wants it to. With acknowledge, its token
// has acknowledgement, and the sink waits for it.
func startFake(tb testing.TB, behavior sinktest.Behavior, acknowledge bool) (sink.Destination, sinktest.Server) {
	tb.Helper()
	server, err := siemtest.NewSplunk(siemtest.SplunkConfig{Tokens: []siemtest.HECToken{{Value: canary, UseACK: acknowledge}}})
	require.NoError(tb, err)
	tb.Cleanup(server.Close)
	always := func(answer siemtest.Answer) {
		server.Fail(func(siemtest.Request) *siemtest.Answer { return &answer })
	}
	switch behavior {
	case sinktest.Accepting:
	case sinktest.Busy:
		always(siemtest.HEC(9))
	case sinktest.Forbidding:
		text, err := json.Marshal("Splunk " + canary)
		require.NoError(tb, err)
		always(siemtest.Status(http.StatusForbidden, `{"code":4,"text":`+string(text)+`}`))
	case sinktest.Poisoned:
		server.RejectIf(func(r siemtest.Received) bool { return r.Action == sinktest.PoisonAction })
	case sinktest.BusyLater:
		var requests atomic.Int64
		busy := siemtest.HEC(9)
		server.Fail(func(r siemtest.Request) *siemtest.Answer {
			if r.Path == ackPath || requests.Add(1) == 1 {
				return nil
			}
			return &busy
		})
	case sinktest.Hanging:
		always(siemtest.Hang())
	case sinktest.Cutting:
		always(siemtest.Drop())
	case sinktest.Refusing:
		require.NoError(tb, server.SetOutage(true))
	default:
		require.Failf(tb, "unknown behavior", "%q", behavior)
	}
	dst := splunk.Config{
		Endpoint: server.URL() + "/services/collector",
		Token:    secret.New(canary),
		Headers:  sink.Headers{"X-Key": "#{Secret | ToBase64}"},

		Acknowledge: acknowledge,
	}
	return dst, sinktest.Server{
		IDs:         server.IDs,
		Requests:    func() int { return len(server.Requests()) },
		Connections: server.Connections,
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, acknowledge := range map[string]bool{"without acknowledgement": false, "with acknowledgement": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sinktest.TestSink(t, conformance(acknowledge))
		})
	}
}

func conformance(acknowledge bool) sinktest.Harness {
	return sinktest.Harness{
		Start: func(tb testing.TB, behavior sinktest.Behavior) (sink.Destination, sinktest.Server) {
			tb.Helper()
			return startFake(tb, behavior, acknowledge)
		},
		Invalid: []sink.Destination{
			splunk.Config{},
			splunk.Config{Endpoint: "https://splunk.example:8088"},
			splunk.Config{Endpoint: "splunk.example:8088", Token: secret.New(canary)},
			splunk.Config{Endpoint: "http://splunk.example:8088", Token: secret.New(canary)},
			splunk.Config{Endpoint: "https://splunk.example:8088", Token: secret.New(canary + "\n" + canary)},
			splunk.Config{Endpoint: "https://splunk.example:8088", Token: secret.New(canary), Compression: "zstd"},
			splunk.Config{Endpoint: "https://splunk.example:8088", Token: secret.New(canary), AcknowledgeTimeout: -1},
			splunk.Config{
				Endpoint: "https://splunk.example:8088", Token: secret.New(canary), Headers: sink.Headers{"X": "#{Secret | Nope}"},
			},
		},
		Secrets:       []string{canary},
		Paths:         []string{"/services/collector"},
		MaxEventBytes: 1_000_000,
	}
}

// TestFakeSplunk delivers to a collector that somebody else wrote after the same documents.
func TestFakeSplunk(t *testing.T) {
	server, err := siemtest.NewSplunk(siemtest.SplunkConfig{TLS: true, Tokens: []siemtest.HECToken{
		{Value: token, UseACK: true, Indexes: []string{"audit"}},
	}})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	cfg := splunk.Config{Endpoint: server.URL(), Index: "audit", SourceType: "acme:audit"}
	cfg.TLS.PinSHA256 = server.Fingerprint()
	s := open(t, cfg)
	n, err := s.Deliver(t.Context(), events(3, 10))
	require.NoError(t, err)
	assert.Equal(t, 3, n)
	assert.Equal(t, ids(0, 3), server.IDs())
	for i, event := range server.Events() {
		assert.Equal(t, uint64(i)+1, event.Sequence)
		assert.Equal(t, "user.sign_in", event.Action)
		assert.Equal(t, "audit", event.Metadata["index"])
		assert.Equal(t, json.Number("1772600767"), event.Metadata["time"])
	}

	cfg.Index = "other"
	n, err = open(t, cfg).Deliver(t.Context(), events(3, 10))
	assert.Zero(t, n)
	assert.Equal(t, "HEC 7", asError(t, err).Code)
	assert.Len(t, server.IDs(), 3)

	cfg.Index, cfg.TLS.PinSHA256 = "audit", ""
	_, err = open(t, cfg).Deliver(t.Context(), events(1, 10))
	assert.Equal(t, sink.VerdictBlock, asError(t, err).Verdict, "the certificate is self-signed")
}
