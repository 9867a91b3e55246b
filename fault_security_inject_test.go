package auditstream_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode"

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

// TestSecretsCannotEndAHeader configures destinations whose secret has more than a token in it.
func TestSecretsCannotEndAHeader(t *testing.T) {
	t.Parallel()
	for _, tail := range []string{"\r\nX-Injected: 1", "\n\n", "\r", "\x00", "\x1b[31m", "é", "\u2028"} {
		value := secret.New(canary.Secret + tail + canary.Secret)
		for _, p := range []otlp.Protocol{otlp.HTTPProtobuf, otlp.GRPC} {
			checkRefused(t, fmt.Sprintf("%s %q", p, tail), otlp.Config{
				Endpoint: "https://siem.example:4317", Protocol: p, Secret: value, Headers: sink.Headers{"Authorization": "Bearer #{Secret}"},
			}, `Config.Headers["Authorization"]`)
		}
		checkRefused(t, fmt.Sprintf("Splunk %q", tail), splunk.Config{Endpoint: "https://siem.example", Token: value}, "Config.Token")
		checkRefused(t, fmt.Sprintf("Sumo Logic %q", tail), sumologic.Config{
			Endpoint: secret.New("https://siem.example/receiver/v1/http/#{Secret}"), Secret: value,
		}, "Config.Endpoint")
		// In Base64 it is a header value like any other.
		s := newStream(t, auditstream.Config{})
		require.NoError(t, s.Configure(otlp.Config{
			Endpoint: "https://siem.example", Secret: value, Headers: sink.Headers{"Authorization": "Basic #{Secret | ToBase64}"},
		}))
	}
}

// TestSecretsCannotMoveTheURL puts whatever a URL gives a meaning to into the secret part of Sumo Logic's URL. It is
// refused, or it arrives where it should: at the same host, behind the same prefix, byte for byte.
func TestSecretsCannotMoveTheURL(t *testing.T) {
	t.Parallel()
	const prefix = "/receiver/v1/http/"
	server := newSentinel(t, nil, nil)
	const neither, escaped, both = 0, 1, 2 // whether it may stand there as it is, or escaped
	for text, may := range map[string]int{
		"..": neither, ".": neither, "a/../b": neither, "a/..": neither, "/./a": neither, `a\..\b`: neither,
		"%2e%2e": neither, "/%2E./b": neither, "/..;a=1": neither,
		"b?x=1#frag/../..": neither, "a#b": escaped, "a?b": escaped, "a b": escaped, "a%": escaped, "a%zz": escaped, "é": escaped,
		"a\r\nHost: evil.example": escaped, "\x00a": escaped, "#{Secret}": escaped, `a\b`: escaped,
		"a@evil.example": both, "//evil.example/": both, "a:b": both, "a/b": both, "a%2Fb==": both, "a%41;b=1": both, "a&b=c+d": both,
	} {
		for _, filter := range []string{"", " | UriDataEscape"} {
			token := canary.Secret[:12] + text // no ? and = in it
			if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "%") {
				token = text
			}
			name := fmt.Sprintf("%q%s", text, filter)
			dst := sumologic.Config{
				Endpoint: secret.New("http://" + server.host() + prefix + "#{Secret" + filter + "}"), Secret: secret.New(token),
			}
			if may == neither && (filter == "" || !strings.Contains(text, "%")) || may == escaped && filter == "" {
				checkRefused(t, name, dst, "Config.Endpoint")
				continue
			}
			s := newStream(t, auditstream.Config{BatchDelay: time.Nanosecond})
			require.NoError(t, s.Configure(dst), name)
			publish(t, s, 1, 1)
			waitDelivered(t, s, 1)
			server.mu.Lock()
			r := server.requests[len(server.requests)-1]
			server.mu.Unlock()
			assert.Equal(t, server.host(), r.Host, name)
			sent, ok := strings.CutPrefix(r.RequestURI, prefix)
			require.True(t, ok, name)
			if filter != "" {
				var err error
				sent, err = url.PathUnescape(sent)
				require.NoError(t, err, name)
			}
			assert.True(t, sent == token, "%s arrives in another form", name) // without the token
		}
	}
}

// TestSecretsNeedTLS configures destinations without TLS.
func TestSecretsNeedTLS(t *testing.T) {
	t.Parallel()
	for driver, destination := range secured {
		for _, host := range []string{"siem.example:8088", "192.0.2.1:8088", "[2001:db8::1]:8088", "2130706433:8088", "localhost.example:8088", "a.localhost:8088"} {
			r := route{url: "http://" + host}
			checkRefused(t, driver+" "+host, destination(r), "Config.Endpoint")
			r.network = sink.Network{AllowPlaintext: true}
			require.NoError(t, newStream(t, auditstream.Config{}).Configure(destination(r)), driver)
		}
		for _, host := range []string{"127.0.0.1:1", "[::1]:1", "localhost:1", "127.8.8.8:1"} {
			require.NoError(t, newStream(t, auditstream.Config{}).Configure(destination(route{url: "http://" + host})), driver)
		}
		// Loopback behind a proxy is the proxy's.
		proxied := route{url: "http://127.0.0.1:1", network: sink.Network{Proxy: &url.URL{Scheme: "http", Host: "proxy.example:3128"}}}
		checkRefused(t, driver+" through a proxy", destination(proxied), "Config.Endpoint")
	}
}

// TestServersCannotForgeLogLines lets a destination answer with what would be a line of the log, colours and reversed
// text, and publishes events with the same in them.
func TestServersCannotForgeLogLines(t *testing.T) {
	t.Parallel()
	const forged = "gone\r\ntime=2026-01-01 level=INFO msg=\"audit stream enabled\" forged=1 \x1b[2K\x1b[31m\x00\u202e\u2028\x85"
	for driver, destination := range secured {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			server := newSentinel(t, nil, func(w http.ResponseWriter, r *http.Request) {
				if isGRPC(r) {
					w.Header().Set("Content-Type", "application/grpc")
					w.Header().Set("Grpc-Status", "7")
					w.Header().Set("Grpc-Message", url.PathEscape(forged))
					return
				}
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusForbidden)
				_, _ = fmt.Fprintf(w, `{"code":4,"text":%q,"message":"gone\r\ntime=2026-01-01 level=INFO forged=1 \u001b[2K\u0000\u202e\u2028\u0085"}`, "text")
			})
			j := &journal{}
			s := newStream(t, auditstream.Config{Name: "tenant 7", BatchDelay: time.Nanosecond, Logger: j.logger()})
			require.NoError(t, s.Configure(destination(route{url: "http://" + server.host()})))
			e := event(1)
			e.Action, e.Message, e.Actor.Name = "a\nforged=1", forged, forged
			require.NoError(t, s.Publish(e))
			require.Eventually(t, func() bool { return strings.Contains(j.log(), "blocked") }, time.Minute, time.Millisecond)
			for line := range strings.Lines(j.log()) {
				assert.True(t, strings.HasPrefix(line, "time="), "somebody has begun a line")
			}
			text := s.Status().LastError.Error()
			assert.Less(t, len(text), 512)
			assert.False(t, strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }))
			assert.NotContains(t, text, "\u2028")
		})
	}
}
