package siemtest_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	collogspb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/siemtest"
)

func newOTLP(t *testing.T, cfg siemtest.OTLPConfig) *siemtest.OTLP {
	t.Helper()
	s, err := siemtest.NewOTLP(cfg)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

func str(s string) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: s}}
}

// exportOf returns a request with a record for each ID.
func exportOf(ids ...string) *collogspb.ExportLogsServiceRequest {
	scope := &logspb.ScopeLogs{Scope: &commonpb.InstrumentationScope{Name: "scope"}}
	for i, id := range ids {
		scope.LogRecords = append(scope.LogRecords, &logspb.LogRecord{
			TimeUnixNano: 5, ObservedTimeUnixNano: 6, EventName: "project.delete", Body: str("message"),
			TraceId: []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
			Attributes: []*commonpb.KeyValue{
				{Key: "audit.record.id", Value: str(id)},
				{Key: "audit.source.id", Value: str("stream")},
				{Key: "audit.sequence.number", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: int64(i + 1)}}},
			},
		})
	}
	return &collogspb.ExportLogsServiceRequest{ResourceLogs: []*logspb.ResourceLogs{{
		Resource:  &resourcepb.Resource{Attributes: []*commonpb.KeyValue{{Key: "service.name", Value: str("svc")}}},
		ScopeLogs: []*logspb.ScopeLogs{scope},
	}}}
}

// otlpPost returns a request over HTTP.
func otlpPost(t *testing.T, s *siemtest.OTLP, m proto.Message) request {
	t.Helper()
	b, err := proto.Marshal(m)
	require.NoError(t, err)
	return request{
		method: http.MethodPost, url: s.URL(), body: string(b),
		header: map[string]string{"Content-Type": "application/x-protobuf"},
	}
}

// newGRPC returns a client of the service that ends with the test.
func newGRPC(t *testing.T, s *siemtest.OTLP, options ...grpc.DialOption) collogspb.LogsServiceClient {
	t.Helper()
	options = append([]grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			return s.DialContext(ctx, "tcp", address)
		}),
	}, options...)
	_, address, _ := strings.Cut(s.GRPCURL(), "://")
	conn, err := grpc.NewClient("passthrough:///"+address, options...)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, conn.Close()) })
	return collogspb.NewLogsServiceClient(conn)
}

func TestOTLPTakesRecordsOverHTTP(t *testing.T) {
	t.Parallel()
	s := newOTLP(t, siemtest.OTLPConfig{})
	c := newClient(t, s)
	for _, encoding := range []string{"", "gzip"} {
		s.Clear()
		r := otlpPost(t, s, exportOf("a", "b"))
		if encoding != "" {
			r.body = gzipped(t, r.body)
			r.header["Content-Encoding"] = encoding
		}
		resp := r.send(t, c)
		assert.Equal(t, http.StatusOK, resp.status)
		assert.Equal(t, "application/x-protobuf", resp.header.Get("Content-Type"))
		var answer collogspb.ExportLogsServiceResponse
		require.NoError(t, proto.Unmarshal([]byte(resp.body), &answer))
		assert.Nil(t, answer.GetPartialSuccess())
		assertTaken(t, s)
		assert.Equal(t, "/v1/logs", s.Requests()[0].Path)
		assert.Len(t, s.Exports(), 1, "Clear forgets the others")
	}
}

func assertTaken(t *testing.T, s *siemtest.OTLP) {
	t.Helper()
	require.Equal(t, []string{"a", "b"}, s.IDs())
	got := s.Events()[1]
	assert.Equal(t, uint64(2), got.Sequence)
	assert.Equal(t, "stream", got.StreamID)
	assert.Equal(t, "project.delete", got.Action)
	assert.Equal(t, map[string]any{
		"audit.record.id": "b", "audit.source.id": "stream", "audit.sequence.number": int64(2),
	}, got.Document)
	assert.Equal(t, map[string]any{
		"resource": map[string]any{"service.name": "svc"}, "scope": map[string]any{"name": "scope", "version": ""},
		"eventName": "project.delete", "body": "message", "time": uint64(5), "observedTime": uint64(6),
		"traceId": "0102030405060708090a0b0c0d0e0f10", "spanId": "",
	}, got.Metadata)
	assert.Equal(t, "project.delete", got.Record.GetEventName())
	assert.Equal(t, 2, s.Requests()[0].Events)
}

