package splunk_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/splunk"
)

const token = "0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d"

// valid returns a Config without a fault.
func valid() splunk.Config {
	return splunk.Config{Endpoint: "https://splunk.example:8088", Token: secret.New(token)}
}

func TestOpenValid(t *testing.T) {
	for name, change := range map[string]func(*splunk.Config){
		"least":              func(*splunk.Config) {},
		"most":               fillIn,
		"plain to loopback":  func(c *splunk.Config) { c.Endpoint = "http://127.0.0.1:8088" },
		"plain when allowed": func(c *splunk.Config) { c.Endpoint, c.Network.AllowPlaintext = "http://splunk.example:8088", true },
		"no compression":     func(c *splunk.Config) { c.Compression = splunk.None },
		"gzip":               func(c *splunk.Config) { c.Compression = splunk.Gzip },
		"pasted token":       func(c *splunk.Config) { c.Token = secret.New(" splunk\t" + token + "\n") },
		"token of any form":  func(c *splunk.Config) { c.Token = secret.New("Splunk") },
		"acknowledgement":    func(c *splunk.Config) { c.Acknowledge = true },
		"impatience":         func(c *splunk.Config) { c.Acknowledge, c.AcknowledgeTimeout = true, time.Minute },
		"patience":           func(c *splunk.Config) { c.Acknowledge, c.AcknowledgeTimeout = true, time.Hour },
		"internal index":     func(c *splunk.Config) { c.Index = "_audit-2" },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := valid()
			change(&cfg)
			s, err := cfg.Open()
			require.NoError(t, err)
			closer, ok := s.(io.Closer)
			require.True(t, ok)
			assert.NoError(t, closer.Close())
		})
	}
}

func fillIn(c *splunk.Config) {
	c.Headers = sink.Headers{"X-Tenant": "acme", "X-Key": `#{Secret | ToBase64}`}
	c.Index, c.Source, c.SourceType, c.Host = "audit", "acme server", "acme:audit", "server-1"
	c.Acknowledge, c.AcknowledgeTimeout = true, 10*time.Minute
	c.TLS.PinSHA256 = strings.Repeat("ab", 32)
}

func TestOpenRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*splunk.Config)
		want   []string // "field: part of the reason"
	}{
		"no endpoint":            {func(c *splunk.Config) { c.Endpoint = "" }, []string{"Endpoint: is empty"}},
		"no token":               {func(c *splunk.Config) { c.Token = secret.Value{} }, []string{"Token: is empty"}},
		"blank token":            {func(c *splunk.Config) { c.Token = secret.New(" \n") }, []string{"Token: is empty"}},
		"token with a line feed": {func(c *splunk.Config) { c.Token = secret.New("a1b2c3d4\nX-Injected:1") }, []string{"Token: "}},
		"token with a space":     {func(c *splunk.Config) { c.Token = secret.New("Authorization: Splunk a1b2") }, []string{"Token: has a space"}},
		"token with a control":   {func(c *splunk.Config) { c.Token = secret.New("a1b2\x00c3d4") }, []string{"Token: "}},
		"token with an accent":   {func(c *splunk.Config) { c.Token = secret.New("tökén-tökén") }, []string{"Token: "}},
		"plain http":             {func(c *splunk.Config) { c.Endpoint = "http://splunk.example:8088" }, []string{"Endpoint: begins with http://"}},
		"token in the endpoint":  {func(c *splunk.Config) { c.Endpoint += "/" + token }, []string{"Endpoint: holds the token"}},
		"authorization header": {
			func(c *splunk.Config) { c.Headers = sink.Headers{"authorization": "Splunk x"} },
			[]string{`Headers["authorization"]: is set by the driver`},
		},
		"channel header": {
			func(c *splunk.Config) { c.Headers = sink.Headers{"X-Splunk-Request-Channel": "x"} },
			[]string{`Headers["X-Splunk-Request-Channel"]: is set by the driver`},
		},
		"header of the transport": {
			func(c *splunk.Config) { c.Headers = sink.Headers{"Content-Encoding": "deflate"} },
			[]string{`Headers["Content-Encoding"]: belongs to the transport`},
		},
		"unknown token in a header": {
			func(c *splunk.Config) { c.Headers = sink.Headers{"X-Key": "#{Password}"} },
			[]string{`Headers["X-Key"]: `},
		},
		"index in upper case":   {func(c *splunk.Config) { c.Index = "Audit" }, []string{`Index ("Audit"): is no name of an index`}},
		"index with a space":    {func(c *splunk.Config) { c.Index = "audit " }, []string{`Index ("audit "): is no name`}},
		"source with a control": {func(c *splunk.Config) { c.Source = "a\nb" }, []string{`Source ("a\nb"): holds control`}},
		"source type not UTF-8": {func(c *splunk.Config) { c.SourceType = "a\xff" }, []string{`SourceType ("a\xff"): holds control`}},
		"host with a space":     {func(c *splunk.Config) { c.Host = " a" }, []string{`Host (" a"): has white space around`}},
		"host too long":         {func(c *splunk.Config) { c.Host = strings.Repeat("a", 1025) }, []string{"Host: has 1025 bytes"}},
		"compression":           {func(c *splunk.Config) { c.Compression = "zstd" }, []string{`Compression ("zstd"): is not known`}},
		"too impatient": {
			func(c *splunk.Config) { c.Acknowledge, c.AcknowledgeTimeout = true, 59*time.Second },
			[]string{"AcknowledgeTimeout (59s): is not from 1m0s to 1h0m0s: leave it 0 for 5m0s"},
		},
		"too patient": {func(c *splunk.Config) { c.AcknowledgeTimeout = time.Hour + 1 }, []string{"AcknowledgeTimeout (1h0m0.000000001s)"}},
		"TLS":         {func(c *splunk.Config) { c.TLS.RootCAs = "x" }, []string{"TLS.RootCAs: holds no certificate"}},
		"everything at once": {
			func(c *splunk.Config) {
				*c = splunk.Config{
					Endpoint: "https://u:p@h/raw?q", Index: "A", Source: "\x00", SourceType: "\x00", Host: "\x00", Compression: "x",
					AcknowledgeTimeout: 1,
					Headers:            sink.Headers{"": "x"}, TLS: sink.TLS{PinSHA256: "x"},
				}
			},
			[]string{
				"Endpoint: holds a user name", "Endpoint: has a query", "Endpoint: is the raw endpoint", "Token: is empty",
				`Headers[""]: is not a header name`, "Index (", "Source (", "SourceType (", "Host (", "Compression (", "AcknowledgeTimeout (", "TLS.PinSHA256 (",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := valid()
			test.change(&cfg)
			s, err := cfg.Open()
			assert.Nil(t, s)
			require.Error(t, err)
			problems := strings.Split(err.Error(), "\n")
			assert.Len(t, problems, len(test.want), err.Error())
			for _, want := range test.want {
				assert.ErrorContains(t, err, "splunk: Config."+want)
			}
			for _, problem := range unjoin(err) {
				var configError *sink.ConfigError
				assert.ErrorAs(t, problem, &configError)
			}
			if text := strings.TrimSpace(cfg.Token.Reveal()); text != "" {
				assert.NotContains(t, err.Error(), text)
			}
		})
	}
}

