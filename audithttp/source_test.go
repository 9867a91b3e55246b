package audithttp_test

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/audithttp"
	"github.com/auditstream/auditstream/sink"
)

func prefixes(all ...string) []netip.Prefix {
	var list []netip.Prefix
	for _, s := range all {
		list = append(list, netip.MustParsePrefix(s))
	}
	return list
}

// request is one from an address with headers, which are "Name: value" in the order of the wire.
func request(remote string, headers ...string) *http.Request {
	r := &http.Request{RemoteAddr: remote, Header: http.Header{}}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	return r
}

const proxy = "10.1.2.3:4711"

func TestAddress(t *testing.T) {
	xff := audithttp.TrustedProxies{Networks: prefixes("10.1.0.0/16", "2001:db8:1::/48")}
	forwarded := audithttp.TrustedProxies{Networks: xff.Networks, Header: "forwarded"}
	realIP := audithttp.TrustedProxies{Networks: xff.Networks, Header: "X-Real-IP"}
	custom := audithttp.TrustedProxies{Networks: xff.Networks, Header: "CF-Connecting-IP"}
	mapped := audithttp.TrustedProxies{Networks: prefixes("::ffff:10.1.0.0/112")}
	for _, tt := range []struct {
		name    string
		trusted audithttp.TrustedProxies
		remote  string
		headers []string
		want    string
	}{
		// Nobody is trusted.
		{"plain", audithttp.TrustedProxies{}, "192.0.2.1:4711", nil, "192.0.2.1"},
		{"IPv6", audithttp.TrustedProxies{}, "[2001:db8::1]:4711", nil, "2001:db8::1"},
		{"IPv6 with a zone", audithttp.TrustedProxies{}, "[fe80::1%eth0]:4711", nil, "fe80::1"},
		{"IPv4 in IPv6", audithttp.TrustedProxies{}, "[::ffff:192.0.2.1]:4711", nil, "192.0.2.1"},
		{"no address", audithttp.TrustedProxies{}, "pipe", nil, ""},
		{"nothing", audithttp.TrustedProxies{}, "", nil, ""},
		{
			"every header there is",
			audithttp.TrustedProxies{},
			proxy,
			[]string{"X-Forwarded-For: 192.0.2.9", "Forwarded: for=192.0.2.9", "X-Real-IP: 192.0.2.9"},
			"10.1.2.3",
		},
		{"a network that is none", audithttp.TrustedProxies{Networks: []netip.Prefix{{}}}, proxy, []string{"X-Forwarded-For: 192.0.2.9"}, "10.1.2.3"},

		// X-Forwarded-For.
		{"client that is no proxy", xff, "192.0.2.1:1", []string{"X-Forwarded-For: 192.0.2.9"}, "192.0.2.1"},
		{"no header", xff, proxy, nil, "10.1.2.3"},
		{"empty header", xff, proxy, []string{"X-Forwarded-For: "}, "10.1.2.3"},
		{"one", xff, proxy, []string{"X-Forwarded-For: 192.0.2.9"}, "192.0.2.9"},
		{"made up by the client", xff, proxy, []string{"X-Forwarded-For: 8.8.8.8, 192.0.2.9"}, "192.0.2.9"},
		{"two proxies", xff, proxy, []string{"X-Forwarded-For: 8.8.8.8, 192.0.2.9, 10.1.9.9"}, "192.0.2.9"},
		{"two headers", xff, proxy, []string{"X-Forwarded-For: 192.0.2.9", "X-Forwarded-For: 10.1.9.9"}, "192.0.2.9"},
		{"the client's header first", xff, proxy, []string{"X-Forwarded-For: 10.1.1.1", "X-Forwarded-For: 192.0.2.9"}, "192.0.2.9"},
		{"proxies only", xff, proxy, []string{"X-Forwarded-For: 10.1.7.7, 10.1.8.8"}, "10.1.7.7"},
		{"a port", xff, proxy, []string{"X-Forwarded-For: 192.0.2.9:65535"}, "192.0.2.9"},
		{"no port", xff, proxy, []string{"X-Forwarded-For: 192.0.2.9:http"}, "10.1.2.3"},
		{"IPv6 bare", xff, proxy, []string{"X-Forwarded-For: 2001:DB8::9"}, "2001:db8::9"},
		{"IPv6 in brackets", xff, proxy, []string{"X-Forwarded-For: [2001:db8::9]"}, "2001:db8::9"},
		{"IPv6 with a port", xff, proxy, []string{"X-Forwarded-For: [2001:db8::9]:443"}, "2001:db8::9"},
		{"a zone that says something", xff, proxy, []string{"X-Forwarded-For: fe80::1%<script>"}, "fe80::1"},
		{"a trusted zone", xff, proxy, []string{"X-Forwarded-For: 192.0.2.9, 2001:db8:1::1%x"}, "192.0.2.9"},
		{"IPv6 proxy", xff, "[2001:db8:1::7]:1", []string{"X-Forwarded-For: 192.0.2.9"}, "192.0.2.9"},
		{"IPv4 proxy on an IPv6 socket", xff, "[::ffff:10.1.2.3]:1", []string{"X-Forwarded-For: 192.0.2.9"}, "192.0.2.9"},
		{"network written as IPv6", mapped, proxy, []string{"X-Forwarded-For: 192.0.2.9"}, "192.0.2.9"},
		{"empty items", xff, proxy, []string{"X-Forwarded-For: 192.0.2.9, ,10.1.1.1,, "}, "192.0.2.9"},
		{"unknown", xff, proxy, []string{"X-Forwarded-For: 192.0.2.9, unknown, 10.1.9.9"}, "10.1.9.9"},
		{"a fragment", xff, proxy, []string{"X-Forwarded-For: 192.0.2.9, 10.1.9"}, "10.1.2.3"},
		{"quotes, which only Forwarded has", xff, proxy, []string{`X-Forwarded-For: "192.0.2.9"`}, "10.1.2.3"},
		{"a half bracket", xff, proxy, []string{"X-Forwarded-For: [2001:db8::9"}, "10.1.2.3"},
		{"IPv4 in brackets", xff, proxy, []string{"X-Forwarded-For: [192.0.2.9]"}, "10.1.2.3"},
		{"the wrong header", xff, proxy, []string{"X-Real-IP: 192.0.2.9", "Forwarded: for=192.0.2.9"}, "10.1.2.3"},

		// Forwarded.
		{"for", forwarded, proxy, []string{"Forwarded: for=192.0.2.9"}, "192.0.2.9"},
		{"for, among others", forwarded, proxy, []string{"Forwarded: proto=https; For = 192.0.2.9 ;by=10.1.2.3"}, "192.0.2.9"},
		{"for IPv6", forwarded, proxy, []string{`Forwarded: for="[2001:db8::9]:4711"`}, "2001:db8::9"},
		{"for a hidden port", forwarded, proxy, []string{`Forwarded: for="192.0.2.9:_Web-1.x"`}, "192.0.2.9"},
		{"for a chain", forwarded, proxy, []string{"Forwarded: for=8.8.8.8", "Forwarded: for=192.0.2.9, for=10.1.9.9"}, "192.0.2.9"},
		{"for unknown", forwarded, proxy, []string{"Forwarded: for=192.0.2.9, for=unknown"}, "10.1.2.3"},
		{"for a hidden name", forwarded, proxy, []string{"Forwarded: for=192.0.2.9, for=_hidden, for=10.1.9.9"}, "10.1.9.9"},
		{"nobody", forwarded, proxy, []string{"Forwarded: for=192.0.2.9, by=10.1.2.3"}, "10.1.2.3"},
		{"for twice", forwarded, proxy, []string{"Forwarded: for=192.0.2.9;for=192.0.2.8"}, "10.1.2.3"},
		{"a quote that nobody closes", forwarded, proxy, []string{`Forwarded: for="evil, for=192.0.2.9`}, "192.0.2.9"},
		{"commas between quotes", forwarded, proxy, []string{`Forwarded: for=192.0.2.9;host="a, for=8.8.8.8"`}, "192.0.2.9"},
		{"quotes between quotes", forwarded, proxy, []string{`Forwarded: host="a\", for=8.8.8.8;x=\"";for=192.0.2.9`}, "192.0.2.9"},
		{"a backslash before a quote", forwarded, proxy, []string{`Forwarded: for=8.8.8.8, for=192.0.2.9;host="a\\"`}, "192.0.2.9"},
		{"semicolons between quotes", forwarded, proxy, []string{`Forwarded: host="a;for=8.8.8.8";for=192.0.2.9`}, "192.0.2.9"},

		// One address.
		{"real", realIP, proxy, []string{"X-Real-IP: 192.0.2.9"}, "192.0.2.9"},
		{"real, and two of them", realIP, proxy, []string{"X-Real-IP: 192.0.2.9", "X-Real-IP: 192.0.2.8"}, "10.1.2.3"},
		{"real, and a list", realIP, proxy, []string{"X-Real-IP: 192.0.2.9, 192.0.2.8"}, "10.1.2.3"},
		{"real, from elsewhere", realIP, "192.0.2.1:1", []string{"X-Real-IP: 192.0.2.9"}, "192.0.2.1"},
		{"real, but another header", realIP, proxy, []string{"X-Forwarded-For: 192.0.2.9"}, "10.1.2.3"},
		{"of a provider", custom, proxy, []string{"Cf-Connecting-Ip: 2001:db8::9"}, "2001:db8::9"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			assert.Equal(t, tt.want, audithttp.Source(request(tt.remote, tt.headers...), tt.trusted).Address)
		})
	}
}

