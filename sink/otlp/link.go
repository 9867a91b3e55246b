package otlp

import (
	"context"
	"errors"
	"net"
	"sync"

	"google.golang.org/grpc/credentials"

	"github.com/auditstream/auditstream/sink/internal/httpsend"
)

// A link remembers why a connection could not be made. gRPC puts the reason into the text of a status and nowhere else;
// whether it was a certificate, which nobody but the administrator can put right, has to be known for certain.
type link struct {
	dial dialFunc

	mu   sync.Mutex
	err  error
	conn net.Conn // the last one, or nil
}

// hangUp closes the connection, whatever gRPC is doing with it.
func (l *link) hangUp() {
	l.mu.Lock()
	conn := l.conn
	l.mu.Unlock()
	if conn != nil {
		_ = conn.Close()
	}
}

// note keeps the outcome of the last step towards a connection.
func (l *link) note(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}

// cause returns why the last connection could not be made, or nil if it could.
func (l *link) cause() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// errNoConnection is all that gRPC is told of why there is no connection. It would print the reason, which may quote the
// server's certificate, or a proxy, in its own log and in channelz.
var errNoConnection = errors.New("otlp: no connection")

// dialContext is gRPC's dialler.
func (l *link) dialContext(ctx context.Context, address string) (net.Conn, error) {
	conn, err := l.dial(ctx, "tcp", address)
	l.note(err)
	if err != nil {
		return nil, errNoConnection
	}
	l.mu.Lock()
	l.conn = conn
	l.mu.Unlock()
	return conn, nil
}

// watchedCredentials are credentials that note on a link how handshakes ended.
type watchedCredentials struct {
	credentials.TransportCredentials
	link *link
}

func (c watchedCredentials) ClientHandshake(
	ctx context.Context, authority string, raw net.Conn,
) (net.Conn, credentials.AuthInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, httpsend.HandshakeTimeout)
	defer cancel()
	conn, info, err := c.TransportCredentials.ClientHandshake(ctx, authority, raw)
	c.link.note(err)
	if err != nil {
		return nil, nil, errNoConnection
	}
	if _, ok := info.(credentials.TLSInfo); ok {
		conn = watchedConn{Conn: conn, link: c.link}
	}
	return conn, info, nil
}

func (c watchedCredentials) Clone() credentials.TransportCredentials {
	return watchedCredentials{TransportCredentials: c.TransportCredentials.Clone(), link: c.link}
}

// watchedConn notes the alert by which a TLS 1.3 server refuses the client's certificate: it comes after the client's
// side of the handshake has succeeded.
type watchedConn struct {
	net.Conn
	link *link
}

func (c watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" {
		c.link.note(err)
	}
	return n, err
}