func unjoin(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	return joined.Unwrap()
}

func TestString(t *testing.T) {
	assert.Equal(t, "splunk https://a.example:443", splunk.Config{Endpoint: " https://a.example\n"}.String())
	for endpoint, want := range map[string]string{
		"https://splunk.example:8088":                           "splunk https://splunk.example:8088",
		"https://splunk.example:8088/services/collector":        "splunk https://splunk.example:8088",
		"https://user:password@splunk.example:8088/p?token=q#f": "splunk https://splunk.example:8088",
		"https://splunk.example":                                "splunk https://splunk.example:443",
		token:                                                   "splunk",
		"":                                                      "splunk",
	} {
		assert.Equal(t, want, splunk.Config{Endpoint: endpoint}.String(), endpoint)
	}
}

// TestPrintedForms looks for everything that a Config holds and must not show.
func TestPrintedForms(t *testing.T) {
	const canary = "c4n4ry"
	cfg := splunk.Config{
		Endpoint: "https://" + canary + "user:" + canary + "@splunk.example:8088/" + canary + "?token=" + canary,
		Token:    secret.New(canary + "-token"),
		Headers:  sink.Headers{"X-Key": canary + "-value"},
		TLS:      sink.TLS{Key: secret.New(canary + "-key")},
		Network:  sink.Network{Proxy: &url.URL{Scheme: "http", User: url.UserPassword("u", canary), Host: "proxy.example"}},
	}
	var logged strings.Builder
	for _, handler := range []slog.Handler{slog.NewTextHandler(&logged, nil), slog.NewJSONHandler(&logged, nil)} {
		slog.New(handler).Info("opened", "config", cfg)
	}
	forms := []string{logged.String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		forms = append(forms, fmt.Sprintf(verb, cfg), fmt.Sprintf(verb, &cfg), fmt.Sprintf(verb, []splunk.Config{cfg}))
	}
	for _, form := range forms {
		assert.NotContains(t, form, canary)
	}
	assert.Contains(t, logged.String(), "splunk https://splunk.example:8088")
}

// TestJSON is how a host stores what an administrator typed, and shows it again.
func TestJSON(t *testing.T) {
	cfg := valid()
	fillIn(&cfg)
	cfg.Network.AllowPlaintext = true
	cfg.Logger = slog.New(slog.DiscardHandler)
	text, err := json.Marshal(cfg)
	require.NoError(t, err)
	assert.NotContains(t, string(text), token)
	assert.NotContains(t, string(text), "AllowPlaintext")
	assert.NotContains(t, string(text), "Logger")

	read := splunk.Config{Endpoint: cfg.Endpoint, Token: cfg.Token, Headers: cfg.Headers}
	require.NoError(t, json.Unmarshal(text, &read))
	cfg.Network, cfg.Logger = sink.Network{}, nil
	assert.Equal(t, cfg, read)
}
