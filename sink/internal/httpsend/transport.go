package httpsend

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/settings"
)

const (
	// pingAfter and pingTimeout find an HTTP/2 connection that leads nowhere within 20 s. Without them net/http would
	// use it for every attempt until the operating system gives up, and attempts never outlast 60 s.
	pingAfter   = 10 * time.Second
	pingTimeout = 10 * time.Second

	// maxHeader bounds what a server may send as headers, informational answers included.
	maxHeader = 64 << 10

	// readBuffer is the smallest there is, in bytes. What a server sends beyond its answer, net/http prints to the
	// process's standard logger as far as it is in this buffer, and that may be an echo of the request's credentials.
	// Answers are a few hundred bytes, so the cost is some 20 short reads for a request.
	readBuffer = 16

	// writeBuffer holds one TLS record. The default of 4 KiB takes four times as many system calls.
	writeBuffer = 16 << 10

	// maxIdle is as many connections as a driver has requests in flight: with net/http's two, all others would be
	// closed after each request.
	maxIdle = 32
)

// newTransport returns the transport of one Client, which passes each connection made through dialled. It is driven by
// RoundTrip and not by an [http.Client], which would follow redirects, keep cookies and put URLs into errors.
func newTransport(o Options, dialled func(net.Conn) net.Conn) *http.Transport {
	t := &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, o.Network, network, address)
			if err != nil {
				return nil, &dialError{address: address, err: err}
			}
			return dialled(conn), nil
		},
		TLSHandshakeTimeout:    HandshakeTimeout,
		IdleConnTimeout:        IdleTimeout,
		MaxIdleConnsPerHost:    maxIdle,
		MaxResponseHeaderBytes: maxHeader,
		ReadBufferSize:         readBuffer,
		WriteBufferSize:        writeBuffer,
		// An answer of half a megabyte may unpack to half a gigabyte. None is asked for compressed, or unpacked.
		DisableCompression: true,
		ForceAttemptHTTP2:  true,
		HTTP2:              &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
	}
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if o.TLS != nil {
		t.TLSClientConfig = o.TLS.Clone()
	}
	if o.Network.Proxy != nil {
		t.Proxy = http.ProxyURL(asPlain(o.Network.Proxy))
		t.OnProxyConnectResponse = checkConnect
	}
	return t
}

// dial opens a connection to the destination or to the proxy, with TLS if that is an HTTPS proxy. The transport would
// use the destination's TLS settings for the proxy, too: its pin would refuse the proxy, and the proxy would be shown
// its client certificate. The proxy is the host's own, so the system's roots vouch for it.
func dial(ctx context.Context, n sink.Network, network, address string) (net.Conn, error) {
	conn, err := n.Dial(ctx, network, address)
	if err != nil || n.Proxy == nil || n.Proxy.Scheme != "https" {
		return conn, err
	}
	ctx, cancel := context.WithTimeout(ctx, HandshakeTimeout)
	defer cancel()
	secured := tls.Client(conn, &tls.Config{ServerName: n.Proxy.Hostname(), MinVersion: tls.VersionTLS12})
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return secured, nil
}

// asPlain returns a copy of the proxy as the transport is to see it: dial has seen to TLS.
func asPlain(proxy *url.URL) *url.URL {
	plain := *proxy
	if proxy.Scheme == "https" {
		plain.Scheme, plain.Host = "http", settings.HostPort(proxy)
	}
	return &plain
}

// checkConnect turns a proxy's refusal into a fact. The error that net/http makes of it is the proxy's own text.
func checkConnect(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	return &ProxyError{Status: resp.StatusCode}
}
