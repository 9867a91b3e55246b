package metrics

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric/noop"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/internal/canary"
	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/otlp"
	"github.com/auditstream/auditstream/sink/siemtest"
	"github.com/auditstream/auditstream/sink/splunk"
)

// TestScrapesBalance scrapes a stream at every moment of a busy hour, and expects the ledger to balance in each: all
// numbers of a scrape are of one snapshot.
func TestScrapesBalance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t, auditstream.Config{QueueEvents: 20, BatchEvents: 3, Overflow: auditstream.DropOldest, BatchDelay: 1})
		n := 0
		d.siem.become(func(_ context.Context, batch []sink.Event) (int, error) {
			n++
			time.Sleep(time.Duration(n%5) * time.Millisecond)
			switch n % 4 {
			case 0:
				return 0, errRefused
			case 1:
				return 1, sink.Reject(errRefused, 0)
			}
			return len(batch), nil
		})
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range 1000 {
				d.publish(2)
				time.Sleep(3 * time.Millisecond)
			}
		}()
		var accepted float64
		for range 500 {
			time.Sleep(7 * time.Millisecond)
			sums := make(map[string]float64)
			for _, s := range d.scrape() {
				sums[s.labels["__name__"]] += s.value
			}
			accepted = sums["auditstream_event_accepted_total"]
			gone := sums["otel_sdk_exporter_log_exported_total"] + sums["auditstream_event_discarded_total"]
			require.InDelta(t, accepted, gone+sums["otel_sdk_processor_log_queue_size"], 0)
			require.LessOrEqual(t, sums["otel_sdk_exporter_log_inflight"], sums["otel_sdk_processor_log_queue_size"])
			require.InDelta(t, 1, sums["auditstream_stream_state"], 0)
			require.InDelta(t, 1, sums["auditstream_stream_condition"], 0)
		}
		<-done
		assert.Greater(t, accepted, 500.0)
		d.stop()
		time.Sleep(time.Second) // what was in progress comes back
	})
}

// TestScrapeEqualsStatus compares a scrape with what the stream says itself.
func TestScrapeEqualsStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t, auditstream.Config{QueueEvents: 10, BatchEvents: 10})
		d.siem.become(always(2, sink.Reject(errRefused, 0)))
		d.publish(7)
		_ = d.stream.Publish(auditstream.Event{})
		time.Sleep(time.Second)
		d.siem.become(always(0, sink.Block(errRefused)))
		d.publish(15)
		time.Sleep(5 * time.Minute)
		status := d.stream.Status()
		got := make(map[string]float64)
		for _, s := range d.scrape() {
			name := s.labels["__name__"] + s.labels["auditstream_reason"] + s.labels["error_type"] + s.labels["auditstream_condition"]
			got[name] += s.value
		}
		totals := status.Totals
		for name, want := range map[string]uint64{
			"auditstream_event_accepted_total":             totals.Accepted,
			"otel_sdk_exporter_log_exported_total":         totals.Delivered,
			"otel_sdk_exporter_log_exported_totalrejected": totals.Rejected,
			"auditstream_event_refused_totalqueue_full":    totals.RefusedFull,
			"auditstream_event_refused_totalinvalid":       totals.RefusedInvalid,
			"auditstream_event_discarded_totaloverflow":    totals.DiscardedOverflow,
			"otel_sdk_processor_log_queue_size":            totals.Pending,
			"otel_sdk_processor_log_queue_capacity":        10,
			"auditstream_queue_usage_bytes":                uint64(status.Queue.Bytes),
			"auditstream_queue_oldest_age_seconds":         uint64(time.Since(status.Queue.Oldest).Seconds()),
			"auditstream_stream_conditionblocked":          1,
			"auditstream_stream_conditionhealthy":          0,
		} {
			assert.InDelta(t, want, got[name], 0.999, name)
		}
		for _, n := range []uint64{totals.Delivered, totals.Rejected, totals.RefusedFull, totals.RefusedInvalid, totals.Pending} {
			assert.NotZero(t, n, "%+v", totals)
		}
		d.stop()
	})
}

