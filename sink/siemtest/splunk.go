package siemtest

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/auditstream/auditstream/sink"
)

// SplunkToken is the token that a Splunk server takes when none is configured.
const SplunkToken = "0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d" //nolint:gosec // A credential of a fake server.

// The size of a request body beyond which HTTP Event Collectors refuse it: Splunk Enterprise 10 by default, and Splunk
// Cloud, whose limit was measured to lie between 5,242,881 and 6,000,000 bytes.
const (
	splunkMaxContent      = 838_860_800
	splunkCloudMaxContent = 5_242_880
	splunkMaxEvent        = 5 << 20
)

// HECToken is a token of an HTTP Event Collector. The zero value but for Value is enabled and may write to every index.
type HECToken struct {
	// Value is the token, a GUID in real life.
	Value string

	// Disabled makes the collector answer 403 code 1.
	Disabled bool

	// UseACK switches indexer acknowledgement on: requests need a channel, and answers hold an ackId.
	UseACK bool

	// Indexes are the indexes that the token may write to. Defaults to all.
	Indexes []string

	_ struct{}
}

// Format implements [fmt.Formatter] and shows everything but the value.
func (t HECToken) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "{%s disabled:%t useACK:%t indexes:%q}", redacted, t.Disabled, t.UseACK, t.Indexes)
}

// SplunkConfig is how a [Splunk] server is to be. The zero value works.
type SplunkConfig struct {
	// Tokens are the tokens that the collector knows. Defaults to SplunkToken.
	Tokens []HECToken

	// MaxContentLength is the size of a request body, after decompression, beyond which the collector refuses it, in
	// bytes. Defaults to 838,860,800, or to 5,242,880 with Cloud.
	MaxContentLength int64

	// Cloud makes the collector refuse too large a body as Splunk Cloud does: with 400 code 6 and
	// invalid-event-number 0, as if the first event were bad, instead of 413.
	Cloud bool

	// TLS makes the server speak TLS with a self-signed certificate. Defaults to plain HTTP.
	TLS bool

	// Indexers is how many indexers there are. With more than one, a balancer is before them, which keeps to one for
	// clients that bring back its cookie, and takes the next in turn for all others. They share what arrives and nothing
	// of acknowledgements. Defaults to 1, without a cookie.
	Indexers int

	// NotSticky makes the balancer take the next indexer for every request, whatever cookie it brings.
	NotSticky bool

	// InMemory makes the server do without a socket; clients reach it through DialContext.
	InMemory bool

	_ struct{}
}

// Splunk is a fake Splunk HTTP Event Collector.
//
// It serves /services/collector, …/event, …/event/1.0, …/health and …/ack, checks tokens, decodes gzip, and reads a
// body as Splunk does, object by object: at the first bad one it answers 400 with invalid-event-number, the events
// before it are indexed, and those after it are not. RejectIf makes an event a bad one, with code 6. The raw endpoint
// is not there.
//
// Requests with a token that has UseACK are acknowledged as soon as somebody asks, unless AckIf says otherwise.
type Splunk struct {
	server
	cfg  SplunkConfig
	gate *gate

	hec      sync.Mutex // guards what follows; held for memory operations only
	tokens   []HECToken
	indexers []*indexer
	turn     int // of the balancer
	ackIf    func(Ack) bool
}

// NewSplunk starts a server. The caller must Close it.
func NewSplunk(cfg SplunkConfig) (*Splunk, error) {
	if cfg.Indexers < 0 {
		return nil, negative("SplunkConfig.Indexers", cfg.Indexers)
	}
	cfg.Indexers = max(cfg.Indexers, 1)
	switch {
	case cfg.MaxContentLength < 0:
		return nil, negative("SplunkConfig.MaxContentLength", cfg.MaxContentLength)
	case cfg.MaxContentLength == 0 && cfg.Cloud:
		cfg.MaxContentLength = splunkCloudMaxContent
	case cfg.MaxContentLength == 0:
		cfg.MaxContentLength = splunkMaxContent
	}
	s := &Splunk{cfg: cfg}
	for range cfg.Indexers {
		s.indexers = append(s.indexers, newIndexer())
	}
	if len(cfg.Tokens) == 0 {
		cfg.Tokens = []HECToken{{Value: SplunkToken}}
	}
	s.SetTokens(cfg.Tokens...)
	if err := s.init(cfg.TLS); err != nil {
		return nil, err
	}
	s.gate = newGate(cfg.InMemory, 8088, s.serveHTTP(s))
	return s, s.open(s.gate)
}

// negative reports a field below 0.
func negative(field string, value any) error {
	return &sink.ConfigError{
		Field: "siemtest: " + field, Value: fmt.Sprintf("%#v", value), Reason: "is negative: leave it 0 for the default",
	}
}

