package otlp_test

import (
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/otlp"
	"github.com/auditstream/auditstream/sink/siemtest"
	"github.com/auditstream/auditstream/sink/sinktest"
)

// token is a credential with everything in it that some encoding escapes, and tenant a path to be kept quiet.
const (
	token  = `c4n4ry+/=&<>"'%20\{}|^~!$(),;?@[]`
	tenant = "tenant-of-the-canary"
)

// variant is one way to run the suite.
type variant struct {
	protocol    otlp.Protocol
	compression otlp.Compression
	partial     bool // poison is counted; otherwise it makes the server refuse the request
	tls         bool
}

func TestConformance(t *testing.T) {
	for name, v := range map[string]variant{
		"HTTP":                  {protocol: otlp.HTTPProtobuf},
		"HTTP, partial success": {protocol: otlp.HTTPProtobuf, compression: otlp.None, partial: true, tls: true},
		"gRPC":                  {protocol: otlp.GRPC},
		"gRPC, partial success": {protocol: otlp.GRPC, compression: otlp.None, partial: true, tls: true},
	} {
		t.Run(name, func(t *testing.T) { sinktest.TestSink(t, v.harness()) })
	}
}

// config returns a destination at a server.
func (v variant) config(s *siemtest.OTLP) otlp.Config {
	cfg := otlp.Config{
		Endpoint:    s.GRPCURL(),
		Protocol:    v.protocol,
		Compression: v.compression,
		Secret:      secret.New(token),
		Headers: sink.Headers{
			"Authorization": `Basic #{Secret | Prepend "user:" | ToBase64}`, "X-Api-Key": "#{Secret}",
		},
		TLS: sink.TLS{RootCAs: s.CertPEM()},
	}
	if v.protocol != otlp.GRPC {
		cfg.Endpoint = s.URL() + "?key=#{Secret | UriDataEscape}"
	}
	return cfg
}

func (v variant) harness() sinktest.Harness {
	start := func(tb testing.TB, behavior sinktest.Behavior) (sink.Destination, sinktest.Server) {
		tb.Helper()
		s, err := siemtest.NewOTLP(siemtest.OTLPConfig{
			Path: "/" + tenant + "/v1/logs", Headers: map[string]string{"X-Api-Key": token}, TLS: v.tls,
		})
		require.NoError(tb, err)
		tb.Cleanup(s.Close)
		v.behave(tb, s, behavior)
		return v.config(s), sinktest.Server{
			IDs:         s.IDs,
			Requests:    func() int { return len(s.Requests()) },
			Connections: s.Connections,
		}
	}
	const endpoint = "https://collector.example:4318"
	paths := []string{tenant}
	if v.protocol == otlp.GRPC {
		paths = nil // There is none in the endpoint.
	}
	return sinktest.Harness{
		Start: start,
		Invalid: []sink.Destination{
			otlp.Config{Protocol: v.protocol},
			otlp.Config{Protocol: v.protocol, Endpoint: "collector.example:4318"},
			otlp.Config{Protocol: v.protocol, Endpoint: endpoint, Secret: secret.New(token)},
			otlp.Config{Protocol: v.protocol, Endpoint: endpoint, Headers: sink.Headers{"X-Api-Key": "#{Secret}"}},
			otlp.Config{
				Protocol: v.protocol, Endpoint: endpoint, Secret: secret.New(token + "\n"),
				Headers: sink.Headers{"X-Api-Key": "#{Secret}"},
			},
			otlp.Config{
				Protocol: v.protocol, Endpoint: "http://collector.example:4318", Secret: secret.New(token),
				Headers: sink.Headers{"X-Api-Key": "#{Secret}"},
			},
			otlp.Config{Protocol: v.protocol, Endpoint: endpoint + "/#{Secret}/..", Secret: secret.New(token)},
			otlp.Config{Protocol: "thrift", Endpoint: endpoint},
			otlp.Config{Protocol: v.protocol, Endpoint: endpoint, Compression: "zstd"},
			otlp.Config{Protocol: otlp.GRPC, Endpoint: endpoint + "/v1/logs"},
		},
		Secrets: []string{token},
		Paths:   paths,
	}
}

// behave makes a server behave as the suite wants it to.
func (v variant) behave(tb testing.TB, s *siemtest.OTLP, behavior sinktest.Behavior) {
	tb.Helper()
	always := func(a siemtest.Answer) { s.Fail(func(siemtest.Request) *siemtest.Answer { return &a }) }
	busy := siemtest.Status(http.StatusServiceUnavailable, "busy")
	poison := func(r siemtest.Received) bool { return r.Action == sinktest.PoisonAction }
	switch behavior {
	case sinktest.Accepting:
	case sinktest.Busy:
		always(busy)
	case sinktest.Forbidding:
		always(v.forbidden(tb, s))
	case sinktest.Poisoned:
		if v.partial {
			s.PartialIf(poison)
		} else {
			s.RejectIf(poison)
		}
	case sinktest.BusyLater:
		var requests atomic.Int64
		s.Fail(func(siemtest.Request) *siemtest.Answer {
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
		require.NoError(tb, s.SetOutage(true))
	default:
		require.Failf(tb, "unknown behavior", "%q", behavior)
	}
}

// forbidden returns the answer of a server that repeats what it was sent, in the status message that drivers quote.
func (v variant) forbidden(tb testing.TB, s *siemtest.OTLP) siemtest.Answer {
	tb.Helper()
	message := "bad credentials " + token + " at " + s.URL()
	if v.protocol == otlp.GRPC {
		return siemtest.GRPC(codes.Unauthenticated, message)
	}
	body, err := proto.Marshal(&spb.Status{Message: message})
	require.NoError(tb, err)
	return siemtest.Answer{
		Status: http.StatusUnauthorized, Header: http.Header{"Content-Type": {"application/x-protobuf"}},
		Body: string(body),
	}
}
