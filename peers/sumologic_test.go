package peers

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/webhookeventreceiver"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/sumologic"
)

// sumoPath is the public part of a source's URL.
const sumoPath = "/receiver/v1/http/"

// sumo has no receiver of its own in the Collector: one that takes lines of any kind at a secret URL stands for it.
var sumo = kind{
	name: "Sumo Logic",
	components: func(p *peer) components {
		c := components{receiver: webhookeventreceiver.NewFactory()}
		cfg := c.receiver.CreateDefaultConfig().(*webhookeventreceiver.Config)
		cfg.NetAddr.Endpoint, cfg.TLS, cfg.IncludeMetadata, cfg.KeepAlivesEnabled = p.addr, p.tls.server(), true, p.keepAlive
		cfg.Path = sumoPath + p.token
		cfg.SplitLogsAtNewLine, cfg.HeaderAttributeRegex = true, "(?i)^X-Sumo-.*"
		cfg.MaxRequestBodySize = 20 << 20
		// Half a second, the default, is short for a busy machine; ten are the most that it takes.
		cfg.ReadTimeout, cfg.WriteTimeout = "10s", "10s"
		c.config = cfg
		return c
	},
	destination: func(p *peer, h *host, token string, compress bool) sink.Destination {
		cfg := sumologic.Config{
			Endpoint: secret.New(p.tls.scheme() + p.addr + sumoPath + "#{Secret | UriDataEscape}"),
			Secret:   secret.New(token),
			Category: "audit/peers", Name: "peers", Host: "host.example",
			Fields: map[string]string{"team": "security", "stage": "test"},
			TLS:    sink.TLS{RootCAs: p.tls.roots()},
			Logger: h.logger(),
		}
		if !compress {
			cfg.Compression = sumologic.None
		}
		return cfg
	},
	read: readSumo, form: sumoForm, precision: 0, metadata: true,
}

// readSumo reads a log record whose body is a line.
func readSumo(t *testing.T, a arrival) (record, bool) {
	t.Helper()
	line := a.record.Body().Str()
	if line == "" {
		return record{}, false // what follows the last line feed of a request
	}
	require.Zero(t, a.resource.Attributes().Len(), "the URL has no query")
	require.Equal(t, map[string]any{
		"header.X-Sumo-Category": []any{"audit/peers"}, "header.X-Sumo-Name": []any{"peers"},
		"header.X-Sumo-Host": []any{"host.example"}, "header.X-Sumo-Client": []any{"auditstream"},
		"header.X-Sumo-Fields": []any{"stage=test,team=security"},
	}, a.record.Attributes().AsRaw())
	var doc map[string]any
	require.NoError(t, json.Unmarshal([]byte(line), &doc), line)
	r := readJSON(t, doc)
	// Sumo Logic looks for the time at the front of a message, in exactly this form.
	start := fmt.Sprintf(`{"timestamp":%013d,`, r.PeerTime/uint64(time.Millisecond))
	require.True(t, strings.HasPrefix(line, start), line)
	return r, true
}
