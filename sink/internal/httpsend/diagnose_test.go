package httpsend_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/httpsend"
)

type timeoutError struct{}

func (timeoutError) Error() string   { return canary + " timed out" }
func (timeoutError) Timeout() bool   { return true }
func (timeoutError) Temporary() bool { return true }

func TestDialErrors(t *testing.T) {
	dns := func(d net.DNSError) error {
		d.Err, d.Name, d.Server = "server misbehaving", "siem.example", "10.0.0.53:53"
		return &net.OpError{Op: "dial", Net: "tcp", Err: &d}
	}
	tests := map[string]struct {
		err  error
		code string
		text string
	}{
		"unknown name":  {dns(net.DNSError{IsNotFound: true}), "dns", "the name siem.example is not known to DNS"},
		"DNS time-out":  {dns(net.DNSError{IsTimeout: true}), "dns", "DNS did not answer for the name siem.example"},
		"DNS failure":   {dns(net.DNSError{}), "dns", "DNS could not resolve the name siem.example"},
		"refused":       {&net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, "connect", "cannot connect to siem.example:443: connect: connection refused"},
		"no route":      {&net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.EHOSTUNREACH)}, "connect", "cannot connect to siem.example:443: connect: no route to host"},
		"out of files":  {&net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("socket", syscall.EMFILE)}, "connect", "cannot connect to siem.example:443: socket: too many open files"},
		"time-out":      {&net.OpError{Op: "dial", Net: "tcp", Err: timeoutError{}}, "timeout", "connecting to siem.example:443 took too long"},
		"a guard's own": {fmt.Errorf("address of %s is not allowed", canary), "connect", "cannot connect to siem.example:443: address of [REDACTED] is not allowed"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := failed(t, newClient(t, "https://siem.example", func(o *httpsend.Options) {
				o.Network.DialContext = func(context.Context, string, string) (net.Conn, error) { return nil, test.err }
			}))
			assert.Equal(t, sink.VerdictRetry, e.Verdict)
			assert.Equal(t, test.code, e.Code)
			assert.EqualError(t, e, test.text)
		})
	}
}

// A host's dialler may know better than we what its refusal means.
func TestADialerMayClassify(t *testing.T) {
	e := failed(t, newClient(t, "https://siem.example", func(o *httpsend.Options) {
		o.Network.DialContext = func(context.Context, string, string) (net.Conn, error) {
			return nil, &sink.Error{Verdict: sink.VerdictBlock, Err: errors.New("not allowed"), Code: "guard", Remedy: "Ask."}
		}
	}))
	assert.Equal(t, sink.VerdictBlock, e.Verdict)
	assert.EqualError(t, e, "not allowed")
}