// TestNoSecretInMetrics fails with a secret in everything that a destination can answer, and searches what is exported,
// in the SDK's form and in Prometheus'.
func TestNoSecretInMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t, auditConfig)
		reader := sdk.NewManualReader()
		provider := sdk.NewMeterProvider(sdk.WithReader(reader))
		srv, err := siemtest.NewSplunk(siemtest.SplunkConfig{InMemory: true})
		require.NoError(t, err)
		defer srv.Close()
		srv.SetToken(canary.Secret)
		dst := splunk.Config{
			Endpoint: srv.URL(), Token: secret.New(canary.Secret), Headers: sink.Headers{"X-Proxy": "Bearer #{Secret}"},
			Network: sink.Network{DialContext: srv.DialContext},
		}
		second, err := auditstream.New(auditstream.Config{Name: "second", MeterProvider: provider})
		require.NoError(t, err)
		require.NoError(t, d.stream.Configure(dst))
		require.NoError(t, second.Configure(dst))
		var out bytes.Buffer
		for i, status := range []int{200, 301, 400, 401, 403, 413, 429, 500, 503} {
			text := fmt.Sprintf(`{"text":%q,"code":%d}`, canary.Secret, i)
			srv.Fail(func(siemtest.Request) *siemtest.Answer {
				a := siemtest.Status(status, text)
				return &a
			})
			for _, s := range []*auditstream.Stream{d.stream, second} {
				_ = s.Publish(auditstream.Event{Action: canary.Secret, Actor: auditstream.Actor{ID: canary.Secret}, Message: canary.Secret})
			}
			time.Sleep(5 * time.Minute)
			families, err := d.registry.Gather()
			require.NoError(t, err)
			for _, family := range families {
				_, err := expfmt.MetricFamilyToText(&out, family)
				require.NoError(t, err)
			}
			var collected metricdata.ResourceMetrics
			require.NoError(t, reader.Collect(t.Context(), &collected))
			text2, err := json.Marshal(collected)
			require.NoError(t, err)
			out.Write(text2)
		}
		d.stop()
		stopped, cancel := context.WithCancel(t.Context())
		cancel()
		_ = second.Shutdown(stopped)
		assert.Contains(t, out.String(), "auditstream_attempts_total")
		assert.Contains(t, out.String(), "auditstream.attempts")
		require.Empty(t, canary.Find(out.String(), canary.Secret), "a form of the secret is in the metrics")
	})
}

// TestMetricsOfTheExportersNameNoHost switches on what OpenTelemetry's exporters say of themselves, which is an experiment
// of theirs and goes to the global provider. What a tenant has typed is no label there either.
func TestMetricsOfTheExportersNameNoHost(t *testing.T) {
	t.Setenv("OTEL_GO_X_OBSERVABILITY", "true")
	registry := prometheus.NewRegistry()
	reader, err := exporter.New(exporter.WithRegisterer(registry))
	require.NoError(t, err)
	otel.SetMeterProvider(sdk.NewMeterProvider(sdk.WithReader(reader)))
	defer otel.SetMeterProvider(noop.NewMeterProvider())
	endpoints := map[otlp.Protocol]func(*siemtest.OTLP) string{otlp.HTTPProtobuf: (*siemtest.OTLP).URL, otlp.GRPC: (*siemtest.OTLP).GRPCURL}
	for protocol, endpoint := range endpoints {
		synctest.Test(t, func(t *testing.T) {
			srv, err := siemtest.NewOTLP(siemtest.OTLPConfig{InMemory: true})
			require.NoError(t, err)
			defer srv.Close()
			s, err := auditstream.New(auditstream.Config{})
			require.NoError(t, err)
			at, err := url.Parse(endpoint(srv))
			require.NoError(t, err)
			dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
				return srv.DialContext(ctx, network, at.Host)
			}
			require.NoError(t, s.Configure(otlp.Config{
				Endpoint: "http://siem.tenant.example:4999" + at.Path, Protocol: protocol,
				Network: sink.Network{DialContext: dial, AllowPlaintext: true},
			}))
			require.NoError(t, s.Publish(auditstream.Event{Action: "project.edit", Actor: auditstream.Actor{ID: "alice"}}))
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			require.NoError(t, s.Flush(ctx), "%v", s.Status().LastError)
			require.NoError(t, s.Shutdown(ctx))
			assert.Len(t, srv.IDs(), 1)
		})
	}
	families, err := registry.Gather()
	require.NoError(t, err)
	var out strings.Builder
	for _, family := range families {
		_, err := expfmt.MetricFamilyToText(&out, family)
		require.NoError(t, err)
	}
	assert.Contains(t, out.String(), "otlp_grpc_log_exporter", "the exporters speak")
	assert.NotContains(t, out.String(), "tenant")
	assert.NotContains(t, out.String(), "4999")
}

