package auditstream_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/otlp"
	"github.com/auditstream/auditstream/sink/siemtest"
	"github.com/auditstream/auditstream/sink/splunk"
	"github.com/auditstream/auditstream/sink/sumologic"
)

// collector is what the benchmark needs of a fake server.
type collector interface {
	Clear()
	Close()
}

// BenchmarkPipeline carries events from Publish through each driver to its fake server, which decodes and keeps them: the
// figure includes both ends.
func BenchmarkPipeline(b *testing.B) {
	for _, tt := range []struct {
		name string
		open func(b *testing.B) (sink.Destination, collector)
	}{
		{"otlp-http", func(b *testing.B) (sink.Destination, collector) {
			b.Helper()
			srv := newOTLP(b)
			return otlp.Config{Endpoint: srv.URL()}, srv
		}},
		{"otlp-grpc", func(b *testing.B) (sink.Destination, collector) {
			b.Helper()
			srv := newOTLP(b)
			return otlp.Config{Endpoint: srv.GRPCURL(), Protocol: otlp.GRPC}, srv
		}},
		{"splunk", func(b *testing.B) (sink.Destination, collector) {
			b.Helper()
			srv, err := siemtest.NewSplunk(siemtest.SplunkConfig{})
			require.NoError(b, err)
			return splunk.Config{Endpoint: srv.URL(), Token: secret.New(srv.Token())}, srv
		}},
		{"sumologic", func(b *testing.B) (sink.Destination, collector) {
			b.Helper()
			srv, err := siemtest.NewSumoLogic(siemtest.SumoLogicConfig{})
			require.NoError(b, err)
			return sumologic.Config{Endpoint: secret.New(srv.URL())}, srv
		}},
	} {
		b.Run(tt.name, func(b *testing.B) {
			dst, srv := tt.open(b)
			defer srv.Close()
			benchmarkPipeline(b, dst, srv)
		})
	}
}

func newOTLP(b *testing.B) *siemtest.OTLP {
	b.Helper()
	srv, err := siemtest.NewOTLP(siemtest.OTLPConfig{})
	require.NoError(b, err)
	return srv
}

func benchmarkPipeline(b *testing.B, dst sink.Destination, srv collector) {
	b.Helper()
	s, err := auditstream.New(auditstream.Config{QueueEvents: 10_000})
	require.NoError(b, err)
	require.NoError(b, s.Configure(dst))
	b.ReportAllocs()
	start := time.Now()
	for b.Loop() {
		for errors.Is(publishRealistic(s), auditstream.ErrQueueFull) {
			require.NoError(b, s.Flush(b.Context()))
			srv.Clear() // a server that keeps a million events would be what is measured
		}
	}
	require.NoError(b, s.Flush(b.Context()))
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "events/s")
	b.StopTimer()
	require.NoError(b, s.Shutdown(b.Context()))
}
