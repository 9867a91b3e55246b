package otlp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	collogpb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/httpsend"
	"github.com/auditstream/auditstream/sink/internal/scrub"
	"github.com/auditstream/auditstream/sink/internal/settings"
)

const (
	// keepaliveTime and keepaliveTimeout find a connection that the network has swallowed within 30 s, and the attempt
	// after that dials. See keepaliveFor about longer attempts than the default.
	keepaliveTime    = 20 * time.Second
	keepaliveTimeout = 10 * time.Second

	// maxGRPCAnswer bounds an answer. gRPC reports a longer one with the same code and words as a request that is too
	// long for the server; the odd number tells them apart.
	maxGRPCAnswer = 65_531

	// maxGRPCHeader bounds the headers and trailers of an answer.
	maxGRPCHeader = 64 << 10
)

// grpcWire makes requests over gRPC.
type grpcWire struct {
	target   string // host:port
	dial     dialFunc
	resource *resourcepb.Resource
	compress bool
	scrubber *scrub.Scrubber
	answers  *successes
	sessions sessions

	// Closures, because these hold secrets and somebody may print the sink.
	credentials func() credentials.TransportCredentials
	metadata    func() metadata.MD
}

func newGRPCWire(c checked) *grpcWire {
	secured := insecure.NewCredentials()
	if c.endpoint.Scheme == "https" {
		secured = credentials.NewTLS(c.tls)
	}
	md := make(metadata.MD, len(c.headers))
	for name, values := range c.headers {
		md.Append(name, values...) // which makes the name lower-case
	}
	return &grpcWire{
		target:      settings.HostPort(c.endpoint),
		dial:        dialer(c.network),
		resource:    c.resource,
		compress:    c.compress,
		scrubber:    c.scrubber,
		answers:     c.answers,
		credentials: func() credentials.TransportCredentials { return secured },
		metadata:    func() metadata.MD { return md },
	}
}

// send makes one request with records.
func (g *grpcWire) send(ctx context.Context, records []sdklog.Record) error {
	s, err := g.sessions.join(func() (*session, error) { return g.open(ctx) })
	if err != nil {
		return g.unusable(err)
	}
	var exporter sdklog.Exporter
	good := false
	defer func() { g.sessions.leave(s, exporter, good) }() // also when the exporter panics, which the stream recovers
	if exporter, err = g.sessions.exporter(s); err != nil {
		return g.unusable(err)
	}
	err = export(ctx, exporter, records, new(attempt))
	good = served(err)
	return err
}

// unusable returns what it means that gRPC or the exporter has something against its options or the target. None of that
// changes by itself.
func (g *grpcWire) unusable(err error) error {
	return broken(sink.VerdictBlock, errors.New("otlp: gRPC cannot be set up: "+g.scrubber.Error(err)))
}

// served reports whether an answer shows that the connection is good.
func served(err error) bool {
	if err == nil {
		return true
	}
	e, ok := errors.AsType[*sink.Error](err)
	return ok && (e.Verdict == sink.VerdictReject || e.Verdict == sink.VerdictSplit)
}

func (g *grpcWire) close() { g.sessions.close() }

// open returns a session, which dials when it is first used. ctx is that of the first attempt on it.
func (g *grpcWire) open(ctx context.Context) (*session, error) {
	l := &link{dial: g.dial}
	options := []grpc.DialOption{
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.dialContext(ctx, g.target) }),
		grpc.WithAuthority(g.target),
		grpc.WithNoProxy(), // the environment's; ours is in the dialler
		grpc.WithTransportCredentials(watchedCredentials{g.credentials(), l}),
		grpc.WithUserAgent(httpsend.UserAgent),
		grpc.WithUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
			invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
		) error {
			a := attemptFrom(ctx)
			var server peer.Peer // of the connection that the call got, if it got one
			err := g.call(ctx, l, a, req, reply, func(ctx context.Context) error {
				return invoke(ctx, method, req, reply, cc, append(opts, grpc.Peer(&server))...)
			})
			if e, ok := errors.AsType[*sink.Error](err); ok && server.AuthInfo == nil {
				e.NotTaken = true
			}
			a.answer(err)
			return nil
		}),
		grpc.WithDefaultCallOptions(
			grpc.ForceCodecV2(newCodec()),
			grpc.MaxCallRecvMsgSize(maxGRPCAnswer),
			grpc.WaitForReady(false), // a refused connection is known at once, not when the attempt's time is up
		),
		grpc.WithMaxHeaderListSize(maxGRPCHeader),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: keepaliveFor(ctx), Timeout: keepaliveTimeout}),
		grpc.WithDisableRetry(),
		grpc.WithDisableServiceConfig(),
		grpc.WithDisableHealthCheck(),
		grpc.WithIdleTimeout(0), // that of sessions is shorter
	}
	if g.compress {
		options = append(options, grpc.WithCompressor(gzipMessages{})) //nolint:staticcheck // Deprecated in favour of a registry; see gzipMessages.
	}
	// No resolver: the dialler gets the name and asks DNS each time. What gRPC takes for the target becomes a label of the
	// exporter's own metrics, if the environment switches those on: it is not for a tenant to choose.
	conn, err := grpc.NewClient("passthrough:///"+placeholderHost, options...)
	if err != nil {
		return nil, err
	}
	return &session{conn: conn, link: l, opened: time.Now()}, nil
}

