package sink_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/otlp"
	"github.com/auditstream/auditstream/sink/siemtest"
	"github.com/auditstream/auditstream/sink/splunk"
	"github.com/auditstream/auditstream/sink/sumologic"
)

// What no printed form of a driver's Config shows.
const (
	canary        = "c4n4ry-T0ken-5f1d"
	literal       = "l1t3ral-h3ader-77aa" // a header value without a token
	proxyPassword = "pr0xy-p4ssword-c0de"
)

// clientCertificate returns a certificate and its key as PEM.
func clientCertificate(t *testing.T) (certificate string, key secret.Value) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "client"}, NotAfter: time.Unix(1<<33, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	return pemText("CERTIFICATE", der), secret.New(pemText("PRIVATE KEY", pkcs8))
}

func pemText(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// A destination is a driver's Config that holds a secret wherever it can, and what it is in the fields of a host.
type destination struct {
	config sink.Destination
	nested any // Config in exported fields, by value and by pointer, in a slice and in a map
	hidden any // Config in unexported fields
}

// nest puts a Config where hosts may have it.
func nest[C sink.Destination](c C) destination {
	return destination{
		config: c,
		nested: struct {
			Value   C
			Pointer *C
			Any     any
			Slice   []C
			Map     map[string]*C
		}{c, &c, c, []C{c}, map[string]*C{"k": &c}},
		hidden: struct {
			value   C
			pointer *C
			list    []C
		}{c, &c, []C{c}},
	}
}

// destinations returns a Config of every driver, which reaches a server of its own.
func destinations(t *testing.T) map[string]destination {
	t.Helper()
	certificate, key := clientCertificate(t)
	receiver, err := siemtest.NewOTLP(siemtest.OTLPConfig{TLS: true})
	require.NoError(t, err)
	t.Cleanup(receiver.Close)
	collector, err := siemtest.NewSplunk(siemtest.SplunkConfig{TLS: true})
	require.NoError(t, err)
	t.Cleanup(collector.Close)
	collector.SetToken(canary)
	source, err := siemtest.NewSumoLogic(siemtest.SumoLogicConfig{TLS: true})
	require.NoError(t, err)
	t.Cleanup(source.Close)
	source.SetToken(canary)
	tls := func(pin string) sink.TLS {
		return sink.TLS{PinSHA256: pin, Certificate: certificate, Key: key}
	}
	headers := sink.Headers{"X-Literal": literal, "X-Api-Key": "#{Secret}"}
	overHTTP := otlp.Config{
		Endpoint: receiver.URL(), Secret: secret.New(canary), Headers: headers, TLS: tls(receiver.Fingerprint()),
	}
	overGRPC := overHTTP
	overGRPC.Protocol, overGRPC.Endpoint = otlp.GRPC, receiver.GRPCURL()
	return map[string]destination{
		"OTLP over HTTP": nest(overHTTP),
		"OTLP over gRPC": nest(overGRPC),
		"Splunk": nest(splunk.Config{
			Endpoint: collector.URL(), Token: secret.New(canary), TLS: tls(collector.Fingerprint()), Headers: sink.Headers{"X-Literal": literal},
		}),
		"Sumo Logic": nest(sumologic.Config{Endpoint: secret.New(source.URL()), TLS: tls(source.Fingerprint())}),
	}
}

// verbs are those of package fmt, and a wrong one.
var verbs = []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%!"}

func TestConfigsPrintNoSecrets(t *testing.T) {
	for name, d := range destinations(t) {
		t.Run(name, func(t *testing.T) {
			for _, verb := range verbs {
				for _, v := range []any{d.config, d.nested} {
					text := fmt.Sprintf(verb, v)
					assert.NotContains(t, text, canary, verb)
					assert.NotContains(t, text, literal, verb)
					assert.NotContains(t, text, "PRIVATE KEY", verb)
				}
				// No method is called on what an unexported field holds.
				text := fmt.Sprintf(verb, d.hidden)
				assert.NotContains(t, text, canary, verb)
				assert.NotContains(t, text, "PRIVATE KEY", verb)
			}
			var logged bytes.Buffer
			for _, h := range []slog.Handler{slog.NewTextHandler(&logged, nil), slog.NewJSONHandler(&logged, nil)} {
				slog.New(h).Info("m", "config", d.config, "list", []any{d.config})
				slog.New(h).Info("m", slog.Group("g", "config", d.config))
			}
			assert.NotContains(t, logged.String(), canary)
			assert.NotContains(t, logged.String(), "PRIVATE KEY")
			// JSON is how a host may store a Config, so it has the literal values of headers.
			stored, err := json.Marshal(d.nested)
			require.NoError(t, err)
			assert.NotContains(t, string(stored), canary)
			assert.NotContains(t, string(stored), "PRIVATE KEY")
		})
	}
}

func TestNetworkPrintsNoPassword(t *testing.T) {
	proxy, err := url.Parse("http://pr0xy-us3r:" + proxyPassword + "@proxy.example:3128")
	require.NoError(t, err)
	n := sink.Network{Proxy: proxy, AllowPlaintext: true}
	nested := []any{n, &n, struct{ N sink.Network }{n}, struct{ N *sink.Network }{&n}, []sink.Network{n}, struct{ n sink.Network }{n}}
	for _, verb := range verbs {
		for _, v := range nested {
			text := fmt.Sprintf(verb, v)
			assert.NotContains(t, text, proxyPassword, verb)
			assert.NotContains(t, text, "pr0xy-us3r", verb)
		}
	}
	var logged bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&logged, nil), slog.NewJSONHandler(&logged, nil)} {
		slog.New(h).Info("m", "network", n)
	}
	assert.NotContains(t, logged.String(), proxyPassword)
	const want = "{guard:false proxy:http://proxy.example:3128 dial:default plaintext:true}"
	assert.Equal(t, want, n.String())
	assert.Equal(t, want, fmt.Sprintf("%+v", n))
	assert.Equal(t, 2, strings.Count(logged.String(), want))
	noScheme := &url.URL{Scheme: "pr0xy-us3r", Opaque: proxyPassword}
	assert.Equal(t, "{guard:false proxy:invalid dial:default plaintext:false}", sink.Network{Proxy: noScheme}.String())
	assert.Equal(t, "{guard:false proxy:none dial:default plaintext:false}", sink.Network{}.String())
	assert.Equal(t, "{guard:false proxy:none dial:own plaintext:false}", sink.Network{DialContext: n.Dial}.String())
}

