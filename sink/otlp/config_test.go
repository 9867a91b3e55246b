package otlp

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
)

func TestOpenErrors(t *testing.T) {
	tests := []struct {
		name   string
		config Config
		want   []string // parts of each problem
	}{
		{"nothing", Config{}, []string{"otlp: Config.Endpoint: is empty"}},
		{
			"everything",
			Config{
				Endpoint: "ftp://collector.example", Protocol: "http/json", Secret: secret.New("canary-canary"),
				Headers:     sink.Headers{"Content-Type": "x", "User-Agent": "x", "a b": "x"},
				Compression: "zstd", TLS: sink.TLS{RootCAs: "x"},
				Resource: Resource{
					ServiceName: "\xff", ServiceVersion: "\xff",
					Attributes: map[string]string{"": "", "service.name": "", "service.version": "", "\xff": "", "k": "\xff"},
				},
			},
			[]string{
				"otlp: Config.Endpoint: does not begin with https:// or http://",
				`otlp: Config.Headers["Content-Type"]: belongs to the transport`,
				`otlp: Config.Headers["User-Agent"]: is set by the driver`,
				`otlp: Config.Headers["a"…]: is not a header name`,
				"otlp: Config.TLS.RootCAs: holds no certificate",
				`otlp: Config.Compression ("zstd"): is not known: write "gzip" or "none"`,
				`otlp: Config.Resource.ServiceName ("\xff"): is not UTF-8`,
				`otlp: Config.Resource.ServiceVersion ("\xff"): is not UTF-8`,
				`otlp: Config.Resource.Attributes (""): is an empty name`,
				`otlp: Config.Resource.Attributes ("service.name"): has a field of its own`,
				`otlp: Config.Resource.Attributes ("service.version"): has a field of its own`,
				`otlp: Config.Resource.Attributes ("\xff"): is not UTF-8`,
				`otlp: Config.Resource.Attributes ("\xff"): is not UTF-8`,
				`otlp: Config.Protocol ("http/json"): is not known: write "http/protobuf" or "grpc"`,
				"otlp: Config.Secret: is set, but nothing uses it",
			},
		},
		{
			"a large resource",
			Config{
				Endpoint: "https://c.example/v1/logs",
				Resource: Resource{Attributes: map[string]string{"k": strings.Repeat("v", 70_000)}},
			},
			[]string{"otlp: Config.Resource: takes 70"},
		},
		{"token without a secret", Config{Endpoint: "https://c.example/#{Secret}"}, []string{"otlp: Config.Secret: is empty"}},
		{
			"secret in the clear",
			Config{Endpoint: "http://c.example/", Secret: secret.New("canary-canary"), Headers: sink.Headers{"X-Key": "#{Secret}"}},
			[]string{"otlp: Config.Endpoint: begins with http://"},
		},
		{"gRPC without scheme", Config{Protocol: GRPC, Endpoint: "c.example:4317"}, []string{"has no scheme: for gRPC write"}},
		{"gRPC without port", Config{Protocol: GRPC, Endpoint: "https://c.example"}, []string{"has no port: for gRPC write"}},
		{
			"gRPC with everything else",
			Config{Protocol: GRPC, Endpoint: "https://canary:canary@c.example:4317/canary?canary=canary"},
			[]string{
				"holds a user name or password, which belong in a header: for gRPC write scheme, host and port only",
				"has a path: for gRPC write", "has a query: for gRPC write",
			},
		},
		{
			"gRPC with a token",
			Config{Protocol: GRPC, Endpoint: "https://c.example:4317/#{Secret}", Secret: secret.New("canary-canary")},
			[]string{"holds a token, which belongs in a header: for gRPC write"},
		},
		{
			"gRPC with a token that leaves nothing",
			Config{Protocol: GRPC, Endpoint: "https://c.example:4317/#{Secret | Truncate 0 \"\"}", Secret: secret.New("canary-canary")},
			[]string{"holds a token, which belongs in a header: for gRPC write"},
		},
		{"gRPC with an empty query", Config{Protocol: GRPC, Endpoint: "https://c.example:4317/?"}, []string{"has a query"}},
		{
			"gRPC headers",
			Config{
				Protocol: GRPC, Endpoint: "https://c.example:4317",
				Headers: sink.Headers{"Grpc-Timeout": "1S", "Trace-Bin": "x", "X|Y": "x", "Te": "x"},
			},
			[]string{
				`otlp: Config.Headers["Grpc-Timeout"]: belongs to gRPC`,
				`otlp: Config.Headers["Trace-Bin"]: would be sent as Base64`,
				`otlp: Config.Headers["X|Y"]: is no name for gRPC`,
				`otlp: Config.Headers["Te"]: belongs to the transport`,
			},
		},
		{
			"gRPC proxy",
			Config{
				Protocol: GRPC, Endpoint: "https://c.example:4317",
				Network: sink.Network{Proxy: &url.URL{Scheme: "socks5", Host: "p:1080", User: url.UserPassword("u", "canary")}},
			},
			[]string{`otlp: Config.Network.Proxy ("socks5://p:1080"): is no proxy for gRPC: write http://host:port`},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := tt.config.Open()
			require.Error(t, err)
			assert.Nil(t, s)
			assert.NotContains(t, err.Error(), "canary")
			lines := strings.Split(err.Error(), "\n")
			for _, want := range tt.want {
				assert.Contains(t, err.Error(), want)
			}
			assert.Len(t, lines, len(tt.want), err.Error())
			for _, part := range parts(err) {
				ce, ok := errors.AsType[*sink.ConfigError](part)
				require.Truef(t, ok, "%T", part)
				assert.True(t, strings.HasPrefix(ce.Field, "otlp: Config."), ce.Field)
			}
		})
	}
}

