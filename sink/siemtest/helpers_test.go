package siemtest_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// dialer is the part of a server by which clients reach it.
type dialer interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// newClient returns a client of one server that ends with the test.
func newClient(t *testing.T, d dialer) *http.Client {
	t.Helper()
	tr := &http.Transport{DialContext: d.DialContext, DisableCompression: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{
		Transport:     tr,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// request is an HTTP request of a test.
type request struct {
	method, url, body string
	header            map[string]string
}

// response is what came back.
type response struct {
	status int
	header http.Header
	body   string
}

// try sends a request.
func (r request) try(ctx context.Context, c *http.Client) (response, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, r.url, strings.NewReader(r.body))
	if err != nil {
		return response{}, err
	}
	for k, v := range r.header {
		req.Header.Set(k, v)
	}
	resp, err := c.Do(req)
	if err != nil {
		return response{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return response{resp.StatusCode, resp.Header, string(b)}, err
}

// send sends a request that must be answered.
func (r request) send(t *testing.T, c *http.Client) response {
	t.Helper()
	resp, err := r.try(t.Context(), c)
	require.NoError(t, err)
	return resp
}

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := io.WriteString(w, text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

func deflated(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, err := io.WriteString(w, text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

// assertHidden fails if text, whatever it is the print of, holds the secret.
func assertHidden(t *testing.T, text, secret string) {
	t.Helper()
	assert.False(t, strings.Contains(text, secret), "the secret shows in the print of a record")
}
