package otlp

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	collogpb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/siemtest"
)

func TestGRPCCodes(t *testing.T) {
	tests := []struct {
		code    codes.Code
		verdict sink.Verdict
		name    string
	}{
		{codes.Canceled, sink.VerdictRetry, "CANCELLED"},
		{codes.Unknown, sink.VerdictRetry, "UNKNOWN"},
		{codes.InvalidArgument, sink.VerdictSplit, "INVALID_ARGUMENT"},
		{codes.DeadlineExceeded, sink.VerdictRetry, "DEADLINE_EXCEEDED"},
		{codes.NotFound, sink.VerdictBlock, "NOT_FOUND"},
		{codes.AlreadyExists, sink.VerdictRetry, "ALREADY_EXISTS"},
		{codes.PermissionDenied, sink.VerdictBlock, "PERMISSION_DENIED"},
		{codes.ResourceExhausted, sink.VerdictBlock, "RESOURCE_EXHAUSTED"},
		{codes.FailedPrecondition, sink.VerdictRetry, "FAILED_PRECONDITION"},
		{codes.Aborted, sink.VerdictRetry, "ABORTED"},
		{codes.OutOfRange, sink.VerdictRetry, "OUT_OF_RANGE"},
		{codes.Unimplemented, sink.VerdictBlock, "UNIMPLEMENTED"},
		{codes.Internal, sink.VerdictRetry, "INTERNAL"},
		{codes.Unavailable, sink.VerdictRetry, "UNAVAILABLE"},
		{codes.DataLoss, sink.VerdictRetry, "DATA_LOSS"},
		{codes.Unauthenticated, sink.VerdictBlock, "UNAUTHENTICATED"},
		{codes.Code(77), sink.VerdictRetry, "code 77"},
	}
	var tested []codes.Code
	for _, tt := range tests {
		tested = append(tested, tt.code)
		t.Run(tt.name, func(t *testing.T) {
			srv := newServer(t, siemtest.OTLPConfig{})
			srv.Respond(siemtest.GRPC(tt.code, "no\nway"))
			s := open(t, configFor(srv, GRPC))
			n, err := deliver(t.Context(), s)
			e := asError(t, err)
			assert.Zero(t, n)
			assert.Equal(t, tt.verdict, e.Verdict)
			assert.Equal(t, tt.name, e.Code)
			assert.Equal(t, "otlp: gRPC "+tt.name+`: "noway"`, e.Error())
			assert.NotEmpty(t, e.Remedy)
			assert.Len(t, srv.Requests(), 1, "a driver makes one attempt")
			n, err = deliver(t.Context(), s)
			require.NoError(t, err)
			assert.Equal(t, 1, n)
		})
	}
	for code := range outcomes {
		assert.Contains(t, tested, code)
	}
	assert.Len(t, outcomes, 16, "every code but OK")
}

func TestGRPCRetryInfo(t *testing.T) {
	withInfo := func(code codes.Code, d *durationpb.Duration) *status.Status {
		st, err := status.New(code, "").WithDetails(&errdetails.DebugInfo{}, &errdetails.RetryInfo{RetryDelay: d})
		require.NoError(t, err)
		return st
	}
	tests := []struct {
		name    string
		status  *status.Status
		verdict sink.Verdict
		after   time.Duration
	}{
		{"exhausted", withInfo(codes.ResourceExhausted, durationpb.New(7*time.Second)), sink.VerdictRetry, 7 * time.Second},
		{"exhausted, zero", withInfo(codes.ResourceExhausted, nil), sink.VerdictRetry, 0},
		{"exhausted, long", withInfo(codes.ResourceExhausted, &durationpb.Duration{Seconds: 1 << 62}), sink.VerdictRetry, 5 * time.Minute},
		{"exhausted, negative", withInfo(codes.ResourceExhausted, durationpb.New(-time.Hour)), sink.VerdictRetry, 0},
		{"unavailable", withInfo(codes.Unavailable, durationpb.New(time.Minute)), sink.VerdictRetry, time.Minute},
		{"unauthenticated", withInfo(codes.Unauthenticated, durationpb.New(time.Minute)), sink.VerdictBlock, time.Minute},
		{"invalid", withInfo(codes.InvalidArgument, durationpb.New(time.Minute)), sink.VerdictSplit, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := classifyStatus(tt.status, nil)
			assert.Equal(t, tt.verdict, e.Verdict)
			assert.Equal(t, tt.after, e.After)
		})
	}
	t.Run("over the wire", func(t *testing.T) {
		srv := newServer(t, siemtest.OTLPConfig{})
		srv.Respond(siemtest.Throttle(11 * time.Second))
		_, err := deliver(t.Context(), open(t, configFor(srv, GRPC)))
		e := asError(t, err)
		assert.Equal(t, sink.VerdictRetry, e.Verdict)
		assert.Equal(t, 11*time.Second, e.After)
	})
}