func TestHeadersPrintNoValueThatWasPastedForAName(t *testing.T) {
	h := sink.Headers{"Authorization: Bearer " + literal: "", "X-Tenant": literal}
	assert.Equal(t, "[Authorization… X-Tenant]", h.String())
}

// TestSinksHoldNoSecretInReach looks at everything that a dump of an opened sink would show, before it has delivered
// and after: unexported fields, pointers, maps and interfaces, but not what is behind a func.
func TestSinksHoldNoSecretInReach(t *testing.T) {
	for name, d := range destinations(t) {
		t.Run(name, func(t *testing.T) {
			s, err := d.config.Open()
			require.NoError(t, err)
			dump(t, s)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			_, err = s.Deliver(ctx, []sink.Event{{ID: "1", Action: "a.b", Actor: sink.Actor{ID: "x"}, Time: time.Unix(1, 0)}})
			require.NoError(t, err)
			dump(t, s)
			closer, ok := s.(interface{ Close() error })
			require.True(t, ok)
			require.NoError(t, closer.Close())
		})
	}
}

func dump(t *testing.T, v any) {
	t.Helper()
	d := dumper{t: t, seen: make(map[uintptr]bool)}
	d.walk(reflect.ValueOf(v), fmt.Sprintf("%T", v))
}

// A dumper walks a value as dumps do.
type dumper struct {
	t    *testing.T
	seen map[uintptr]bool
}

func (d dumper) walk(v reflect.Value, path string) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() || d.seen[v.Pointer()] {
			return
		}
		d.seen[v.Pointer()] = true
		d.walk(v.Elem(), path)
	case reflect.Interface:
		d.walk(v.Elem(), path)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[ecdsa.PrivateKey]() {
			d.t.Errorf("the private key is in reach, at %s", path)
			return
		}
		for i := range v.NumField() {
			d.walk(v.Field(i), path+"."+v.Type().Field(i).Name)
		}
	case reflect.Map:
		for entry := v.MapRange(); entry.Next(); {
			d.walk(entry.Key(), path+"[key]")
			d.walk(entry.Value(), path+"[value]")
		}
	case reflect.Slice, reflect.Array:
		if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
			d.look(string(v.Bytes()), path)
			return
		}
		for i := range v.Len() {
			d.walk(v.Index(i), path+"[]")
		}
	case reflect.String:
		d.look(v.String(), path)
	default: // a number, a func, a channel
	}
}

func (d dumper) look(text, path string) {
	if strings.Contains(text, canary) || strings.Contains(text, literal) {
		d.t.Errorf("a secret is in reach, at %s", path) // without the text
	}
}
