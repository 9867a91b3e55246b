package otlp

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/httpsend"
	"github.com/auditstream/auditstream/sink/internal/settings"
)

const (
	// tunnelTimeout bounds the proxy's answer to CONNECT, which includes its own dialling.
	tunnelTimeout = 15 * time.Second

	// maxProxyAnswer bounds the header of that answer.
	maxProxyAnswer = 64 << 10
)

// checkProxy says whether gRPC can go through a proxy that net/http could use. For HTTP that is left to net/http, which also
// speaks SOCKS5.
func checkProxy(check *settings.Check, network sink.Network) {
	proxy := network.Proxy
	if proxy == nil || proxy.Scheme == "http" || proxy.Scheme == "https" || network.Validate() != nil {
		return
	}
	check.Fail("Network.Proxy", strconv.Quote(proxy.Scheme+"://"+proxy.Host),
		"is no proxy for gRPC: write http://host:port or https://host:port")
}

// A dialFunc opens a connection.
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// A dialError is a failure to connect to peer, which is the destination's host and port, or the proxy.
type dialError struct {
	peer string
	err  *net.OpError
}

func (e *dialError) Error() string { return e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// dialer returns what opens the connections of gRPC: the network's own dialler, or a tunnel through its proxy.
func dialer(network sink.Network) dialFunc {
	if network.Proxy == nil {
		return func(ctx context.Context, kind, address string) (net.Conn, error) {
			return dial(ctx, network, kind, address, address)
		}
	}
	return func(ctx context.Context, kind, address string) (net.Conn, error) {
		return dialTunnel(ctx, network, kind, address)
	}
}

// dial opens a connection to address, which is called peer in errors.
func dial(ctx context.Context, network sink.Network, kind, address, peer string) (net.Conn, error) {
	conn, err := network.Dial(ctx, kind, address)
	if err != nil {
		// A dialler of the host's may return any error. It is what came of dialling all the same.
		return nil, &dialError{peer: peer, err: &net.OpError{Op: "dial", Net: kind, Err: err}}
	}
	return conn, nil
}

// dialTunnel opens a connection to address through the proxy, by CONNECT.
func dialTunnel(ctx context.Context, network sink.Network, kind, address string) (net.Conn, error) {
	proxy := settings.HostPort(network.Proxy)
	conn, err := dial(ctx, network, kind, proxy, "the proxy "+proxy)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, tunnelTimeout)
	defer cancel()
	// The deadline cuts off a read or write that is under way.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	tunnel, err := openTunnel(ctx, conn, network.Proxy, address)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = conn.Close()
		// As net/http does it, so that Diagnose speaks of the proxy.
		return nil, &net.OpError{Op: "proxyconnect", Net: kind, Err: err}
	}
	return tunnel, nil
}

// openTunnel asks the proxy at the other end of conn for a tunnel to address.
func openTunnel(ctx context.Context, conn net.Conn, proxy *url.URL, address string) (net.Conn, error) {
	if proxy.Scheme == "https" {
		// The proxy is the host's own, so the system's roots vouch for it, not those of the destination.
		secured := tls.Client(conn, &tls.Config{ServerName: proxy.Hostname(), MinVersion: tls.VersionTLS12})
		if err := secured.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		conn = secured
	}
	req := &http.Request{
		Method: http.MethodConnect,
		URL:    &url.URL{Opaque: address},
		Host:   address,
		Header: http.Header{"User-Agent": {""}},
	}
	if user := proxy.User; user != nil {
		password, _ := user.Password()
		credentials := base64.StdEncoding.EncodeToString([]byte(user.Username() + ":" + password))
		req.Header.Set("Proxy-Authorization", "Basic "+credentials)
	}
	if err := req.Write(conn); err != nil {
		return nil, err
	}
	return readTunnelAnswer(conn, req)
}

func readTunnelAnswer(conn net.Conn, req *http.Request) (net.Conn, error) {
	limited := &io.LimitedReader{R: conn, N: maxProxyAnswer}
	r := bufio.NewReader(limited)
	resp, err := http.ReadResponse(r, req) //nolint:bodyclose // What follows the header is the tunnel.
	if err != nil {
		// The cause may quote the answer.
		if _, ok := errors.AsType[net.Error](err); ok {
			return nil, err
		}
		return nil, errors.New("the proxy's answer to CONNECT is not HTTP")
	}
	if resp.StatusCode != http.StatusOK {
		return nil, &httpsend.ProxyError{Status: resp.StatusCode}
	}
	// An HTTP/2 server may greet as soon as the tunnel stands, and its first bytes may have come with the answer.
	if r.Buffered() == 0 {
		return conn, nil
	}
	early, err := r.Peek(r.Buffered())
	if err != nil {
		return nil, err
	}
	return &earlyConn{Conn: conn, early: early}, nil
}

// earlyConn is a connection of which the first bytes have been read already.
type earlyConn struct {
	net.Conn
	early []byte
}

func (c *earlyConn) Read(p []byte) (int, error) {
	if len(c.early) > 0 {
		n := copy(p, c.early)
		c.early = c.early[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}
