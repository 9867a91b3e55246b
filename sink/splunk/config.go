package splunk

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/httpsend"
	"github.com/auditstream/auditstream/sink/internal/settings"
)

const (
	// defaultAcknowledge is what Splunk recommends to its clients. With less, the last small batches of a busy indexer,
	// which it may hold for 2 min, would be sent twice.
	defaultAcknowledge = 5 * time.Minute

	// minAcknowledge and maxAcknowledge bound what may be set: below, nearly everything is sent twice; above, an event
	// that Splunk has lost stays away for longer than anybody would think of as a delay.
	minAcknowledge = time.Minute
	maxAcknowledge = time.Hour
)

// maxMetadata bounds a metadata field, in bytes: each is repeated with every event.
const maxMetadata = 1024

// Compression is how requests are compressed. The empty Compression is Gzip.
type Compression string

// The kinds of compression.
const (
	Gzip Compression = settings.Gzip
	None Compression = settings.None
)

// Config is a destination: one token of one HTTP Event Collector. It implements [sink.Destination] by value. Its printed
// forms show scheme, host and port of the endpoint and nothing else.
type Config struct {
	// Endpoint is the URL of the collector: "https://splunk.example:8088". Its event URLs mean the same, so
	// "/services/collector", "/services/collector/event" and "/services/collector/event/1.0" may follow, and a reverse
	// proxy's path may precede them. A query, a fragment, user information, a token, the raw endpoint and a missing
	// scheme are errors, and so is http:// except to this machine or with Network.AllowPlaintext. Required.
	Endpoint string `json:"endpoint"`

	// Token is the HEC token, as Splunk shows it. White space around it and a pasted "Splunk " in front are ignored.
	// It is sent as "Authorization: Splunk …". Required.
	Token secret.Value `json:"token"`

	// Headers go with every request, for a proxy in front of Splunk. Values are templates of package secret, in which
	// #{Secret} stands for Token. Headers that the transport or the protocol owns are errors: Authorization and
	// X-Splunk-Request-Channel among them. Defaults to none.
	Headers sink.Headers `json:"headers"`

	// Index is where events go. The token must be allowed to write there: Splunk refuses every event otherwise, which
	// blocks the stream. Defaults to the token's own.
	Index string `json:"index"`

	// Source, SourceType and Host are metadata of every event. Give SourceType a value of its own; the package
	// documentation says what to set for it in Splunk. Each is at most 1024 bytes. Default to the token's own.
	Source     string `json:"source"`
	SourceType string `json:"sourceType"`
	Host       string `json:"host"`

	// Acknowledge counts an event as delivered when Splunk's indexers have stored it, as many copies of it as Splunk is
	// set to keep, instead of when the collector has taken it. The token needs "Enable indexer acknowledgement", and a
	// load balancer in front of several indexers has to keep sessions on one of them by a cookie. It costs time, order and
	// repeats, and asks for more than one batch in flight: see "Indexer acknowledgement" above. Defaults to false.
	Acknowledge bool `json:"acknowledge"`

	// AcknowledgeTimeout is how long an attempt waits for acknowledgements before its events are sent again, from 1 min
	// to 1 h. It takes the place of the stream's AttemptTimeout, and has no meaning without Acknowledge. Defaults to
	// 5 min.
	AcknowledgeTimeout time.Duration `json:"acknowledgeTimeout"`

	// Compression is Gzip or None, for proxies that refuse compressed requests. Defaults to Gzip.
	Compression Compression `json:"compression"`

	// TLS is how Splunk and the sink prove themselves to each other. A free Splunk Cloud trial, or a Splunk Enterprise
	// as it was installed, has a self-signed certificate: set TLS.PinSHA256.
	TLS sink.TLS `json:"tls"`

	// Network is the host's policy on the network. Defaults to direct connections.
	Network sink.Network `json:"-"`

	// Logger gets the warnings that are no failures, each at most once for a sink: that the token has indexer
	// acknowledgement without Acknowledge, or none with it, that an event is longer than what Splunk keeps by default, and that the answer to events that were
	// taken broke off. They name the destination and hold nothing of an event but its size. It is the host's, not the
	// administrator's. Defaults to none.
	Logger *slog.Logger `json:"-"`

	_ struct{}
}

