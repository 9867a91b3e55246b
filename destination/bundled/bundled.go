// Package bundled has the providers of this repository for package destination. It links all three drivers, gRPC and the
// OpenTelemetry SDK among what they bring; a host that wants fewer makes a [destination.Set] of its own.
package bundled

import (
	"log/slog"

	"github.com/auditstream/auditstream/destination"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/otlp"
	"github.com/auditstream/auditstream/sink/splunk"
	"github.com/auditstream/auditstream/sink/sumologic"
)

// Providers returns "otlp", "splunk" and "sumologic", whose configurations get the host's network and logger (nil for
// none).
func Providers(network sink.Network, logger *slog.Logger) destination.Set {
	return destination.Set{
		"otlp":      destination.For(func(c *otlp.Config) { c.Network, c.Logger = network, logger }),
		"splunk":    destination.For(func(c *splunk.Config) { c.Network, c.Logger = network, logger }),
		"sumologic": destination.For(func(c *sumologic.Config) { c.Network, c.Logger = network, logger }),
	}
}
