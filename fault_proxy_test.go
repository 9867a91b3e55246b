package auditstream_test

import (
	"context"
	"net"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/internal/canary"
)

// The environment names a proxy. It is not asked, whatever the name of the variable.
func TestFaultProxyOfTheEnvironment(t *testing.T) {
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"} {
		t.Setenv(name, "http://proxy.test:3128")
	}
	for _, d := range drivers {
		t.Run(d.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &trial{}
				var base string
				f.siem, base = d.serve(t, served{})
				t.Cleanup(f.siem.Close)
				u, err := url.Parse(base)
				require.NoError(t, err)
				var asked []string
				f.place.base = "http://siem.test:" + u.Port() // loopback would be exempt
				f.place.network.AllowPlaintext = true
				f.place.network.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
					asked = append(asked, address)
					return f.siem.DialContext(ctx, network, u.Host)
				}
				f.delivery = deliverTo(t, d.config(f.place), new(canary.Log), auditstream.Config{})
				f.publish(t, 3)
				f.drain(t)
				f.checkArrival(t)
				assert.Equal(t, []string{"siem.test:" + u.Port()}, asked)
			})
		})
	}
}

// The host's proxy wants other credentials. Nothing of the events or of the token has reached it.
func TestFaultProxyRefuses(t *testing.T) {
	for _, d := range drivers {
		t.Run(d.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newTrial(t, d, served{tls: true}, auditstream.Config{})
				f.route(answeringWith("HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"))
				proxied := f.place
				proxied.network.Proxy = &url.URL{Scheme: "http", Host: "proxy.test:3128", User: url.UserPassword("host", canary.Secret)}
				require.NoError(t, f.Configure(d.config(proxied)))
				f.publish(t, 3)
				time.Sleep(10 * time.Minute)
				status := f.Status()
				assert.Equal(t, auditstream.ConditionBlocked, status.Condition)
				assert.EqualValues(t, 3, status.Totals.Pending)
				require.ErrorContains(t, status.LastError, "407")
				assert.Contains(t, f.sinkError(t).Remedy, "proxy")
				assert.Zero(t, status.Totals.InDoubt)
				assert.LessOrEqual(t, len(f.dialled()), 14, "a probe each 48 s at most")

				f.route(nil)
				require.NoError(t, f.Configure(f.dst))
				f.drain(t)
				f.checkArrival(t)
			})
		})
	}
}
