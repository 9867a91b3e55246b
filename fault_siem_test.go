package auditstream_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/internal/canary"
	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/otlp"
	"github.com/auditstream/auditstream/sink/siemtest"
	"github.com/auditstream/auditstream/sink/splunk"
	"github.com/auditstream/auditstream/sink/sumologic"
)

// A driver is one of the ways to a SIEM that the fault tests go. The canary is the credential of all of them.
type driver struct {
	name string

	// config returns a destination at a place.
	config func(at place) sink.Destination

	// serve starts the fake SIEM that fits, and returns it with its scheme, host and port.
	serve func(t *testing.T, how served) (fakeSIEM, string)
}

// A place is where a destination is, and what the driver has to know besides.
type place struct {
	base    string // scheme, host and port
	tls     sink.TLS
	network sink.Network
	log     *slog.Logger
	plain   bool // not compressed
	token   string
}

func (p place) secret() secret.Value {
	if p.token != "" {
		return secret.New(p.token)
	}
	return secret.New(canary.Secret)
}

// served is how a fake SIEM is to be.
type served struct {
	socket bool // and not in memory
	tls    bool
}

// fakeSIEM is what the fake servers have in common.
type fakeSIEM interface {
	server
	Respond(answers ...siemtest.Answer)
	RejectIf(fn func(siemtest.Received) bool)
	SetToken(token string)
	Requests() []siemtest.Request
	IDs() []string
	Connections() int
	CertPEM() string
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

const (
	otlpHTTP  = "OTLP over HTTP"
	otlpGRPC  = "OTLP over gRPC"
	hec       = "Splunk"
	sumoLogic = "Sumo Logic"
)

// drivers are all ways to a SIEM.
var drivers = []driver{
	{otlpHTTP, func(at place) sink.Destination { return otlpAt(at, at.base+"/v1/logs", otlp.HTTPProtobuf) }, serveOTLP((*siemtest.OTLP).URL)},
	{otlpGRPC, func(at place) sink.Destination { return otlpAt(at, at.base, otlp.GRPC) }, serveOTLP((*siemtest.OTLP).GRPCURL)},
	{hec, splunkAt, serveSplunk},
	{sumoLogic, sumoLogicAt, serveSumoLogic},
}

func otlpAt(at place, endpoint string, protocol otlp.Protocol) sink.Destination {
	cfg := otlp.Config{
		Endpoint: endpoint, Protocol: protocol, Secret: at.secret(), TLS: at.tls, Network: at.network, Logger: at.log,
		Headers: sink.Headers{"Authorization": "Bearer #{Secret}"},
	}
	if at.plain {
		cfg.Compression = otlp.None
	}
	return cfg
}

func splunkAt(at place) sink.Destination {
	cfg := splunk.Config{Endpoint: at.base, Token: at.secret(), TLS: at.tls, Network: at.network, Logger: at.log}
	if at.plain {
		cfg.Compression = splunk.None
	}
	return cfg
}

func sumoLogicAt(at place) sink.Destination {
	cfg := sumologic.Config{
		Endpoint: secret.New(at.base + "/receiver/v1/http/#{Secret | UriDataEscape}"), Secret: at.secret(),
		TLS: at.tls, Network: at.network, Logger: at.log,
	}
	if at.plain {
		cfg.Compression = sumologic.None
	}
	return cfg
}

func serveOTLP(endpoint func(*siemtest.OTLP) string) func(t *testing.T, how served) (fakeSIEM, string) {
	return func(t *testing.T, how served) (fakeSIEM, string) {
		t.Helper()
		srv, err := siemtest.NewOTLP(siemtest.OTLPConfig{InMemory: !how.socket, TLS: how.tls})
		require.NoError(t, err)
		srv.SetToken(canary.Secret)
		return srv, strings.TrimSuffix(endpoint(srv), "/v1/logs")
	}
}

func serveSplunk(t *testing.T, how served) (fakeSIEM, string) {
	t.Helper()
	srv, err := siemtest.NewSplunk(siemtest.SplunkConfig{InMemory: !how.socket, TLS: how.tls})
	require.NoError(t, err)
	srv.SetToken(canary.Secret)
	return srv, srv.URL()
}

func serveSumoLogic(t *testing.T, how served) (fakeSIEM, string) {
	t.Helper()
	srv, err := siemtest.NewSumoLogic(siemtest.SumoLogicConfig{InMemory: !how.socket, TLS: how.tls})
	require.NoError(t, err)
	escapedCode{srv}.SetToken(canary.Secret)
	base, err := url.Parse(srv.BaseURL())
	require.NoError(t, err)
	return escapedCode{srv}, base.Scheme + "://" + base.Host
}

// escapedCode is a Sumo Logic whose code is given unescaped, as that of the others.
type escapedCode struct{ *siemtest.SumoLogic }

func (s escapedCode) SetToken(token string) { s.SumoLogic.SetToken(url.QueryEscape(token)) }

// A delivery is a Stream on its way to a destination, and all that comes out of it.
type delivery struct {
	*auditstream.Stream
	journal *journal
	log     *canary.Log
	last    int // the number of the last event published
}

// deliverTo returns a Stream to a destination. When the test ends, its ledger balances, and nothing that it has said holds
// the canary.
func deliverTo(t *testing.T, dst sink.Destination, log *canary.Log, cfg auditstream.Config) *delivery {
	t.Helper()
	d := &delivery{journal: new(journal), log: log}
	cfg.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	cfg.OnReject, cfg.OnTransition = d.journal.onReject, d.journal.onTransition
	t.Cleanup(func() { d.searchForCanary(t) }) // runs after the Stream has ended
	d.Stream = newStream(t, cfg)
	require.NoError(t, d.Configure(dst))
	return d
}

func (d *delivery) searchForCanary(t *testing.T) {
	t.Helper()
	status := d.Status()
	checkRemedies(t, status.LastError) // while we are here
	out := new(strings.Builder)
	fmt.Fprintf(out, "%s %v %+v %v", d.log, status, status, status.LastError)
	for _, r := range d.journal.rejections {
		fmt.Fprint(out, r.Err)
	}
	if e, ok := errors.AsType[*sink.Error](status.LastError); ok {
		fmt.Fprintf(out, "%+v %s", *e, e.Remedy)
	}
	assert.Empty(t, canary.Find(out.String(), canary.Secret), "a form of the secret is in what came out")
}

// publish publishes n more events.
func (d *delivery) publish(t *testing.T, n int) {
	t.Helper()
	publish(t, d.Stream, d.last+1, d.last+n)
	d.last += n
}

// drain waits until everything is answered for, backoffs included. In a bubble that takes no time.
func (d *delivery) drain(t *testing.T) {
	t.Helper()
	require.NoError(t, d.Flush(after(t, time.Hour)))
}

// sinkError returns the last error as a driver's.
func (d *delivery) sinkError(t *testing.T) *sink.Error {
	t.Helper()
	e, ok := errors.AsType[*sink.Error](d.Status().LastError)
	require.True(t, ok, "the last error is no *sink.Error: %v", d.Status().LastError)
	return e
}

// arrived returns the IDs that arrived, each once, in the order of their first arrival, and how many arrived again.
func arrived(ids []string) (once []string, duplicates uint64) {
	seen := make(map[string]bool, len(ids))
	for _, id := range ids {
		if seen[id] {
			duplicates++
			continue
		}
		seen[id] = true
		once = append(once, id)
	}
	return once, duplicates
}

// A trial is a delivery to a fake SIEM, over a network that a test can spoil.
type trial struct {
	*delivery
	siem  fakeSIEM
	place place
	dst   sink.Destination

	mu    sync.Mutex
	via   dialer // nil: straight to the SIEM
	dials []time.Time
}

type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// dial is what the driver dials by.
func (f *trial) dial(ctx context.Context, network, address string) (net.Conn, error) {
	f.mu.Lock()
	f.dials = append(f.dials, time.Now())
	via := f.via
	f.mu.Unlock()
	if via == nil {
		via = f.siem.DialContext
	}
	return via(ctx, network, address)
}

// route sends what is dialled from now on another way; nil is straight to the SIEM.
func (f *trial) route(via dialer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.via = via
}

// dialled returns when the driver dialled.
func (f *trial) dialled() []time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.dials)
}

