package metrics

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	sdk "go.opentelemetry.io/otel/sdk/metric"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/sink"
)

// root is the directory of the main module.
const root = "../../.."

var errRefused = errors.New("refused")

// destination is one that gives the answer it is told to.
type destination struct {
	mu     sync.Mutex
	answer func(ctx context.Context, batch []sink.Event) (int, error)
}

func (d *destination) Open() (sink.Sink, error) { return d, nil }
func (d *destination) String() string           { return "fake https://siem.example:443" }

func (d *destination) Deliver(ctx context.Context, batch []sink.Event) (int, error) {
	d.mu.Lock()
	answer := d.answer
	d.mu.Unlock()
	if answer == nil {
		return len(batch), nil
	}
	return answer(ctx, batch)
}

// become changes the answer; nil takes everything.
func (d *destination) become(answer func(context.Context, []sink.Event) (int, error)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answer = answer
}

// always is the answer that is always the same.
func always(n int, err error) func(context.Context, []sink.Event) (int, error) {
	return func(context.Context, []sink.Event) (int, error) { return n, err }
}

// deployment is a process with a stream in it, as Prometheus sees it.
type deployment struct {
	t        *testing.T
	provider *sdk.MeterProvider
	registry *prometheus.Registry
	stream   *auditstream.Stream
	siem     *destination
	events   int
}

// deploy starts a stream that delivers.
func deploy(t *testing.T, cfg auditstream.Config) *deployment {
	t.Helper()
	d := &deployment{t: t, registry: prometheus.NewRegistry(), siem: new(destination)}
	reader, err := exporter.New(exporter.WithRegisterer(d.registry))
	require.NoError(t, err)
	d.provider = sdk.NewMeterProvider(sdk.WithReader(reader))
	cfg.MeterProvider = d.provider
	d.stream, err = auditstream.New(cfg)
	require.NoError(t, err)
	require.NoError(t, d.stream.Configure(d.siem))
	return d
}

// publish publishes n events, whether they are taken or not.
func (d *deployment) publish(n int) {
	for range n {
		d.events++
		_ = d.stream.Publish(auditstream.Event{
			ID: strconv.Itoa(d.events), Action: "project.edit", Actor: auditstream.Actor{ID: "alice"},
		})
	}
}

// stop ends the stream at once.
func (d *deployment) stop() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = d.stream.Shutdown(ctx)
}

// sample is one value of one time series.
type sample struct {
	labels map[string]string // __name__ among them
	value  float64
}

// id tells a series from others.
func (s sample) id() string {
	var id strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s.labels)) {
		id.WriteString(name + "=" + strconv.Quote(s.labels[name]) + ",")
	}
	return id.String()
}

// scrape returns what a Prometheus stores of one scrape.
func (d *deployment) scrape() []sample {
	d.t.Helper()
	families, err := d.registry.Gather()
	require.NoError(d.t, err)
	var all []sample
	for _, family := range families {
		for _, m := range family.GetMetric() {
			labels := map[string]string{"job": "host", "instance": "host.example:9090"}
			for _, pair := range m.GetLabel() {
				labels[pair.GetName()] = pair.GetValue()
			}
			add := func(suffix string, value float64, extra ...string) {
				one := maps.Clone(labels)
				one["__name__"] = family.GetName() + suffix
				if len(extra) == 2 {
					one[extra[0]] = extra[1]
				}
				all = append(all, sample{one, value})
			}
			switch {
			case m.GetCounter() != nil:
				add("", m.GetCounter().GetValue())
			case m.GetGauge() != nil:
				add("", m.GetGauge().GetValue())
			case m.GetHistogram() != nil:
				for _, bucket := range m.GetHistogram().GetBucket() {
					add("_bucket", float64(bucket.GetCumulativeCount()), "le", strconv.FormatFloat(bucket.GetUpperBound(), 'g', -1, 64))
				}
				add("_count", float64(m.GetHistogram().GetSampleCount()))
				add("_sum", m.GetHistogram().GetSampleSum())
			default:
				d.t.Fatalf("%s is of a kind that this test does not know", family.GetName())
			}
		}
	}
	return all
}

// exposed is what a stream shows over its life: the values of each label of each metric.
type exposed map[string]map[string]map[string]bool

func (e exposed) add(samples []sample) {
	for _, s := range samples {
		name := s.labels["__name__"]
		if e[name] == nil {
			e[name] = make(map[string]map[string]bool)
		}
		for label, value := range s.labels {
			if e[name][label] == nil {
				e[name][label] = make(map[string]bool)
			}
			e[name][label][value] = true
		}
	}
}

// live leads a stream through what can happen to it, and returns all that is exposed meanwhile. It is called in a bubble
// of synctest.
func live(t *testing.T) exposed {
	t.Helper()
	d := deploy(t, auditstream.Config{Name: "acme", QueueEvents: 50, BatchEvents: 10})
	seen := make(exposed)
	for _, answer := range []func(context.Context, []sink.Event) (int, error){
		nil,
		always(0, errRefused),
		always(0, sink.Block(errRefused)),
		always(1, sink.Reject(errRefused, 0)),
		always(0, sink.Split(errRefused)),
		func(context.Context, []sink.Event) (int, error) { panic("boom") },
		func(ctx context.Context, _ []sink.Event) (int, error) { <-ctx.Done(); return 0, ctx.Err() },
		func(ctx context.Context, _ []sink.Event) (int, error) {
			<-ctx.Done()
			time.Sleep(time.Minute)
			return 0, nil
		},
	} {
		d.siem.become(answer)
		d.publish(3)
		time.Sleep(2 * time.Minute)
		seen.add(d.scrape())
		d.siem.become(nil)
		require.NoError(t, d.stream.Configure(d.siem))
		time.Sleep(2 * time.Minute)
		seen.add(d.scrape())
	}
	d.stop()
	seen.add(d.scrape())
	time.Sleep(time.Minute) // what hung comes back
	return seen
}
