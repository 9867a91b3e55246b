package siemtest

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	collogspb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/protobuf/proto"

	"github.com/auditstream/auditstream/sink"
)

// The sizes of a request beyond which receivers refuse it: 20 MiB over HTTP, as the OpenTelemetry Collector has it, and
// 4 MiB over gRPC, the default of every gRPC server.
const (
	otlpMaxBody    = 20 << 20
	otlpMaxMessage = 4 << 20
	otlpPath       = "/v1/logs"
)

// OTLPConfig is how an [OTLP] server is to be. The zero value works.
type OTLPConfig struct {
	// Headers are what every request has to carry, over HTTP as headers and over gRPC as metadata: credentials, for
	// the most part. A request without them is answered 401, or UNAUTHENTICATED. Defaults to none.
	Headers map[string]string

	// Path is the path at which logs are taken over HTTP, for a receiver that keeps its credential there. It begins
	// with a slash. Defaults to /v1/logs.
	Path string

	// MaxBody is the size of an HTTP request, after decompression, beyond which it is answered 413, in bytes. Defaults
	// to 20 MiB.
	MaxBody int64

	// MaxMessage is the size of a gRPC message beyond which it is refused with RESOURCE_EXHAUSTED, in bytes. Defaults
	// to 4 MiB.
	MaxMessage int

	// TLS makes the server speak TLS with a self-signed certificate, HTTP/2 included. Defaults to plain text.
	TLS bool

	// InMemory makes the server do without sockets; clients reach it through DialContext.
	InMemory bool

	_ struct{}
}

// OTLP is a fake OpenTelemetry receiver for logs: HTTP with protobuf at URL, and gRPC at GRPCURL.
//
// RejectIf makes it refuse the whole request with 400, or INVALID_ARGUMENT. PartialIf makes it take the other events and
// answer with a partial success.
type OTLP struct {
	server
	cfg        OTLPConfig
	http, grpc *gate

	otlp    sync.Mutex // guards what follows; held for memory operations only
	headers map[string]string
	partial func(Received) bool
	exports []*collogspb.ExportLogsServiceRequest
}

// NewOTLP starts a server. The caller must Close it.
func NewOTLP(cfg OTLPConfig) (*OTLP, error) {
	switch {
	case cfg.MaxBody < 0:
		return nil, negative("OTLPConfig.MaxBody", cfg.MaxBody)
	case cfg.MaxMessage < 0:
		return nil, negative("OTLPConfig.MaxMessage", cfg.MaxMessage)
	case cfg.Path != "" && !strings.HasPrefix(cfg.Path, "/"):
		return nil, &sink.ConfigError{Field: "siemtest: OTLPConfig.Path", Reason: "does not begin with a slash"}
	}
	if cfg.Path == "" {
		cfg.Path = otlpPath
	}
	if cfg.MaxBody == 0 {
		cfg.MaxBody = otlpMaxBody
	}
	if cfg.MaxMessage == 0 {
		cfg.MaxMessage = otlpMaxMessage
	}
	o := &OTLP{cfg: cfg, headers: maps.Clone(cfg.Headers)}
	if err := o.init(cfg.TLS); err != nil {
		return nil, err
	}
	o.http = newGate(cfg.InMemory, 4318, o.serveHTTP(o))
	o.grpc = newGate(cfg.InMemory, 4317, o.serveGRPC)
	return o, o.open(o.http, o.grpc)
}

// URL returns the URL for OTLP over HTTP, path included.
func (o *OTLP) URL() string { return o.http.url(o.cfg.TLS) + o.cfg.Path }

// GRPCURL returns the URL for OTLP over gRPC: scheme, host and port.
func (o *OTLP) GRPCURL() string { return o.grpc.url(o.cfg.TLS) }

// SetHeaders replaces the headers that every request has to carry.
func (o *OTLP) SetHeaders(headers map[string]string) {
	o.otlp.Lock()
	defer o.otlp.Unlock()
	o.headers = maps.Clone(headers)
}

// SetToken makes the header "Authorization: Bearer token" the only one that every request has to carry.
func (o *OTLP) SetToken(token string) {
	o.SetHeaders(map[string]string{"Authorization": "Bearer " + token})
}

