package sink

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/auditstream/auditstream/secret"
)

// TLS is how a sink and its destination prove themselves to each other. It is the administrator's data. The zero TLS
// verifies the server against the system's roots; nothing here turns verification off. TLS 1.2 is the floor.
type TLS struct {
	// RootCAs holds, as PEM, the certificates of the authorities that may have signed the server's. Defaults to the
	// system's.
	RootCAs string `json:"rootCAs"`

	// Certificate and Key are the client certificate, leaf first, and its private key, both as PEM, for servers that
	// ask for one. Set both or neither.
	Certificate string       `json:"certificate"`
	Key         secret.Value `json:"key"`

	// PinSHA256 is the SHA-256 fingerprint of the server's own certificate in hexadecimal, with or without colons, as
	// "openssl x509 -noout -fingerprint -sha256" prints it. When set, exactly that certificate is accepted, whoever
	// signed it and whatever it says, and no other: for self-signed servers such as a Splunk trial. Set it or RootCAs.
	PinSHA256 string `json:"pinSHA256"`

	_ struct{}
}

// ErrPinMismatch is the cause of a handshake that failed because the server showed another certificate than the one
// pinned.
var ErrPinMismatch = errors.New("sink: the server's certificate is not the one pinned by TLS.PinSHA256")

// ClientConfig returns a new [tls.Config] as the settings say, or every problem with them as [*ConfigError] values.
func (t TLS) ClientConfig() (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	return cfg, errors.Join(t.setRoots(cfg), t.setCertificate(cfg), t.setPin(cfg))
}

func (t TLS) setRoots(cfg *tls.Config) error {
	if t.RootCAs == "" {
		return nil
	}
	if holdsKey(t.RootCAs) {
		return misplacedKey("TLS.RootCAs")
	}
	cfg.RootCAs = x509.NewCertPool()
	if !cfg.RootCAs.AppendCertsFromPEM([]byte(t.RootCAs)) {
		return &ConfigError{
			Field:  "TLS.RootCAs",
			Reason: "holds no certificate: paste the PEM text, from -----BEGIN CERTIFICATE----- on",
		}
	}
	return nil
}

func (t TLS) setCertificate(cfg *tls.Config) error {
	switch {
	case t.Certificate == "" && t.Key.IsZero():
		return nil
	case holdsKey(t.Certificate):
		return misplacedKey("TLS.Certificate")
	case t.Certificate == "":
		return &ConfigError{Field: "TLS.Certificate", Reason: "is empty while TLS.Key is set: set both or neither"}
	case t.Key.IsZero():
		return &ConfigError{Field: "TLS.Key", Reason: "is empty while TLS.Certificate is set: set both or neither"}
	}
	pair, err := tls.X509KeyPair([]byte(t.Certificate), []byte(t.Key.Reveal()))
	if err != nil {
		// The cause may quote what it was given, so it stays here.
		return &ConfigError{
			Field:  "TLS.Key",
			Reason: "does not make a client certificate with TLS.Certificate: paste both as PEM, unencrypted, of one pair",
		}
	}
	cfg.Certificates = []tls.Certificate{pair}
	return nil
}

// holdsKey reports whether PEM has a private key in it. Files often hold the certificate and the key, and crypto/tls
// would pass over the key; but the fields for certificates are no secrets, and are stored and shown.
func holdsKey(text string) bool { return strings.Contains(text, "PRIVATE KEY-----") }

func misplacedKey(field string) error {
	return &ConfigError{Field: field, Reason: "holds a private key: take it out, it belongs in TLS.Key, which is kept secret"}
}

func (t TLS) setPin(cfg *tls.Config) error {
	if t.PinSHA256 == "" {
		return nil
	}
	if t.RootCAs != "" {
		return &ConfigError{Field: "TLS.PinSHA256", Reason: "is set together with TLS.RootCAs: set one of them"}
	}
	pin, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(t.PinSHA256), ":", ""))
	if err != nil || len(pin) != sha256.Size {
		return &ConfigError{
			Field:  "TLS.PinSHA256",
			Value:  fmt.Sprintf("%.100q", t.PinSHA256),
			Reason: "is not a SHA-256 fingerprint: write 64 hexadecimal digits, with or without colons",
		}
	}
	// The standard check is replaced by a stricter one: exactly one certificate is good. VerifyConnection also runs on
	// resumed sessions, where VerifyPeerCertificate does not.
	cfg.InsecureSkipVerify = true
	cfg.VerifyConnection = func(cs tls.ConnectionState) error {
		if len(cs.PeerCertificates) > 0 {
			sum := sha256.Sum256(cs.PeerCertificates[0].Raw)
			if bytes.Equal(sum[:], pin) {
				return nil
			}
		}
		return ErrPinMismatch
	}
	return nil
}
