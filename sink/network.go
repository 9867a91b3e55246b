package sink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
)

// dialTimeout bounds the set-up of one TCP connection, so that a black hole costs 10 s and not the whole attempt.
const dialTimeout = 10 * time.Second

// Network is how a host lets sinks reach the network. It is the host's policy: never fill it from what a tenant or an
// administrator typed. The zero Network dials directly and verifies everything, and reaches whatever the host reaches: a
// host whose tenants type endpoints sets Guard.
type Network struct {
	// Guard refuses connections to loopback, private, link-local and other special-purpose addresses, after the name
	// was resolved and for every connection anew: &sink.Guard{}, with the networks of on-premises SIEMs in its Allow.
	// It sees what its own dialler opens, so that it cannot stand beside Proxy or DialContext; a DialContext of the host's
	// calls [Guard.Control] itself. Defaults to none, which allows every address.
	Guard *Guard

	// Proxy is the HTTP, HTTPS or SOCKS5 proxy through which every connection goes. The environment (HTTPS_PROXY and
	// the like) is never read; a host that wants it to count passes what [net/http.ProxyFromEnvironment] answers.
	// Defaults to none.
	Proxy *url.URL

	// DialContext opens the TCP connections. Defaults to a [net.Dialer] that gives up after 10 s.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)

	// AllowPlaintext permits http:// endpoints together with a secret to hosts other than loopback. The secret then
	// crosses the network in the clear. Defaults to refusing them when the destination is opened.
	AllowPlaintext bool

	_ struct{}
}

// Format implements [fmt.Formatter]: every verb writes what String returns.
func (n Network) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, n.String()) }

// String returns the settings without the proxy's user name and password:
// "{guard:false proxy:http://proxy.example:3128 dial:default plaintext:false}".
func (n Network) String() string {
	proxy, dial := "none", "default"
	if n.Proxy != nil {
		proxy = "invalid" // Without a scheme, what stands in its place may be the user's name.
		if n.validateProxy() == nil {
			proxy = n.Proxy.Scheme + "://" + n.Proxy.Host
		}
	}
	if n.DialContext != nil {
		dial = "own"
	}
	return fmt.Sprintf("{guard:%t proxy:%s dial:%s plaintext:%t}", n.Guard != nil, proxy, dial, n.AllowPlaintext)
}

// LogValue implements [slog.LogValuer] and returns what String returns.
func (n Network) LogValue() slog.Value { return slog.StringValue(n.String()) }

// proxySchemes are the kinds of proxy that net/http knows.
var proxySchemes = []string{"http", "https", "socks5", "socks5h"}

// Validate returns every problem with the settings, as [*ConfigError] values joined by [errors.Join]. Drivers call it when
// they are opened.
func (n Network) Validate() error {
	return errors.Join(n.validateProxy(), n.validateGuard())
}

func (n Network) validateProxy() error {
	if n.Proxy == nil || slices.Contains(proxySchemes, n.Proxy.Scheme) && n.Proxy.Hostname() != "" {
		return nil
	}
	return &ConfigError{
		Field: "Network.Proxy",
		Reason: "is not the URL of a proxy: write one such as http://proxy.example:3128, with the scheme " +
			strings.Join(proxySchemes, ", "),
	}
}

// validateGuard refuses a guard that would not see the addresses of the destination.
func (n Network) validateGuard() error {
	if n.Guard == nil {
		return nil
	}
	errs := []error{n.Guard.validate()}
	fail := func(reason string) {
		errs = append(errs, &ConfigError{Field: "Network.Guard", Reason: reason})
	}
	if n.Proxy != nil {
		fail("is set together with Network.Proxy, which connects to the destination in its place: set one of them, and let " +
			"the proxy refuse what is to be refused")
	}
	if n.DialContext != nil {
		fail("is set together with Network.DialContext, which connects in its place: set one of them, and give the guard's " +
			"Control to the net.Dialer behind DialContext")
	}
	return errors.Join(errs...)
}

// Dial opens a connection as the settings say, without the proxy, which belongs to the transport above. Drivers hand it
// to theirs. It fails before it does anything if the guard cannot do its work.
func (n Network) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if err := n.validateGuard(); err != nil {
		return nil, err
	}
	if n.DialContext != nil {
		return n.DialContext(ctx, network, address)
	}
	d := net.Dialer{Timeout: dialTimeout}
	if n.Guard != nil {
		d.Control = n.Guard.Control
	}
	return d.DialContext(ctx, network, address)
}

// Headers are request headers by name, at most 50. Values may be templates of package secret; a value without a token may
// still be a credential, so every printed form shows the names only. JSON has the values, for it is how a host stores
// them, and so do dumps of a struct that holds Headers in an unexported field.
type Headers map[string]string

// Format implements [fmt.Formatter] and writes the sorted names.
func (h Headers) Format(s fmt.State, _ rune) {
	_, _ = io.WriteString(s, h.String())
}

// String returns the sorted names: "[Authorization X-Tenant]". Of what is no name it shows what stands before the first
// colon or space, for somebody may have pasted a whole header there.
func (h Headers) String() string {
	names := slices.Sorted(maps.Keys(h))
	for i, name := range names {
		if end := strings.IndexAny(name, ": \t\r\n"); end >= 0 {
			names[i] = name[:end] + "…"
		}
	}
	return fmt.Sprint(names)
}

// LogValue implements [slog.LogValuer] and returns the sorted names.
func (h Headers) LogValue() slog.Value { return slog.StringValue(h.String()) }
