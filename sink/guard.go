package sink

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
)

// Guard keeps destinations away from addresses that are none of a tenant's business. A host that lets tenants type
// endpoints would otherwise send requests for them to its own loopback services, to the private network that it stands
// in, and to the metadata service of its cloud, which hands out credentials.
//
// A Guard judges addresses, not names: every connection of HTTP and gRPC is checked after its name was resolved and
// immediately before it is opened. A name that resolves to something else the second time (DNS rebinding) gains nothing.
// Redirects are never followed.
//
// Public addresses are allowed. All others are refused: loopback, private (RFC 1918, RFC 4193), shared (RFC 6598),
// link-local, multicast, and whatever else the registries of IANA set aside for special purposes (RFC 6890), IPv6
// addresses with such an IPv4 address inside included. No event is lost by it: the stream is blocked, and says why. The
// error names the kind of address, and not the address, for a tenant must not learn what the host's DNS knows.
//
// A Guard is not changed while a sink uses it. Its methods are safe for concurrent use, and a nil Guard allows everything.
type Guard struct {
	// Allow lists networks that may be reached all the same, for on-premises SIEMs. Link-local addresses and those of
	// the metadata services of clouds cannot be allowed, nor multicast and the unspecified address. Defaults to none.
	Allow []netip.Prefix

	_ struct{}
}

// ErrAddressRefused is the cause of an error by which a [Guard] refused an address.
var ErrAddressRefused = errors.New("the outbound guard refuses such addresses")

// A network is a range of addresses and what to call it.
type network struct {
	netip.Prefix
	kind string
}

const (
	kindLinkLocal = "a link-local address"
	kindMetadata  = "the address of a cloud's metadata service"
	kindSpecial   = "an address set aside for special purposes"
	kindPrivate   = "a private address"
)

// never lists what no Allow opens: nobody's SIEM is there, and credentials are.
var never = networks(
	kindLinkLocal, "169.254.0.0/16 fe80::/10",
	// Alibaba Cloud, Azure's platform, Oracle's classic cloud, then AWS, Google and Oracle over IPv6. The metadata
	// services of most clouds are at 169.254.169.254.
	kindMetadata, "100.100.100.200/32 168.63.129.16/32 192.0.0.192/32 fd00:ec2::254/128 fd20:ce::254/128 fd00:c1::a9fe:a9fe/128",
	"a multicast address", "224.0.0.0/4 ff00::/8",
	"the unspecified address", "0.0.0.0/32 ::/128",
)

// special lists what an Allow may open. The order of two that overlap does not matter: it decides about a word.
var special = networks(
	"a loopback address", "127.0.0.0/8 ::1/128",
	kindPrivate, "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7",
	"an address of a provider's shared network", "100.64.0.0/10",
	// https://www.iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry; with 6to4 and Teredo,
	// which carry IPv4 addresses to whatever relay is near.
	kindSpecial, "0.0.0.0/8 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 240.0.0.0/4 "+
		"2001::/23 2001:db8::/32 2002::/16 3fff::/20",
)

// Public IPv6 addresses are those of globalUnicast. nat64 stands for IPv4, and is judged by what it stands for.
var (
	globalUnicast = netip.MustParsePrefix("2000::/3")
	nat64         = netip.MustParsePrefix("64:ff9b::/96")
)

// networks makes a table of pairs: a kind, and the ranges that are of it.
func networks(pairs ...string) []network {
	var all []network
	for i := 0; i < len(pairs); i += 2 {
		for text := range strings.FieldsSeq(pairs[i+1]) {
			all = append(all, network{netip.MustParsePrefix(text), pairs[i]})
		}
	}
	return all
}

// kindOf returns what to call addr, if it is in one of the networks.
func kindOf(addr netip.Addr, among []network) string {
	for _, n := range among {
		if n.Contains(addr) {
			return n.kind
		}
	}
	return ""
}

// Check returns nil if addr may be connected to, or an [*Error] that blocks and wraps [ErrAddressRefused].
func (g *Guard) Check(addr netip.Addr) error {
	if g == nil {
		return nil
	}
	plain := addr.Unmap().WithZone("")
	if nat64.Contains(plain) {
		b := plain.As16()
		plain = netip.AddrFrom4([4]byte(b[12:]))
	}
	if kind := kindOf(plain, never); kind != "" {
		return refused(kind)
	}
	kind := kindOf(plain, special)
	if kind == "" && !plain.Is4() && !globalUnicast.Contains(plain) {
		kind = kindSpecial
	}
	if kind == "" || g.allows(plain) {
		return nil
	}
	return refused(kind)
}

func (g *Guard) allows(addr netip.Addr) bool {
	for _, p := range g.Allow {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

func refused(kind string) error {
	return &Error{
		Verdict: VerdictBlock,
		Err:     fmt.Errorf("the host resolves to %s: %w", kind, ErrAddressRefused),
		Code:    "address",
		Remedy:  "Enter a host with a public address, or have the operator of this server allow the network that it is in.",
	}
}

// Control is [Guard.Check] in the form of [net.Dialer.Control], for a host with a dialler of its own: it refuses address,
// as IP:port, before the connection is opened.
func (g *Guard) Control(_, address string, _ syscall.RawConn) error {
	if g == nil {
		return nil
	}
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return refused("what is no IP address")
	}
	return g.Check(ap.Addr())
}

// validate returns every entry of Allow that would allow nothing.
func (g *Guard) validate() error {
	var errs []error
	fail := func(i int, p netip.Prefix, reason string) {
		errs = append(errs, &ConfigError{Field: fmt.Sprintf("Network.Guard.Allow[%d]", i), Value: p.String(), Reason: reason})
	}
	for i, p := range g.Allow {
		switch kind := neverWithin(p); {
		case !p.IsValid():
			fail(i, p, "is no network: write one such as 10.20.0.0/16")
		case p.Addr().Is4In6():
			fail(i, p, "is an IPv4 network in IPv6 form, which matches nothing: write it in IPv4 form")
		case kind != "":
			fail(i, p, "is "+kind+", which is never allowed: remove it")
		}
	}
	return errors.Join(errs...)
}

// neverWithin returns what to call a network that is never allowed as a whole.
func neverWithin(p netip.Prefix) string {
	for _, n := range never {
		if p.IsValid() && n.Contains(p.Addr()) && n.Bits() <= p.Bits() {
			return n.kind
		}
	}
	return ""
}
