package httpsend_test

import (
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/auditstream/auditstream/sink/internal/httpsend"
)

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
			c := newClient(t, server.URL, func(o *httpsend.Options) { o.Gzip = compress })
			var posts sync.WaitGroup
			for i := range 8 {
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