// URL returns the base URL, as an administrator would type it.
func (s *Splunk) URL() string { return s.gate.url(s.cfg.TLS) }

// Token returns the first of the tokens.
func (s *Splunk) Token() string {
	s.hec.Lock()
	defer s.hec.Unlock()
	if len(s.tokens) == 0 {
		return ""
	}
	return s.tokens[0].Value
}

// SetToken makes value the only token, enabled: the others are unknown from now on.
func (s *Splunk) SetToken(value string) { s.SetTokens(HECToken{Value: value}) }

// SetTokens makes the collector know these tokens and no others.
func (s *Splunk) SetTokens(tokens ...HECToken) {
	s.hec.Lock()
	defer s.hec.Unlock()
	s.tokens = slices.Clone(tokens)
}

// splunkRoutes are the paths of the collector, and the methods that they take.
var splunkRoutes = map[string]string{
	"/services/collector":            http.MethodPost,
	"/services/collector/event":      http.MethodPost,
	"/services/collector/event/1.0":  http.MethodPost,
	"/services/collector/ack":        http.MethodPost,
	"/services/collector/health":     http.MethodGet,
	"/services/collector/health/1.0": http.MethodGet,
}

// publicPath implements protocol.
func (s *Splunk) publicPath(path string) string {
	if _, ok := splunkRoutes[path]; ok {
		return path
	}
	return redacted
}

// maxBody implements protocol.
func (s *Splunk) maxBody() int64 { return s.cfg.MaxContentLength }

// take implements protocol.
func (s *Splunk) take(in *incoming) (Answer, []Received) {
	i := s.balance(in)
	a, events := s.answer(in, i)
	return s.sticky(a, i), events
}

// hecTarget is where a request leads.
type hecTarget struct {
	token   HECToken
	channel string
	indexer int
}

// answer answers a request that has reached an indexer.
func (s *Splunk) answer(in *incoming, i int) (Answer, []Received) {
	method, known := splunkRoutes[in.URL.Path]
	switch {
	case known && in.Method == http.MethodOptions && method == http.MethodPost:
		return Answer{Header: http.Header{"Allow": {"POST,OPTIONS"}}}, nil
	case known && in.Method == http.MethodOptions:
		return Answer{Header: http.Header{"Allow": {"GET,HEAD,OPTIONS"}}}, nil
	case !known:
		return hecNotFound(http.StatusNotFound), nil
	case in.Method != method && (in.Method != http.MethodHead || method != http.MethodGet):
		return hecNotFound(http.StatusMethodNotAllowed), nil
	case method == http.MethodGet:
		// The health of the collector says nothing about the token.
		return HEC(17), nil
	}
	token, refusal := s.authenticate(in)
	if refusal != nil {
		return *refusal, nil
	}
	channel := in.Header.Get("X-Splunk-Request-Channel")
	if channel == "" {
		channel = in.URL.Query().Get("channel")
	}
	to := hecTarget{token, channel, i}
	if strings.HasSuffix(in.URL.Path, "/ack") {
		return s.acknowledge(in, to), nil
	}
	switch {
	case channel == "" && token.UseACK:
		return HEC(10), nil
	case channel != "" && !isGUID(channel):
		// Splunk may look at it only when the token has acknowledgement; a client that sends one should send a GUID.
		return HEC(11), nil
	}
	return s.index(in, to)
}

// authenticate finds the token of a request, or the answer to one that has none or a bad one.
func (s *Splunk) authenticate(in *incoming) (HECToken, *Answer) {
	refuse := func(code int) (HECToken, *Answer) {
		a := HEC(code)
		return HECToken{}, &a
	}
	if in.URL.Query().Has("token") {
		return refuse(16) // It goes before the header, even when the collector does not allow it.
	}
	value := in.Header.Get("Authorization")
	if value == "" {
		return refuse(2)
	}
	scheme, value, ok := strings.Cut(value, " ")
	switch {
	case !ok:
		return refuse(3)
	case strings.EqualFold(scheme, "Basic"):
		// Any user, the token as password.
		b, err := base64.StdEncoding.DecodeString(value)
		if _, value, ok = strings.Cut(string(b), ":"); err != nil || !ok {
			return refuse(3)
		}
	case !strings.EqualFold(scheme, "Splunk"):
		return refuse(3)
	}
	s.hec.Lock()
	defer s.hec.Unlock()
	i := slices.IndexFunc(s.tokens, func(t HECToken) bool { return t.Value == value })
	switch {
	case i < 0:
		return refuse(4)
	case s.tokens[i].Disabled:
		return refuse(1)
	}
	return s.tokens[i], nil
}

// isGUID reports whether text has the form of a GUID.
func isGUID(text string) bool {
	for i, c := range []byte(text) {
		switch {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case !strings.ContainsRune("0123456789abcdefABCDEF", rune(c)):
			return false
		}
	}
	return len(text) == 36
}