// Drivers with transports of their own hand in what package net and others say.
func TestDiagnose(t *testing.T) {
	alert := func(text string) error { return &net.OpError{Op: "remote error", Err: errors.New("tls: " + text)} }
	tests := map[string]struct {
		err     error
		verdict sink.Verdict
		code    string
		text    string
	}{
		"dial":               {&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, sink.VerdictRetry, "connect", "cannot connect to siem.example:443: connect: connection refused"},
		"DNS":                {&net.DNSError{IsNotFound: true}, sink.VerdictRetry, "dns", "the name siem.example is not known to DNS"},
		"reset":              {&net.OpError{Op: "read", Err: syscall.ECONNRESET}, sink.VerdictRetry, "reset", "siem.example:443 reset the connection before it answered"},
		"broken pipe":        {&net.OpError{Op: "write", Err: syscall.EPIPE}, sink.VerdictRetry, "reset", "siem.example:443 reset the connection before it answered"},
		"aborted":            {syscall.ECONNABORTED, sink.VerdictRetry, "reset", "siem.example:443 reset the connection before it answered"},
		"EOF":                {io.EOF, sink.VerdictRetry, "reset", "siem.example:443 closed the connection before it answered"},
		"idle closed":        {errors.New("http: server closed idle connection"), sink.VerdictRetry, "reset", "siem.example:443 closed the connection before it answered"},
		"HTTP/2 not set up":  {errors.New("http2: client conn could not be established"), sink.VerdictRetry, "reset", "siem.example:443 closed the connection before it answered"},
		"HTTP/2 ping":        {errors.New("http2: client connection lost"), sink.VerdictRetry, "timeout", "the connection to siem.example:443 leads nowhere: a ping was not answered"},
		"HTTP/2 goes away":   {errors.New(`http2: server sent GOAWAY, debug="` + canary + `"`), sink.VerdictRetry, "reset", "siem.example:443 closed the HTTP/2 connection before it answered"},
		"time-out":           {timeoutError{}, sink.VerdictRetry, "timeout", "siem.example:443 accepted the connection and then took too long to answer"},
		"anything":           {errors.New(canary), sink.VerdictRetry, "protocol", "siem.example:443 did not answer with HTTP, or broke off its answer"},
		"client certificate": {alert("certificate required"), sink.VerdictBlock, "certificate", "siem.example:443 refused the client certificate, or the lack of one: certificate required"},
		"unknown authority":  {alert("unknown certificate authority"), sink.VerdictBlock, "certificate", "siem.example:443 refused the client certificate, or the lack of one: unknown certificate authority"},
		"version":            {alert("protocol version not supported"), sink.VerdictBlock, "tls", "siem.example:443 refused the TLS handshake: protocol version not supported"},
		"handshake failure":  {alert("handshake failure"), sink.VerdictBlock, "tls", "siem.example:443 refused the TLS handshake: handshake failure"},
		"internal error":     {alert("internal error"), sink.VerdictRetry, "tls", "siem.example:443 ended the TLS connection: internal error"},
		"local TLS":          {errors.New("tls: server selected unsupported protocol version 302"), sink.VerdictBlock, "tls", "no TLS connection to siem.example:443: tls: server selected unsupported protocol version 302"},
		"unverifiable":       {&tls.CertificateVerificationError{Err: errors.New(canary)}, sink.VerdictBlock, "certificate", "the certificate of siem.example:443 could not be verified"},
		"not for servers":    {x509.CertificateInvalidError{Reason: x509.IncompatibleUsage}, sink.VerdictBlock, "certificate", "the certificate of siem.example:443 is not valid"},
		"proxy 407":          {&httpsend.ProxyError{Status: 407}, sink.VerdictBlock, "407", "the proxy refused to connect: it answered 407 Proxy Authentication Required"},
		"proxy 403":          {&httpsend.ProxyError{Status: 403}, sink.VerdictBlock, "403", "the proxy refused to connect: it answered 403 Forbidden"},
		"proxy 502":          {&httpsend.ProxyError{Status: 502}, sink.VerdictRetry, "502", "the proxy could not connect: it answered 502 Bad Gateway"},
		"proxy 204":          {&httpsend.ProxyError{Status: 204}, sink.VerdictRetry, "204", "the proxy could not connect: it answered 204 No Content"},
		"SOCKS password":     {&net.OpError{Op: "socks connect", Err: errors.New("username/password authentication failed")}, sink.VerdictBlock, "proxy", "the SOCKS proxy refused the user name and password"},
		"SOCKS failure":      {&net.OpError{Op: "socks connect", Err: errors.New("unknown error host unreachable")}, sink.VerdictRetry, "proxy", "the SOCKS proxy could not connect to siem.example:443"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, err := range []error{test.err, fmt.Errorf("%s: %w", canary, test.err)} {
				if !errors.Is(err, test.err) || (err != test.err && name == "local TLS") { //nolint:errorlint // The wrapped one is left out.
					continue
				}
				e := httpsend.Diagnose(err, "siem.example:443", nil)
				assert.Equal(t, test.verdict, e.Verdict)
				assert.Equal(t, test.code, e.Code)
				assert.EqualError(t, e, test.text)
				assert.NotEmpty(t, e.Remedy)
			}
		})
	}
}

// TestUnreadableCertificate has a server whose certificate package x509 cannot read, and quotes.
func TestUnreadableCertificate(t *testing.T) {
	const words = "you sent " + canary
	names, err := asn1.Marshal([]asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: 6, Bytes: []byte("http://[" + words)}})
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: names}},
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	_, err = x509.ParseCertificate(der)
	require.ErrorContains(t, err, words)

	url := newTLSServer(t, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	// No scrubber: the words of the server are not to get that far.
	e := failed(t, newClient(t, url, func(o *httpsend.Options) { o.Scrub = nil }))
	assert.Equal(t, sink.VerdictBlock, e.Verdict)
	assert.EqualError(t, e, "no TLS connection to "+strings.TrimPrefix(url, "https://")+": tls: failed to parse certificate from server")
}

// newTLSServer starts a server with a certificate and returns its URL.
func newTLSServer(t *testing.T, cfg *tls.Config) string {
	t.Helper()
	s := newRawServer(t, func(conn net.Conn) {
		secured := tls.Server(conn, cfg)
		if secured.HandshakeContext(t.Context()) == nil {
			answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")(secured)
		}
		// What the client has sent meanwhile is read, or closing would reset the connection and lose the alert.
		_, _ = io.Copy(io.Discard, conn)
	})
	return strings.Replace(s.url, "http://", "https://", 1)
}

