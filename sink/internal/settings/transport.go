package settings

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
)

// Words for the compression of requests.
const (
	Gzip = "gzip"
	None = "none"
)

// Compression reports whether requests are compressed: "gzip", which is also what an empty word means, or "none".
func (c *Check) Compression(field, word string) (compress bool) {
	switch word {
	case "", Gzip:
		return true
	case None:
		return false
	}
	c.Fail(field, fmt.Sprintf("%.100q", word), `is not known: write "gzip" or "none"`)
	return false
}

// TLS returns the configuration of the TLS client.
func (c *Check) TLS(t sink.TLS) *tls.Config {
	c.tlsSet = t != sink.TLS{}
	cfg, err := t.ClientConfig()
	c.fold(err)
	return cfg
}

// proxySchemes are the kinds of proxy that net/http knows.
var proxySchemes = []string{"http", "https", "socks5", "socks5h"}

// Network checks how the network is reached. A password for the proxy is a secret like the others.
func (c *Check) Network(n sink.Network) {
	c.network = n
	if n.Proxy == nil {
		return
	}
	if !slices.Contains(proxySchemes, n.Proxy.Scheme) || n.Proxy.Hostname() == "" {
		c.Fail("Network.Proxy", "", "is not the URL of a proxy: write one such as http://proxy.example:3128, with the scheme "+
			strings.Join(proxySchemes, ", "))
	}
	if n.Proxy.User == nil {
		return
	}
	if password, ok := n.Proxy.User.Password(); ok {
		c.hide(secret.New(password))
	}
}

// fold adds the problems joined in err, each under the name of the driver's field.
func (c *Check) fold(err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			c.fold(e)
		}
		return
	}
	if ce, ok := errors.AsType[*sink.ConfigError](err); ok {
		c.Fail(ce.Field, ce.Value, ce.Reason)
	}
}
