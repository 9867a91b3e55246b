package hostile

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/internal/canary"
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
	Events() []siemtest.Received
	Requests() []siemtest.Request
	Close()
}

// A peer is a driver and a server that speak one protocol with each other.
type peer struct {
	name     string
	protocol string // as the server sees it
	hello    int    // about how many bytes the server says before its first answer
	// start starts the server, and a proxy in front of it to which the destination leads.
	start func(t *testing.T) (siem, proxy, sink.Destination)
}

// helloTLS is what a handshake with a certificate of siemtest takes.
const helloTLS = 1000

// peers are the drivers in every form of transport that they have.
var peers = []peer{
	{"OTLP over HTTP 1", "HTTP/1.1", 0, otlpOverHTTP(false)},
	{"OTLP over HTTP 2", "HTTP/2.0", helloTLS, otlpOverHTTP(true)},
	{"OTLP over gRPC", "gRPC", 0, otlpOverGRPC(false)},
	{"OTLP over gRPC and TLS", "gRPC", helloTLS, otlpOverGRPC(true)},
	{"Splunk over HTTP 1", "HTTP/1.1", 0, splunkOver(false)},
	{"Splunk over HTTP 2", "HTTP/2.0", helloTLS, splunkOver(true)},
	{"Sumo Logic over HTTP 1", "HTTP/1.1", 0, sumoOver(false)},
	{"Sumo Logic over HTTP 2", "HTTP/2.0", helloTLS, sumoOver(true)},
}

func newOTLP(t *testing.T, useTLS bool) *siemtest.OTLP {
	t.Helper()
	s, err := siemtest.NewOTLP(siemtest.OTLPConfig{TLS: useTLS})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	s.SetToken(canary.Secret)
	return s
}

// bearer is how the token is sent.
var bearer = sink.Headers{"Authorization": "Bearer #{Secret}"}

func otlpOverHTTP(useTLS bool) func(t *testing.T) (siem, proxy, sink.Destination) {
	return func(t *testing.T) (siem, proxy, sink.Destination) {
		t.Helper()
		s := newOTLP(t, useTLS)
		p := newProxy(t, s.URL())
		return s, p, otlp.Config{
			Endpoint: p.url(t, s.URL()), Headers: bearer, Secret: secret.New(canary.Secret),
			TLS: sink.TLS{RootCAs: s.CertPEM()},
		}
	}
}

func otlpOverGRPC(useTLS bool) func(t *testing.T) (siem, proxy, sink.Destination) {
	return func(t *testing.T) (siem, proxy, sink.Destination) {
		t.Helper()
		s := newOTLP(t, useTLS)
		p := newProxy(t, s.GRPCURL())
		return s, p, otlp.Config{
			Endpoint: p.url(t, s.GRPCURL()), Protocol: otlp.GRPC, Headers: bearer, Secret: secret.New(canary.Secret),
			TLS: sink.TLS{RootCAs: s.CertPEM()},
		}
	}
}

func splunkOver(useTLS bool) func(t *testing.T) (siem, proxy, sink.Destination) {
	return func(t *testing.T) (siem, proxy, sink.Destination) {
		t.Helper()
		s, err := siemtest.NewSplunk(siemtest.SplunkConfig{
			TLS: useTLS, Tokens: []siemtest.HECToken{{Value: canary.Secret}},
		})
		require.NoError(t, err)
		t.Cleanup(s.Close)
		p := newProxy(t, s.URL())
		return s, p, splunk.Config{
			Endpoint: p.url(t, s.URL()), Token: secret.New(canary.Secret), TLS: sink.TLS{PinSHA256: s.Fingerprint()},
		}
	}
}

func sumoOver(useTLS bool) func(t *testing.T) (siem, proxy, sink.Destination) {
	return func(t *testing.T) (siem, proxy, sink.Destination) {
		t.Helper()
		s, err := siemtest.NewSumoLogic(siemtest.SumoLogicConfig{TLS: useTLS})
		require.NoError(t, err)
		t.Cleanup(s.Close)
		s.SetToken(url.QueryEscape(canary.Secret)) // as it stands in the URL
		p := newProxy(t, s.BaseURL())
		return s, p, sumologic.Config{
			Endpoint: secret.New(p.url(t, s.BaseURL()) + "/#{Secret | UriDataEscape}"),
			Secret:   secret.New(canary.Secret), TLS: sink.TLS{RootCAs: s.CertPEM()},
		}
	}
}
