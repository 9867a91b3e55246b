package peers

import (
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/ackextension"
	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/splunkhecreceiver"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/splunk"
)

var hec = kind{
	name: "Splunk",
	components: func(p *peer) components {
		c := components{receiver: splunkhecreceiver.NewFactory()}
		cfg := c.receiver.CreateDefaultConfig().(*splunkhecreceiver.Config)
		cfg.NetAddr.Endpoint, cfg.TLS, cfg.IncludeMetadata, cfg.KeepAlivesEnabled = p.addr, p.tls.server(), true, p.keepAlive
		cfg.AccessTokenPassthrough = true
		cfg.Auth = configoptional.Some(confighttp.AuthConfig{Config: c.authenticate("Splunk", p.token)})
		if p.ack {
			factory := ackextension.NewFactory()
			c.add(factory, factory.CreateDefaultConfig())
			id := component.NewID(factory.Type())
			cfg.Extension = &id
		}
		c.config = cfg
		return c
	},
	destination: func(p *peer, h *host, token string, compress bool) sink.Destination {
		cfg := splunk.Config{
			Endpoint: p.tls.scheme() + p.addr,
			Token:    secret.New(token),
			Index:    "audit", Source: "peers", SourceType: "auditstream", Host: "host " + "é 小林",
			TLS:    sink.TLS{PinSHA256: p.tls.pin()},
			Logger: h.logger(),
		}
		if !compress {
			cfg.Compression = splunk.None
		}
		return cfg
	},
	read: readHEC, form: hecForm,
	// The receiver holds the time as a float64, whose neighbours are 0.24 µs apart today and 1.9 µs in the year 2286.
	precision: 2 * time.Microsecond,
	metadata:  true,
}

// readHEC reads a log record that the receiver has made of an event in its envelope.
func readHEC(t *testing.T, a arrival) (record, bool) {
	t.Helper()
	metadata := fields{t, a.resource.Attributes().AsRaw()}
	// Not a plain comparison, which would show the token.
	require.True(t, a.token == take[string](metadata, "com.splunk.hec.access_token"), "another token has arrived")
	require.Equal(t, map[string]any{
		"com.splunk.index": "audit", "com.splunk.source": "peers", "com.splunk.sourcetype": "auditstream",
		"host.name": "host é 小林",
	}, metadata.doc)
	require.Zero(t, a.record.Attributes().Len(), "nothing is sent as an indexed field")
	require.Equal(t, pcommon.ValueTypeMap, a.record.Body().Type())
	r := readJSON(t, a.record.Body().Map().AsRaw())
	r.PeerTime = uint64(a.record.Timestamp())
	return r, true
}