func TestGRPCMessageTooLarge(t *testing.T) {
	for _, tt := range []struct {
		code codes.Code
		text string
	}{
		{codes.ResourceExhausted, "grpc: received message larger than max (5242890 vs. 4194304)"},
		{codes.ResourceExhausted, "grpc: message after decompression larger than max (5242890 vs. 4194304)"},
		{codes.ResourceExhausted, "gRPC message exceeds maximum size 4194304: 5242890"},
		{codes.ResourceExhausted, "CLIENT: Received message larger than max (5242890 vs. 4194304)"},
		{codes.ResourceExhausted, "Received message exceeds the maximum configured message size."},
		{codes.OutOfRange, "Error, decoded message length too large: found 5242890 bytes, the limit is: 4194304 bytes"},
	} {
		e := classifyStatus(status.New(tt.code, tt.text), nil)
		assert.Equal(t, sink.VerdictSplit, e.Verdict, tt.text)
	}
	srv := newServer(t, siemtest.OTLPConfig{MaxMessage: 10_000})
	n, err := open(t, configFor(srv, GRPC)).Deliver(t.Context(), benchEvents(100))
	assert.Zero(t, n)
	assert.Equal(t, sink.VerdictSplit, asError(t, err).Verdict)
}

// TestGRPCAnswerTooLarge has the server take the request and say more about it than is read: that is no refusal, and
// must not be taken for a request that is too large.
func TestGRPCAnswerTooLarge(t *testing.T) {
	srv := newServer(t, siemtest.OTLPConfig{})
	srv.Respond(siemtest.PartialSuccess(1, strings.Repeat("x", 100_000)))
	n, err := deliver(t.Context(), open(t, configFor(srv, GRPC)))
	require.NoError(t, err)
	assert.Equal(t, 1, n)
}

func TestGRPCPartialSuccess(t *testing.T) {
	tests := []struct{ rejected, want int64 }{{2, 2}, {99, 5}, {-1, 0}, {0, 0}}
	for _, tt := range tests {
		t.Run(strconv.FormatInt(tt.rejected, 10), func(t *testing.T) {
			srv := newServer(t, siemtest.OTLPConfig{})
			srv.Respond(siemtest.PartialSuccess(tt.rejected, "bad names"))
			n, err := open(t, configFor(srv, GRPC)).Deliver(t.Context(), benchEvents(5))
			assert.Equal(t, 5, n)
			if tt.want == 0 {
				require.NoError(t, err)
				return
			}
			e := asError(t, err)
			assert.Equal(t, sink.VerdictReject, e.Verdict)
			assert.Equal(t, int(tt.want), e.Count)
		})
	}
}