func TestUnixSocket(t *testing.T) {
	ctx := context.WithValue(t.Context(), http.LocalAddrContextKey, &net.UnixAddr{Name: "/run/host.sock", Net: "unix"})
	tcp := context.WithValue(t.Context(), http.LocalAddrContextKey, &net.TCPAddr{})
	trusted := audithttp.TrustedProxies{UnixSocket: true}
	r := request("@", "X-Forwarded-For: 8.8.8.8, 192.0.2.9")
	assert.Equal(t, "192.0.2.9", audithttp.Source(r.WithContext(ctx), trusted).Address)
	assert.Empty(t, audithttp.Source(r.WithContext(ctx), audithttp.TrustedProxies{}).Address)
	assert.Empty(t, audithttp.Source(r.WithContext(tcp), trusted).Address)
	assert.Empty(t, audithttp.Source(r, trusted).Address)
	assert.Empty(t, audithttp.Source(request("@").WithContext(ctx), trusted).Address)
	r = request("192.0.2.1:1", "X-Forwarded-For: 192.0.2.9")
	assert.Equal(t, "192.0.2.1", audithttp.Source(r.WithContext(ctx), trusted).Address, "that is a TCP client, whatever the server is")
}

func TestUserAgent(t *testing.T) {
	for name, tt := range map[string]struct{ sent, want string }{
		"none":              {"", ""},
		"as sent":           {"curl/8 \x1b[31m\u202e", "curl/8 \x1b[31m\u202e"},
		"the longest":       {strings.Repeat("a", 512), strings.Repeat("a", 512)},
		"too long":          {strings.Repeat("a", 513), strings.Repeat("a", 512)},
		"cut in a rune":     {strings.Repeat("a", 511) + "é", strings.Repeat("a", 511)},
		"cut in no rune":    {strings.Repeat("\x80", 600), strings.Repeat("\x80", 508)},
		"cut after a rune":  {strings.Repeat("a", 510) + "éb", strings.Repeat("a", 510) + "é"},
		"a megabyte of one": {strings.Repeat("😀", 1<<18), strings.Repeat("😀", 128)},
	} {
		t.Run(name, func(t *testing.T) {
			r := request("192.0.2.1:1")
			r.Header.Set("User-Agent", tt.sent)
			assert.Equal(t, tt.want, audithttp.Source(r, audithttp.TrustedProxies{}).UserAgent)
		})
	}
}

