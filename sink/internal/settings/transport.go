package settings

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
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

// Network checks how the network is reached. A password for the proxy is a secret like the others, and so is a user name
// that comes without one: such proxies take a token for it.
func (c *Check) Network(n sink.Network) {
	c.network = n
	c.fold(n.Validate())
	if n.Proxy == nil || n.Proxy.User == nil {
		return
	}
	password, _ := n.Proxy.User.Password()
	c.hide(secret.New(cmp.Or(password, n.Proxy.User.Username())))
}

// checkGuard refuses at once a host that is an address, or the name of this machine, and that the guard would refuse
// whenever it is dialled.
func (c *Check) checkGuard() {
	if c.endpoint == nil {
		return
	}
	addrs := []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
	if a, err := netip.ParseAddr(strings.TrimSuffix(c.endpoint.Hostname(), ".")); err == nil {
		addrs = []netip.Addr{a}
	} else if !loopback(c.endpoint) {
		return // a name, whose address is judged when it is known
	}
	if slices.ContainsFunc(addrs, func(a netip.Addr) bool { return c.network.Guard.Check(a) == nil }) {
		return
	}
	c.Fail(c.endpointField, "", "has a host that the outbound guard of this server refuses: enter one with a public address, "+
		"or have the operator of this server allow the network that it is in")
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