func TestOTLPTakesRecordsOverGRPC(t *testing.T) {
	t.Parallel()
	s := newOTLP(t, siemtest.OTLPConfig{})
	c := newGRPC(t, s)
	for _, options := range [][]grpc.CallOption{nil, {grpc.UseCompressor(gzip.Name)}} {
		s.Clear()
		ctx := metadata.AppendToOutgoingContext(t.Context(), "x-api-key", "s3cr3t")
		answer, err := c.Export(ctx, exportOf("a", "b"), options...)
		require.NoError(t, err)
		assert.Nil(t, answer.GetPartialSuccess())
		assertTaken(t, s)
		req := s.Requests()[0]
		assert.Equal(t, "gRPC", req.Protocol)
		assert.Equal(t, "/opentelemetry.proto.collector.logs.v1.LogsService/Export", req.Path)
		assert.Equal(t, "s3cr3t", req.Sent("X-Api-Key"))
		assert.Empty(t, req.Sent("other"))
		assertHidden(t, fmt.Sprintf("%+v %#v", req, req), "s3cr3t")
		assert.Equal(t, proto.Size(exportOf("a", "b")), req.Bytes)
		if options == nil {
			assert.Equal(t, req.Bytes, req.WireBytes)
		} else {
			assert.Equal(t, "gzip", req.Header.Get("Grpc-Encoding"))
			assert.NotEqual(t, req.Bytes, req.WireBytes)
		}
	}
}

func TestOTLPReadsEveryKindOfValue(t *testing.T) {
	t.Parallel()
	values := map[string]*commonpb.AnyValue{
		"s": str("x"),
		"b": {Value: &commonpb.AnyValue_BoolValue{BoolValue: true}},
		"i": {Value: &commonpb.AnyValue_IntValue{IntValue: -1}},
		"d": {Value: &commonpb.AnyValue_DoubleValue{DoubleValue: 1.5}},
		"y": {Value: &commonpb.AnyValue_BytesValue{BytesValue: []byte{1}}},
		"n": nil,
		"a": {Value: &commonpb.AnyValue_ArrayValue{ArrayValue: &commonpb.ArrayValue{Values: []*commonpb.AnyValue{str("e")}}}},
		"m": {Value: &commonpb.AnyValue_KvlistValue{KvlistValue: &commonpb.KeyValueList{
			Values: []*commonpb.KeyValue{{Key: "k", Value: str("v")}},
		}}},
	}
	export := exportOf("a")
	record := export.GetResourceLogs()[0].GetScopeLogs()[0].GetLogRecords()[0]
	record.SeverityNumber, record.SeverityText, record.Attributes = 9, "INFO", nil
	for k, v := range values {
		record.Attributes = append(record.Attributes, &commonpb.KeyValue{Key: k, Value: v})
	}
	s := newOTLP(t, siemtest.OTLPConfig{InMemory: true})
	otlpPost(t, s, export).send(t, newClient(t, s))
	require.Len(t, s.Events(), 1)
	assert.Equal(t, map[string]any{
		"s": "x", "b": true, "i": int64(-1), "d": 1.5, "y": []byte{1}, "n": nil, "a": []any{"e"}, "m": map[string]any{"k": "v"},
	}, s.Events()[0].Document)
	assert.Equal(t, int64(9), s.Events()[0].Metadata["severityNumber"])
	assert.Equal(t, "INFO", s.Events()[0].Metadata["severityText"])
	assert.Equal(t, "project.delete", s.Events()[0].Action, "falls back to the name of the event")
}

func TestOTLPRefusesBadRequestsOverHTTP(t *testing.T) {
	t.Parallel()
	s := newOTLP(t, siemtest.OTLPConfig{
		InMemory: true, Path: "/s3cr3t/v1/logs", MaxBody: 1000, Headers: map[string]string{"X-Api-Key": "k3y"},
	})
	s.RejectIf(func(r siemtest.Received) bool { return r.ID == "poison" })
	tests := map[string]struct {
		change func(r *request)
		status int
	}{
		"good":          {func(*request) {}, 200},
		"other path":    {func(r *request) { r.url = strings.Replace(r.url, "s3cr3t", "other", 1) }, 404},
		"no header":     {func(r *request) { delete(r.header, "X-Api-Key") }, 401},
		"wrong header":  {func(r *request) { r.header["X-Api-Key"] = "other" }, 401},
		"wrong method":  {func(r *request) { r.method = http.MethodPut }, 405},
		"JSON":          {func(r *request) { r.header["Content-Type"] = "application/json" }, 415},
		"too large":     {func(r *request) { r.body = strings.Repeat("x", 1001) }, 413},
		"broken gzip":   {func(r *request) { r.header["Content-Encoding"] = "gzip" }, 400},
		"not protobuf":  {func(r *request) { r.body = "text" }, 400},
		"poison in it":  {func(r *request) { r.body = otlpPost(t, s, exportOf("a", "poison")).body }, 400},
		"nothing in it": {func(r *request) { r.body = "" }, 200},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s.Clear()
			s.RejectIf(func(r siemtest.Received) bool { return r.ID == "poison" })
			r := otlpPost(t, s, exportOf("a"))
			r.header["X-Api-Key"] = "k3y"
			test.change(&r)
			resp := r.send(t, newClient(t, s))
			assert.Equal(t, test.status, resp.status)
			if test.status != http.StatusOK {
				assert.Empty(t, s.Events())
				var fault spb.Status
				require.NoError(t, proto.Unmarshal([]byte(resp.body), &fault))
				assert.NotEmpty(t, fault.GetMessage())
			}
			assertHidden(t, fmt.Sprintf("%+v", s.Requests()), "s3cr3t")
			assertHidden(t, fmt.Sprintf("%+v", s.Requests()), "k3y")
		})
	}
}

