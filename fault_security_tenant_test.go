package auditstream_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/internal/canary"
	"github.com/auditstream/auditstream/sink"
)

// TestTenantsShareNothing lets two streams deliver to one server in turn, with a client certificate and a token each.
// The server offers whatever could be shared: HTTP/2, cookies, sessions to resume.
func TestTenantsShareNothing(t *testing.T) {
	t.Parallel()
	root := issue(t, nil, nil)
	clients := x509.NewCertPool()
	clients.AddCert(root.pair.Leaf)
	for driver, destination := range secured {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(fmt.Sprint(driver, " ", tls.VersionName(version)), func(t *testing.T) {
				t.Parallel()
				secured := issue(t, root, nil).server(func(c *tls.Config) {
					c.ClientAuth, c.ClientCAs, c.MaxVersion = tls.RequireAndVerifyClientCert, clients, version
				})
				server := newSentinel(t, secured, func(w http.ResponseWriter, r *http.Request) {
					http.SetCookie(w, &http.Cookie{Name: "session", Value: r.TLS.PeerCertificates[0].Subject.CommonName})
					take(w, r)
				})
				streams := make(map[string]*auditstream.Stream)
				for _, tenant := range []string{"tenant-a", "tenant-b"} {
					own := issue(t, root, func(c *x509.Certificate) { c.Subject = pkix.Name{CommonName: tenant} })
					s := newStream(t, auditstream.Config{BatchDelay: time.Nanosecond})
					require.NoError(t, s.Configure(destination(route{
						url: "https://" + server.host(), token: canary.Secret + tenant,
						tls: sink.TLS{RootCAs: root.pem(), Certificate: own.pem(), Key: own.keyPEM(t)},
					})))
					streams[tenant] = s
				}
				for i := range 3 {
					for _, s := range streams {
						publish(t, s, 1, 1)
						waitDelivered(t, s, uint64(i)+1)
					}
				}
				checkTenants(t, server)
			})
		}
	}
}

// checkTenants looks at who sent what over which connection.
func checkTenants(t *testing.T, server *sentinel) {
	t.Helper()
	server.mu.Lock()
	defer server.mu.Unlock()
	require.Len(t, server.requests, 6)
	owner := make(map[string]string)
	for i, r := range server.requests {
		tenant := r.TLS.PeerCertificates[0].Subject.CommonName
		for _, other := range []string{"tenant-a", "tenant-b"} {
			assert.Equal(t, other == tenant, carries(r, canary.Secret+other), "the token goes with the certificate")
		}
		assert.False(t, r.TLS.DidResume, "a session was resumed")
		assert.Empty(t, r.Header.Values("Cookie"))
		peer := server.peers[i]
		if before, ok := owner[peer]; ok {
			assert.Equal(t, before, tenant, "two tenants on one connection")
		}
		owner[peer] = tenant
	}
	assert.Len(t, owner, 2, "each tenant has a connection and keeps it")
}

// carries reports whether a request holds the token.
func carries(r *http.Request, token string) bool {
	return strings.Contains(r.Header.Get("Authorization"), token) || strings.HasSuffix(r.RequestURI, url.PathEscape(token))
}
