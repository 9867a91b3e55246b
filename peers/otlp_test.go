package peers

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/config/configgrpc"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/otlp"
)

var otlpHTTP = kind{
	name: "OTLP over HTTP",
	components: func(p *peer) components {
		var c components
		cfg := c.otlp()
		cfg.GRPC = configoptional.None[configgrpc.ServerConfig]()
		server := &cfg.HTTP.GetOrInsertDefault().ServerConfig
		server.NetAddr.Endpoint, server.TLS, server.IncludeMetadata = p.addr, p.tls.server(), true
		server.Auth = configoptional.Some(confighttp.AuthConfig{Config: c.authenticate("Bearer", p.token)})
		return c
	},
	destination: func(p *peer, h *host, token string, compress bool) sink.Destination {
		cfg := otlpConfig(p, h, token, compress)
		cfg.Endpoint += "/v1/logs"
		return cfg
	},
	read: readOTLP, form: otlpForm, precision: 0, graceful: true, metadata: true,
}

var otlpGRPC = kind{
	name: "OTLP over gRPC",
	components: func(p *peer) components {
		var c components
		cfg := c.otlp()
		cfg.HTTP = configoptional.None[otlpreceiver.HTTPConfig]()
		server := cfg.GRPC.GetOrInsertDefault()
		server.NetAddr.Endpoint, server.TLS = p.addr, p.tls.server()
		server.Auth = configoptional.Some(c.authenticate("Bearer", p.token))
		return c
	},
	destination: func(p *peer, h *host, token string, compress bool) sink.Destination {
		cfg := otlpConfig(p, h, token, compress)
		cfg.Protocol = otlp.GRPC
		return cfg
	},
	read: readOTLP, form: otlpForm, precision: 0, graceful: true,
}

// otlp makes the receiver of OTLP, with both protocols as they are by default.
func (c *components) otlp() *otlpreceiver.Config {
	c.receiver = otlpreceiver.NewFactory()
	cfg := c.receiver.CreateDefaultConfig().(*otlpreceiver.Config)
	c.config = cfg
	return cfg
}

func otlpConfig(p *peer, h *host, token string, compress bool) otlp.Config {
	cfg := otlp.Config{
		Endpoint: p.tls.scheme() + p.addr,
		Secret:   secret.New(token),
		Headers:  sink.Headers{"Authorization": "Bearer #{Secret}"},
		TLS:      sink.TLS{RootCAs: p.tls.roots()},
		Resource: otlp.Resource{
			ServiceName: "peers", ServiceVersion: "1.2.3", Attributes: map[string]string{"deployment.environment.name": text},
		},
		Logger: h.logger(),
	}
	if !compress {
		cfg.Compression = otlp.None
	}
	return cfg
}

// readOTLP reads a log record. What an audit event has no use for is to be empty.
func readOTLP(t *testing.T, a arrival) (record, bool) {
	t.Helper()
	require.Equal(t, map[string]any{
		"service.name": "peers", "service.version": "1.2.3", "deployment.environment.name": text,
	}, a.resource.Attributes().AsRaw())
	require.Empty(t, a.scope.Name()+a.scope.Version())
	require.Zero(t, a.record.SeverityNumber())
	require.Empty(t, a.record.SeverityText())
	require.Zero(t, a.record.DroppedAttributesCount())
	require.Zero(t, a.record.Flags())

	f := fields{t, a.record.Attributes().AsRaw()}
	require.Equal(t, a.record.Attributes().Len(), len(f.doc), "no key is there twice")
	require.Equal(t, "stream", take[string](f, "audit.source.type"))
	r := record{
		ID: take[string](f, "audit.record.id"), Action: take[string](f, "audit.action"),
		Outcome: take[string](f, "audit.outcome"), Message: a.record.Body().Str(),
		Time: a.record.Timestamp().AsTime(), PeerTime: uint64(a.record.Timestamp()), Observed: a.record.ObservedTimestamp().AsTime(),
		Actor:   f.otlpParty("audit.actor."),
		Address: take[string](f, "client.address"), UserAgent: take[string](f, "user_agent.original"),
		Sequence: uint64(take[int64](f, "audit.sequence.number")), Schema: take[string](f, "audit.schema.version"),
		StreamID: take[string](f, "audit.source.id"),
	}
	require.Equal(t, r.Action, a.record.EventName())
	// A time that a log record cannot carry is in an attribute of its own.
	if _, ok := f.doc["audit.record.time"]; ok {
		r.Time = f.time("audit.record.time")
	}
	for _, target := range f.list("audit.targets") {
		r.Targets = append(r.Targets, target.party())
	}
	// The first target is there by itself, the list only when there are more.
	if first := f.otlpParty("audit.target."); first != (party{}) {
		if r.Targets == nil {
			r.Targets = []party{first}
		}
		require.Equal(t, r.Targets[0], first)
	}
	for _, c := range f.list("audit.changes") {
		r.Changes = append(r.Changes, c.change())
	}
	if id := a.record.TraceID(); !id.IsEmpty() {
		r.TraceID = id.String()
	}
	if id := a.record.SpanID(); !id.IsEmpty() {
		r.SpanID = id.String()
	}
	if len(f.doc) > 0 {
		r.Attributes = f.doc
	}
	return r, true
}

// otlpParty takes the attributes that name somebody or something.
func (f fields) otlpParty(prefix string) party {
	f.t.Helper()
	return party{take[string](f, prefix+"id"), take[string](f, prefix+"type"), take[string](f, prefix+"name")}
}