func TestGRPCRequest(t *testing.T) {
	for _, tt := range []struct {
		compression Compression
		encoding    string
	}{{"", "gzip"}, {Gzip, "gzip"}, {None, ""}} {
		t.Run(string(tt.compression), func(t *testing.T) {
			srv := newServer(t, siemtest.OTLPConfig{})
			cfg := configFor(srv, GRPC)
			cfg.Endpoint += "/"
			cfg.Compression = tt.compression
			cfg.Secret = secret.New("tøken")
			cfg.Headers = sink.Headers{"Authorization": "Bearer #{Secret | ToBase64}", "X-Tenant": "blue"}
			// Metadata that a host has put into its context for calls of its own.
			ctx := metadata.AppendToOutgoingContext(t.Context(), "x-host-secret", "host", "x-tenant", "host")
			_, err := open(t, cfg).Deliver(ctx, benchEvents(20))
			require.NoError(t, err)
			r := srv.Requests()[0]
			assert.Equal(t, "Bearer dMO4a2Vu", r.Sent("authorization"))
			assert.Equal(t, "blue", r.Sent("x-tenant"))
			assert.Empty(t, r.Sent("x-host-secret"))
			assert.True(t, strings.HasPrefix(r.Sent("User-Agent"), "auditstream "))
			assert.Equal(t, tt.encoding, r.Header.Get("Grpc-Encoding"))
			names := slices.Sorted(maps.Keys(r.Header))
			for _, n := range names {
				assert.NotContains(t, n, "Host-Secret")
			}
		})
	}
}

// TestGRPCAtAWebServer sends to servers that speak HTTP/2 but not gRPC.
func TestGRPCAtAWebServer(t *testing.T) {
	tests := []struct {
		status  int
		verdict sink.Verdict
	}{
		{200, sink.VerdictBlock},
		{302, sink.VerdictBlock},
		{400, sink.VerdictBlock},
		{401, sink.VerdictBlock},
		{404, sink.VerdictBlock},
		{408, sink.VerdictRetry},
		{413, sink.VerdictSplit},
		{422, sink.VerdictBlock},
		{425, sink.VerdictRetry},
		{429, sink.VerdictRetry},
		{500, sink.VerdictRetry},
		{503, sink.VerdictRetry},
	}
	for _, tt := range tests {
		t.Run(strconv.Itoa(tt.status), func(t *testing.T) {
			srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/html")
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte("<html>raw body</html>"))
			}))
			srv.Config.Protocols = new(http.Protocols)
			srv.Config.Protocols.SetUnencryptedHTTP2(true)
			srv.Start()
			t.Cleanup(srv.Close)
			_, err := deliver(t.Context(), open(t, Config{Protocol: GRPC, Endpoint: srv.URL}))
			e := asError(t, err)
			assert.Equal(t, tt.verdict, e.Verdict)
			assert.NotContains(t, e.Error(), "raw body")
		})
	}
	t.Run("odd status line", func(t *testing.T) {
		for _, rest := range []string{"", "x", "abc"} {
			_, ok := httpStatus(status.New(codes.Unknown, "unexpected HTTP status code received from server: "+rest))
			assert.False(t, ok)
		}
	})
}

// TestGRPCConnectionsAreKept checks which answers show that a connection is good: a handshake for each half of a batch
// that is being split would be waste. After the others a balancer may give the next attempt another server.
func TestGRPCConnectionsAreKept(t *testing.T) {
	for name, tt := range map[string]struct {
		answer siemtest.Answer
		kept   bool
	}{
		"taken":          {siemtest.Answer{Accept: true}, true},
		"taken in part":  {siemtest.PartialSuccess(1, ""), true},
		"refused":        {siemtest.GRPC(codes.InvalidArgument, ""), true},
		"too large":      {siemtest.GRPC(codes.ResourceExhausted, "grpc: received message larger than max (2 vs. 1)"), true},
		"unavailable":    {siemtest.GRPC(codes.Unavailable, ""), false},
		"throttled":      {siemtest.Throttle(time.Second), false},
		"wrong password": {siemtest.GRPC(codes.Unauthenticated, ""), false},
	} {
		t.Run(name, func(t *testing.T) {
			srv := newServer(t, siemtest.OTLPConfig{})
			srv.Respond(tt.answer)
			s := open(t, configFor(srv, GRPC))
			_, _ = deliver(t.Context(), s)
			_, err := deliver(t.Context(), s)
			require.NoError(t, err)
			assert.Equal(t, tt.kept, srv.Connections() == 1)
		})
	}
}

