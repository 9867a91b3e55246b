package auditstream_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/internal/canary"
	"github.com/auditstream/auditstream/sink"
)

// The client certificate expires, or the destination stops trusting it, in the midst of a run. Events are kept until
// somebody has entered another certificate: an edit, for certificates are part of the configuration.
func TestFaultClientCertificate(t *testing.T) {
	root, otherRoot := issue(t, nil, nil), issue(t, nil, nil)
	server := issue(t, root, nil)
	valid, renewed := issue(t, root, nil), issue(t, otherRoot, nil)
	expired := issue(t, root, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	for name, tt := range map[string]struct {
		first, second *issued
		trust         *issued // from the middle of the run on
	}{
		"expired":              {expired, valid, root},
		"not trusted any more": {valid, renewed, otherRoot},
	} {
		for _, d := range drivers {
			t.Run(name+"/"+d.name, func(t *testing.T) {
				var trusted atomic.Pointer[issued]
				trusted.Store(root)
				peer := asking(t, server, &trusted)
				at := place{base: "https://" + peer.host()}
				with := func(i *issued) sink.Destination {
					at.tls = sink.TLS{RootCAs: root.pem(), Certificate: i.pem(), Key: i.keyPEM(t)}
					return d.config(at)
				}
				f := deliverTo(t, with(tt.first), new(canary.Log), auditstream.Config{
					BatchDelay: time.Nanosecond, RetryMin: time.Millisecond, RetryMax: 10 * time.Millisecond,
				})
				delivered := uint64(0)
				if tt.first == valid {
					f.publish(t, 3)
					f.drain(t)
					delivered = 3
				}
				trusted.Store(tt.trust)
				f.publish(t, 3)
				require.Eventually(t, func() bool {
					return f.Status().Condition == auditstream.ConditionBlocked
				}, time.Minute, time.Millisecond)
				status := f.Status()
				require.ErrorContains(t, status.LastError, "refused the client certificate")
				assert.Contains(t, f.sinkError(t).Remedy, "TLS.Certificate")
				assert.EqualValues(t, 3, status.Totals.Pending)
				assert.Equal(t, delivered, status.Totals.Delivered)

				require.NoError(t, f.Configure(with(tt.second)))
				f.drain(t)
				assert.Equal(t, auditstream.ConditionHealthy, f.Status().Condition)
				assert.Equal(t, delivered+3, f.Status().Totals.Delivered)
			})
		}
	}
}

// asking starts a server that takes everything from who shows a certificate that trusted has signed at that moment, and
// asks anew for each request.
func asking(t *testing.T, server *issued, trusted *atomic.Pointer[issued]) *sentinel {
	t.Helper()
	return newSentinel(t, server.server(func(c *tls.Config) {
		c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
			clients := x509.NewCertPool()
			clients.AddCert(trusted.Load().pair.Leaf)
			return server.server(func(c *tls.Config) {
				c.ClientAuth, c.ClientCAs, c.NextProtos = tls.RequireAndVerifyClientCert, clients, []string{"h2", "http/1.1"}
			}), nil
		}
	}), func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		take(w, r)
	})
}
