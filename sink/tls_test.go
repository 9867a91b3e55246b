package sink_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
)

// identity is a self-signed certificate with its key, both as PEM.
type identity struct {
	certPEM, keyPEM, fingerprint string
	pair                         tls.Certificate
}

func newIdentity(t *testing.T, host string) identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	keyDER, err := x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	id := identity{
		certPEM: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		keyPEM:  string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})),
	}
	sum := sha256.Sum256(der)
	id.fingerprint = hex.EncodeToString(sum[:])
	id.pair, err = tls.X509KeyPair([]byte(id.certPEM), []byte(id.keyPEM))
	require.NoError(t, err)
	return id
}

// shake makes a handshake between a client with the settings and a server, and returns what each says of it.
func shake(t *testing.T, settings sink.TLS, name string, server *tls.Config) (client, serverErr error) {
	t.Helper()
	cfg, err := settings.ClientConfig()
	require.NoError(t, err)
	cfg.ServerName = name
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	done := make(chan error, 1)
	go func() {
		far, err := l.Accept()
		if err != nil {
			done <- err
			return
		}
		defer far.Close()
		done <- tls.Server(far, server).HandshakeContext(t.Context())
	}()
	near, err := sink.Network{}.Dial(t.Context(), "tcp", l.Addr().String())
	require.NoError(t, err)
	client = tls.Client(near, cfg).HandshakeContext(t.Context())
	if client != nil {
		require.NoError(t, near.Close())
	}
	serverErr = <-done
	_ = near.Close()
	return client, serverErr
}

func TestHandshakes(t *testing.T) {
	server, other, client := newIdentity(t, "siem.example"), newIdentity(t, "siem.example"), newIdentity(t, "host")
	ours := &tls.Config{Certificates: []tls.Certificate{server.pair}, MinVersion: tls.VersionTLS12}
	old := &tls.Config{Certificates: []tls.Certificate{server.pair}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	clients := x509.NewCertPool()
	require.True(t, clients.AppendCertsFromPEM([]byte(client.certPEM)))
	mutual := ours.Clone()
	mutual.ClientAuth, mutual.ClientCAs = tls.RequireAndVerifyClientCert, clients

	colons := strings.ToUpper(server.fingerprint)
	for i := 2; i < len(colons); i += 3 {
		colons = colons[:i] + ":" + colons[i:]
	}
	for name, tt := range map[string]struct {
		settings sink.TLS
		host     string
		server   *tls.Config
		want     string // of the client's error; empty for success
	}{
		"unknown authority":     {sink.TLS{}, "siem.example", ours, "unknown authority"},
		"own root":              {sink.TLS{RootCAs: server.certPEM}, "siem.example", ours, ""},
		"own root, wrong host":  {sink.TLS{RootCAs: server.certPEM}, "other.example", ours, "not other.example"},
		"another root":          {sink.TLS{RootCAs: other.certPEM}, "siem.example", ours, "certificate"},
		"pinned":                {sink.TLS{PinSHA256: server.fingerprint}, "siem.example", ours, ""},
		"pinned with colons":    {sink.TLS{PinSHA256: " " + colons + "\n"}, "siem.example", ours, ""},
		"pinned, whatever host": {sink.TLS{PinSHA256: server.fingerprint}, "other.example", ours, ""},
		"another one pinned":    {sink.TLS{PinSHA256: other.fingerprint}, "siem.example", ours, sink.ErrPinMismatch.Error()},
		"below TLS 1.2":         {sink.TLS{PinSHA256: server.fingerprint}, "siem.example", old, "protocol version"},
		"client certificate":    {sink.TLS{RootCAs: server.certPEM, Certificate: client.certPEM, Key: secret.New(client.keyPEM)}, "siem.example", mutual, ""},
	} {
		t.Run(name, func(t *testing.T) {
			err, serverErr := shake(t, tt.settings, tt.host, tt.server)
			if tt.want == "" {
				require.NoError(t, err)
				require.NoError(t, serverErr)
				return
			}
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestPinHoldsForResumedSessions(t *testing.T) {
	server := newIdentity(t, "siem.example")
	cfg, err := sink.TLS{PinSHA256: server.fingerprint}.ClientConfig()
	require.NoError(t, err)
	require.NotNil(t, cfg.VerifyConnection, "VerifyPeerCertificate is not called for them")
	require.ErrorIs(t, cfg.VerifyConnection(tls.ConnectionState{DidResume: true}), sink.ErrPinMismatch)
	leaf := server.pair.Leaf
	require.NoError(t, cfg.VerifyConnection(tls.ConnectionState{DidResume: true, PeerCertificates: []*x509.Certificate{leaf}}))
}

func TestBadTLSSettings(t *testing.T) {
	id, other := newIdentity(t, "a"), newIdentity(t, "b")
	for name, tt := range map[string]struct {
		settings sink.TLS
		want     []string
	}{
		"no certificate in the roots": {sink.TLS{RootCAs: "s3cr3t"}, []string{"TLS.RootCAs: holds no certificate"}},
		"key without certificate":     {sink.TLS{Key: secret.New(id.keyPEM)}, []string{"TLS.Certificate: is empty while TLS.Key is set"}},
		"certificate without key":     {sink.TLS{Certificate: id.certPEM}, []string{"TLS.Key: is empty while TLS.Certificate is set"}},
		"of different pairs":          {sink.TLS{Certificate: id.certPEM, Key: secret.New(other.keyPEM)}, []string{"TLS.Key: does not make"}},
		"key that is none":            {sink.TLS{Certificate: id.certPEM, Key: secret.New("s3cr3t")}, []string{"TLS.Key: does not make"}},
		"key among the roots":         {sink.TLS{RootCAs: id.certPEM + id.keyPEM}, []string{"TLS.RootCAs: holds a private key"}},
		"key beside the certificate":  {sink.TLS{Certificate: id.keyPEM + id.certPEM, Key: secret.New(id.keyPEM)}, []string{"TLS.Certificate: holds a private key"}},
		"short pin":                   {sink.TLS{PinSHA256: "abcd"}, []string{`TLS.PinSHA256 ("abcd"): is not a SHA-256 fingerprint`}},
		"pin that is no hex":          {sink.TLS{PinSHA256: strings.Repeat("z", 64)}, []string{"TLS.PinSHA256"}},
		"pin and roots":               {sink.TLS{PinSHA256: id.fingerprint, RootCAs: id.certPEM}, []string{"TLS.PinSHA256: is set together with TLS.RootCAs"}},
		"everything at once": {sink.TLS{RootCAs: "x", Certificate: "y", PinSHA256: "z"}, []string{
			"TLS.RootCAs", "TLS.Key", "TLS.PinSHA256",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tt.settings.ClientConfig()
			for _, want := range tt.want {
				require.ErrorContains(t, err, want)
			}
			assert.NotContains(t, err.Error(), "s3cr3t")
			assert.NotContains(t, err.Error(), "PRIVATE KEY")
		})
	}
}

func TestEveryConfigIsNew(t *testing.T) {
	a, err := sink.TLS{}.ClientConfig()
	require.NoError(t, err)
	b, err := sink.TLS{}.ClientConfig()
	require.NoError(t, err)
	assert.NotSame(t, a, b)
	assert.EqualValues(t, tls.VersionTLS12, a.MinVersion)
	assert.False(t, a.InsecureSkipVerify)
}