// TestGRPCHeadersAreBounded has a server answer with more words than are read. What they say is then not known.
func TestGRPCHeadersAreBounded(t *testing.T) {
	srv := newServer(t, siemtest.OTLPConfig{})
	srv.Respond(siemtest.GRPC(codes.Unauthenticated, strings.Repeat("x", maxGRPCHeader)))
	_, err := deliver(t.Context(), open(t, configFor(srv, GRPC)))
	e := asError(t, err)
	assert.Equal(t, sink.VerdictRetry, e.Verdict)
	assert.Less(t, len(e.Error()), 500)
}

// rawCodec sends and receives bytes as they are.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*[]byte))}, nil
}

func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}

// TestGRPCAnswerOfGarbage has a server take the request and answer with what is no message: that is no failure.
func TestGRPCAnswerOfGarbage(t *testing.T) {
	srv := grpc.NewServer(grpc.ForceServerCodecV2(rawCodec{}), grpc.UnknownServiceHandler(func(_ any, s grpc.ServerStream) error {
		var request []byte
		if err := s.RecvMsg(&request); err != nil {
			return err
		}
		garbage := []byte("\xff\xff")
		return s.SendMsg(&garbage)
	}))
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(srv.Stop)
	n, err := deliver(t.Context(), open(t, Config{Protocol: GRPC, Endpoint: "http://" + l.Addr().String()}))
	require.NoError(t, err)
	assert.Equal(t, 1, n)
}

// TestGRPCCompressionRefused has the words of servers that were built without gzip.
func TestGRPCCompressionRefused(t *testing.T) {
	for _, text := range []string{
		`grpc: Decompressor is not installed for grpc-encoding "gzip"`, // Go
		"Compression algorithm 'gzip' not enabled",                     // C++
		"Can't find decompressor for gzip",                             // Java
		"Content is compressed with `gzip` which isn't supported",      // Rust
	} {
		e := classifyStatus(status.New(codes.Unimplemented, text), nil)
		assert.Equal(t, sink.VerdictBlock, e.Verdict, text)
		assert.Contains(t, e.Remedy, `set Compression to "none"`, text)
	}
}

func TestGRPCInterceptorIsHandedSomethingElse(t *testing.T) {
	g := new(grpcWire)
	err := g.call(t.Context(), new(link), new(attempt), "text", nil, nil)
	assert.Equal(t, sink.VerdictBlock, asError(t, err).Verdict)

	g.metadata = func() metadata.MD { return nil }
	err = g.call(t.Context(), new(link), new(attempt), new(collogpb.ExportLogsServiceRequest), "text",
		func(context.Context) error { return nil })
	require.NoError(t, err)
}

// TestAnswerCodec checks that an answer which is no protobuf is no failure: the server has taken the request.
func TestAnswerCodec(t *testing.T) {
	answer := &collogpb.ExportLogsServiceResponse{PartialSuccess: &collogpb.ExportLogsPartialSuccess{RejectedLogRecords: 1}}
	codec := newCodec()
	good, err := codec.Marshal(answer)
	require.NoError(t, err)
	var got collogpb.ExportLogsServiceResponse
	require.NoError(t, codec.Unmarshal(good, &got))
	assert.True(t, proto.Equal(answer, &got))
	require.NoError(t, codec.Unmarshal(mem.BufferSlice{mem.SliceBuffer("\xff\xff")}, &got))
	assert.True(t, proto.Equal(new(collogpb.ExportLogsServiceResponse), &got))
	require.NoError(t, codec.Unmarshal(append(slices.Clip(good), mem.SliceBuffer("\xff\xff")), &got))
	assert.True(t, proto.Equal(new(collogpb.ExportLogsServiceResponse), &got), "half an answer is none")
	require.Error(t, codec.Unmarshal(good, new(int)), "what is not a message is a fault of ours")
}