// TestStreamsOfAProcessAreToldApart has several streams with one provider.
func TestStreamsOfAProcessAreToldApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t, auditConfig)
		d.publish(2)
		other, err := auditstream.New(auditstream.Config{Name: "globex", MeterProvider: d.provider})
		require.NoError(t, err)
		accepted := func() map[string]float64 {
			all := make(map[string]float64)
			for _, s := range d.scrape() {
				if s.labels["__name__"] == "auditstream_event_accepted_total" {
					all[s.labels["otel_component_name"]] += s.value
				}
			}
			return all
		}
		assert.Equal(t, map[string]float64{"acme": 2, "globex": 0}, accepted())
		require.NoError(t, other.Shutdown(t.Context()))
		assert.Equal(t, map[string]float64{"acme": 2, "globex": 0}, accepted(), "once more")
		synctest.Wait()
		assert.Equal(t, map[string]float64{"acme": 2}, accepted())
		d.stop()
	})
}

// TestStreamsAreAddedUp has streams that are not told apart: two with one name, and two whose names a view drops, as a
// host with thousands of tenants does.
func TestStreamsAreAddedUp(t *testing.T) {
	anonymous := sdk.NewView(sdk.Instrument{Name: "*"}, sdk.Stream{
		AttributeFilter: func(kv attribute.KeyValue) bool { return kv.Key != "otel.component.name" },
	})
	for name, test := range map[string]struct {
		names []string
		views []sdk.Option
	}{
		"one name":        {names: []string{"acme", "acme"}},
		"dropped by view": {names: []string{"acme", "globex"}, views: []sdk.Option{sdk.WithView(anonymous)}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &deployment{t: t, registry: prometheus.NewRegistry()}
				reader, err := exporter.New(exporter.WithRegisterer(d.registry))
				require.NoError(t, err)
				provider := sdk.NewMeterProvider(append(test.views, sdk.WithReader(reader))...)
				siem := new(destination)
				siem.become(always(0, sink.Block(errRefused)))
				for i, name := range test.names {
					d.stream, err = auditstream.New(auditstream.Config{Name: name, MeterProvider: provider})
					require.NoError(t, err)
					defer (&deployment{stream: d.stream}).stop()
					require.NoError(t, d.stream.Configure(siem))
					d.publish(i + 1)
				}
				time.Sleep(time.Second)
				got := make(map[string]float64)
				for _, s := range d.scrape() {
					got[s.labels["__name__"]+s.labels["auditstream_condition"]] = s.value // and no other series beside it
				}
				assert.InDelta(t, 3, got["auditstream_event_accepted_total"], 0)
				assert.InDelta(t, 3, got["otel_sdk_processor_log_queue_size"], 0)
				assert.InDelta(t, 2, got["auditstream_stream_conditionblocked"], 0)
				assert.InDelta(t, 0, got["auditstream_stream_conditionhealthy"], 0)
			})
		})
	}
}

// TestMetricsOfTheProcessAreOurs looks that nothing is exposed beside a stream's metrics and what the exporter adds.
func TestMetricsOfTheProcessAreOurs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name := range maps.Keys(live(t)) {
			ours := strings.HasPrefix(name, "auditstream_") || strings.HasPrefix(name, "otel_sdk_")
			assert.True(t, ours || name == "target_info", name)
		}
	})
}
