package httpsend_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/sink/internal/httpsend"
)

func TestSmoke(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(503) }))
	defer srv.Close()
	u, _ := url.Parse(srv.URL + "/x")
	c := httpsend.New(httpsend.Options{URL: u, Gzip: true})
	r, err := c.Post(t.Context(), []byte("hello"), nil)
	require.NoError(t, err)
	assert.Equal(t, 503, r.Status)
	t.Log(httpsend.Classify(r))
}
