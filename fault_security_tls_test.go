package auditstream_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
)

// issued is a certificate with its key.
type issued struct {
	pair tls.Certificate
	key  crypto.Signer
}

// issue makes a certificate for 127.0.0.1, changed by change, that parent has signed; its own key signs it without one.
func issue(t *testing.T, parent *issued, change func(*x509.Certificate)) *issued {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "security test"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IsCA:        parent == nil, BasicConstraintsValid: true,
	}
	if change != nil {
		change(template)
	}
	signer, above := crypto.Signer(key), template
	if parent != nil {
		signer, above = parent.key, parent.pair.Leaf
	}
	der, err := x509.CreateCertificate(rand.Reader, template, above, key.Public(), signer)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &issued{pair: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, key: key}
}

func (i *issued) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.pair.Certificate[0]}))
}

func (i *issued) pin() string {
	sum := sha256.Sum256(i.pair.Certificate[0])
	return hex.EncodeToString(sum[:])
}

func (i *issued) keyPEM(t *testing.T) secret.Value {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(i.key)
	require.NoError(t, err)
	return secret.New(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
}

// server returns the server's side of TLS with this certificate.
func (i *issued) server(change func(*tls.Config)) *tls.Config {
	cfg := &tls.Config{Certificates: []tls.Certificate{i.pair}, MinVersion: tls.VersionTLS12}
	if change != nil {
		change(cfg)
	}
	return cfg
}

// handshake is one way in which two ends of TLS meet.
type handshake struct {
	server *tls.Config // nil: the server does not speak TLS
	client sink.TLS
	middle func(t *testing.T, target string) string // somebody on the way; returns the address to dial

	// What the error says, and what to do about it. Empty: the events are delivered.
	fault, remedy string
}

// handshakes are all those of the fault rows about TLS.
func handshakes(t *testing.T) map[string]handshake {
	t.Helper()
	root, otherRoot, selfSigned := issue(t, nil, nil), issue(t, nil, nil), issue(t, nil, nil)
	good := issue(t, root, nil)
	past := issue(t, root, func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = c.NotBefore.Add(-48*time.Hour), c.NotBefore.Add(-time.Hour)
	})
	future := issue(t, root, func(c *x509.Certificate) { c.NotBefore, c.NotAfter = c.NotAfter, c.NotAfter.Add(time.Hour) })
	elsewhere := issue(t, root, func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"siem.example"} })
	client, stranger := issue(t, root, nil), issue(t, otherRoot, nil)
	clients := x509.NewCertPool()
	clients.AddCert(root.pair.Leaf)
	mutual := good.server(func(c *tls.Config) { c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, clients })
	mutual12 := mutual.Clone()
	mutual12.MaxVersion = tls.VersionTLS12
	trusting := sink.TLS{RootCAs: root.pem()}
	as := func(i *issued) sink.TLS {
		return sink.TLS{RootCAs: root.pem(), Certificate: i.pem(), Key: i.keyPEM(t)}
	}
	const renew, offers = "Have the certificate of the destination renewed", "TLS 1.2 or later"
	const enter, pin, present = "as TLS.RootCAs, or pin it by TLS.PinSHA256", "as TLS.PinSHA256", "as TLS.Certificate and TLS.Key"
	return map[string]handshake{
		"own root":                      {server: good.server(nil), client: trusting},
		"TLS 1.2 at most":               {server: good.server(func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }), client: trusting},
		"pinned, self-signed":           {server: selfSigned.server(nil), client: sink.TLS{PinSHA256: selfSigned.pin()}},
		"pinned, made for another host": {server: elsewhere.server(nil), client: sink.TLS{PinSHA256: elsewhere.pin()}},
		"client certificate":            {server: mutual, client: as(client)},
		"client certificate, TLS 1.2":   {server: mutual12, client: as(client)},

		"expired":                {server: past.server(nil), client: trusting, fault: "has expired or is not valid yet", remedy: renew},
		"not valid yet":          {server: future.server(nil), client: trusting, fault: "has expired or is not valid yet", remedy: "check the clock"},
		"another host":           {server: elsewhere.server(nil), client: trusting, fault: "is for other host names", remedy: "Use a host name"},
		"unknown authority":      {server: good.server(nil), fault: "signed by an unknown authority", remedy: enter},
		"another authority":      {server: good.server(nil), client: sink.TLS{RootCAs: otherRoot.pem()}, fault: "unknown authority", remedy: enter},
		"self-signed, no pin":    {server: selfSigned.server(nil), fault: "signed by an unknown authority", remedy: enter},
		"another pin":            {server: selfSigned.server(nil), client: sink.TLS{PinSHA256: good.pin()}, fault: "not the one pinned", remedy: pin},
		"pin of the authority":   {server: good.server(nil), client: sink.TLS{PinSHA256: root.pin()}, fault: "not the one pinned", remedy: pin},
		"no client certificate":  {server: mutual, client: trusting, fault: "refused the client certificate, or the lack of one", remedy: present},
		"another's certificate":  {server: mutual, client: as(stranger), fault: "refused the client certificate", remedy: present},
		"the same with TLS 1.2":  {server: mutual12, client: as(stranger), fault: "refused the client certificate", remedy: present},
		"TLS 1.1 at most":        {server: good.server(limitTo11), client: trusting, fault: "protocol version", remedy: offers},
		"TLS 1.1, not asked for": {server: good.server(nil), client: trusting, middle: answering11, fault: "unsupported protocol version", remedy: offers},
		"version struck out":     {server: good.server(nil), client: trusting, middle: strikingOut13, fault: "downgrade attempt detected", remedy: "inspects TLS"},
		"no TLS at all":          {client: trusting, fault: "does not speak TLS", remedy: "check its port"},
	}
}

