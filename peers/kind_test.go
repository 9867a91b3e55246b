package peers

import (
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/bearertokenauthextension"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configauth"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver"

	"github.com/auditstream/auditstream/sink"
)

// kind is a driver together with the receiver that stands for its destination.
type kind struct {
	name string

	// components makes the receiver and what it needs, all of it new.
	components func(p *peer) components

	// destination leads to the peer with a token that need not be the right one.
	destination func(p *peer, h *host, token string, compress bool) sink.Destination

	// read reads a log record. False means that it is none.
	read func(t *testing.T, a arrival) (record, bool)

	form form

	// precision is how exact the time is that the receiver keeps.
	precision time.Duration

	// graceful receivers answer the requests in progress before they stop; the others drop their connections.
	graceful bool

	// metadata says whether the headers of requests are known.
	metadata bool
}

// arrival is a log record as the receiver has made it, with all that is around it.
type arrival struct {
	batch

	resource pcommon.Resource
	scope    pcommon.InstrumentationScope
	record   plog.LogRecord
}

// components are what a peer is made of.
type components struct {
	receiver   receiver.Factory
	config     component.Config
	extensions []extension.Factory
	configs    []component.Config // of the extensions
}

// add adds an extension.
func (c *components) add(factory extension.Factory, config component.Config) {
	c.extensions = append(c.extensions, factory)
	c.configs = append(c.configs, config)
}

// authenticate adds the check of a token and returns what the receiver needs to refer to it.
func (c *components) authenticate(scheme, token string) configauth.Config {
	factory := bearertokenauthextension.NewFactory()
	cfg := factory.CreateDefaultConfig().(*bearertokenauthextension.Config)
	cfg.Scheme, cfg.BearerToken = scheme, configopaque.String(token)
	c.add(factory, cfg)
	return configauth.Config{AuthenticatorID: component.NewID(factory.Type())}
}

// kinds are all drivers in all their protocols.
var kinds = []kind{otlpHTTP, otlpGRPC, hec, sumo}