func TestCertificates(t *testing.T) {
	good := newCertificate(t, nil)
	expired := newCertificate(t, func(c *x509.Certificate) { c.NotAfter = time.Unix(1<<30, 0) })
	other := newCertificate(t, func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"other.example"} })
	sum := sha256.Sum256(good.Certificate[0])
	pinned, err := sink.TLS{PinSHA256: hex.EncodeToString(sum[:])}.ClientConfig()
	require.NoError(t, err)
	tests := map[string]struct {
		server  *tls.Config
		client  *tls.Config
		verdict sink.Verdict
		code    string
		text    string // empty if the request succeeds
	}{
		"trusted":               {server: &tls.Config{Certificates: []tls.Certificate{good}}, client: trusting(good)},
		"pinned":                {server: &tls.Config{Certificates: []tls.Certificate{good}}, client: pinned},
		"not pinned":            {&tls.Config{Certificates: []tls.Certificate{other}}, pinned, sink.VerdictBlock, "certificate", "HOST: sink: the server's certificate is not the one pinned by TLS.PinSHA256"},
		"unknown":               {&tls.Config{Certificates: []tls.Certificate{good}}, nil, sink.VerdictBlock, "certificate", "the certificate of HOST is signed by an unknown authority"},
		"expired":               {&tls.Config{Certificates: []tls.Certificate{expired}}, trusting(expired), sink.VerdictBlock, "certificate", "the certificate of HOST has expired or is not valid yet"},
		"wrong host":            {&tls.Config{Certificates: []tls.Certificate{other}}, trusting(other), sink.VerdictBlock, "certificate", "the certificate of HOST is for other host names"},
		"old TLS":               {&tls.Config{Certificates: []tls.Certificate{good}, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}, trusting(good), sink.VerdictBlock, "tls", "HOST refused the TLS handshake: protocol version not supported"},
		"wants one too":         {&tls.Config{Certificates: []tls.Certificate{good}, ClientAuth: tls.RequireAnyClientCert}, trusting(good), sink.VerdictBlock, "certificate", "HOST refused the client certificate, or the lack of one: certificate required"},
		"wants one too, HTTP/2": {&tls.Config{Certificates: []tls.Certificate{good}, ClientAuth: tls.RequireAnyClientCert, NextProtos: []string{"h2"}}, trusting(good), sink.VerdictBlock, "certificate", "HOST refused the client certificate, or the lack of one: certificate required"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server := newTLSServer(t, test.server)
			c := newClient(t, server, func(o *httpsend.Options) { o.TLS = test.client })
			if test.text == "" {
				r, err := c.Post(t.Context(), []byte("body"), nil)
				require.NoError(t, err)
				assert.Equal(t, 200, r.Status)
				return
			}
			e := failed(t, c)
			assert.Equal(t, test.verdict, e.Verdict)
			assert.Equal(t, test.code, e.Code)
			assert.EqualError(t, e, strings.Replace(test.text, "HOST", strings.TrimPrefix(server, "https://"), 1))
			assert.Equal(t, name == "not pinned", errors.Is(e, sink.ErrPinMismatch))
		})
	}
}

func TestAServerWithoutTLS(t *testing.T) {
	s := newRawServer(t, func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 1))
		_, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
		_, _ = io.Copy(io.Discard, conn)
	})
	e := failed(t, newClient(t, strings.Replace(s.url, "http:", "https:", 1), nil))
	assert.Equal(t, sink.VerdictBlock, e.Verdict)
	assert.EqualError(t, e, strings.TrimPrefix(s.url, "http://")+" does not speak TLS")
}

func TestAHandshakeThatIsCut(t *testing.T) {
	s := newRawServer(t, func(conn net.Conn) { _, _ = conn.Read(make([]byte, 1<<10)) })
	e := failed(t, newClient(t, strings.Replace(s.url, "http:", "https:", 1), nil))
	assert.Equal(t, sink.VerdictRetry, e.Verdict)
	assert.Equal(t, "reset", e.Code)
}

