package httpsend_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/httpsend"
	"github.com/auditstream/auditstream/sink/internal/scrub"
)

// canary stands in the URL and in the headers of every client under test.
const canary = "c4n4ry-T0ken-5f1d"

func mustURL(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	require.NoError(t, err)
	return u
}

// newClient returns a client for a server's URL with the canary behind it and in a header.
func newClient(t *testing.T, server string, edit func(*httpsend.Options)) *httpsend.Client {
	t.Helper()
	o := httpsend.Options{
		URL:    mustURL(t, server+"/in/"+canary+"?k="+canary),
		Header: http.Header{"X-Api-Key": {canary}, "Authorization": {"Bearer " + canary}},
		Scrub:  scrub.New(scrub.Sources{Secrets: []secret.Value{secret.New(canary)}}),
	}
	if edit != nil {
		edit(&o)
	}
	c := httpsend.New(o)
	t.Cleanup(c.Close)
	return c
}

// failed makes a request that must end without an answer, and returns its error.
func failed(t *testing.T, c *httpsend.Client) *sink.Error {
	t.Helper()
	r, err := c.Post(t.Context(), []byte("body"), nil)
	require.Error(t, err)
	assert.Nil(t, r)
	e, ok := errors.AsType[*sink.Error](err)
	require.True(t, ok, "%T: %v", err, err)
	assert.NotEmpty(t, e.Code)
	assert.NotEmpty(t, e.Remedy)
	assert.NotContains(t, e.Error(), canary)
	assert.NotContains(t, e.Error(), "/in/")
	return e
}

// rawServer answers each connection on loopback by a function.
type rawServer struct {
	url         string
	connections atomic.Int64
}

func newRawServer(t *testing.T, serve func(net.Conn)) *rawServer {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &rawServer{url: "http://" + l.Addr().String()}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.connections.Add(1)
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
			wg.Go(func() {
				defer conn.Close()
				serve(conn)
			})
		}
	})
	t.Cleanup(func() {
		assert.NoError(t, l.Close())
		mu.Lock()
		for _, c := range conns {
			_ = c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return s
}

// answering returns a function that reads requests and answers each with the same bytes.
func answering(answer string) func(net.Conn) {
	return func(conn net.Conn) {
		r := bufio.NewReader(conn)
		for readRequest(r) == nil {
			if _, err := io.WriteString(conn, answer); err != nil {
				return
			}
		}
	}
}

func readRequest(r *bufio.Reader) error {
	req, err := http.ReadRequest(r)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, req.Body)
	return err
}

// pipeListener accepts connections made of net.Pipe, which work inside a synctest bubble.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
	dials  atomic.Int64
	wrap   func(net.Conn) net.Conn // of the client's end
}

func newPipeListener() *pipeListener {
	return &pipeListener{
		conns: make(chan net.Conn), closed: make(chan struct{}), wrap: func(c net.Conn) net.Conn { return c },
	}
}

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		l.dials.Add(1)
		return l.wrap(client), nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

// newCertificate returns a certificate signed by itself.
func newCertificate(t *testing.T, edit func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "siem.example"}, DNSNames: []string{"siem.example"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<33, 0),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if edit != nil {
		edit(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// trusting returns the TLS settings of a client that trusts a certificate.
func trusting(cert tls.Certificate) *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(cert.Leaf)
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}