// checkArrival checks that all events have arrived in order, and that no repeat went uncounted.
func (f *trial) checkArrival(t *testing.T) {
	t.Helper()
	once, duplicates := arrived(f.siem.IDs())
	totals := f.Status().Totals
	assert.Equal(t, span(1, f.last), once)
	assert.LessOrEqual(t, duplicates, totals.InDoubt)
	assert.EqualValues(t, f.last, totals.Delivered)
	assert.Equal(t, auditstream.ConditionHealthy, f.Status().Condition)
}

// inEveryDriver runs a test with each driver and a fake SIEM in memory, in a bubble.
func inEveryDriver(t *testing.T, test func(t *testing.T, d driver, f *trial)) {
	t.Helper()
	inDrivers(t, drivers, auditstream.Config{}, test)
}

// inDrivers is inEveryDriver for some, and with a Config.
func inDrivers(t *testing.T, some []driver, cfg auditstream.Config, test func(t *testing.T, d driver, f *trial)) {
	t.Helper()
	for _, d := range some {
		t.Run(d.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, d, newTrial(t, d, served{}, cfg)) })
		})
	}
}

// newTrial starts a fake SIEM and a Stream to it.
func newTrial(t *testing.T, d driver, how served, cfg auditstream.Config) *trial {
	t.Helper()
	f, log := &trial{}, new(canary.Log)
	f.siem, f.place.base = d.serve(t, how)
	t.Cleanup(f.siem.Close)
	f.place.tls.RootCAs = f.siem.CertPEM()
	f.place.log = slog.New(slog.NewTextHandler(log, nil))
	f.place.network.DialContext = f.dial
	f.dst = d.config(f.place)
	f.delivery = deliverTo(t, f.dst, log, cfg)
	return f
}

// without returns the drivers but those named.
func without(names ...string) []driver {
	return slices.DeleteFunc(slices.Clone(drivers), func(d driver) bool { return slices.Contains(names, d.name) })
}

// only returns the drivers named.
func only(names ...string) []driver {
	return slices.DeleteFunc(slices.Clone(drivers), func(d driver) bool { return !slices.Contains(names, d.name) })
}
