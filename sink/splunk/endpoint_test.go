package splunk

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/secret"
)

func TestParseEndpoint(t *testing.T) {
	for text, want := range map[string]string{
		"https://splunk.example:8088":                                 "https://splunk.example:8088/services/collector/event",
		"https://splunk.example:8088/":                                "https://splunk.example:8088/services/collector/event",
		"  https://splunk.example:8088 \n":                            "https://splunk.example:8088/services/collector/event",
		"https://splunk.example:8088/services/collector":              "https://splunk.example:8088/services/collector/event",
		"https://splunk.example:8088/services/collector/":             "https://splunk.example:8088/services/collector/event",
		"https://splunk.example:8088/services/collector/event":        "https://splunk.example:8088/services/collector/event",
		"https://splunk.example:8088/services/collector/event/":       "https://splunk.example:8088/services/collector/event",
		"https://splunk.example:8088/services/collector/event/1.0":    "https://splunk.example:8088/services/collector/event",
		"https://splunk.example:8088//services/collector/event/1.0":   "https://splunk.example:8088/services/collector/event",
		"https://proxy.example/splunk":                                "https://proxy.example/splunk/services/collector/event",
		"https://proxy.example/a%2Fb/services/collector/event":        "https://proxy.example/a%2Fb/services/collector/event",
		"https://proxy.example/services/collectors":                   "https://proxy.example/services/collectors/services/collector/event",
		"https://proxy.example/services/collector/services/collector": "https://proxy.example/services/collector/services/collector/event",
		"https://proxy.example/draw":                                  "https://proxy.example/draw/services/collector/event",
		"HTTPS://Splunk.example":                                      "https://Splunk.example/services/collector/event",
		"http://127.0.0.1:8088":                                       "http://127.0.0.1:8088/services/collector/event",
		"https://[2001:db8::1]:8088":                                  "https://[2001:db8::1]:8088/services/collector/event",
	} {
		t.Run(text, func(t *testing.T) {
			u, errs := parseEndpoint(text, secret.New("c4n4ry-t0k3n"))
			require.Empty(t, errs)
			assert.Equal(t, want, u.String())
		})
	}
}

func TestParseEndpointRefuses(t *testing.T) {
	const canary = "c4n4ry-t0k3n"
	for text, want := range map[string][]string{
		"":                                               {"is empty"},
		"   ":                                            {"is empty"},
		"splunk.example:8088":                            {"no scheme"},
		canary:                                           {"no scheme"},
		"ftp://splunk.example":                           {`does not begin with https://`},
		"https://":                                       {"no host"},
		"https://:8088":                                  {"no host"},
		"https://splunk.example:0":                       {"port outside"},
		"https://splunk.example:65536":                   {"port outside"},
		"https://splunk.example:port":                    {"not a URL"},
		"https://splunk.example/\x00":                    {"outside of ASCII"},
		"https://splunk.example/a b":                     {"outside of ASCII"},
		"https://bücher.example":                         {"outside of ASCII"},
		"https://%D2":                                    {"outside of ASCII"},
		"https://splunk.example/%zz":                     {"not a URL"},
		"https://x:" + canary + "@s.example":             {"password", "holds the token"},
		"https://" + canary + "@s.example":               {"password", "holds the token"},
		"https://s.example/?token=" + canary:             {"query", "holds the token"},
		"https://s.example?":                             {"query"},
		"https://s.example/#" + canary:                   {"fragment", "holds the token"},
		"https://s.example/#":                            {"fragment"},
		"https://s.example/#{Secret}":                    {"no template"},
		"https://s.example/#<Secret>":                    {"no template"},
		"https://s.example/" + canary:                    {"holds the token"},
		"https://s.example/" + strings.ToUpper(canary):   {"holds the token"},
		"https://s.example/services/collector/raw":       {"raw endpoint"},
		"https://s.example/services/collector/raw/1.0/":  {"raw endpoint"},
		"https://s.example/proxy/raw":                    {"raw endpoint"},
		"https://s.example/services/collector/health":    {"goes on after"},
		"https://s.example/services/collector/ack":       {"goes on after"},
		"https://s.example/services/collector/event/2.0": {"goes on after"},
		"https://s.example/a/../b":                       {". or .."},
		"https://s.example/a/%2e%2E/b":                   {". or .."},
		"ftp://u@:8088/services/collector/raw?a=" + canary + "#f": {
			`does not begin with https://`, "no host", "password", "query", "fragment", "raw endpoint", "holds the token",
		},
	} {
		t.Run(text, func(t *testing.T) {
			u, errs := parseEndpoint(text, secret.New("c4n4ry-t0k3n"))
			assert.Nil(t, u)
			require.Len(t, errs, len(want))
			for i, reason := range errs {
				assert.Contains(t, reason, want[i])
				assert.NotContains(t, reason, canary)
			}
		})
	}
}

// FuzzParseEndpoint checks that what comes out leads to the collector of the host that went in, and comes out the same
// when it goes in again.
func FuzzParseEndpoint(f *testing.F) {
	f.Add("https://splunk.example:8088/services/collector/event/1.0/")
	f.Add(" http://[::1]:80//a%2Fb/services/collector/services/collector ")
	f.Add("https://u@h/raw?q#f")
	f.Add("https://%D2")
	f.Fuzz(func(t *testing.T, text string) {
		u, reasons := parseEndpoint(text, secret.Value{})
		if u == nil {
			require.NotEmpty(t, reasons)
			return
		}
		require.Empty(t, reasons)
		in, err := url.Parse(strings.TrimSpace(text))
		require.NoError(t, err)
		require.Equal(t, in.Host, u.Host)
		require.True(t, strings.HasSuffix(u.Path, "/services/collector/event"), u.Path)
		require.Equal(t, u.String(), u.Scheme+"://"+u.Host+u.EscapedPath())
		again, reasons := parseEndpoint(u.String(), secret.Value{})
		require.Empty(t, reasons)
		require.Equal(t, u.String(), again.String())
	})
}

func TestCloudHint(t *testing.T) {
	for text, want := range map[string]bool{
		"https://acme.splunkcloud.com":             true,
		"https://acme.splunkcloud.com:443":         true,
		"https://ACME.SplunkCloud.com":             true,
		"https://acme.splunkcloud.com:8088":        false,
		"https://http-inputs-acme.splunkcloud.com": false,
		"https://http-inputs.acme.splunkcloud.com": false,
		"https://input-acme.splunkcloud.com":       false,
		"https://splunk.example":                   false,
		"https://splunkcloud.com":                  false,
	} {
		u, err := url.Parse(text)
		require.NoError(t, err)
		hint := cloudHint(u)
		assert.Equal(t, want, strings.Contains(hint, "https://http-inputs-acme.splunkcloud.com"), text)
		assert.Equal(t, want, hint != "", text)
	}
}