func TestOTLPRefusesBadRequestsOverGRPC(t *testing.T) {
	t.Parallel()
	s := newOTLP(t, siemtest.OTLPConfig{InMemory: true, MaxMessage: 1000})
	c := newGRPC(t, s)
	s.SetToken("t0k3n")
	_, err := c.Export(t.Context(), exportOf("a"))
	assert.Equal(t, codes.Unauthenticated, status.Code(err))
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer t0k3n")
	_, err = c.Export(ctx, exportOf("a"))
	require.NoError(t, err)
	s.SetHeaders(nil)
	_, err = c.Export(t.Context(), exportOf(strings.Repeat("x", 1000)))
	assert.Equal(t, codes.ResourceExhausted, status.Code(err))
	s.RejectIf(func(r siemtest.Received) bool { return r.ID == "poison" })
	_, err = c.Export(t.Context(), exportOf("a", "poison"))
	assert.Equal(t, codes.InvalidArgument, status.Code(err))
	assert.Equal(t, []string{"a"}, s.IDs())
	assert.Equal(t, int(codes.Unauthenticated), s.Requests()[0].Status)
}

func TestOTLPTakesAPart(t *testing.T) {
	t.Parallel()
	s := newOTLP(t, siemtest.OTLPConfig{InMemory: true})
	hc, gc := newClient(t, s), newGRPC(t, s)
	overHTTP := func() *collogspb.ExportLogsPartialSuccess {
		var answer collogspb.ExportLogsServiceResponse
		require.NoError(t, proto.Unmarshal([]byte(otlpPost(t, s, exportOf("a", "b")).send(t, hc).body), &answer))
		return answer.GetPartialSuccess()
	}
	overGRPC := func() *collogspb.ExportLogsPartialSuccess {
		answer, err := gc.Export(t.Context(), exportOf("a", "b"))
		require.NoError(t, err)
		return answer.GetPartialSuccess()
	}
	for name, export := range map[string]func() *collogspb.ExportLogsPartialSuccess{"HTTP": overHTTP, "gRPC": overGRPC} {
		t.Run(name, func(t *testing.T) {
			s.Clear()
			s.PartialIf(func(r siemtest.Received) bool { return r.ID == "b" })
			assert.Equal(t, int64(1), export().GetRejectedLogRecords())
			assert.Equal(t, []string{"a"}, s.IDs())
			s.PartialIf(nil)

			a := siemtest.PartialSuccess(0, "a warning")
			a.Accept = true
			s.Respond(siemtest.PartialSuccess(7, "too old"), a)
			got := export()
			assert.Equal(t, int64(7), got.GetRejectedLogRecords())
			assert.Equal(t, "too old", got.GetErrorMessage())
			assert.Len(t, s.Events(), 1)
			assert.Equal(t, "a warning", export().GetErrorMessage())
			assert.Len(t, s.Events(), 3)
		})
	}
}

