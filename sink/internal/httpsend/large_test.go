package httpsend_test

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/auditstream/auditstream/sink/internal/httpsend"
)

// meetingConn does not write its first chunk of a body before all others have theirs.
type meetingConn struct {
	net.Conn
	meet func()
}

func (c *meetingConn) Write(b []byte) (int, error) {
	if len(b) > 64<<10 {
		c.meet()
	}
	return c.Conn.Write(b)
}

// TestLargeBodiesArriveWhole sends bodies of several chunks at once: none gets into another's buffer.
func TestLargeBodiesArriveWhole(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body io.Reader = r.Body
		if r.Header.Get("Content-Encoding") == "gzip" {
			plain, err := gzip.NewReader(r.Body)
			if !assert.NoError(t, err) {
				return
			}
			body = plain
		}
		sum := sha256.New()
		_, err := io.Copy(sum, body)
		assert.NoError(t, err)
		_, _ = fmt.Fprintf(w, "%x", sum.Sum(nil))
	}))
	t.Cleanup(server.Close)
	for name, compress := range map[string]bool{"plain": false, "gzip": true} {
		t.Run(name, func(t *testing.T) {
			const count = 8
			var met, posts sync.WaitGroup
			met.Add(count)
			c := newClient(t, server.URL, func(o *httpsend.Options) {
				o.Gzip = compress
				o.Network.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
					conn, err := new(net.Dialer).DialContext(ctx, network, address)
					return &meetingConn{Conn: conn, meet: sync.OnceFunc(func() { met.Done(); met.Wait() })}, err
				}
			})
			for i := range count {
				posts.Go(func() {
					body := make([]byte, 300_000+100_000*i)
					_, _ = rand.NewChaCha8([32]byte{byte(i)}).Read(body)
					r, err := c.Post(t.Context(), body, nil)
					if assert.NoError(t, err) {
						assert.Equal(t, fmt.Sprintf("%x", sha256.Sum256(body)), string(r.Body))
					}
				})
			}
			posts.Wait()
		})
	}
}
