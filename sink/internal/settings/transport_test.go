package settings_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/settings"
)

var errRefused = errors.New("refused")

func refuse(context.Context, string, string) (net.Conn, error) { return nil, errRefused }

func TestCompression(t *testing.T) {
	c := settings.New("drv", "Secret", secret.Value{})
	assert.True(t, c.Compression("Compression", ""))
	assert.True(t, c.Compression("Compression", "gzip"))
	assert.False(t, c.Compression("Compression", "none"))
	require.NoError(t, c.Done())
	assert.False(t, c.Compression("Compression", "zstd"))
	require.EqualError(t, c.Done(), `drv: Config.Compression ("zstd"): is not known: write "gzip" or "none"`)
}

func TestTLS(t *testing.T) {
	c := settings.New("drv", "Secret", secret.Value{})
	c.Endpoint("Endpoint", "https://host.example/")
	assert.NotNil(t, c.TLS(sink.TLS{}))
	require.NoError(t, c.Done())

	c.TLS(sink.TLS{RootCAs: "x", Certificate: "y", PinSHA256: "z"})
	require.EqualError(t, c.Done(), `drv: Config.TLS.RootCAs: holds no certificate: paste the PEM text, from -----BEGIN CERTIFICATE----- on
drv: Config.TLS.Key: is empty while TLS.Certificate is set: set both or neither
drv: Config.TLS.PinSHA256: is set together with TLS.RootCAs: set one of them`)
}

func TestTLSWithoutTLS(t *testing.T) {
	c := settings.New("drv", "Secret", secret.Value{})
	c.Endpoint("URL", "http://host.example/")
	c.TLS(sink.TLS{PinSHA256: "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"})
	require.EqualError(t, c.Done(), "drv: Config.TLS: is set while URL begins with http://: write https://, or leave the TLS settings empty")
}

func TestNetworkProxy(t *testing.T) {
	for _, good := range []string{"http://p.example", "https://u:p-a-s-s-w@p.example:3128", "socks5://127.0.0.1:1080", "socks5h://p.example"} {
		c := settings.New("drv", "Secret", secret.Value{})
		c.Network(sink.Network{Proxy: mustURL(t, good)})
		require.NoError(t, c.Done(), good)
	}
	for _, bad := range []*url.URL{{}, {Scheme: "http"}, {Scheme: "ftp", Host: "p.example", User: url.UserPassword("u", token)}} {
		c := settings.New("drv", "Secret", secret.Value{})
		c.Network(sink.Network{Proxy: bad})
		require.EqualError(t, c.Done(), "drv: Config.Network.Proxy: is not the URL of a proxy: write one such as "+
			"http://proxy.example:3128, with the scheme http, https, socks5, socks5h")
	}
}

func TestCredentialsOfTheProxyAreSecret(t *testing.T) {
	for _, user := range []*url.Userinfo{url.UserPassword("u", token), url.UserPassword(token, ""), url.User(token)} {
		c := settings.New("drv", "Secret", secret.Value{})
		c.Network(sink.Network{Proxy: &url.URL{Scheme: "http", Host: "p.example", User: user}})
		require.NoError(t, c.Done())
		assert.Equal(t, `"you are [REDACTED]"`, c.Scrubber().Text("you are "+token))
	}
}

func TestFailAndFailf(t *testing.T) {
	c := settings.New("drv", "Secret", secret.Value{})
	c.Fail("A", `"v"`, "is bad")
	c.Failf("B", "has %d", 3)
	err := c.Done()
	require.EqualError(t, err, "drv: Config.A (\"v\"): is bad\ndrv: Config.B: has 3")
	var ce *sink.ConfigError
	require.ErrorAs(t, err, &ce)
	assert.Equal(t, sink.ConfigError{Field: "drv: Config.A", Value: `"v"`, Reason: "is bad"}, *ce)
}

func TestGuardRefusesHostsAtOnce(t *testing.T) {
	const want = "drv: Config.Endpoint: has a host that the outbound guard of this server refuses: enter one with a public " +
		"address, or have the operator of this server allow the network that it is in"
	for endpoint, allow := range map[string]string{
		"https://127.0.0.1/":             "127.0.0.0/8",
		"https://LOCALHOST.:8088/":       "::1/128",
		"https://localhost/":             "127.0.0.1/32",
		"https://[::ffff:10.0.0.1]:443/": "10.0.0.0/8",
		"https://[fd00::1]/":             "fd00::/16",
	} {
		check := func(g *sink.Guard) error {
			c := settings.New("drv", "Secret", secret.Value{})
			c.Network(sink.Network{Guard: g})
			c.Endpoint("Endpoint", endpoint)
			return c.Done()
		}
		require.EqualError(t, check(&sink.Guard{}), want, endpoint)
		require.NoError(t, check(&sink.Guard{Allow: []netip.Prefix{netip.MustParsePrefix(allow)}}), endpoint)
		require.NoError(t, check(nil), endpoint)
	}
	c := settings.New("drv", "Secret", secret.Value{})
	c.Network(sink.Network{Guard: &sink.Guard{}})
	c.Endpoint("Endpoint", "https://siem.example:8088/")
	require.NoError(t, c.Done(), "a name is judged when its address is known")
}
