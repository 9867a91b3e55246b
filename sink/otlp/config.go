package otlp

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/settings"
)

// Config is an OTLP destination. It implements [sink.Destination]. The zero Config is not valid: it has no Endpoint.
type Config struct {
	// Endpoint is where log records are sent. Required.
	//
	// For HTTP it is the whole URL, to which nothing is added: for most receivers it ends in /v1/logs, as in
	// "https://collector.example:4318/v1/logs". It is a template of package secret, so a token may be part of it:
	// "https://logs.example/v1/logs?token=#{Secret | UriDataEscape}".
	//
	// For gRPC it is scheme, host and port and nothing else, as in "https://collector.example:4317".
	//
	// With http:// the connection is not encrypted; that is refused together with a secret, except to this machine
	// or with Network.AllowPlaintext.
	Endpoint string `json:"endpoint"`

	// Protocol is how requests are made. Defaults to HTTPProtobuf.
	Protocol Protocol `json:"protocol"`

	// Secret takes the place of the token #{Secret} in Endpoint and Headers. It is an error to set it and use it
	// nowhere, or the other way round. Defaults to none.
	Secret secret.Value `json:"secret"`

	// Headers are sent with every request, as gRPC metadata under lower-case names. Values are templates of package
	// secret: {"Authorization": "Bearer #{Secret}"}. The headers that transports write themselves are refused, as
	// are gRPC's binary ones, whose names end in -bin. Defaults to none.
	Headers sink.Headers `json:"headers"`

	// Compression is that of requests. Defaults to Gzip.
	Compression Compression `json:"compression"`

	// TLS is how the two ends prove themselves. Defaults to the system's roots and no client certificate.
	TLS sink.TLS `json:"tls"`

	// Resource says which service the events come from. Defaults to an unknown one.
	Resource Resource `json:"resource"`

	// Network is the host's policy. It is no part of what an administrator types, and of no JSON. gRPC goes through
	// http:// and https:// proxies, by CONNECT. Defaults to dialling directly.
	Network sink.Network `json:"-"`

	// Logger gets the warnings that are no failures, each at most once for a sink: that a destination has taken records
	// and has something to say about them, and that what it said broke off. It is the host's, not the administrator's.
	// Defaults to none.
	Logger *slog.Logger `json:"-"`

	_ struct{}
}

// Protocol is a form of OTLP. The empty Protocol is HTTPProtobuf.
type Protocol string

// The protocols, under the names that OTEL_EXPORTER_OTLP_PROTOCOL has for them.
const (
	HTTPProtobuf Protocol = "http/protobuf"
	GRPC         Protocol = "grpc"
)

// Compression is how requests are compressed. The empty Compression is Gzip.
type Compression string

// The compressions. Gzip takes a tenth of the bytes for a few microseconds an event; every receiver has to take it.
const (
	Gzip Compression = settings.Gzip
	None Compression = settings.None
)

// String returns "otlp https://host:port": no path, query or user information.
func (c Config) String() string { return settings.Public("otlp", c.Endpoint) }

// Format implements [fmt.Formatter]. Every verb and flag writes the same: the text of String, the protocol and the
// names of the headers.
func (c Config) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, c.public()) }

// LogValue implements [slog.LogValuer] and returns what Format writes.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.public()) }

func (c Config) public() string {
	return fmt.Sprintf("{%s protocol:%q headers:%s}", c.String(), c.Protocol, c.Headers)
}
