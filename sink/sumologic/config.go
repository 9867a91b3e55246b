package sumologic

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/httpsend"
	"github.com/auditstream/auditstream/sink/internal/settings"
)

// Compression is how requests are compressed. The empty Compression is Gzip.
type Compression string

// The compressions.
const (
	Gzip Compression = settings.Gzip
	None Compression = settings.None
)

// publicPath is the part of a source's path that is the same for every customer.
const publicPath = "/receiver/v1/http/"

// client is what the X-Sumo-Client header says.
const client = "auditstream"

// Config is a Sumo Logic destination: what an administrator enters. It implements [sink.Destination]. The zero Config is
// not valid: it has no Endpoint.
type Config struct {
	// Endpoint is the URL of the source, as Sumo Logic shows it:
	// "https://endpoint4.collection.sumologic.com/receiver/v1/http/…". Its last part is the credential, so all of it is
	// kept secret but scheme, host and port. It is sent byte for byte. It may be a template of package secret instead,
	// with the last part in Secret: "https://endpoint4.collection.sumologic.com/receiver/v1/http/#{Secret}". Required.
	Endpoint secret.Value `json:"endpoint"`

	// Secret takes the place of the token #{Secret} in Endpoint. It is an error to set it without a token there, or the
	// other way round. Defaults to none.
	Secret secret.Value `json:"secret"`

	// Category, Name and Host replace the source's own _sourceCategory, _sourceName and _sourceHost. Each is at most
	// 1,024 bytes of printable ASCII. Default to what the source has.
	Category string `json:"category"`
	Name     string `json:"name"`
	Host     string `json:"host"`

	// Fields are added to every message as metadata: at most 30, keys of at most 255 and values of at most 200
	// characters, printable ASCII without commas and equals signs, for which Sumo Logic has no escape. Defaults to none.
	Fields map[string]string `json:"fields"`

	// Compression is that of requests. Defaults to Gzip.
	Compression Compression `json:"compression"`

	// TLS is how the two ends prove themselves. Defaults to the system's roots and no client certificate.
	TLS sink.TLS `json:"tls"`

	// Network is the host's policy on the network. Defaults to direct connections.
	Network sink.Network `json:"-"`

	// Logger gets the warnings that are no failures, each at most once for a sink: that Sumo Logic has taken events and
	// dropped some of their metadata, and that its answer to events that were taken broke off. It is the host's, not the
	// administrator's. Defaults to none.
	Logger *slog.Logger `json:"-"`

	_ struct{}
}

var _ sink.Destination = Config{}

// String implements [sink.Destination] and returns "sumologic https://endpoint4.collection.sumologic.com:443".
func (c Config) String() string { return settings.PublicSecret("sumologic", c.Endpoint) }

// Format implements [fmt.Formatter]: every verb writes what String returns.
func (c Config) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, c.String()) }

// LogValue implements [slog.LogValuer] and returns what String returns.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Open implements [sink.Destination]. It checks every setting and returns a sink that has not dialled yet. The sink is
// an [io.Closer]; it has up to 2 MB in use while it sends, and next to nothing otherwise.
func (c Config) Open() (sink.Sink, error) {
	check := settings.New("sumologic", "Secret", c.Secret)
	check.Network(c.Network)
	u := check.SecretEndpoint("Endpoint", c.Endpoint, publicPath)
	header := http.Header{
		"Content-Type":  {"text/plain; charset=utf-8"},
		"X-Sumo-Client": {client},
	}
	c.setMetadata(check, header)
	tlsConfig := check.TLS(c.TLS)
	compress := check.Compression("Compression", string(c.Compression))
	if err := check.Done(); err != nil {
		return nil, err
	}
	scrubber := check.Scrubber()
	return &source{
		client: httpsend.New(httpsend.Options{
			URL: u, Header: header, TLS: tlsConfig, Network: c.Network, Scrub: scrubber, Gzip: compress,
		}),
		scrub: scrubber,
		name:  c.String(),
		log:   cmp.Or(c.Logger, slog.New(slog.DiscardHandler)),
	}, nil
}
