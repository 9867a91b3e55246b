package auditstream_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/internal/canary"
	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/otlp"
	"github.com/auditstream/auditstream/sink/siemtest"
	"github.com/auditstream/auditstream/sink/splunk"
	"github.com/auditstream/auditstream/sink/sumologic"
)

// guarded opens each driver with a name for its server's host.
var guarded = map[string]func(t *testing.T, host string, n sink.Network) (sink.Destination, server){
	"otlp http": func(t *testing.T, host string, n sink.Network) (sink.Destination, server) {
		t.Helper()
		srv, err := siemtest.NewOTLP(siemtest.OTLPConfig{})
		require.NoError(t, err)
		return otlp.Config{
			Endpoint: named(srv.URL(), host), Headers: sink.Headers{"X-Token": "#{Secret}"}, Secret: secret.New(canary.Secret), Network: n,
		}, srv
	},
	"otlp grpc": func(t *testing.T, host string, n sink.Network) (sink.Destination, server) {
		t.Helper()
		srv, err := siemtest.NewOTLP(siemtest.OTLPConfig{})
		require.NoError(t, err)
		return otlp.Config{
			Endpoint: named(srv.GRPCURL(), host), Protocol: otlp.GRPC,
			Headers: sink.Headers{"X-Token": "#{Secret}"}, Secret: secret.New(canary.Secret), Network: n,
		}, srv
	},
	"splunk": func(t *testing.T, host string, n sink.Network) (sink.Destination, server) {
		t.Helper()
		srv, err := siemtest.NewSplunk(siemtest.SplunkConfig{})
		require.NoError(t, err)
		srv.SetToken(canary.Secret)
		return splunk.Config{Endpoint: named(srv.URL(), host), Token: secret.New(canary.Secret), Network: n}, srv
	},
	"sumologic": func(t *testing.T, host string, n sink.Network) (sink.Destination, server) {
		t.Helper()
		srv, err := siemtest.NewSumoLogic(siemtest.SumoLogicConfig{})
		require.NoError(t, err)
		srv.SetToken(url.PathEscape(canary.Secret))
		return sumologic.Config{
			Endpoint: secret.New(named(srv.BaseURL(), host) + "/" + url.PathEscape(canary.Secret)), Network: n,
		}, srv
	},
}

// named puts host in the place of a server's address.
func named(rawURL, host string) string { return strings.Replace(rawURL, "127.0.0.1", host, 1) }

// TestGuard lets a name resolve to the address that is allowed, and then to another of this machine, as somebody does
// who wants the server to send to itself. Real sockets and a resolver that answers as told; everything else is what a
// host uses.
func TestGuard(t *testing.T) {
	for driver, open := range guarded {
		t.Run(driver, func(t *testing.T) {
			dns := fakeDNS(t, "127.0.0.1")
			n := sink.Network{AllowPlaintext: true, Guard: &sink.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}}
			dst, srv := open(t, "siem.example", n)
			defer srv.Close()
			j := &journal{}
			s := newStream(t, auditstream.Config{
				Logger: j.logger(), BatchDelay: time.Millisecond, RetryMin: time.Millisecond, RetryMax: 10 * time.Millisecond,
			})
			require.NoError(t, s.Configure(dst))
			publish(t, s, 1, 3)
			require.NoError(t, s.Flush(t.Context()))

			// The name moves on, and whoever listens there waits for the token in vain.
			dns.Store("127.0.0.2")
			trap := listenBeside(t, dst)
			require.NoError(t, srv.SetOutage(true))
			publish(t, s, 4, 6)
			require.Eventually(t, func() bool { return s.Status().Condition == auditstream.ConditionBlocked }, time.Minute, time.Millisecond)
			status := s.Status()
			require.ErrorIs(t, status.LastError, sink.ErrAddressRefused)
			checkRemedies(t, status.LastError)
			assert.ErrorContains(t, status.LastError, "the host resolves to a loopback address")
			assert.NotContains(t, status.LastError.Error(), "127.0.0.2", "what the name stands for is not told")
			assert.EqualValues(t, 3, status.Totals.Pending, "nothing is lost")
			assert.Zero(t, trap.Load(), "nobody was connected to")

			dns.Store("127.0.0.1")
			require.NoError(t, srv.SetOutage(false))
			require.NoError(t, s.Flush(t.Context()))
			assert.EqualValues(t, 6, s.Status().Totals.Delivered)
			assert.Zero(t, trap.Load())
			require.NoError(t, s.Shutdown(t.Context()))
			assert.Empty(t, canary.Find(j.log()+status.LastError.Error(), canary.Secret))
		})
	}
}

// TestGuardRefusesAtOpen tries what an Open can see without asking anybody.
func TestGuardRefusesAtOpen(t *testing.T) {
	for driver, open := range guarded {
		t.Run(driver, func(t *testing.T) {
			for _, host := range []string{"127.0.0.1", "localhost", "169.254.169.254", "[::ffff:10.0.0.1]", "0.0.0.0"} {
				dst, srv := open(t, host, sink.Network{AllowPlaintext: true, Guard: &sink.Guard{}})
				defer srv.Close()
				_, err := dst.Open()
				require.ErrorContains(t, err, "has a host that the outbound guard of this server refuses", host)
			}
			proxy := sink.Network{AllowPlaintext: true, Guard: &sink.Guard{}, Proxy: &url.URL{Scheme: "http", Host: "proxy.example:3128"}}
			dst, srv := open(t, "siem.example", proxy)
			defer srv.Close()
			_, err := dst.Open()
			require.ErrorContains(t, err, "Network.Guard: is set together with Network.Proxy")
			assert.Empty(t, canary.Find(err.Error(), canary.Secret))
		})
	}
}

// listenBeside counts the connections that are made to the destination's port on 127.0.0.2.
func listenBeside(t *testing.T, dst sink.Destination) *atomic.Int64 {
	t.Helper()
	text := dst.String()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.2"+text[strings.LastIndexByte(text, ':'):])
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	var connections atomic.Int64
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			_ = conn.Close()
		}
	}()
	return &connections
}

// fakeDNS makes the process resolve every name to the IPv4 address that is stored in what it returns.
func fakeDNS(t *testing.T, addr string) *atomic.Value {
	t.Helper()
	var current atomic.Value
	current.Store(addr)
	before := net.DefaultResolver
	t.Cleanup(func() { net.DefaultResolver = before })
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go answerDNS(server, func() netip.Addr { return netip.MustParseAddr(current.Load().(string)) })
		return client, nil
	}}
	return &current
}

// answerDNS answers the one question that comes as DNS over TCP (RFC 1035, 4.2.2): a question for an IPv4 address with
// the address, and any other with nothing.
func answerDNS(conn net.Conn, addr func() netip.Addr) {
	defer conn.Close()
	var size [2]byte
	for {
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(conn, query); err != nil {
			return
		}
		const header = 12
		end := header
		for query[end] != 0 {
			end += 1 + int(query[end])
		}
		end += 5 // the root label, type and class
		answer := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, query[header:end]...)
		if query[end-3] == 1 {
			answer[7] = 1
			answer = append(answer, 0xC0, header, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
			answer = append(answer, addr().AsSlice()...)
		}
		answer = append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}
