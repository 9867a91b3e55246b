package otlp

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/siemtest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// newServer starts a server, in memory unless it speaks TLS: a handshake that fails blocks on a pipe without a buffer.
func newServer(tb testing.TB, cfg siemtest.OTLPConfig) *siemtest.OTLP {
	tb.Helper()
	cfg.InMemory = !cfg.TLS
	srv, err := siemtest.NewOTLP(cfg)
	require.NoError(tb, err)
	tb.Cleanup(srv.Close)
	return srv
}

// configFor returns a Config that reaches the server.
func configFor(srv *siemtest.OTLP, p Protocol) Config {
	cfg := Config{Protocol: p, Endpoint: srv.URL(), Network: sink.Network{DialContext: srv.DialContext}}
	if p == GRPC {
		cfg.Endpoint = srv.GRPCURL()
	}
	return cfg
}

func open(tb testing.TB, cfg Config) *otlpSink {
	tb.Helper()
	s, err := cfg.Open()
	require.NoError(tb, err)
	o, ok := s.(*otlpSink)
	require.True(tb, ok)
	tb.Cleanup(func() { assert.NoError(tb, o.Close()) })
	return o
}

// protocols are both of them: whatever is not about one must hold for the other.
var protocols = []Protocol{HTTPProtobuf, GRPC}

// deliver sends one event and returns what Deliver did.
func deliver(ctx context.Context, s sink.Sink) (int, error) {
	return s.Deliver(ctx, []sink.Event{minimalEvent()})
}

// asError returns err as a *sink.Error.
func asError(tb testing.TB, err error) *sink.Error {
	tb.Helper()
	require.Error(tb, err)
	e, ok := errors.AsType[*sink.Error](err)
	require.Truef(tb, ok, "%T: %v", err, err)
	return e
}

// arrived returns the records that a server took, and the resource of the last request.
func arrived(srv *siemtest.OTLP) (records []*logspb.LogRecord, resource *resourcepb.Resource) {
	for _, export := range srv.Exports() {
		for _, rl := range export.GetResourceLogs() {
			resource = rl.GetResource()
			for _, sl := range rl.GetScopeLogs() {
				records = append(records, sl.GetLogRecords()...)
			}
		}
	}
	return records, resource
}

var eventTime = time.Date(2026, 3, 14, 15, 9, 26, 535_897_932, time.UTC)

func minimalEvent() sink.Event {
	return sink.Event{
		ID: "0195a3c2-7c1e-7d57-9d5b-000000000001", Time: eventTime, ObservedTime: eventTime,
		Action: "project.delete", Outcome: sink.OutcomeUnknown, Actor: sink.Actor{ID: "users-1"},
		Sequence: 1, StreamID: "0195a3c2-7c1e-7d57-9d5b-2f4f4c1c0a01",
	}
}

// fullEvent has every field and every kind of value.
func fullEvent() sink.Event {
	e := minimalEvent()
	e.ObservedTime = eventTime.Add(1234 * time.Microsecond)
	e.Outcome = sink.OutcomeSuccess
	e.Actor = sink.Actor{ID: "users-1", Type: sink.ActorUser, Name: "Ada"}
	e.Targets = []sink.Target{
		{ID: "projects-1", Type: "project", Name: "Payments"}, {ID: "environments-2", Type: "environment"}, {ID: "x"},
	}
	e.Source = sink.Source{Address: "2001:db8::1", UserAgent: "curl/8.5.0"}
	e.Message = "Ada deleted\nPayments\x00"
	e.Changes = []sink.Change{
		{Path: "name", Before: "Payments", After: nil},
		{Path: "members[3]", Before: nil, After: []slog.Attr{slog.String("role", "owner"), slog.Int64("since", 2024)}},
	}
	e.Attributes = []slog.Attr{
		slog.String("text", "värde"),
		slog.Bool("bool", true),
		slog.Int64("int", math.MinInt64),
		slog.Uint64("uint", 1<<63-1),
		slog.Uint64("large", math.MaxUint64),
		slog.Float64("float", 0.1),
		slog.String("nan", "NaN"),
		slog.Time("time", eventTime),
		slog.Duration("duration", 1500*time.Millisecond),
		slog.Any("nil", nil),
		slog.Any("bytes", []byte{0, 1, 0xff}),
		slog.Any("list", []any{
			nil, true, int64(-1), uint64(1), uint64(1 << 63), 2.5, "s", []byte("b"), eventTime, time.Second,
			[]any{},
			[]slog.Attr{slog.String("k", "v")},
			slog.StringValue("v"),
		}),
		{Key: "group", Value: slog.GroupValue(slog.String("b", "2"), slog.String("a", "1"), slog.Group("in", slog.Int("n", 1)))},
		slog.String("audit.actor.id", "somebody else"),
		slog.String("attribute.audit.actor.id", "somebody else again"),
	}
	e.TraceID = [16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	e.SpanID = [8]byte{1, 2, 3, 4, 5, 6, 7, 8}
	return e
}

// answerWith returns an HTTP answer with a type.
func answerWith(status int, mediaType, body string) siemtest.Answer {
	a := siemtest.Status(status, body)
	a.Header = http.Header{"Content-Type": {mediaType}}
	return a
}

// A handler collects errors.
type handler struct {
	mu   sync.Mutex
	text strings.Builder
}

// Handle implements the error handler of OpenTelemetry.
func (h *handler) Handle(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.text.WriteString(err.Error() + "\n")
}

func (h *handler) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.String()
}

// testPair returns the certificate that package httptest uses.
func testPair(tb testing.TB) tls.Certificate {
	tb.Helper()
	srv := httptest.NewUnstartedServer(nil)
	srv.StartTLS()
	srv.Close()
	return srv.TLS.Certificates[0]
}