func TestOTLPScriptOverGRPC(t *testing.T) {
	t.Parallel()
	s := newOTLP(t, siemtest.OTLPConfig{InMemory: true})
	c := newGRPC(t, s)
	tests := map[string]struct {
		answer siemtest.Answer
		code   codes.Code
	}{
		"code":            {siemtest.GRPC(codes.DataLoss, "lost"), codes.DataLoss},
		"throttled":       {siemtest.Throttle(3 * time.Second), codes.ResourceExhausted},
		"HTTP status":     {siemtest.Status(http.StatusServiceUnavailable, ""), codes.Unavailable},
		"odd HTTP status": {siemtest.Status(http.StatusTeapot, ""), codes.Unknown},
		"login page":      {siemtest.LoginPage(), codes.Unknown},
		"redirect":        {siemtest.Redirect(http.StatusFound, "https://x.example"), codes.Unknown},
		"dropped":         {siemtest.Drop(), codes.Unavailable},
		"reset":           {siemtest.Reset(), codes.Unavailable},
		"cut":             {siemtest.Cut(http.StatusOK, "x"), codes.Unavailable},
		"nonsense":        {siemtest.Answer{Header: http.Header{"Content-Type": {"application/x-protobuf"}}, Body: "x"}, codes.Internal},
		"nothing":         {siemtest.Answer{}, codes.OK},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s.Respond(test.answer)
			_, err := c.Export(t.Context(), exportOf("a"), grpc.WaitForReady(true))
			assert.Equal(t, test.code, status.Code(err), "%v", err)
			if name == "throttled" {
				require.Len(t, status.Convert(err).Details(), 1)
				assert.Equal(t, int64(3), status.Convert(err).Details()[0].(*errdetails.RetryInfo).GetRetryDelay().GetSeconds())
			}
			assert.Empty(t, s.Events())
		})
	}
}

func TestOTLPCodesOverHTTP(t *testing.T) {
	t.Parallel()
	s := newOTLP(t, siemtest.OTLPConfig{InMemory: true})
	c := newClient(t, s)
	for code, want := range map[codes.Code]int{
		codes.Unavailable: http.StatusServiceUnavailable, codes.Unauthenticated: http.StatusUnauthorized,
		codes.DataLoss: http.StatusInternalServerError,
	} {
		s.Respond(siemtest.GRPC(code, "message"))
		assert.Equal(t, want, otlpPost(t, s, exportOf("a")).send(t, c).status)
	}
}

func TestOTLPHangsOverGRPC(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newOTLP(t, siemtest.OTLPConfig{InMemory: true})
		c := newGRPC(t, s)
		s.Respond(siemtest.Hang(), siemtest.HangUnread())
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := c.Export(ctx, exportOf("a"))
		assert.Equal(t, codes.DeadlineExceeded, status.Code(err))

		var wg sync.WaitGroup
		wg.Go(func() { _, err = c.Export(t.Context(), exportOf("a")) })
		synctest.Wait()
		require.NoError(t, s.SetOutage(true))
		wg.Wait()
		require.Error(t, err)
		_, err = c.Export(t.Context(), exportOf("a"))
		assert.Equal(t, codes.Unavailable, status.Code(err))
		require.NoError(t, s.SetOutage(false))
		_, err = c.Export(t.Context(), exportOf("a"), grpc.WaitForReady(true))
		require.NoError(t, err)
		assert.Len(t, s.Events(), 1)
	})
}

// TestOTLPClosesOnSilentClients has a client that connects and says nothing. The server does not wait for it.
func TestOTLPClosesOnSilentClients(t *testing.T) {
	t.Parallel()
	for _, useTLS := range []bool{false, true} {
		t.Run(fmt.Sprintf("TLS %t", useTLS), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newOTLP(t, siemtest.OTLPConfig{InMemory: true, TLS: useTLS})
				c, err := s.DialContext(t.Context(), "tcp", "127.0.0.1:4317")
				require.NoError(t, err)
				defer c.Close()
				synctest.Wait()
				begun := time.Now()
				s.Close()
				assert.Zero(t, time.Since(begun))
			})
		})
	}
}

func TestOTLPOverTLS(t *testing.T) {
	t.Parallel()
	s := newOTLP(t, siemtest.OTLPConfig{TLS: true})
	assert.True(t, strings.HasPrefix(s.GRPCURL(), "https://127.0.0.1:"))
	assert.True(t, strings.HasPrefix(s.URL(), "https://127.0.0.1:"))
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM([]byte(s.CertPEM())))
	c := newGRPC(t, s, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: roots})))
	_, err := c.Export(t.Context(), exportOf("a"))
	require.NoError(t, err)
	s.Respond(siemtest.Reset())
	_, err = c.Export(t.Context(), exportOf("b"))
	require.Error(t, err)
	assert.Equal(t, []string{"a"}, s.IDs())
}

func TestOTLPConfigIsChecked(t *testing.T) {
	t.Parallel()
	for field, cfg := range map[string]siemtest.OTLPConfig{
		"siemtest: OTLPConfig.MaxBody":    {MaxBody: -1},
		"siemtest: OTLPConfig.MaxMessage": {MaxMessage: -1},
		"siemtest: OTLPConfig.Path":       {Path: "s3cr3t"},
	} {
		_, err := siemtest.NewOTLP(cfg)
		var bad *sink.ConfigError
		require.ErrorAs(t, err, &bad)
		assert.Equal(t, field, bad.Field)
		assertHidden(t, err.Error(), "s3cr3t")
	}
}
