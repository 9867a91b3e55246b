package auditstream_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
)

// provider is a MeterProvider that remembers what it is told. What an SDK and an exporter make of that is tested in
// internal/checks/metrics.
type provider struct {
	noop.MeterProvider

	mu        sync.Mutex
	meters    []string
	made      map[string]described
	callbacks map[int]metric.Callback
	registers int
	recorded  map[string]float64 // the synchronous instruments: sums of counters, counts of histograms
	durations []float64
	refuse    string // the instrument that it does not make
	explode   bool   // when something is recorded
}

// described is what an instrument says of itself.
type described struct{ kind, unit, about string }

func newProvider() *provider {
	return &provider{
		made: make(map[string]described), callbacks: make(map[int]metric.Callback), recorded: make(map[string]float64),
	}
}

// meter is the provider in another role.
type meter struct {
	noop.Meter
	p *provider
}

func (p *provider) Meter(name string, opts ...metric.MeterOption) metric.Meter {
	p.mu.Lock()
	defer p.mu.Unlock()
	cfg := metric.NewMeterConfig(opts...)
	p.meters = append(p.meters, name+" "+cfg.SchemaURL())
	return meter{p: p}
}

func (m meter) make(name, kind, unit, about string) error {
	m.p.mu.Lock()
	defer m.p.mu.Unlock()
	if name == m.p.refuse {
		return errFake
	}
	m.p.made[name] = described{kind, unit, about}
	return nil
}

type (
	counter struct {
		noop.Int64Counter
		name string
		p    *provider
	}
	histogram struct {
		noop.Float64Histogram
		name string
		p    *provider
	}
	total struct {
		noop.Int64ObservableCounter
		name string
	}
	level struct {
		noop.Int64ObservableUpDownCounter
		name string
	}
	gauge struct {
		noop.Float64ObservableGauge
		name string
	}
)

func (m meter) Int64Counter(name string, opts ...metric.Int64CounterOption) (metric.Int64Counter, error) {
	cfg := metric.NewInt64CounterConfig(opts...)
	return counter{name: name, p: m.p}, m.make(name, "counter", cfg.Unit(), cfg.Description())
}

func (m meter) Float64Histogram(name string, opts ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	cfg := metric.NewFloat64HistogramConfig(opts...)
	return histogram{name: name, p: m.p}, m.make(name, "histogram", cfg.Unit(), cfg.Description())
}

func (m meter) Int64ObservableCounter(name string, opts ...metric.Int64ObservableCounterOption) (metric.Int64ObservableCounter, error) {
	cfg := metric.NewInt64ObservableCounterConfig(opts...)
	return total{name: name}, m.make(name, "counter", cfg.Unit(), cfg.Description())
}

func (m meter) Int64ObservableUpDownCounter(name string, opts ...metric.Int64ObservableUpDownCounterOption) (metric.Int64ObservableUpDownCounter, error) {
	cfg := metric.NewInt64ObservableUpDownCounterConfig(opts...)
	return level{name: name}, m.make(name, "updowncounter", cfg.Unit(), cfg.Description())
}

func (m meter) Float64ObservableGauge(name string, opts ...metric.Float64ObservableGaugeOption) (metric.Float64ObservableGauge, error) {
	cfg := metric.NewFloat64ObservableGaugeConfig(opts...)
	return gauge{name: name}, m.make(name, "gauge", cfg.Unit(), cfg.Description())
}

func (m meter) RegisterCallback(f metric.Callback, observables ...metric.Observable) (metric.Registration, error) {
	m.p.mu.Lock()
	defer m.p.mu.Unlock()
	if m.p.refuse == "callback" {
		return nil, errFake
	}
	m.p.registers++
	id := m.p.registers
	m.p.callbacks[id] = f
	return registration{p: m.p, id: id}, nil
}

type registration struct {
	noop.Registration
	p  *provider
	id int
}

func (r registration) Unregister() error {
	r.p.mu.Lock()
	defer r.p.mu.Unlock()
	delete(r.p.callbacks, r.id)
	return nil
}

func (c counter) Add(_ context.Context, n int64, opts ...metric.AddOption) {
	c.p.record(c.name, float64(n), metric.NewAddConfig(opts).Attributes())
}

func (h histogram) Record(_ context.Context, v float64, opts ...metric.RecordOption) {
	h.p.record(h.name, 1, metric.NewRecordConfig(opts).Attributes())
	h.p.mu.Lock()
	defer h.p.mu.Unlock()
	h.p.durations = append(h.p.durations, v)
}

func (p *provider) record(name string, v float64, set attribute.Set) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.explode {
		panic("boom")
	}
	p.recorded[key(name, set)] += v
}

// key names a time series.
func key(name string, set attribute.Set) string {
	return name + "{" + strings.Join(slices.Sorted(labels(set)), ",") + "}"
}

// labels are the attributes of a set but those that are the same on all series of a stream.
func labels(set attribute.Set) func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, kv := range set.ToSlice() {
			if !strings.HasPrefix(string(kv.Key), "otel.component.") && !yield(string(kv.Key)+"="+kv.Value.String()) {
				return
			}
		}
	}
}

// observer collects what callbacks report.
type observer struct {
	noop.Observer
	values map[string]float64
	sets   []attribute.Set
}

func (o *observer) add(name string, v float64, set attribute.Set) {
	o.values[key(name, set)] += v
	o.sets = append(o.sets, set)
}

func (o *observer) ObserveInt64(i metric.Int64Observable, v int64, opts ...metric.ObserveOption) {
	set := metric.NewObserveConfig(opts).Attributes()
	switch i := i.(type) {
	case total:
		o.add(i.name, float64(v), set)
	case level:
		o.add(i.name, float64(v), set)
	}
}

func (o *observer) ObserveFloat64(i metric.Float64Observable, v float64, opts ...metric.ObserveOption) {
	o.add(i.(gauge).name, v, metric.NewObserveConfig(opts).Attributes())
}

// collect asks all callbacks, and returns what they say and what was recorded. An attribute set is in sets as often as
// there are series with it.
func (p *provider) collect(t *testing.T) *observer {
	t.Helper()
	o := &observer{values: make(map[string]float64)}
	p.mu.Lock()
	callbacks := slices.Collect(maps.Values(p.callbacks))
	maps.Copy(o.values, p.recorded)
	p.mu.Unlock()
	for _, f := range callbacks {
		require.NoError(t, f(t.Context(), o))
	}
	return o
}

// registered is how many callbacks there are.
func (p *provider) registered() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.callbacks)
}

// outcomes returns how many attempts ended how, and checks that the durations were recorded along.
func (p *provider) outcomes(t *testing.T) map[string]int {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	counted, timed := make(map[string]int), make(map[string]int)
	for series, v := range p.recorded {
		name, rest, _ := strings.Cut(series, "{")
		value := strings.TrimSuffix(rest, "}")
		switch name {
		case "auditstream.attempts":
			counted[strings.TrimPrefix(value, "auditstream.outcome=")] = int(v)
		case "otel.sdk.exporter.operation.duration":
			if value == "" {
				value = "error.type=delivered"
			}
			timed[strings.TrimPrefix(value, "error.type=")] = int(v)
		}
	}
	assert.Equal(t, counted, timed, "a duration for each attempt")
	return counted
}
