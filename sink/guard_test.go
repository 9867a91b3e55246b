package sink_test

import (
	"net"
	"net/netip"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/sink"
)

func TestGuardKnowsAddresses(t *testing.T) {
	t.Parallel()
	everything := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
	const public, special, never = "public", "special", "never"
	for addr, want := range map[string]string{
		"1.1.1.1":                  public,
		"11.0.0.1":                 public,
		"100.63.255.255":           public,
		"100.128.0.1":              public,
		"172.15.0.1":               public,
		"172.32.0.1":               public,
		"192.0.1.1":                public,
		"223.255.255.255":          public,
		"2606:4700::1111":          public,
		"::ffff:1.1.1.1":           public,
		"64:ff9b::101:101":         public,
		"127.0.0.1":                special,
		"127.255.255.254":          special,
		"::1":                      special,
		"10.1.2.3":                 special,
		"172.16.0.1":               special,
		"172.31.255.255":           special,
		"192.168.1.1":              special,
		"fc00::1":                  special,
		"fdff::1":                  special,
		"100.64.0.1":               special,
		"0.1.2.3":                  special,
		"192.0.0.8":                special,
		"192.0.2.1":                special,
		"192.88.99.1":              special,
		"198.18.0.1":               special,
		"198.19.255.255":           special,
		"198.51.100.1":             special,
		"203.0.113.1":              special,
		"240.0.0.1":                special,
		"255.255.255.255":          special,
		"::ffff:127.0.0.1":         special,
		"::ffff:10.0.0.1":          special,
		"::127.0.0.1":              special,
		"::a00:1":                  special,
		"64:ff9b::7f00:1":          special,
		"64:ff9b::a00:1":           special,
		"64:ff9b:1::1":             special,
		"100::1":                   special,
		"2001::1":                  special,
		"2001:db8::1":              special,
		"2002:7f00:1::1":           special,
		"3fff::1":                  special,
		"5f00::1":                  special,
		"fec0::1":                  special,
		"169.254.169.254":          never,
		"169.254.0.1":              never,
		"::ffff:169.254.169.254":   never,
		"64:ff9b::a9fe:a9fe":       never,
		"fe80::1":                  never,
		"fe80::1%eth0":             never,
		"100.100.100.200":          never,
		"168.63.129.16":            never,
		"192.0.0.192":              never,
		"fd00:ec2::254":            never,
		"fd20:ce::254":             never,
		"fd00:c1::a9fe:a9fe":       never,
		"224.0.0.1":                never,
		"ff02::1":                  never,
		"0.0.0.0":                  never,
		"::":                       never,
		"::ffff:0.0.0.0":           never,
		"64:ff9b::224.0.0.1":       never,
		"64:ff9b::100.100.100.200": never,
	} {
		a := netip.MustParseAddr(addr)
		closed, open := (&sink.Guard{}).Check(a), (&sink.Guard{Allow: everything}).Check(a)
		assert.Equal(t, want == public, closed == nil, "%s without an Allow", addr)
		assert.Equal(t, want != never, open == nil, "%s with everything allowed", addr)
		require.NoError(t, (*sink.Guard)(nil).Check(a), addr)
		if closed != nil {
			require.ErrorIs(t, closed, sink.ErrAddressRefused)
			assert.NotContains(t, closed.Error(), addr, "the address is not told")
		}
	}
	require.ErrorIs(t, (&sink.Guard{Allow: everything}).Check(netip.Addr{}), sink.ErrAddressRefused)
}

