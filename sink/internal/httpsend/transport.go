package httpsend

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	// handshakeTimeout ends a TLS handshake with a server that accepts connections and says nothing.
	handshakeTimeout = 10 * time.Second

	// idleTimeout is when an unused connection is given back. It is shorter than the 30 s after which common balancers
	// drop one silently, so that a request seldom meets a connection that is being closed.
	idleTimeout = 25 * time.Second

	// pingAfter and pingTimeout find an HTTP/2 connection that leads nowhere within 20 s. Without them net/http would
	// use it for every attempt until the operating system gives up, and attempts never outlast 60 s.
	pingAfter   = 10 * time.Second
	pingTimeout = 10 * time.Second

	// maxHeader bounds what a server may send as headers, informational answers included.
	maxHeader = 64 << 10

	// writeBuffer holds one TLS record. The default of 4 KiB takes four times as many system calls.
	writeBuffer = 16 << 10
)

// newTransport returns the transport of one Client, which passes each connection made through dialled. It is driven by
// RoundTrip and not by an [http.Client], which would follow redirects, keep cookies and put URLs into errors.
func newTransport(o Options, dialled func(net.Conn) net.Conn) *http.Transport {
	t := &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := o.Network.Dial(ctx, network, address)
			if err != nil {
				return nil, &dialError{address: address, err: err}
			}
			return dialled(conn), nil
		},
		TLSHandshakeTimeout:    handshakeTimeout,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHeader,
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
		t.Proxy = http.ProxyURL(o.Network.Proxy)
		t.OnProxyConnectResponse = checkConnect
	}
	return t
}

// checkConnect turns a proxy's refusal into a fact. The error that net/http makes of it is the proxy's own text.
func checkConnect(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	return &ProxyError{Status: resp.StatusCode}
}
