package httpsend_test

import (
	"context"
	"net"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/httpsend"
	"github.com/auditstream/auditstream/sink/siemtest"
)

// countedConn counts down when it is closed.
type countedConn struct {
	net.Conn
	open *atomic.Int64
	done atomic.Bool
}

func (c *countedConn) Close() error {
	if !c.done.Swap(true) {
		c.open.Add(-1)
	}
	return c.Conn.Close()
}

// A connection whose request has just been given up is not idle yet, over HTTP/2 for as long as another goroutine takes
// to notice. Close ends it all the same.
func TestCloseEndsConnectionsThatAreNotIdle(t *testing.T) {
	for name, useTLS := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			srv, err := siemtest.NewSumoLogic(siemtest.SumoLogicConfig{TLS: useTLS})
			require.NoError(t, err)
			t.Cleanup(srv.Close)
			target, err := url.Parse(srv.URL())
			require.NoError(t, err)
			cfg, err := sink.TLS{RootCAs: srv.CertPEM()}.ClientConfig()
			require.NoError(t, err)
			for range 20 {
				var open atomic.Int64
				c := httpsend.New(httpsend.Options{URL: target, TLS: cfg, Network: sink.Network{
					DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
						conn, err := new(net.Dialer).DialContext(ctx, network, address)
						if err != nil {
							return nil, err
						}
						open.Add(1)
						return &countedConn{Conn: conn, open: &open}, nil
					},
				}})
				_, err = c.Post(t.Context(), []byte("x"), nil)
				require.NoError(t, err)
				srv.Respond(siemtest.Hang())
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
				_, err = c.Post(ctx, []byte("x"), nil)
				cancel()
				require.ErrorIs(t, err, context.DeadlineExceeded)
				c.Close()
				assert.Zero(t, open.Load())
			}
		})
	}
}