func parts(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

func TestPrintedForms(t *testing.T) {
	cfg := Config{
		Endpoint: "https://user:canary@collector.example:4318/canary?canary=canary", Protocol: HTTPProtobuf,
		Secret: secret.New("canary"), Headers: sink.Headers{"Authorization": "canary #{Secret}", "X-Tenant": "canary"},
		TLS: sink.TLS{Key: secret.New("canary")},
	}
	const want = `{otlp https://collector.example:4318 protocol:"http/protobuf" headers:[Authorization X-Tenant]}`
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		assert.Equal(t, want, fmt.Sprintf(format, cfg), format)
		assert.NotContains(t, fmt.Sprintf(format, &cfg), "canary")
	}
	assert.Equal(t, "otlp https://collector.example:4318", cfg.String())
	assert.Equal(t, want, cfg.LogValue().String())
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("", "config", cfg)
	assert.NotContains(t, log.String(), "canary")

	assert.Equal(t, "otlp", Config{Endpoint: "::not a URL"}.String())
	assert.Equal(t, "otlp https://c.example:443", Config{Endpoint: "https://c.example/#{Secret}"}.String())
}

func TestJSON(t *testing.T) {
	var cfg Config
	require.NoError(t, json.Unmarshal([]byte(`{
		"endpoint": "https://c.example:4317", "protocol": "grpc", "secret": {"newValue": "s3cr3t"},
		"headers": {"Authorization": "Bearer #{Secret}"}, "compression": "none",
		"resource": {"serviceName": "server", "attributes": {"k": "v"}}, "tls": {"pinSHA256": ""}
	}`), &cfg))
	require.Error(t, json.Unmarshal([]byte(`{"network": {"AllowPlaintext": true}}`), &cfg), "it is the host's policy")
	assert.Equal(t, "v", cfg.Resource.Attributes["k"])
	_, err := cfg.Open()
	require.NoError(t, err)
	text, err := json.Marshal(cfg)
	require.NoError(t, err)
	assert.NotContains(t, string(text), "s3cr3t")
	assert.NotContains(t, string(text), "Network")
	assert.NotContains(t, string(text), "Logger")
}

// TestIdleSinkIsSmall bounds what a sink takes that has not delivered anything: a server may hold thousands.
func TestIdleSinkIsSmall(t *testing.T) {
	const sinks, budget = 200, 4 << 10
	for _, p := range protocols {
		t.Run(string(p), func(t *testing.T) {
			cfg := Config{
				Endpoint: "https://c.example:4317", Protocol: p, Secret: secret.New("s3cr3t"),
				Headers: sink.Headers{"Authorization": "Bearer #{Secret}"},
			}
			goroutines := runtime.NumGoroutine()
			kept := make([]sink.Sink, sinks)
			before := heap()
			for i := range kept {
				s, err := cfg.Open()
				require.NoError(t, err)
				kept[i] = s
			}
			each := (heap() - before) / sinks
			t.Logf("%d bytes a sink", each)
			assert.Less(t, each, int64(budget))
			assert.Less(t, runtime.NumGoroutine(), goroutines+sinks/2, "other tests may end or begin some, but not one for each sink")
			runtime.KeepAlive(kept)
		})
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
