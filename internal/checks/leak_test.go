package checks

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/otlp"
	"github.com/auditstream/auditstream/sink/siemtest"
	"github.com/auditstream/auditstream/sink/splunk"
	"github.com/auditstream/auditstream/sink/sumologic"
)

// siem is what the leak tests need of a fake server.
type siem interface {
	Respond(answers ...siemtest.Answer)
	Events() []siemtest.Received
	Connections() int
	Close()
}

// siems start a fake server each, with a destination that leads to it. The sockets are real, which is why the leaks
// cannot be left to a bubble of testing/synctest.
var siems = map[string]func(t *testing.T) (siem, sink.Destination){
	"OTLP over HTTP": func(t *testing.T) (siem, sink.Destination) {
		t.Helper()
		s, err := siemtest.NewOTLP(siemtest.OTLPConfig{})
		require.NoError(t, err)
		return s, otlp.Config{Endpoint: s.URL()}
	},
	"OTLP over gRPC": func(t *testing.T) (siem, sink.Destination) {
		t.Helper()
		s, err := siemtest.NewOTLP(siemtest.OTLPConfig{TLS: true})
		require.NoError(t, err)
		return s, otlp.Config{Endpoint: s.GRPCURL(), Protocol: otlp.GRPC, TLS: sink.TLS{RootCAs: s.CertPEM()}}
	},
	"Splunk": func(t *testing.T) (siem, sink.Destination) {
		t.Helper()
		s, err := siemtest.NewSplunk(siemtest.SplunkConfig{TLS: true})
		require.NoError(t, err)
		return s, splunk.Config{
			Endpoint: s.URL(), Token: secret.New(s.Token()), TLS: sink.TLS{PinSHA256: s.Fingerprint()},
		}
	},
	"Sumo Logic": func(t *testing.T) (siem, sink.Destination) {
		t.Helper()
		s, err := siemtest.NewSumoLogic(siemtest.SumoLogicConfig{})
		require.NoError(t, err)
		return s, sumologic.Config{Endpoint: secret.New(s.URL())}
	},
}

// publish hands three events to a new stream.
func publish(t *testing.T, dst sink.Destination) *auditstream.Stream {
	t.Helper()
	s, err := auditstream.New(auditstream.Config{BatchDelay: time.Nanosecond})
	require.NoError(t, err)
	require.NoError(t, s.Configure(dst))
	for range 3 {
		require.NoError(t, s.Publish(auditstream.Event{Action: "project.delete", Actor: auditstream.Actor{ID: "users-7"}}))
	}
	return s
}

// TestNothingIsLeftBehind looks for goroutines after the end of a stream that has delivered. The server still runs, so a
// connection that is left open shows as the server's goroutine. The test is not parallel, nor is the next one: what other
// tests have started is no leak.
func TestNothingIsLeftBehind(t *testing.T) {
	for name, start := range siems {
		t.Run(name, func(t *testing.T) {
			server, dst := start(t)
			defer server.Close()
			before := goleak.IgnoreCurrent()
			s := publish(t, dst)
			require.NoError(t, s.Flush(t.Context()))
			require.NoError(t, s.Test(t.Context(), dst))
			require.NoError(t, s.Shutdown(t.Context()))
			assert.Len(t, server.Events(), 4)
			goleak.VerifyNone(t, before)
		})
	}
}

// TestDeleteLeavesNothingBehind looks for goroutines after a stream was deleted while the server kept it waiting.
func TestDeleteLeavesNothingBehind(t *testing.T) {
	for name, start := range siems {
		t.Run(name, func(t *testing.T) {
			server, dst := start(t)
			defer server.Close()
			before := goleak.IgnoreCurrent()
			server.Respond(siemtest.Hang())
			s := publish(t, dst)
			require.Eventually(t, func() bool { return server.Connections() > 0 }, time.Minute, time.Millisecond)
			require.NoError(t, s.Delete())
			assert.Equal(t, uint64(3), s.Status().Totals.DiscardedDeleted)
			goleak.VerifyNone(t, before)
		})
	}
}
