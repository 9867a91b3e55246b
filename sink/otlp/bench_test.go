package otlp

import (
	"context"
	"log/slog"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	collogpb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"

	"github.com/auditstream/auditstream/sink"
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

func BenchmarkRecord(b *testing.B) {
	events := benchEvents(512)
	m := mapper{prototype: newPrototype()}
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		_, _ = m.record(&events[i%len(events)])
		i++
	}
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

func BenchmarkDeliverGRPC(b *testing.B) {
	endpoint := newDiscardGRPC(b)
	for _, compression := range []Compression{Gzip, None} {
		b.Run(string(compression), func(b *testing.B) {
			benchDeliver(b, Config{Endpoint: endpoint, Protocol: GRPC, Compression: compression})
		})
	}
}
