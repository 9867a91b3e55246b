package peers

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configtls"
)

// certificate is a self-signed one for loopback.
type certificate struct{ pem, key, fingerprint string }

func newCertificate(t *testing.T) *certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:         true,

		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	sum := sha256.Sum256(der)
	return &certificate{
		pem:         string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		key:         string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
		fingerprint: hex.EncodeToString(sum[:]),
	}
}

// server returns the TLS settings of a receiver that shows the certificate, or none for plaintext.
func (c *certificate) server() configoptional.Optional[configtls.ServerConfig] {
	if c == nil {
		return configoptional.None[configtls.ServerConfig]()
	}
	cfg := configtls.NewDefaultServerConfig()
	cfg.CertPem, cfg.KeyPem = configopaque.String(c.pem), configopaque.String(c.key)
	return configoptional.Some(cfg)
}

// scheme returns the scheme of URLs.
func (c *certificate) scheme() string {
	if c == nil {
		return "http://"
	}
	return "https://"
}

// roots returns what a client has to be given as PEM to trust the certificate.
func (c *certificate) roots() string {
	if c == nil {
		return ""
	}
	return c.pem
}

// pin returns the fingerprint that a client has to be given instead.
func (c *certificate) pin() string {
	if c == nil {
		return ""
	}
	return c.fingerprint
}