var _ sink.Destination = Config{}

// String implements [sink.Destination] and returns "splunk https://splunk.example:8088".
func (c Config) String() string { return settings.Public("splunk", strings.TrimSpace(c.Endpoint)) }

// Format implements [fmt.Formatter]: every verb writes what String returns.
func (c Config) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, c.String()) }

// LogValue implements [slog.LogValuer] and returns what String returns.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Open implements [sink.Destination]. The sink takes events that a Stream has made ready, and is an [io.Closer]. Up to 32
// calls of its Deliver may overlap, each of which makes its requests one after the other; it has up to 2 MB in use for
// each while it sends and next to nothing otherwise.
func (c Config) Open() (sink.Sink, error) {
	token := trimToken(c.Token)
	check := settings.New("splunk", "Token", token)
	header := check.Headers("Headers", c.Headers, "Authorization", channelHeader)
	header["Content-Type"] = []string{"application/json"}
	if token.IsZero() {
		check.Fail("Token", "", "is empty: copy the token from Splunk, under "+settingsPage)
	} else if value := check.Header("Token", "Authorization", "Splunk #{Secret}"); strings.Count(value, " ") > 1 {
		check.Fail("Token", "", "has a space in it: copy the token alone")
	} else {
		header["Authorization"] = []string{value}
	}
	c.checkMetadata(check)
	if t := c.AcknowledgeTimeout; t != 0 && (t < minAcknowledge || t > maxAcknowledge) {
		check.Fail("AcknowledgeTimeout", t.String(), fmt.Sprintf("is not from %v to %v: leave it 0 for %v",
			minAcknowledge, maxAcknowledge, defaultAcknowledge))
	}
	gzip := check.Compression("Compression", string(c.Compression))
	tlsConfig := check.TLS(c.TLS)
	check.Network(c.Network)

	u, problems := parseEndpoint(c.Endpoint, token)
	for _, problem := range problems {
		check.Fail("Endpoint", "", problem)
	}
	if u != nil {
		check.Endpoint("Endpoint", u.String())
	}
	if err := check.Done(); err != nil {
		return nil, err
	}
	options := httpsend.Options{
		URL: u, Header: header, TLS: tlsConfig, Network: c.Network, Scrub: check.Scrubber(), Gzip: gzip,
	}
	h := &hec{
		envelope: newEnvelope(c),
		hint:     cloudHint(u),
		name:     c.String(),
		log:      cmp.Or(c.Logger, slog.New(slog.DiscardHandler)),
	}
	h.acks.off = !c.Acknowledge
	if c.Acknowledge {
		h.acks.ask = h.ask
		h.timeout = cmp.Or(c.AcknowledgeTimeout, defaultAcknowledge)
		options.Jar = new(cookies)
	}
	h.client = httpsend.New(options)
	return h, nil
}

// trimToken returns the token without what people copy along with it.
func trimToken(token secret.Value) secret.Value {
	text := strings.TrimSpace(token.Reveal())
	if i := strings.IndexFunc(text, unicode.IsSpace); i > 0 && strings.EqualFold(text[:i], "Splunk") {
		text = strings.TrimSpace(text[i:])
	}
	return secret.New(text)
}

func (c Config) checkMetadata(check *settings.Check) {
	for _, metadata := range []struct{ field, value string }{
		{"Source", c.Source}, {"SourceType", c.SourceType}, {"Host", c.Host},
	} {
		field, value := metadata.field, metadata.value
		switch {
		case len(value) > maxMetadata:
			check.Fail(field, "", fmt.Sprintf("has %d bytes: write at most %d", len(value), maxMetadata))
		case !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl):
			check.Fail(field, fmt.Sprintf("%.100q", value), "holds control characters or is not UTF-8: write plain text")
		case strings.TrimSpace(value) != value:
			check.Fail(field, fmt.Sprintf("%.100q", value), "has white space around it: take it out")
		}
	}
	if strings.Trim(c.Index, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" || len(c.Index) > maxMetadata {
		check.Fail("Index", fmt.Sprintf("%.100q", c.Index),
			"is no name of an index: write lower-case letters, digits, underscores and hyphens")
	}
}
