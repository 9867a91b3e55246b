package peers

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver"
)

// settings are how a peer is run. They may be changed while it is stopped.
type settings struct {
	token string       // what it asks of its clients; for Sumo Logic the secret part of the URL
	tls   *certificate // none for plaintext
	ack   bool         // Splunk's indexer acknowledgement

	// keepAlive keeps connections open after an answer, which the receivers for HEC and for webhooks do not by default.
	keepAlive bool
}

// peer is a Collector with one receiver, on a port of loopback that stays the same when it is stopped and started.
type peer struct {
	settings

	t       *testing.T
	kind    kind
	addr    string
	running []component.Component // in order of their start

	mu      sync.Mutex
	batches []batch
	held    chan<- batch // gets the next batch, once
	release <-chan struct{}
}

// batch is what a peer took from one request.
type batch struct {
	logs  plog.Logs
	meta  client.Metadata // the headers of the request
	token string          // what the peer asked for then
}

// lifecycle is held while components are made, started and stopped. A Collector does that in one goroutine, and the
// receiver for HEC has a map of its instances that relies on it.
var lifecycle sync.Mutex

// hosted are the extensions of a running Collector, which receivers ask their host for.
type hosted map[component.ID]component.Component

func (h hosted) GetExtensions() map[component.ID]component.Component { return h }

// startPeer starts a peer that stops with the test.
func startPeer(t *testing.T, k kind, s settings) *peer {
	t.Helper()
	p := &peer{settings: s, t: t, kind: k}
	t.Cleanup(func() {
		if p.running != nil {
			p.stop()
		}
	})
	// Somebody else may take the port between looking for a free one and listening.
	var err error
	for range 20 {
		p.addr = freeAddress(t)
		if err = p.run(); err == nil {
			return p
		}
	}
	require.NoError(t, err, "no port to be had")
	return nil
}

// start starts the peer again, on the same port.
func (p *peer) start() {
	p.t.Helper()
	require.NoError(p.t, p.run())
}

// run makes and starts the extensions and the receiver. A component cannot be started twice.
func (p *peer) run() error {
	p.t.Helper()
	lifecycle.Lock()
	defer lifecycle.Unlock()
	ctx, parts, host := context.Background(), p.kind.components(p), hosted{}
	telemetry := componenttest.NewNopTelemetrySettings()
	for i, factory := range parts.extensions {
		id := component.NewID(factory.Type())
		ext, err := factory.Create(ctx, extension.Settings{ID: id, TelemetrySettings: telemetry}, parts.configs[i])
		require.NoError(p.t, err)
		require.NoError(p.t, ext.Start(ctx, host))
		host[id] = ext
		p.running = append(p.running, ext)
	}
	token := p.token
	next, err := consumer.NewLogs(func(ctx context.Context, logs plog.Logs) error {
		p.take(batch{logs, client.FromContext(ctx).Metadata, token})
		return nil
	})
	require.NoError(p.t, err)
	set := receiver.Settings{ID: component.NewID(parts.receiver.Type()), TelemetrySettings: telemetry}
	logs, err := parts.receiver.CreateLogs(ctx, set, parts.config, next)
	require.NoError(p.t, err)
	if err := logs.Start(ctx, host); err != nil {
		p.running = nil // The extensions hold nothing.
		return err
	}
	p.running = append(p.running, logs)
	return nil
}

// stop stops the peer. Whether it finishes what it is about is up to its kind.
func (p *peer) stop() {
	p.t.Helper()
	lifecycle.Lock()
	defer lifecycle.Unlock()
	for _, c := range slices.Backward(p.running) {
		assert.NoError(p.t, c.Shutdown(context.Background()))
	}
	p.running = nil
}

// take is the pipeline behind the receiver: it keeps a batch. Only when it has returned is the client answered.
func (p *peer) take(b batch) {
	p.mu.Lock()
	p.batches = append(p.batches, b)
	held, release := p.held, p.release
	p.held = nil
	p.mu.Unlock()
	if held != nil {
		held <- b
		<-release
	}
}

// hold makes the peer keep its next batch, which held gets, and not answer for it before release is called.
func (p *peer) hold() (held <-chan batch, release func()) {
	next, done := make(chan batch, 1), make(chan struct{})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held, p.release = next, done
	return next, sync.OnceFunc(func() { close(done) })
}

// taken returns the batches so far.
func (p *peer) taken() []batch {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.batches)
}

// read returns what came out of batches.
func (p *peer) read(batches ...batch) []record {
	p.t.Helper()
	var all []record
	for _, b := range batches {
		for _, rl := range b.logs.ResourceLogs().All() {
			for _, sl := range rl.ScopeLogs().All() {
				for _, lr := range sl.LogRecords().All() {
					if r, ok := p.kind.read(p.t, arrival{b, rl.Resource(), sl.Scope(), lr}); ok {
						all = append(all, r)
					}
				}
			}
		}
	}
	return all
}
