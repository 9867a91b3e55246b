package auditstream_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/internal/canary"
	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/otlp"
	"github.com/auditstream/auditstream/sink/splunk"
	"github.com/auditstream/auditstream/sink/sumologic"
)

// settable calls visit with every exported field that can be set below t, the types of the standard library left out.
func settable(t reflect.Type, path string, visit func(path string, field reflect.StructField)) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || !strings.HasPrefix(t.PkgPath(), reflect.TypeFor[auditstream.Config]().PkgPath()) {
		return
	}
	for f := range t.Fields() {
		if f.IsExported() {
			visit(path+"."+f.Name, f)
			settable(f.Type, path+"."+f.Name, visit)
		}
	}
}

// TestNoSettingTurnsVerificationOff looks at all there is to set. A new switch, or a way to hand in a TLS configuration
// or a transport, has to be put on a list here, by somebody who has thought about it.
func TestNoSettingTurnsVerificationOff(t *testing.T) {
	t.Parallel()
	suspicious := regexp.MustCompile(`(?i)insecure|skip|trust|verif|version|cipher|downgrade|redirect|fallback`)
	foreign := []reflect.Type{
		reflect.TypeFor[*tls.Config](), reflect.TypeFor[http.RoundTripper](), reflect.TypeFor[*http.Transport](),
		reflect.TypeFor[*http.Client](), reflect.TypeFor[http.CookieJar](),
	}
	var switches []string
	for _, config := range []any{
		auditstream.Config{}, otlp.Config{}, splunk.Config{}, sumologic.Config{}, sink.TLS{}, sink.Network{},
	} {
		of := reflect.TypeOf(config)
		settable(of, of.String(), func(path string, f reflect.StructField) {
			if f.Type.Kind() == reflect.Bool {
				switches = append(switches, path[strings.LastIndexByte(path, '.')+1:])
			}
			assert.NotContains(t, foreign, f.Type, path)
			if f.Name != "ServiceVersion" { // of the host's own service
				assert.NotRegexp(t, suspicious, f.Name, path)
			}
		})
	}
	slices.Sort(switches)
	assert.Equal(t, []string{"Acknowledge", "AllowPlaintext", "StartPaused"}, slices.Compact(switches))
}

// owned are header names that the transport or the protocol writes, and names that are none.
var owned = []string{
	"Host", "hOsT", "Content-Length", "Transfer-Encoding", "transfer-encoding", "Connection", "TE", "Trailer", "Upgrade",
	"Content-Encoding", "Content-Type", "Expect", "Keep-Alive", "Accept-Encoding", "HTTP2-Settings", "Proxy-Authorization",
	"Proxy-Connection", "Sec-WebSocket-Key", "sec-fetch-site",
	":authority", ":path", "", " ", "X A", "X-A ", "X-A:", "X\r\nY", "X\nY", "X\x00Y", "Ünicode", "X-Ä", "X(Y)", "X\"Y", "X/Y", "X\u2028Y",
}

// TestOwnedHeadersAreRefused configures a stream with headers that are not the administrator's to set, and with values
// that would end a header and begin another. Configure says which, shows no value, and changes nothing.
func TestOwnedHeadersAreRefused(t *testing.T) {
	t.Parallel()
	type drivers map[string]func(sink.Headers) sink.Destination
	all := drivers{
		"OTLP over HTTP": func(h sink.Headers) sink.Destination {
			return otlp.Config{Endpoint: "https://siem.example/v1/logs", Headers: h}
		},
		overGRPC: func(h sink.Headers) sink.Destination {
			return otlp.Config{Endpoint: "https://siem.example:4317", Protocol: otlp.GRPC, Headers: h}
		},
		"Splunk": func(h sink.Headers) sink.Destination {
			return splunk.Config{Endpoint: "https://siem.example:8088", Token: secret.New("0a1b2c3d-4e5f"), Headers: h}
		},
	}
	own := map[string][]string{
		overGRPC: {"grpc-timeout", "Grpc-Encoding", "grpc-trace-bin", "x-secret-bin", "X!A", "User-Agent"},
		"Splunk": {"Authorization", "authorization", "X-Splunk-Request-Channel", "x-splunk-request-channel"},
	}
	for driver, destination := range all {
		for _, name := range slices.Concat(owned, own[driver]) {
			checkRefused(t, fmt.Sprintf("%s: %q", driver, name), destination(sink.Headers{name: canary.Secret}), "Config.Headers[")
		}
		for _, value := range []string{"\r\nX-Injected: 1", "\n", "\r", "\x00", "\x7f", "\t", "é", " "} {
			checkRefused(t, fmt.Sprintf("%s: value %q", driver, value), destination(sink.Headers{"X-Ours": canary.Secret + value}), `Config.Headers["X-Ours"]`)
		}
	}
	// Sumo Logic takes no headers, but metadata that becomes some.
	endpoint := secret.New("https://siem.example/receiver/v1/http/abc")
	for _, bad := range []string{"a\r\nX-Injected: 1", "a\nb", "a\x00b", "é"} {
		checkRefused(t, "category", sumologic.Config{Endpoint: endpoint, Category: bad}, "Config.Category")
		checkRefused(t, "name", sumologic.Config{Endpoint: endpoint, Name: bad}, "Config.Name")
		checkRefused(t, "host", sumologic.Config{Endpoint: endpoint, Host: bad}, "Config.Host")
		checkRefused(t, "field", sumologic.Config{Endpoint: endpoint, Fields: map[string]string{"k": bad}}, "Config.Fields")
		checkRefused(t, "field name", sumologic.Config{Endpoint: endpoint, Fields: map[string]string{bad: "v"}}, "Config.Fields")
	}
}

func checkRefused(t *testing.T, what string, dst sink.Destination, field string) {
	t.Helper()
	s := newStream(t, auditstream.Config{})
	err := s.Configure(dst)
	require.Error(t, err, what)
	_, ok := errors.AsType[*sink.ConfigError](err)
	assert.True(t, ok, what)
	for line := range strings.Lines(err.Error()) { // one for each problem, and none that the value has begun
		assert.Contains(t, line, ": "+field, what)
	}
	assert.Equal(t, auditstream.StateUnconfigured, s.Status().State, what)
	requireSilence(t, err)
}