func TestEnded(t *testing.T) {
	past, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	future, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	require.ErrorIs(t, ended(past, codes.Canceled), context.DeadlineExceeded)
	require.NoError(t, ended(past, codes.Unavailable))
	require.NoError(t, ended(future, codes.Canceled))
	require.NoError(t, ended(t.Context(), codes.DeadlineExceeded))
	cancel()
	require.ErrorIs(t, ended(future, codes.Canceled), context.Canceled)
}

func TestWatchedCredentialsClone(t *testing.T) {
	l := new(link)
	c, ok := watchedCredentials{insecure.NewCredentials(), l}.Clone().(watchedCredentials)
	require.True(t, ok)
	assert.Same(t, l, c.link)
}

// TestNotEncodable checks that what cannot be encoded is split until it stands alone, and does not stop the stream. No
// snapshot holds such text.
func TestNotEncodable(t *testing.T) {
	for _, p := range protocols {
		t.Run(string(p), func(t *testing.T) {
			srv := newServer(t, siemtest.OTLPConfig{})
			e := minimalEvent()
			e.Message = "\xff"
			n, err := open(t, configFor(srv, p)).Deliver(t.Context(), []sink.Event{e})
			assert.Zero(t, n)
			assert.Equal(t, sink.VerdictSplit, asError(t, err).Verdict)
			require.ErrorIs(t, err, errEncode)
		})
	}
}

func TestConnectionRefused(t *testing.T) {
	for _, p := range protocols {
		t.Run(string(p), func(t *testing.T) {
			srv := newServer(t, siemtest.OTLPConfig{})
			s := open(t, configFor(srv, p))
			require.NoError(t, srv.SetOutage(true))
			for range 3 {
				n, err := deliver(t.Context(), s)
				assert.Zero(t, n)
				assert.Equal(t, sink.VerdictRetry, asError(t, err).Verdict)
			}
			require.NoError(t, srv.SetOutage(false))
			n, err := deliver(t.Context(), s)
			require.NoError(t, err, "the first attempt after the outage dials")
			assert.Equal(t, 1, n)
		})
	}
}

func TestDNSFailure(t *testing.T) {
	for _, p := range protocols {
		t.Run(string(p), func(t *testing.T) {
			srv := newServer(t, siemtest.OTLPConfig{})
			cfg := configFor(srv, p)
			dials := 0
			cfg.Network.DialContext = func(context.Context, string, string) (net.Conn, error) {
				dials++
				return nil, &net.DNSError{Err: "no such host", Name: "collector.example", IsNotFound: true}
			}
			s := open(t, cfg)
			for i := range 3 {
				_, err := deliver(t.Context(), s)
				assert.Equal(t, sink.VerdictRetry, asError(t, err).Verdict)
				assert.Equal(t, i+1, dials, "each attempt asks DNS once")
			}
		})
	}
}

func TestCertificates(t *testing.T) {
	tests := []struct {
		name   string
		change func(t *testing.T, cfg *Config, srv *siemtest.OTLP)
		ok     bool
	}{
		{"unknown authority", func(*testing.T, *Config, *siemtest.OTLP) {}, false},
		{"known authority", func(_ *testing.T, c *Config, s *siemtest.OTLP) { c.TLS.RootCAs = s.CertPEM() }, true},
		{"pinned", func(_ *testing.T, c *Config, s *siemtest.OTLP) { c.TLS.PinSHA256 = s.Fingerprint() }, true},
		{"pinned to another", func(_ *testing.T, c *Config, _ *siemtest.OTLP) {
			c.TLS.PinSHA256 = strings.Repeat("ab", 32)
		}, false},
		{"wrong name", func(_ *testing.T, c *Config, s *siemtest.OTLP) {
			c.TLS.RootCAs = s.CertPEM()
			address := strings.TrimSuffix(strings.TrimPrefix(c.Endpoint, "https://"), "/v1/logs")
			c.Endpoint = strings.Replace(c.Endpoint, "127.0.0.1", "other.example", 1)
			c.Network.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
				return s.DialContext(ctx, network, address)
			}
		}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, p := range protocols {
				t.Run(string(p), func(t *testing.T) {
					srv := newServer(t, siemtest.OTLPConfig{TLS: true})
					cfg := configFor(srv, p)
					tt.change(t, &cfg, srv)
					s := open(t, cfg)
					for range 2 {
						n, err := deliver(t.Context(), s)
						if tt.ok {
							require.NoError(t, err)
							require.Equal(t, 1, n)
							continue
						}
						assert.Zero(t, n)
						e := asError(t, err)
						assert.Equal(t, sink.VerdictBlock, e.Verdict, e.Error())
					}
				})
			}
		})
	}
}

