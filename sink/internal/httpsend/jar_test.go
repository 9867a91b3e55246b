package httpsend_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/sink/internal/httpsend"
)

// seen is what a server has seen of one request.
type seen struct{ uri, cookie, encoding, body string }

// newCookieServer starts a server that answers each request with a cookie.
func newCookieServer(t *testing.T) (url string, requests func() []seen) {
	t.Helper()
	var mu sync.Mutex
	var all []seen
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		all = append(all, seen{r.RequestURI, r.Header.Get("Cookie"), r.Header.Get("Content-Encoding"), string(body)})
		http.SetCookie(w, &http.Cookie{Name: "indexer", Value: fmt.Sprintf("s3cr3t-%d", len(all))})
	}))
	t.Cleanup(srv.Close)
	return srv.URL, func() []seen {
		mu.Lock()
		defer mu.Unlock()
		return all
	}
}

func TestJarKeepsCookies(t *testing.T) {
	url, requests := newCookieServer(t)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	c := newClient(t, url, func(o *httpsend.Options) { o.Jar, o.Header = jar, http.Header{"Cookie": {"own=1"}} })
	for range 2 {
		_, err := c.Post(t.Context(), nil, nil)
		require.NoError(t, err)
	}
	_, err = c.PostPlain(t.Context(), "ack", nil, nil)
	require.NoError(t, err)
	var cookies []string
	for _, r := range requests() {
		cookies = append(cookies, r.cookie)
	}
	assert.Equal(t, []string{"own=1", "own=1; indexer=s3cr3t-1", "own=1; indexer=s3cr3t-2"}, cookies)
	assert.NotContains(t, fmt.Sprintf("%v %+v %#v", c, c, c), "s3cr3t")
}

func TestCookiesAreIgnoredWithoutJar(t *testing.T) {
	url, requests := newCookieServer(t)
	c := newClient(t, url, nil)
	for range 2 {
		_, err := c.Post(t.Context(), nil, nil)
		require.NoError(t, err)
	}
	for _, r := range requests() {
		assert.Empty(t, r.cookie)
	}
}

func TestPostPlain(t *testing.T) {
	url, requests := newCookieServer(t)
	c := newClient(t, url+"/prefix%2Fa", func(o *httpsend.Options) { o.Gzip = true })
	_, err := c.Post(t.Context(), []byte("body"), nil)
	require.NoError(t, err)
	_, err = c.PostPlain(t.Context(), "ack", []byte("body"), nil)
	require.NoError(t, err)
	_, err = c.Post(t.Context(), []byte("body"), nil)
	require.NoError(t, err)
	all := requests()
	assert.Equal(t, seen{uri: "/prefix%2Fa/in/ack", body: "body"}, all[1])
	assert.Equal(t, "gzip", all[0].encoding)
	assert.Equal(t, all[0].uri, all[2].uri)
	assert.Equal(t, "gzip", all[2].encoding, "the Client's own header is not changed")
}
