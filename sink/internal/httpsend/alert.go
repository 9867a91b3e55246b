package httpsend

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"
)

// notEstablished is the text of net/http for an HTTP/2 connection that was closed before its first use.
const notEstablished = "http2: client conn could not be established"

// lastConn is the connection that a request went out on.
//
// A server that wants another client certificate says so by an alert, in TLS 1.3 after the handshake is over for the
// client. The transport's reader gets it and closes the connection; when the transport's writer is not done by then, it
// fails too, and now and then its failure is the one that RoundTrip returns: that the connection was closed. The alert
// is still there to be asked for.
type lastConn struct{ conn atomic.Pointer[tls.Conn] }

// watch returns a context with which a request notes its connection.
func (l *lastConn) watch(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		if conn, ok := info.Conn.(*tls.Conn); ok {
			l.conn.Store(conn)
		}
	}})
}

// explain returns the alert that ended the connection, if one did, and otherwise err, why the request failed.
func (l *lastConn) explain(err error) error {
	conn := l.conn.Load()
	if conn == nil {
		return err
	}
	// Another HTTP/2 connection than one that was closed at once may live on, and what is read here would be missing.
	if conn.ConnectionState().NegotiatedProtocol == "h2" && !strings.Contains(err.Error(), notEstablished) {
		return err
	}
	// The connection is closed, or about to be, so this does not wait.
	_ = conn.SetReadDeadline(time.Unix(1, 0))
	_, read := conn.Read(make([]byte, 1))
	if op, ok := errors.AsType[*net.OpError](read); ok && op.Op == remoteAlert {
		return read
	}
	return err
}
