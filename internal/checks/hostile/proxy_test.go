package hostile

import (
	"net/url"
	"strings"
	"testing"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
)

// proxy is a Toxiproxy in front of a server.
type proxy struct{ *toxiproxy.Proxy }

// newProxy starts a proxy to the server at an URL.
func newProxy(t *testing.T, upstream string) proxy {
	t.Helper()
	u, err := url.Parse(upstream)
	require.NoError(t, err)
	api := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p := proxy{toxiproxy.NewProxy(api, t.Name(), "127.0.0.1:0", u.Host)}
	require.NoError(t, p.Start())
	t.Cleanup(p.Stop)
	return p
}

// url returns an URL of the server as it is through the proxy.
func (p proxy) url(t *testing.T, upstream string) string {
	t.Helper()
	u, err := url.Parse(upstream)
	require.NoError(t, err)
	u.Host = p.Listen
	return u.String()
}

// add puts a toxic into every connection, the open ones included.
func (p proxy) add(t *testing.T, toxic string) {
	t.Helper()
	_, err := p.Toxics.AddToxicJson(strings.NewReader(toxic))
	require.NoError(t, err)
}

// heal takes all toxics out again.
func (p proxy) heal(t *testing.T) {
	t.Helper()
	p.Toxics.ResetToxics(t.Context())
	require.Empty(t, p.Toxics.GetToxicArray())
}