func TestConnectThroughAProxy(t *testing.T) {
	for status, want := range map[string]sink.Verdict{
		"407 " + canary: sink.VerdictBlock, "502 " + canary: sink.VerdictRetry, "503": sink.VerdictRetry,
	} {
		proxy := newRawServer(t, func(conn net.Conn) {
			req, err := http.ReadRequest(bufio.NewReader(conn))
			if err != nil {
				return
			}
			assert.Equal(t, "CONNECT siem.example:443", req.Method+" "+req.Host)
			_, _ = io.WriteString(conn, "HTTP/1.1 "+status+"\r\nContent-Length: 0\r\n\r\n")
		})
		e := failed(t, newClient(t, "https://siem.example", func(o *httpsend.Options) { o.Network.Proxy = mustURL(t, proxy.url) }))
		assert.Equal(t, want, e.Verdict)
		assert.Equal(t, status[:3], e.Code)
	}
}

func TestAProxyThatCannotBeReached(t *testing.T) {
	e := failed(t, newClient(t, "https://siem.example", func(o *httpsend.Options) {
		o.Network.Proxy = mustURL(t, "http://user:"+canary+"@proxy.example:3128")
		o.Network.DialContext = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no") }
	}))
	assert.Equal(t, sink.VerdictRetry, e.Verdict)
	assert.EqualError(t, e, "cannot connect to the proxy proxy.example:3128: no")
}

func TestATunnelThroughAProxy(t *testing.T) {
	cert := newCertificate(t, nil)
	proxy := newRawServer(t, func(conn net.Conn) {
		r := bufio.NewReader(conn)
		if _, err := http.ReadRequest(r); err != nil {
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n")
		secured := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
		answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")(secured)
	})
	c := newClient(t, "https://siem.example", func(o *httpsend.Options) {
		o.Network.Proxy, o.TLS = mustURL(t, proxy.url), trusting(cert)
	})
	r, err := c.Post(t.Context(), []byte("body"), nil)
	require.NoError(t, err)
	assert.Equal(t, 200, r.Status)
}

// An HTTPS proxy is verified by the system's roots, and by nothing that was set for the destination.
func TestAnHTTPSProxy(t *testing.T) {
	cert := newCertificate(t, nil)
	sum := sha256.Sum256(cert.Certificate[0])
	pinned, err := sink.TLS{PinSHA256: hex.EncodeToString(sum[:])}.ClientConfig()
	require.NoError(t, err)
	server := newTLSServer(t, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
	e := failed(t, newClient(t, "https://siem.example", func(o *httpsend.Options) {
		o.Network.Proxy, o.TLS = mustURL(t, strings.Replace(server, "//", "//user:"+canary+"@", 1)), pinned
	}))
	assert.Equal(t, sink.VerdictBlock, e.Verdict)
	assert.EqualError(t, e, "the certificate of the proxy is signed by an unknown authority")
	assert.Equal(t, "Have the proxy show a certificate that this server's system trusts.", e.Remedy)
}

func TestATunnelThroughAnHTTPSProxy(t *testing.T) {
	cert := newCertificate(t, nil)
	file := filepath.Join(t.TempDir(), "root.pem")
	block := &pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(block), 0o600))
	if os.Getenv(systemRoot) == "" {
		// The system's roots are read once, so what trusts the proxy is another process.
		exe, err := os.Executable()
		require.NoError(t, err)
		cmd := exec.CommandContext(t.Context(), exe, "-test.run=^TestATunnelThroughAnHTTPSProxy$", "-test.v")
		cmd.Env = append(os.Environ(), systemRoot+"=1")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return
	}
	t.Setenv("SSL_CERT_FILE", file)
	cfg := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	proxy := newRawServer(t, func(conn net.Conn) {
		outer := tls.Server(conn, cfg)
		r := bufio.NewReader(outer)
		req, err := http.ReadRequest(r)
		if !assert.NoError(t, err) {
			return
		}
		assert.Equal(t, "CONNECT siem.example:443", req.Method+" "+req.Host)
		assert.NotEmpty(t, req.Header.Get("Proxy-Authorization"))
		_, _ = io.WriteString(outer, "HTTP/1.1 200 Connection established\r\n\r\n")
		answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")(tls.Server(outer, cfg))
	})
	c := newClient(t, "https://siem.example", func(o *httpsend.Options) {
		o.Network.Proxy, o.TLS = mustURL(t, strings.Replace(proxy.url, "http://", "https://user:pass@", 1)), trusting(cert)
	})
	r, err := c.Post(t.Context(), []byte("body"), nil)
	require.NoError(t, err)
	assert.Equal(t, 200, r.Status)
}

// systemRoot tells the test above that it is the other process.
const systemRoot = "HTTPSEND_TEST_SYSTEM_ROOT"
