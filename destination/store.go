package destination

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/auditstream/auditstream/internal/document"
	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
)

// errSeal and the like say which step of the host's encryption failed, and nothing of what it was given.
var (
	errSeal   = errors.New("destination: the secret could not be sealed")
	errUnseal = errors.New("destination: the secret could not be unsealed")
)

// sealed is what is encrypted: a secret, and where it goes.
type sealed struct {
	Value string `json:"value"`
	Scope string `json:"scope"`
}

// Store returns the document of a destination with its secrets, each encrypted by seal: what a host keeps in its database.
// Seal gets the plaintext and returns what [Set.Restore] gives to unseal. It should be an authenticated encryption, such as
// AES-GCM with a key from the host's key management.
func (s Set) Store(d sink.Destination, seal func(plaintext []byte) ([]byte, error)) ([]byte, error) {
	name, err := s.nameOf(d)
	if err != nil {
		return nil, err
	}
	config, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	c := reflect.New(reflect.TypeOf(d))
	c.Elem().Set(reflect.ValueOf(d))
	secrets := make(map[string]string)
	for _, v := range document.Secrets(c.Interface()) {
		if v.Value.IsZero() {
			continue
		}
		plain, err := json.Marshal(sealed{v.Value.Reveal(), valueOf(c.Interface()).SecretScope()})
		if err != nil {
			return nil, err
		}
		cipher, err := seal(plain)
		if err != nil {
			return nil, fmt.Errorf("%w: %s.%s: %w", errSeal, name, v.Path, err)
		}
		secrets[v.Path] = base64.StdEncoding.EncodeToString(cipher)
	}
	return json.Marshal(envelope{name, config, secrets})
}

// Restore returns the destination of a document that [Set.Store] made, with its secrets, each decrypted by unseal.
//
// It is an error if a secret was stored together with another endpoint, or for other headers: somebody has changed the
// document. Errors are those of Decode, and those of unseal, which must not hold a secret.
func (s Set) Restore(doc []byte, unseal func(ciphertext []byte) ([]byte, error)) (sink.Destination, error) {
	e, err := open(doc)
	if err != nil {
		return nil, err
	}
	p, err := s.provider(e.Provider)
	if err != nil {
		return nil, err
	}
	c := p.edit(nil)
	if err := json.Unmarshal(e.Config, c); err != nil {
		return nil, err
	}
	var scopes []string
	for _, v := range document.Secrets(c) {
		text, ok := e.Secrets[v.Path]
		if !ok {
			continue
		}
		delete(e.Secrets, v.Path)
		one, err := unsealed(e.Provider+"."+v.Path, text, unseal)
		if err != nil {
			return nil, err
		}
		*v.Value = secret.New(one.Value)
		scopes = append(scopes, one.Scope)
	}
	for path := range e.Secrets {
		return nil, &sink.ConfigError{Field: "destination: secrets." + path, Reason: "is not known"}
	}
	restored := valueOf(c)
	for _, scope := range scopes {
		if scope != restored.SecretScope() {
			return nil, &sink.ConfigError{
				Field:  "destination: config",
				Reason: "is not the one that its secrets were stored with: the endpoint or the headers were changed",
			}
		}
	}
	return restored, nil
}

// unsealed decrypts one secret.
func unsealed(path, text string, unseal func([]byte) ([]byte, error)) (sealed, error) {
	var one sealed
	cipher, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return one, &sink.ConfigError{Field: "destination: secrets." + path, Reason: "is no Base64"}
	}
	plain, err := unseal(cipher)
	if err != nil {
		return one, fmt.Errorf("%w: %s: %w", errUnseal, path, err)
	}
	if json.Unmarshal(plain, &one) != nil {
		return one, &sink.ConfigError{Field: "destination: secrets." + path, Reason: "was not sealed by Store"}
	}
	return one, nil
}
