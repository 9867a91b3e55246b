package otlp

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	collogpb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/httpsend"
	"github.com/auditstream/auditstream/sink/internal/settings"
)

// benchEvents returns n events of 10 string attributes and a target.
func benchEvents(n int) []sink.Event {
	now := time.Date(2026, 3, 14, 15, 9, 26, 535897932, time.UTC)
	events := make([]sink.Event, n)
	for i := range events {
		e := sink.Event{
			ID:           "0195a3c2-7c1e-7d57-9d5b-" + strconv.Itoa(100_000_000_000+i),
			Time:         now.Add(time.Duration(i) * time.Millisecond),
			ObservedTime: now.Add(time.Duration(i)*time.Millisecond + 123*time.Microsecond),
			Action:       "project.variable.update",
			Outcome:      sink.OutcomeSuccess,
			Actor:        sink.Actor{ID: "users-" + strconv.Itoa(i%97), Type: sink.ActorUser, Name: "Ada Lovelace"},
			Targets:      []sink.Target{{ID: "projects-" + strconv.Itoa(i%31), Type: "project", Name: "Payments"}},
			Source:       sink.Source{Address: "203.0.113." + strconv.Itoa(i%250), UserAgent: "Mozilla/5.0 (X11; Linux x86_64)"},
			Message:      "Variable changed",
			Sequence:     uint64(i + 1),
			StreamID:     "0195a3c2-7c1e-7d57-9d5b-2f4f4c1c0a01",
		}
		for j := range 10 {
			e.Attributes = append(e.Attributes,
				slog.String("app.attribute."+strconv.Itoa(j), "value "+strconv.Itoa(i*7919%1000)+" of "+strconv.Itoa(j)))
		}
		events[i] = e
	}
	return events
}

// BenchmarkRecord is the mapping of one event.
func BenchmarkRecord(b *testing.B) {
	events := benchEvents(512)
	m := newMapper()
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		r := m.prototype
		_ = m.record(&r, &events[i%len(events)])
		i++
	}
}

// BenchmarkEncode is everything from events to the bytes of a request, compressed and not, without sending them.
func BenchmarkEncode(b *testing.B) {
	resource, err := proto.Marshal(Resource{ServiceName: "deploy-server"}.message(settings.New("otlp", "Secret", secret.Value{})))
	require.NoError(b, err)
	for _, compress := range []bool{false, true} {
		b.Run("gzip="+strconv.FormatBool(compress), func(b *testing.B) {
			encoder := &encodeOnly{resource: resource, compress: compress}
			exporter, err := newHTTPExporter(encoder)
			require.NoError(b, err)
			events := benchEvents(512)
			m := newMapper()
			b.ReportAllocs()
			for b.Loop() {
				require.NoError(b, exporter.Export(b.Context(), m.fill(events)))
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(events)), "ns/event")
			b.ReportMetric(float64(len(encoder.body))/float64(len(events)), "bytes/event")
		})
	}
}

// encodeOnly is a transport that sends nothing.
type encodeOnly struct {
	resource, replaced, body []byte
	compress                 bool
}

func (e *encodeOnly) RoundTrip(req *http.Request) (*http.Response, error) {
	var encoded catcher
	if _, err := io.Copy(&encoded, req.Body); err != nil {
		return nil, err
	}
	replaced, err := replaceResource(e.replaced[:0], encoded, e.resource)
	e.replaced, e.body = replaced, replaced
	if e.compress {
		e.body = httpsend.Compress(nil, replaced)
	}
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, err
}

// A discard server takes every request and decodes none.
type discardServer struct {
	collogpb.UnimplementedLogsServiceServer
}

func (discardServer) Export(
	context.Context, *collogpb.ExportLogsServiceRequest,
) (*collogpb.ExportLogsServiceResponse, error) {
	return &collogpb.ExportLogsServiceResponse{}, nil
}

// discardCodec keeps the server's share of the measured time small.
type discardCodec struct{ encoding.CodecV2 }

func (discardCodec) Unmarshal(mem.BufferSlice, any) error { return nil }

func newDiscardGRPC(b *testing.B) string {
	b.Helper()
	l, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0")
	require.NoError(b, err)
	s := grpc.NewServer(grpc.ForceServerCodecV2(discardCodec{encoding.GetCodecV2("proto")}))
	collogpb.RegisterLogsServiceServer(s, discardServer{})
	go func() { _ = s.Serve(l) }()
	b.Cleanup(s.Stop)
	return "http://" + l.Addr().String()
}

func newDiscardHTTP(b *testing.B) string {
	b.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	b.Cleanup(s.Close)
	return s.URL + "/v1/logs"
}

func benchDeliver(b *testing.B, cfg Config) {
	b.Helper()
	events := benchEvents(512)
	s, err := cfg.Open()
	require.NoError(b, err)
	b.Cleanup(func() { _ = s.(*otlpSink).Close() })
	b.ReportAllocs()
	for b.Loop() {
		n, err := s.Deliver(b.Context(), events)
		if n != len(events) || err != nil {
			b.Fatal(n, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(events)), "ns/event")
}

func BenchmarkDeliverHTTP(b *testing.B) {
	endpoint := newDiscardHTTP(b)
	for _, compression := range []Compression{Gzip, None} {
		b.Run(string(compression), func(b *testing.B) {
			benchDeliver(b, Config{Endpoint: endpoint, Compression: compression})
		})
	}
}

func BenchmarkDeliverGRPC(b *testing.B) {
	endpoint := newDiscardGRPC(b)
	for _, compression := range []Compression{Gzip, None} {
		b.Run(string(compression), func(b *testing.B) {
			benchDeliver(b, Config{Endpoint: endpoint, Protocol: GRPC, Compression: compression})
		})
	}
}

// BenchmarkMarshal is the encoding of a request that the exporter has made, by the encoder and by package proto.
func BenchmarkMarshal(b *testing.B) {
	request := requestOf(b, benchEvents(512)...)
	b.Run("ours", func(b *testing.B) {
		var dst []byte
		b.ReportAllocs()
		for b.Loop() {
			dst, _ = encodeRequest(dst[:0], request)
		}
	})
	b.Run("proto", func(b *testing.B) {
		var dst []byte
		b.ReportAllocs()
		for b.Loop() {
			dst, _ = proto.MarshalOptions{}.MarshalAppend(dst[:0], request)
		}
	})
}
