package otlp

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/scrub"
	"github.com/auditstream/auditstream/sink/internal/settings"
)

// checked is a Config that has been found good, with its templates rendered.
type checked struct {
	endpoint *url.URL
	headers  http.Header
	tls      *tls.Config
	compress bool
	resource *resourcepb.Resource
	network  sink.Network
	scrubber *scrub.Scrubber
	answers  *successes
}

// Open checks every setting and returns a sink that has dialled nothing and started nothing. It reports all problems at
// once, as [*sink.ConfigError] values joined by [errors.Join].
func (c Config) Open() (sink.Sink, error) {
	check := settings.New("otlp", "Secret", c.Secret)
	check.Network(c.Network)
	good := checked{
		endpoint: c.checkEndpoint(check),
		headers:  check.Headers("Headers", c.Headers, "User-Agent"),
		tls:      check.TLS(c.TLS),
		compress: check.Compression("Compression", string(c.Compression)),
		resource: c.Resource.message(check),
		network:  c.Network,
	}
	switch c.Protocol {
	case "", HTTPProtobuf:
	case GRPC:
		checkMetadata(check, c.Headers)
		checkProxy(check, c.Network)
	default:
		check.Fail("Protocol", fmt.Sprintf("%.100q", string(c.Protocol)),
			`is not known: write "http/protobuf" or "grpc"`)
	}
	if err := check.Done(); err != nil {
		return nil, err
	}
	good.scrubber = check.Scrubber()
	good.answers = &successes{
		scrubber: good.scrubber, name: c.String(), log: cmp.Or(c.Logger, slog.New(slog.DiscardHandler)),
	}
	if c.Protocol == GRPC {
		return &otlpSink{wire: newGRPCWire(good)}, nil
	}
	w, err := newHTTPWire(good)
	if err != nil {
		return nil, err
	}
	return &otlpSink{wire: w}, nil
}

// checkEndpoint returns the rendered URL, or nil if something is wrong with it.
func (c Config) checkEndpoint(check *settings.Check) *url.URL {
	const field, remedy = "Endpoint", ": for gRPC write scheme, host and port only, such as https://host.example:4317"
	if c.Protocol != GRPC || c.Endpoint == "" {
		return check.Endpoint(field, c.Endpoint)
	}
	if !strings.Contains(c.Endpoint, "://") {
		check.Fail(field, "", "has no scheme"+remedy)
		return nil
	}
	u := check.Endpoint(field, c.Endpoint)
	if u == nil {
		return nil
	}
	// gRPC has one path of its own, and no query.
	if u.User != nil {
		check.Fail(field, "", "holds a user name or password, which belong in a header"+remedy)
	}
	// A token may leave nothing behind, and would have gone nowhere.
	if t, err := secret.Parse(c.Endpoint); err == nil && t.UsesSecret() {
		check.Fail(field, "", "holds a token, which belongs in a header"+remedy)
	} else if strings.Trim(u.Path, "/") != "" {
		check.Fail(field, "", "has a path"+remedy)
	}
	if u.RawQuery != "" || u.ForceQuery {
		check.Fail(field, "", "has a query"+remedy)
	}
	// A port is not guessed: the one for OTLP is 4317, that of gRPC 443.
	if u.Port() == "" {
		check.Fail(field, "", "has no port"+remedy+" or https://host.example:443")
	}
	return u
}

// checkMetadata refuses header names that gRPC keeps for itself or treats in a way of its own.
func checkMetadata(check *settings.Check, headers sink.Headers) {
	for name := range headers {
		field := settings.HeaderField("Headers", name)
		lower := strings.ToLower(name)
		switch {
		case strings.HasPrefix(lower, "grpc-"):
			check.Fail(field, "", "belongs to gRPC: remove it")
		case strings.HasSuffix(lower, "-bin"):
			check.Fail(field, "", "would be sent as Base64, as gRPC does with names that end in -bin: remove it")
		case slices.ContainsFunc([]byte(lower), notMetadata):
			check.Fail(field, "", "is no name for gRPC: write letters, digits, hyphens, underscores and dots")
		}
	}
}

func notMetadata(c byte) bool {
	return (c < 'a' || 'z' < c) && (c < '0' || '9' < c) && c != '-' && c != '_' && c != '.'
}