// keepaliveFor returns after how much silence a connection is pinged, for attempts as long as that of ctx. Servers allow
// a few pings without data, by default, and then cut the connection: grpc-go and C++ at the fourth within 5 min. A server
// that takes longer than that to answer would never get to it, so attempts are never long enough for more than three.
func keepaliveFor(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return keepaliveTime
	}
	return max(keepaliveTime, time.Until(deadline)/3)
}

// newGRPCExporter returns an exporter whose every option is set: the environment fills in the others, headers even with
// a connection of ours.
func newGRPCExporter(conn *grpc.ClientConn) (sdklog.Exporter, error) {
	return otlploggrpc.New(context.Background(),
		otlploggrpc.WithGRPCConn(conn),
		otlploggrpc.WithEndpoint(placeholderHost),
		otlploggrpc.WithInsecure(),
		otlploggrpc.WithHeaders(map[string]string{}),
		otlploggrpc.WithCompressor("none"),
		otlploggrpc.WithTimeout(0),
		otlploggrpc.WithRetry(otlploggrpc.RetryConfig{}),
		otlploggrpc.WithMaxRequestSize(0),
	)
}

// call makes the call that the exporter asked for, with our resource and metadata, and returns what it means.
func (g *grpcWire) call(
	ctx context.Context, l *link, a *attempt, req, reply any, invoke func(context.Context) error,
) error {
	request, ok := req.(*collogpb.ExportLogsServiceRequest)
	if !ok {
		return broken(sink.VerdictBlock, fmt.Errorf("otlp: the exporter sends %T", req))
	}
	for _, logs := range request.GetResourceLogs() {
		logs.Resource = g.resource
		logs.SchemaUrl = ""
	}
	// This replaces all metadata, that of a context the host has prepared for calls of its own included.
	err := invoke(metadata.NewOutgoingContext(ctx, g.metadata()))
	st := status.Convert(err)
	switch {
	case err == nil:
		resp, ok := reply.(*collogpb.ExportLogsServiceResponse)
		if !ok {
			return nil
		}
		result := g.answers.judge(ctx, resp, a.records)
		proto.Reset(resp) // or the exporter would make an error of it that quotes the message
		return result
	case answerTooLarge(st):
		return nil // the server has taken the request and says more about it than we read
	}
	if err := ended(ctx, st.Code()); err != nil {
		return err
	}
	return g.failure(l, st, request)
}

// failure returns what a failed call means.
func (g *grpcWire) failure(l *link, st *status.Status, request *collogpb.ExportLogsServiceRequest) error {
	if st.Code() == codes.Unavailable {
		if cause := l.cause(); cause != nil {
			return g.unconnected(cause)
		}
	}
	if st.Code() == codes.Internal {
		// The client library's own code for what it cannot encode, too. Retrying that would stop the stream.
		if _, err := proto.Marshal(request); err != nil {
			return notEncoded()
		}
	}
	return classifyStatus(st, g.scrubber)
}

// unconnected returns what it means that no connection could be made.
func (g *grpcWire) unconnected(cause error) error {
	if failed, ok := errors.AsType[*dialError](cause); ok {
		return httpsend.Diagnose(failed.err, failed.peer, g.scrubber)
	}
	// The words of gRPC's own credentials, which give no other sign.
	if strings.HasPrefix(cause.Error(), "credentials: cannot check peer") {
		return &sink.Error{
			Verdict: sink.VerdictBlock,
			Code:    httpsend.CodeTLS,
			Err:     fmt.Errorf("otlp: %s speaks TLS but not HTTP/2, which gRPC needs", g.target),
			Remedy:  "Check the port, and that no proxy without HTTP/2 is in the way; or set the protocol to http/protobuf.",
		}
	}
	return httpsend.Diagnose(cause, g.target, g.scrubber)
}

// answerTooLarge reports whether the client library refused the answer for its size.
func answerTooLarge(st *status.Status) bool {
	return st.Code() == codes.ResourceExhausted && strings.HasPrefix(st.Message(), "grpc: ") &&
		strings.Contains(st.Message(), " "+strconv.Itoa(maxGRPCAnswer))
}
