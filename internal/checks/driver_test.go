package checks

import (
	"context"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/otlp"
	"github.com/auditstream/auditstream/sink/siemtest"
	"github.com/auditstream/auditstream/sink/splunk"
	"github.com/auditstream/auditstream/sink/sumologic"
)

// siem is what the tests need of a fake server.
type siem interface {
	Respond(answers ...siemtest.Answer)
	Fail(fn func(siemtest.Request) *siemtest.Answer)
	SetOutage(down bool) error
	Events() []siemtest.Received
	Requests() []siemtest.Request
	Connections() int
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
	Clear()
	Close()
}

// A way is how a destination is reached.
type way struct {
	network  sink.Network
	inMemory bool // through pipes, which work in a bubble of testing/synctest
	watch    func(net.Conn) net.Conn
}

// to returns the network that leads to a server.
func (w way) to(s siem) sink.Network {
	n := w.network
	if w.inMemory {
		n.DialContext = s.DialContext
	}
	if w.watch == nil {
		return n
	}
	dial := n
	n.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial.Dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return w.watch(c), nil
	}
	return n
}

// A driver starts a fake server, and returns a destination that leads to it.
type driver func(t *testing.T, w way) (siem, sink.Destination)

// drivers are the drivers in every form of transport that they have.
var drivers = map[string]driver{
	"OTLP over HTTP 1": func(t *testing.T, w way) (siem, sink.Destination) {
		s := newOTLP(t, siemtest.OTLPConfig{InMemory: w.inMemory})
		return s, otlp.Config{Endpoint: s.URL(), Network: w.to(s)}
	},
	"OTLP over HTTP 2": func(t *testing.T, w way) (siem, sink.Destination) {
		s := newOTLP(t, siemtest.OTLPConfig{TLS: true, InMemory: w.inMemory})
		return s, otlp.Config{Endpoint: s.URL(), TLS: sink.TLS{RootCAs: s.CertPEM()}, Network: w.to(s)}
	},
	"OTLP over gRPC": func(t *testing.T, w way) (siem, sink.Destination) {
		s := newOTLP(t, siemtest.OTLPConfig{InMemory: w.inMemory})
		return s, otlp.Config{Endpoint: s.GRPCURL(), Protocol: otlp.GRPC, Network: w.to(s)}
	},
	"OTLP over gRPC and TLS": func(t *testing.T, w way) (siem, sink.Destination) {
		s := newOTLP(t, siemtest.OTLPConfig{TLS: true, InMemory: w.inMemory})
		return s, otlp.Config{
			Endpoint: s.GRPCURL(), Protocol: otlp.GRPC, TLS: sink.TLS{RootCAs: s.CertPEM()}, Network: w.to(s),
		}
	},
	"Splunk over HTTP 1": func(t *testing.T, w way) (siem, sink.Destination) {
		s := newSplunk(t, siemtest.SplunkConfig{InMemory: w.inMemory})
		return s, splunk.Config{Endpoint: s.URL(), Token: secret.New(s.Token()), Network: w.to(s)}
	},
	"Splunk over HTTP 2": func(t *testing.T, w way) (siem, sink.Destination) {
		s := newSplunk(t, siemtest.SplunkConfig{TLS: true, InMemory: w.inMemory})
		return s, splunk.Config{
			Endpoint: s.URL(), Token: secret.New(s.Token()), TLS: sink.TLS{PinSHA256: s.Fingerprint()}, Network: w.to(s),
		}
	},
	"Sumo Logic over HTTP 1": func(t *testing.T, w way) (siem, sink.Destination) {
		s := newSumoLogic(t, siemtest.SumoLogicConfig{InMemory: w.inMemory})
		return s, sumologic.Config{Endpoint: secret.New(s.URL()), Network: w.to(s)}
	},
	"Sumo Logic over HTTP 2": func(t *testing.T, w way) (siem, sink.Destination) {
		s := newSumoLogic(t, siemtest.SumoLogicConfig{TLS: true, InMemory: w.inMemory})
		return s, sumologic.Config{
			Endpoint: secret.New(s.URL()), TLS: sink.TLS{RootCAs: s.CertPEM()}, Network: w.to(s),
		}
	},
}

func newOTLP(t *testing.T, cfg siemtest.OTLPConfig) *siemtest.OTLP {
	t.Helper()
	s, err := siemtest.NewOTLP(cfg)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

func newSplunk(t *testing.T, cfg siemtest.SplunkConfig) *siemtest.Splunk {
	t.Helper()
	s, err := siemtest.NewSplunk(cfg)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

func newSumoLogic(t *testing.T, cfg siemtest.SumoLogicConfig) *siemtest.SumoLogic {
	t.Helper()
	s, err := siemtest.NewSumoLogic(cfg)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}
