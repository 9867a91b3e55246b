package siemtest

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/textproto"
	"sync"
	"time"

	collogspb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	_ "google.golang.org/grpc/encoding/gzip" // Lets the server read compressed messages.
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/auditstream/auditstream/secret"
)

// serveGRPC starts a gRPC server at a gate. The function it returns ends the server and waits for its goroutines.
func (o *OTLP) serveGRPC(t *tracker) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	options := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(o.cfg.MaxMessage),
		grpc.WaitForHandlers(true),
		grpc.StatsHandler(wireSize{}),
	}
	if o.cert != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(&tls.Config{
			Certificates: []tls.Certificate{o.cert.pair}, MinVersion: tls.VersionTLS12,
		})))
	}
	srv := grpc.NewServer(options...)
	collogspb.RegisterLogsServiceServer(srv, &logsService{otlp: o, tracker: t, ending: ctx.Done()})
	var serving sync.WaitGroup
	serving.Go(func() { _ = srv.Serve(t) })
	return func() {
		cancel()
		// Stop waits up to 2 min for a client that has connected and says nothing.
		t.endAll()
		srv.Stop()
		serving.Wait()
	}
}

// logsService is the gRPC service of one opening of the gate.
type logsService struct {
	collogspb.UnimplementedLogsServiceServer
	otlp    *OTLP
	tracker *tracker
	ending  <-chan struct{}
}

// Export implements the service.
func (l *logsService) Export(
	ctx context.Context, request *collogspb.ExportLogsServiceRequest,
) (*collogspb.ExportLogsServiceResponse, error) {
	o := l.otlp
	md, _ := metadata.FromIncomingContext(ctx)
	req := describeGRPC(ctx, md, request)
	answer, scripted := o.next()
	if !scripted {
		answer, scripted = o.ask(req)
	}
	var events []Received
	var own Answer
	if !scripted || answer.Accept {
		own, events = o.takeGRPC(md, request)
	}
	if !scripted {
		answer = own
	}
	if answer.act == actAnswer {
		req.Status = int(answer.grpcCode())
	}
	o.record(req, events)
	return l.send(ctx, answer)
}

// takeGRPC answers a request without a script.
func (o *OTLP) takeGRPC(md metadata.MD, request *collogspb.ExportLogsServiceRequest) (Answer, []Received) {
	if !o.authorized(func(name string) string { return first(md, name) }) {
		return GRPC(codes.Unauthenticated, "missing or wrong credentials"), nil
	}
	taken, refused, partial := o.export(request)
	switch {
	case refused:
		return GRPC(codes.InvalidArgument, "a log record is not acceptable"), nil
	case partial > 0:
		return partialSuccess(partial, partialMessage), taken
	}
	return Answer{}, taken
}

// send gives an answer, or does to the connection what stands in its place.
func (l *logsService) send(ctx context.Context, a Answer) (*collogspb.ExportLogsServiceResponse, error) {
	switch a.act {
	case actHang, actHangUnread:
		select {
		case <-ctx.Done():
		case <-l.ending:
		}
		return nil, status.FromContextError(context.Canceled).Err()
	case actDrop, actReset, actCut:
		if p, ok := peer.FromContext(ctx); ok {
			l.tracker.end(p.Addr.String(), a.act == actReset)
		}
		return nil, status.Error(codes.Unavailable, "connection closed")
	case actAnswer:
	}
	if code := a.grpcCode(); code != codes.OK {
		s := status.New(code, a.Body)
		if a.RetryAfter != 0 {
			if d, err := s.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(a.RetryAfter)}); err == nil {
				s = d
			}
		}
		return nil, s.Err()
	}
	response := &collogspb.ExportLogsServiceResponse{}
	if a.Header.Get("Content-Type") == "application/x-protobuf" && proto.Unmarshal([]byte(a.Body), response) != nil {
		return nil, status.Error(codes.Internal, "siemtest: the body of the answer is not a response")
	}
	return response, nil
}

// describeGRPC returns the record of a request, its outcome left open.
func describeGRPC(ctx context.Context, md metadata.MD, request *collogspb.ExportLogsServiceRequest) Request {
	header := make(http.Header, len(md))
	for name, values := range md {
		header[textproto.CanonicalMIMEHeaderKey(name)] = values
	}
	wire, encoding := 0, ""
	if w, ok := ctx.Value(wireKey{}).(*wireStats); ok {
		wire, encoding = w.get()
	}
	public := redactHeader(header)
	if encoding != "" {
		public.Set("Grpc-Encoding", encoding)
	}
	return Request{
		Protocol:  "gRPC",
		Method:    http.MethodPost,
		Path:      collogspb.LogsService_Export_FullMethodName,
		URI:       secret.New(collogspb.LogsService_Export_FullMethodName),
		Header:    public,
		WireBytes: wire,
		Bytes:     proto.Size(request),
		Time:      time.Now(),
		sent:      func(name string) string { return first(md, name) },
	}
}

// first returns the first value of a piece of metadata.
func first(md metadata.MD, name string) string {
	if values := md.Get(name); len(values) > 0 {
		return values[0]
	}
	return ""
}

// wireSize is a stats handler that keeps the size of each request as it was sent.
type wireSize struct{}

type wireKey struct{}

// wireStats is what was seen of one request.
type wireStats struct {
	mu       sync.Mutex
	length   int
	encoding string
}

func (w *wireStats) get() (length int, encoding string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.length, w.encoding
}

// TagRPC implements [stats.Handler].
func (wireSize) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context {
	return context.WithValue(ctx, wireKey{}, new(wireStats))
}

// HandleRPC implements [stats.Handler].
func (wireSize) HandleRPC(ctx context.Context, s stats.RPCStats) {
	w, ok := ctx.Value(wireKey{}).(*wireStats)
	if !ok {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch s := s.(type) {
	case *stats.InHeader:
		w.encoding = s.Compression
	case *stats.InPayload:
		w.length = s.CompressedLength
	}
}

// TagConn implements [stats.Handler].
func (wireSize) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn implements [stats.Handler].
func (wireSize) HandleConn(context.Context, stats.ConnStats) {}