func TestValidate(t *testing.T) {
	assert.NoError(t, audithttp.TrustedProxies{}.Validate())
	assert.NoError(t, audithttp.TrustedProxies{Networks: prefixes("10.0.0.0/8", "::1/128"), Header: "X-Client-IP"}.Validate())
	err := audithttp.TrustedProxies{
		Networks: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), {}, netip.MustParsePrefix("::/0")}, Header: "X-Real-IP:",
	}.Validate()
	for _, field := range []string{"Networks[0]", "Networks[1]", "Networks[2]", "Header"} {
		require.ErrorContains(t, err, "audithttp: TrustedProxies."+field)
	}
	var first *sink.ConfigError
	require.ErrorAs(t, err, &first)
	assert.Equal(t, "0.0.0.0/0", first.Value)
}

// FuzzSource makes headers of anything. The answer is an address or nothing; it is the connection's unless a proxy is
// trusted; and what stands before the item that a trusted proxy has added changes nothing.
func FuzzSource(f *testing.F) {
	f.Add(proxy, "8.8.8.8, 192.0.2.1:80", "curl")
	f.Add("[2001:db8::1]:80", `for="[2001:db8::1]:80";by=_x, for=unknown`, "\xff")
	f.Add("@", `for="evil\", for="`, "")
	f.Fuzz(func(t *testing.T, remote, header, agent string) {
		const client = "192.0.2.9"
		for _, name := range []string{audithttp.XForwardedFor, audithttp.Forwarded, audithttp.XRealIP, "X-Other"} {
			trusted := audithttp.TrustedProxies{Networks: prefixes("10.0.0.0/8"), Header: name}
			r := request(remote)
			r.Header[name] = []string{header}
			r.Header["User-Agent"] = []string{agent}
			nobody := audithttp.Source(r, audithttp.TrustedProxies{Header: name})
			got := audithttp.Source(r, trusted)
			for _, s := range []string{nobody.Address, got.Address} {
				if s != "" {
					a, err := netip.ParseAddr(s)
					require.NoError(t, err)
					require.Empty(t, a.Zone())
					require.Equal(t, a.String(), s)
				}
			}
			if a, err := netip.ParseAddr(nobody.Address); err != nil || !trusted.Networks[0].Contains(a) {
				require.Equal(t, nobody, got)
			}
			require.LessOrEqual(t, len(got.UserAgent), 512)
			require.True(t, strings.HasPrefix(agent, got.UserAgent))
		}

		for name, item := range map[string]string{audithttp.XForwardedFor: client, audithttp.Forwarded: "for=" + client} {
			trusted := audithttp.TrustedProxies{Networks: prefixes("10.0.0.0/8"), Header: name}
			r := request(proxy)
			for _, values := range [][]string{{header + "," + item}, {header, item}, {header + ", " + item, "", ","}} {
				r.Header[name] = values
				require.Equal(t, client, audithttp.Source(r, trusted).Address, "%q", values)
			}
		}
	})
}

func BenchmarkSource(b *testing.B) {
	trusted := audithttp.TrustedProxies{Networks: prefixes("10.1.0.0/16", "2001:db8:1::/48")}
	r := request(proxy, "X-Forwarded-For: 8.8.8.8, 192.0.2.9, 10.1.9.9", "User-Agent: Mozilla/5.0 (X11; Linux x86_64)")
	b.ReportAllocs()
	for b.Loop() {
		audithttp.Source(r, trusted)
	}
}
