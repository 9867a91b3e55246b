package audithttp

import (
	"cmp"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/auditstream/auditstream/sink"
)

// The headers in which proxies say for whom they ask. Each is read in its own way; any other header is read like
// XRealIP.
const (
	// XForwardedFor is a list of addresses, to which each proxy adds the one that it was asked by.
	XForwardedFor = "X-Forwarded-For"

	// Forwarded is the same by RFC 7239: a list of elements of which for= is read.
	Forwarded = "Forwarded"

	// XRealIP is the one address that a proxy was asked by. A proxy has to replace what the client has sent.
	XRealIP = "X-Real-Ip"
)

// TrustedProxies says whose word about a client's address is taken. The zero TrustedProxies trusts nobody.
type TrustedProxies struct {
	// Networks are those that the host's proxies ask from, and nobody else may: not the networks of clients. Defaults to
	// none.
	Networks []netip.Prefix

	// UnixSocket trusts whoever asks through a Unix socket: a proxy on the same machine, for others cannot reach it.
	// Defaults to false.
	UnixSocket bool

	// Header is the one header that the proxies write, and that none of them passes on as it came. Defaults to
	// XForwardedFor.
	Header string

	_ struct{}
}

// Validate returns everything wrong with t, as [*sink.ConfigError] values. What is wrong is also safe: a network that is
// none trusts nobody.
func (t TrustedProxies) Validate() error {
	var errs []error
	add := func(field, value, reason string) {
		errs = append(errs, &sink.ConfigError{Field: "audithttp: TrustedProxies." + field, Value: value, Reason: reason})
	}
	for i, p := range t.Networks {
		field := "Networks[" + strconv.Itoa(i) + "]"
		switch {
		case !p.IsValid():
			add(field, p.String(), "is no network: make it with netip.ParsePrefix")
		case p.Bits() == 0:
			add(field, p.String(), "trusts every client, who may then claim any address: name the networks of your proxies")
		}
	}
	for _, c := range t.Header {
		if !strings.ContainsRune("!#$%&'*+-.^_`|~", c) && !isAlphanumeric(c) {
			add("Header", strconv.Quote(t.Header), "is no name of a header")
			break
		}
	}
	return errors.Join(errs...)
}

func isAlphanumeric(c rune) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// trusts reports whether a proxy may ask from this address.
func (t *TrustedProxies) trusts(a netip.Addr) bool {
	for _, p := range t.Networks {
		if a6 := p.Addr(); a6.Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(a6.Unmap(), p.Bits()-96)
		}
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// client returns the address of the client that r is from, or the zero Addr if it is not known.
func (t *TrustedProxies) client(r *http.Request) netip.Addr {
	peer, known := parseNode(r.RemoteAddr)
	trusted := t.UnixSocket && throughUnixSocket(r)
	if known {
		trusted = t.trusts(peer)
	}
	if !trusted {
		return peer
	}
	name := http.CanonicalHeaderKey(cmp.Or(t.Header, XForwardedFor))
	values := r.Header[name]
	switch name {
	case XForwardedFor:
		return t.search(values, peer, lastOf, parseNode)
	case Forwarded:
		return t.search(values, peer, lastElement, parseElement)
	}
	if len(values) != 1 {
		return peer // two headers are two claims, and none is none
	}
	if a, ok := parseNode(values[0]); ok {
		return a
	}
	return peer
}

// search goes through the lists in values from the end to the first address that is no trusted proxy's. nearest is the
// address of who has written what is read next.
func (t *TrustedProxies) search(
	values []string, nearest netip.Addr, last func(string) (rest, item string), parse func(string) (netip.Addr, bool),
) netip.Addr {
	for _, list := range slices.Backward(values) {
		for rest, item := list, ""; rest != ""; {
			rest, item = last(rest)
			if strings.Trim(item, " \t") == "" {
				continue // a list may have empty items
			}
			a, ok := parse(item)
			if !ok {
				return nearest
			}
			if !t.trusts(a) {
				return a
			}
			nearest = a
		}
	}
	return nearest
}

// throughUnixSocket reports whether the server has accepted r on a Unix socket.
func throughUnixSocket(r *http.Request) bool {
	a, ok := r.Context().Value(http.LocalAddrContextKey).(interface{ Network() string })
	return ok && a.Network() == "unix"
}
