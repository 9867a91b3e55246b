package sumologic_test

import (
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/siemtest"
	"github.com/auditstream/auditstream/sink/sinktest"
	"github.com/auditstream/auditstream/sink/sumologic"
)

// startFake starts a fake Sumo Logic that behaves as a part of the conformance suite wants it to.
func startFake(tb testing.TB, behavior sinktest.Behavior) (sink.Destination, sinktest.Server) {
	tb.Helper()
	server, err := siemtest.NewSumoLogic(siemtest.SumoLogicConfig{Code: code})
	require.NoError(tb, err)
	tb.Cleanup(server.Close)
	always := func(answer siemtest.Answer) {
		server.Fail(func(siemtest.Request) *siemtest.Answer { return &answer })
	}
	switch behavior {
	case sinktest.Accepting:
	case sinktest.Busy:
		always(siemtest.Status(http.StatusServiceUnavailable, ""))
	case sinktest.Forbidding:
		always(siemtest.Status(http.StatusForbidden, `{"status":403,"code":"`+code+`","message":"`+server.URL()+`"}`))
	case sinktest.Poisoned:
		server.RejectIf(func(r siemtest.Received) bool { return r.Action == sinktest.PoisonAction })
	case sinktest.BusyLater:
		var requests atomic.Int64
		busy := siemtest.Status(http.StatusTooManyRequests, "")
		server.Fail(func(siemtest.Request) *siemtest.Answer {
			if requests.Add(1) == 1 {
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
	return sumologic.Config{Endpoint: secret.New(server.BaseURL() + "/#{Secret}"), Secret: secret.New(code)}, sinktest.Server{
		IDs:         server.IDs,
		Requests:    func() int { return len(server.Requests()) },
		Connections: server.Connections,
	}
}

func TestConformance(t *testing.T) {
	sinktest.TestSink(t, sinktest.Harness{
		Start: startFake,
		Invalid: []sink.Destination{
			sumologic.Config{},
			endpoint(code),
			endpoint("https://" + code),
			endpoint("http://endpoint4.collection.sumologic.com/receiver/v1/http/" + code),
			endpoint(sumo + code + "\n"),
			sumologic.Config{Endpoint: secret.New(sumo + code), Secret: secret.New(code)},
			sumologic.Config{Endpoint: secret.New(sumo + "#{Secret | Nope}"), Secret: secret.New(code)},
			sumologic.Config{Endpoint: secret.New(sumo + code), Compression: "zstd"},
			sumologic.Config{Endpoint: secret.New(sumo + code), Fields: map[string]string{"a": "b,c"}},
		},
		Secrets:       []string{code},
		Paths:         []string{"/receiver/v1/http"},
		MaxEventBytes: 65_536,
	})
}

// TestFakeSumoLogic delivers to a source that somebody else wrote after the same documents.
func TestFakeSumoLogic(t *testing.T) {
	server, err := siemtest.NewSumoLogic(siemtest.SumoLogicConfig{TLS: true})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	c := sumologic.Config{
		Endpoint: secret.New(server.URL()), Category: "acme/audit", Name: "deploy", Host: "deploy-1",
		Fields: map[string]string{"tenant": "acme", "env": "prod"},
	}
	c.TLS.PinSHA256 = server.Fingerprint()
	batch := events(600, 3000)
	n, err := open(t, c).Deliver(t.Context(), batch)
	require.NoError(t, err)
	assert.Equal(t, 600, n)
	got := server.Events()
	require.Len(t, got, 600)
	for i, e := range got {
		assert.Equal(t, batch[i].ID, e.ID)
		assert.Equal(t, batch[i].Sequence, e.Sequence)
		assert.Equal(t, map[string]any{
			"category": "acme/audit", "name": "deploy", "host": "deploy-1", "client": "auditstream",
			"fields": map[string]any{"tenant": "acme", "env": "prod"},
		}, e.Metadata)
	}

	server.SetToken("another-code")
	n, err = open(t, c).Deliver(t.Context(), events(1, 0))
	assert.Zero(t, n)
	assert.Equal(t, "401", asError(t, err).Code)

	c.TLS.PinSHA256 = ""
	_, err = open(t, c).Deliver(t.Context(), events(1, 0))
	assert.Equal(t, sink.VerdictBlock, asError(t, err).Verdict, "the certificate is self-signed")
}