func TestWatchedConnNotesAlerts(t *testing.T) {
	l := new(link)
	failing := watchedConn{Conn: brokenConn{errors.New("reset")}, link: l}
	_, err := failing.Read(nil)
	require.Error(t, err)
	require.NoError(t, l.cause(), "only alerts matter")

	alert := &net.OpError{Op: "remote error", Err: errors.New("tls: bad certificate")}
	failing.Conn = brokenConn{alert}
	_, err = failing.Read(nil)
	require.Error(t, err)
	require.ErrorIs(t, l.cause(), alert)
}

// TestClientCertificate has a server ask for a certificate that the sink does not have. With TLS 1.3 the server says so
// after the sink's side of the handshake, and the reset that follows may overtake it; see TestWatchedConnNotesAlerts.
func TestClientCertificate(t *testing.T) {
	for _, p := range protocols {
		t.Run(string(p), func(t *testing.T) {
			srv := httptest.NewUnstartedServer(http.NotFoundHandler())
			srv.EnableHTTP2 = true
			srv.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert, MaxVersion: tls.VersionTLS12}
			srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
			srv.StartTLS()
			t.Cleanup(srv.Close)
			sum := sha256.Sum256(srv.Certificate().Raw)
			cfg := Config{Endpoint: srv.URL, Protocol: p, TLS: sink.TLS{PinSHA256: hex.EncodeToString(sum[:])}}
			_, err := deliver(t.Context(), open(t, cfg))
			e := asError(t, err)
			assert.Equal(t, sink.VerdictBlock, e.Verdict, e.Error())
			assert.Contains(t, e.Error(), "refused")
		})
	}
}

// TestGRPCAtAServerWithoutHTTP2 sends to servers that speak TLS with and without ALPN, but not HTTP/2.
func TestGRPCAtAServerWithoutHTTP2(t *testing.T) {
	for name, protocols := range map[string][]string{"other": {"http/1.1"}, "none": nil} {
		t.Run(name, func(t *testing.T) {
			pair := testPair(t)
			l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
				Certificates: []tls.Certificate{pair}, NextProtos: protocols, MinVersion: tls.VersionTLS12,
			})
			require.NoError(t, err)
			t.Cleanup(func() { assert.NoError(t, l.Close()) })
			go func() {
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					go func() {
						_, _ = io.Copy(io.Discard, conn)
						_ = conn.Close()
					}()
				}
			}()
			sum := sha256.Sum256(pair.Certificate[0])
			_, err = deliver(t.Context(), open(t, Config{
				Endpoint: "https://" + l.Addr().String(), Protocol: GRPC,
				TLS: sink.TLS{PinSHA256: hex.EncodeToString(sum[:])},
			}))
			assert.Equal(t, sink.VerdictBlock, asError(t, err).Verdict, err.Error())
		})
	}
}

type brokenConn struct{ err error }

func (c brokenConn) Read([]byte) (int, error)       { return 0, c.err }
func (brokenConn) Write(p []byte) (int, error)      { return len(p), nil }
func (brokenConn) Close() error                     { return nil }
func (brokenConn) LocalAddr() net.Addr              { return nil }
func (brokenConn) RemoteAddr() net.Addr             { return nil }
func (brokenConn) SetDeadline(time.Time) error      { return nil }
func (brokenConn) SetReadDeadline(time.Time) error  { return nil }
func (brokenConn) SetWriteDeadline(time.Time) error { return nil }