func limitTo11(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }

// onTheWay listens for the client and gives each connection to meet. It returns its address.
func onTheWay(t *testing.T, meet func(client net.Conn)) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var open sync.WaitGroup
	t.Cleanup(func() {
		_ = l.Close()
		open.Wait()
	})
	open.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			open.Go(func() {
				defer conn.Close()
				meet(conn)
			})
		}
	})
	return l.Addr().String()
}

// readHello reads the first TLS record of a client.
func readHello(client net.Conn) ([]byte, error) {
	hello := make([]byte, 5)
	if _, err := io.ReadFull(client, hello); err != nil {
		return nil, err
	}
	hello = append(hello, make([]byte, int(hello[3])<<8|int(hello[4]))...)
	_, err := io.ReadFull(client, hello[5:])
	return hello, err
}

// answering11 is a server that chooses TLS 1.1 although the client does not offer it.
func answering11(t *testing.T, _ string) string {
	t.Helper()
	return onTheWay(t, func(client net.Conn) {
		if _, err := readHello(client); err != nil {
			return
		}
		body := append([]byte{3, 2}, make([]byte, 32)...) // the version, and the random bytes
		body = append(body, 0, 0xc0, 0x13, 0)             // no session, a cipher suite of old, no compression
		hello := append([]byte{2, 0, 0, byte(len(body))}, body...)
		_, _ = client.Write(append([]byte{22, 3, 2, 0, byte(len(hello))}, hello...))
		_, _ = io.Copy(io.Discard, client)
	})
}

// strikingOut13 makes the client seem older than it is: the extension that offers TLS 1.3 becomes an unknown one. A
// server that knows TLS 1.3 leaves a mark in its answer then, which tells the client.
func strikingOut13(t *testing.T, target string) string {
	t.Helper()
	return onTheWay(t, func(client net.Conn) {
		hello, err := readHello(client)
		offer := []byte{0, 43, 0, 5, 4, 3, 4, 3, 3}
		if err != nil || !bytes.Contains(hello, offer) {
			return
		}
		server, err := new(net.Dialer).DialContext(t.Context(), "tcp", target)
		if err != nil {
			return
		}
		defer server.Close()
		_, _ = server.Write(bytes.Replace(hello, offer, append([]byte{0x7a, 0x7a}, offer[2:]...), 1))
		var forward sync.WaitGroup
		forward.Go(func() {
			_, _ = io.Copy(server, client)
			_ = server.Close()
		})
		_, _ = io.Copy(client, server)
		_ = client.Close()
		forward.Wait()
	})
}

// TestTLSFaultsBlock lets every driver meet every fault of TLS. The events stay, somebody is told what to do, nothing
// crosses the network in the clear, and all of it arrives once the destination is put right.
func TestTLSFaultsBlock(t *testing.T) {
	t.Parallel()
	for name, h := range handshakes(t) {
		for driver, destination := range secured {
			t.Run(driver+"/"+name, func(t *testing.T) {
				t.Parallel()
				server := newSentinel(t, h.server, nil)
				address := server.host()
				if h.middle != nil {
					address = h.middle(t, address)
				}
				j := &journal{}
				s := newStream(t, auditstream.Config{BatchDelay: time.Nanosecond, Logger: j.logger(), OnTransition: j.onTransition})
				require.NoError(t, s.Configure(destination(route{url: "https://" + address, tls: h.client})))
				publish(t, s, 1, 3)
				if h.fault == "" {
					waitDelivered(t, s, 3)
				} else {
					checkBlocked(t, s, h)
					repair(t, s, destination)
				}
				wire := server.eavesdropped()
				requireSilence(t, wire, s.Status(), j.log())
				assert.NotContains(t, wire, "project.edit", "an event crossed the network in the clear")
			})
		}
	}
}

func waitDelivered(t *testing.T, s *auditstream.Stream, n uint64) {
	t.Helper()
	require.Eventually(t, func() bool { return s.Status().Totals.Delivered == n }, time.Minute, time.Millisecond)
}

// checkBlocked waits for the verdict on a handshake and looks at what the operator is told. A server of TLS 1.3 refuses
// a client certificate when the client has begun to send, so now and then a broken connection is all that comes of the
// first attempt.
func checkBlocked(t *testing.T, s *auditstream.Stream, h handshake) {
	t.Helper()
	require.Eventually(t, func() bool { return s.Status().Condition == auditstream.ConditionBlocked }, time.Minute, time.Millisecond)
	status := s.Status()
	require.ErrorContains(t, status.LastError, h.fault)
	e, ok := asSinkError(status.LastError)
	require.True(t, ok)
	assert.Contains(t, e.Remedy, h.remedy)
	assert.EqualValues(t, 3, status.Totals.Pending)
	assert.Zero(t, status.Totals.Delivered)
	requireSilence(t, e.Remedy, e.Code, *e)
}

// repair gives the stream a destination that is as it should be, and checks that everything arrives there.
func repair(t *testing.T, s *auditstream.Stream, destination func(route) sink.Destination) {
	t.Helper()
	certificate := issue(t, nil, nil)
	server := newSentinel(t, certificate.server(nil), nil)
	require.NoError(t, s.Configure(destination(route{url: "https://" + server.host(), tls: sink.TLS{RootCAs: certificate.pem()}})))
	waitDelivered(t, s, 3)
}