// PartialIf makes the server leave out the events for which fn returns true, and answer with a partial success that has
// their number. A nil fn ends it. fn may be called concurrently; what it is given has no Request.
func (o *OTLP) PartialIf(fn func(Received) bool) {
	o.otlp.Lock()
	defer o.otlp.Unlock()
	o.partial = fn
}

// PartialSuccess returns the answer of a receiver that took the request, all but a number of events. It can say so
// without meaning it: set Accept to have all of them taken. A rejected of 0 with a message is a warning.
func PartialSuccess(rejected int64, message string) Answer {
	return partialSuccess(rejected, message)
}

// Exports returns the requests from which events were taken, as they came. The caller must not change them.
func (o *OTLP) Exports() []*collogspb.ExportLogsServiceRequest {
	o.otlp.Lock()
	defer o.otlp.Unlock()
	return slices.Clone(o.exports)
}

// Clear forgets what was recorded, what Exports returns included, the queued answers, and the functions of Fail and
// RejectIf.
func (o *OTLP) Clear() {
	o.server.Clear()
	o.otlp.Lock()
	defer o.otlp.Unlock()
	o.exports = nil
}

// publicPath implements protocol.
func (o *OTLP) publicPath(path string) string {
	if path == otlpPath || path == "/" {
		return path
	}
	return redacted
}

// maxBody implements protocol.
func (o *OTLP) maxBody() int64 { return o.cfg.MaxBody }

// take implements protocol.
func (o *OTLP) take(in *incoming) (Answer, []Received) {
	var export collogspb.ExportLogsServiceRequest
	switch {
	case in.URL.Path != o.cfg.Path:
		return otlpError(http.StatusNotFound, "no such path"), nil
	case !o.authorized(func(name string) string { return in.Header.Get(name) }):
		return otlpError(http.StatusUnauthorized, "missing or wrong credentials"), nil
	case in.Method != http.MethodPost:
		return otlpError(http.StatusMethodNotAllowed, "method not allowed, supported: [POST]"), nil
	case in.Header.Get("Content-Type") != "application/x-protobuf":
		return otlpError(http.StatusUnsupportedMediaType, "unsupported content type, supported: [application/x-protobuf]"), nil
	case in.bodyErr == errTooLarge: //nolint:errorlint // Set by this package, never wrapped.
		return otlpError(http.StatusRequestEntityTooLarge, "request body too large"), nil
	case in.bodyErr != nil:
		return otlpError(http.StatusBadRequest, "cannot decode the body"), nil
	case proto.Unmarshal(in.body, &export) != nil:
		return otlpError(http.StatusBadRequest, "cannot parse the body"), nil
	}
	taken, refused, partial := o.export(&export)
	switch {
	case refused:
		return otlpError(http.StatusBadRequest, "a log record is not acceptable"), nil
	case partial > 0:
		return partialSuccess(partial, partialMessage), taken
	}
	return Answer{Header: protobufHeader(), Body: marshal(&collogspb.ExportLogsServiceResponse{})}, taken
}

const partialMessage = "some log records are not acceptable"

// authorized reports whether a request carries what it has to; get returns a header or a piece of metadata.
func (o *OTLP) authorized(get func(name string) string) bool {
	o.otlp.Lock()
	defer o.otlp.Unlock()
	for name, value := range o.headers {
		if get(name) != value {
			return false
		}
	}
	return true
}

// export takes the records of a request: all but those of PartialIf, or none if RejectIf refuses one.
func (o *OTLP) export(request *collogspb.ExportLogsServiceRequest) (taken []Received, refused bool, partial int64) {
	o.otlp.Lock()
	leaveOut := o.partial
	o.otlp.Unlock()
	for _, r := range readExport(request) {
		switch {
		case o.refuses(r):
			return nil, true, 0
		case leaveOut != nil && leaveOut(r):
			partial++
		default:
			taken = append(taken, r)
		}
	}
	o.otlp.Lock()
	defer o.otlp.Unlock()
	o.exports = append(o.exports, request)
	return taken, false, partial
}