// FuzzGuard holds the tables against what package netip knows about addresses.
func FuzzGuard(f *testing.F) {
	for _, text := range []string{"127.0.0.1", "::ffff:10.0.0.1", "fe80::1%eth0", "64:ff9b::7f00:1", "8.8.8.8", "2a00::1"} {
		a := netip.MustParseAddr(text)
		f.Add(a.AsSlice())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a, ok := netip.AddrFromSlice(b)
		if !ok {
			return
		}
		plain := a.Unmap()
		err := (&sink.Guard{}).Check(a)
		if plain.IsPrivate() || plain.IsLoopback() || plain.IsUnspecified() || plain.IsMulticast() ||
			plain.IsLinkLocalUnicast() || !plain.IsGlobalUnicast() {
			require.ErrorIs(t, err, sink.ErrAddressRefused, "%v", a)
		}
		require.Equal(t, err == nil, (&sink.Guard{}).Control("tcp", netip.AddrPortFrom(a, 443).String(), nil) == nil, "%v", a)
		if err == nil {
			require.NoError(t, (&sink.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}).Check(a), "%v", a)
		}
	})
}

func TestGuardAllowsWhatIsListed(t *testing.T) {
	t.Parallel()
	g := &sink.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("10.20.0.0/16"), netip.MustParsePrefix("fd12::/32")}}
	for addr, want := range map[string]bool{
		"10.20.3.4": true, "::ffff:10.20.3.4": true, "64:ff9b::a14:304": true, "fd12::1": true,
		"10.21.0.1": false, "127.0.0.1": false, "fd13::1": false,
	} {
		assert.Equal(t, want, g.Check(netip.MustParseAddr(addr)) == nil, addr)
	}
}

func TestGuardErrorsTellWhatToDo(t *testing.T) {
	t.Parallel()
	err := (&sink.Guard{}).Check(netip.MustParseAddr("10.1.2.3"))
	require.EqualError(t, err, "the host resolves to a private address: the outbound guard refuses such addresses")
	var e *sink.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, sink.VerdictBlock, e.Verdict)
	assert.Equal(t, "Enter a host with a public address, or have the operator of this server allow the network that it is in.", e.Remedy)
	require.ErrorIs(t, (&sink.Guard{}).Control("unix", "/run/docker.sock", nil), sink.ErrAddressRefused)
	require.NoError(t, (*sink.Guard)(nil).Control("unix", "/run/siem.sock", nil))
}

func TestGuardThatCannotWorkIsRefused(t *testing.T) {
	t.Parallel()
	n := sink.Network{
		Guard: &sink.Guard{Allow: []netip.Prefix{
			netip.MustParsePrefix("10.0.0.0/8"),
			netip.MustParsePrefix("169.254.169.0/24"),
			netip.MustParsePrefix("::ffff:10.0.0.0/104"),
			{},
		}},
		Proxy:       &url.URL{Scheme: "http", Host: "proxy.example:3128"},
		DialContext: (&net.Dialer{}).DialContext,
	}
	const want = `Network.Guard.Allow[1] (169.254.169.0/24): is a link-local address, which is never allowed: remove it
Network.Guard.Allow[2] (::ffff:10.0.0.0/104): is an IPv4 network in IPv6 form, which matches nothing: write it in IPv4 form
Network.Guard.Allow[3] (invalid Prefix): is no network: write one such as 10.20.0.0/16
Network.Guard: is set together with Network.Proxy, which connects to the destination in its place: set one of them, and let the proxy refuse what is to be refused
Network.Guard: is set together with Network.DialContext, which connects in its place: set one of them, and give the guard's Control to the net.Dialer behind DialContext`
	require.EqualError(t, n.Validate(), want)
	_, err := n.Dial(t.Context(), "tcp", "127.0.0.1:1")
	require.EqualError(t, err, want, "a driver that does not validate dials nothing")
	require.NoError(t, sink.Network{Guard: &sink.Guard{}}.Validate())
}

func TestGuardedDial(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	for _, host := range []string{"127.0.0.1", "localhost", "0.0.0.0"} {
		_, err = sink.Network{Guard: &sink.Guard{}}.Dial(t.Context(), "tcp", net.JoinHostPort(host, port))
		require.ErrorIs(t, err, sink.ErrAddressRefused, host)
	}
	loopback := &sink.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	conn, err := sink.Network{Guard: loopback}.Dial(t.Context(), "tcp", l.Addr().String())
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	assert.Equal(t, "{guard:true proxy:none dial:default plaintext:false}", sink.Network{Guard: loopback}.String())
}
