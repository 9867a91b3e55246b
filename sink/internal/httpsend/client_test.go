package httpsend_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/httpsend"
)

// request is what a server saw.
type request struct {
	method, uri, host string
	header            http.Header
	body              []byte
	length            int64
}

// newServer starts a server that notes requests and answers them by a function.
func newServer(t *testing.T, answer http.HandlerFunc) (*httptest.Server, func() []request) {
	t.Helper()
	seen := make(chan request, 100)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		seen <- request{r.Method, r.RequestURI, r.Host, r.Header, body, r.ContentLength}
		answer(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv, func() []request {
		var all []request
		for {
			select {
			case r := <-seen:
				all = append(all, r)
			default:
				return all
			}
		}
	}
}

func accept(http.ResponseWriter, *http.Request) {}

func TestPost(t *testing.T) {
	srv, seen := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Retry-After", "3")
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, `{"ok":1}`)
	})
	c := newClient(t, srv.URL, nil)
	r, err := c.Post(t.Context(), []byte("body"), http.Header{"X-Extra": {"1"}, "Content-Type": {"text/plain"}})
	require.NoError(t, err)
	assert.Equal(t, &httpsend.Response{
		Status: 202, ContentType: "application/json", Body: []byte(`{"ok":1}`), RetryAfter: 3 * time.Second,
	}, r)
	all := seen()
	require.Len(t, all, 1)
	assert.Equal(t, "POST", all[0].method)
	assert.Equal(t, "/in/"+canary+"?k="+canary, all[0].uri)
	assert.Equal(t, srv.Listener.Addr().String(), all[0].host)
	assert.Equal(t, "body", string(all[0].body))
	assert.Equal(t, int64(4), all[0].length)
	assert.Equal(t, http.Header{
		"X-Api-Key": {canary}, "Authorization": {"Bearer " + canary}, "X-Extra": {"1"}, "Content-Type": {"text/plain"},
		"User-Agent": {"auditstream"}, "Content-Length": {"4"},
	}, all[0].header, "no Accept-Encoding, no cookie, nothing else")
}

func TestPostCompresses(t *testing.T) {
	srv, seen := newServer(t, accept)
	c := newClient(t, srv.URL, func(o *httpsend.Options) { o.Gzip = true })
	for _, n := range []int{0, 10, 100_000, 2_000_000, 10} {
		plain := lines(n)
		r, err := c.Post(t.Context(), plain, nil)
		require.NoError(t, err)
		require.NoError(t, httpsend.Classify(r))
		all := seen()
		require.Len(t, all, 1)
		assert.Equal(t, "gzip", all[0].header.Get("Content-Encoding"))
		assert.Equal(t, int64(len(all[0].body)), all[0].length)
		assert.True(t, bytes.Equal(plain, unzip(t, all[0].body)))
	}
}

func TestPostKeepsThePathByteForByte(t *testing.T) {
	srv, seen := newServer(t, accept)
	for _, path := range []string{
		"", "/", "//", "/a//b", "/a%2Fb%20c", "/%41", "/%e2%82%AC", "/ZaVnC4dhaV1_==", "/a;b=c,d", "/~!$&'()*+:@", "/?", "/?a=%zz&b", "/a?b?c/d",
	} {
		c := newClient(t, srv.URL, func(o *httpsend.Options) { o.URL = mustURL(t, srv.URL+path) })
		_, err := c.Post(t.Context(), nil, nil)
		require.NoError(t, err)
		all := seen()
		require.Len(t, all, 1)
		want := path
		if path == "" {
			want = "/"
		}
		assert.Equal(t, want, all[0].uri)
	}
}

func TestUserInformationBecomesBasicAuthorization(t *testing.T) {
	srv, seen := newServer(t, accept)
	with := strings.Replace(srv.URL, "http://", "http://us%2Fer:p%40ss@", 1)
	c := newClient(t, srv.URL, func(o *httpsend.Options) { o.URL, o.Header = mustURL(t, with), nil })
	_, err := c.Post(t.Context(), nil, nil)
	require.NoError(t, err)
	c = newClient(t, srv.URL, func(o *httpsend.Options) { o.URL = mustURL(t, with) })
	_, err = c.Post(t.Context(), nil, nil)
	require.NoError(t, err)
	all := seen()
	require.Len(t, all, 2)
	assert.Equal(t, "Basic dXMvZXI6cEBzcw==", all[0].header.Get("Authorization"))
	assert.Equal(t, "Bearer "+canary, all[1].header.Get("Authorization"), "a header of one's own goes first")
}

func TestOptionsAreNotChangedOrKept(t *testing.T) {
	srv, seen := newServer(t, accept)
	header := http.Header{"X-A": {"1"}, "User-Agent": {"host/1"}}
	u := mustURL(t, srv.URL+"/a")
	c := httpsend.New(httpsend.Options{URL: u, Header: header, Gzip: true})
	defer c.Close()
	assert.Equal(t, http.Header{"X-A": {"1"}, "User-Agent": {"host/1"}}, header)
	u.Path = "/b"
	header.Set("X-B", "2")
	for range 2 {
		_, err := c.Post(t.Context(), nil, http.Header{"X-C": {"3"}})
		require.NoError(t, err)
	}
	_, err := c.Post(t.Context(), nil, nil)
	require.NoError(t, err)
	for i, r := range seen() {
		assert.Equal(t, "/a", r.uri)
		assert.Empty(t, r.header["X-B"])
		assert.Equal(t, i < 2, r.header["X-C"] != nil)
		assert.Equal(t, "host/1", r.header.Get("User-Agent"))
	}
}

// A redirect would carry token and events to a host that nobody configured.
func TestRedirectsAreNotFollowed(t *testing.T) {
	other, otherSeen := newServer(t, accept)
	for _, status := range []int{301, 302, 303, 307, 308} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			srv, seen := newServer(t, func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, other.URL+"/next/"+canary, status)
			})
			r, err := newClient(t, srv.URL, nil).Post(t.Context(), []byte("body"), nil)
			require.NoError(t, err)
			err = httpsend.Classify(r)
			e, ok := err.(*sink.Error) //nolint:errorlint // Classify says so.
			require.True(t, ok)
			assert.Equal(t, sink.VerdictBlock, e.Verdict)
			assert.EqualError(t, e, fmt.Sprintf("the destination answered %d %s and named the host %q",
				status, http.StatusText(status), other.Listener.Addr().String()))
			assert.Len(t, seen(), 1)
		})
	}
	assert.Empty(t, otherSeen())
}

func TestLocationHostIsScrubbed(t *testing.T) {
	for location, want := range map[string]string{
		"":                                 "",
		"/relative":                        "",
		"//other.example:1/x":              `"other.example:1"`,
		"https://user:pw@other.example/x":  `"other.example"`,
		"https://" + canary + ".example/x": `"[REDACTED].example"`,
		"https://%zz/":                     "",
	} {
		s := newRawServer(t, answering("HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: "+location+"\r\n\r\n"))
		r, err := newClient(t, s.url, nil).Post(t.Context(), nil, nil)
		require.NoError(t, err)
		assert.Equal(t, want, r.LocationHost)
	}
}

func TestCookiesAreNotKept(t *testing.T) {
	srv, seen := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "AWSALB", Value: "1"})
	})
	c := newClient(t, srv.URL, nil)
	for range 2 {
		_, err := c.Post(t.Context(), nil, nil)
		require.NoError(t, err)
	}
	for _, r := range seen() {
		assert.Empty(t, r.header["Cookie"])
	}
}

func TestTheEnvironmentsProxyIsNotUsed(t *testing.T) {
	proxy, seen := newServer(t, accept)
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"} {
		t.Setenv(name, proxy.URL)
	}
	e := failed(t, newClient(t, "http://host.invalid", func(o *httpsend.Options) {
		o.Network.DialContext = func(_ context.Context, _, address string) (net.Conn, error) {
			assert.Equal(t, "host.invalid:80", address)
			return nil, &net.DNSError{Err: "no such host", Name: "host.invalid", IsNotFound: true}
		}
	}))
	assert.Equal(t, "dns", e.Code)
	assert.Empty(t, seen())
}

func TestProxy(t *testing.T) {
	proxy, seen := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Proxy-Authorization") != "Basic dXNlcjpwYXNzLXdvcmQtMQ==" {
			w.WriteHeader(http.StatusProxyAuthRequired)
		}
	})
	u := mustURL(t, proxy.URL)
	u.User = url.UserPassword("user", "pass-word-1")
	c := newClient(t, "http://siem.example", func(o *httpsend.Options) { o.Network.Proxy = u })
	r, err := c.Post(t.Context(), []byte("body"), nil)
	require.NoError(t, err)
	require.NoError(t, httpsend.Classify(r))
	all := seen()
	require.Len(t, all, 1)
	assert.Equal(t, "http://siem.example/in/"+canary+"?k="+canary, all[0].uri)

	u.User = nil
	c = newClient(t, "http://siem.example", func(o *httpsend.Options) { o.Network.Proxy = u })
	r, err = c.Post(t.Context(), []byte("body"), nil)
	require.NoError(t, err)
	require.ErrorContains(t, httpsend.Classify(r), "407")
}

func TestAGzipBombIsNotUnpacked(t *testing.T) {
	bomb := httpsend.Compress(nil, make([]byte, 20<<20))
	srv, _ := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		assert.Empty(t, r.Header["Accept-Encoding"])
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(bomb[:min(len(bomb), 40_000)])
	})
	r, err := newClient(t, srv.URL, nil).Post(t.Context(), nil, nil)
	require.NoError(t, err)
	require.NoError(t, r.BodyErr)
	assert.True(t, bytes.Equal(bomb[:min(len(bomb), 40_000)], r.Body))
	assert.NoError(t, httpsend.Classify(r))
}

func TestBodiesAreReadToALimit(t *testing.T) {
	for name, test := range map[string]struct {
		size int
		err  error
	}{
		"just fits":      {64 << 10, nil},
		"one byte more":  {64<<10 + 1, httpsend.ErrBodyTooLarge},
		"far more":       {8 << 20, httpsend.ErrBodyTooLarge},
		"nothing at all": {0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			srv, _ := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write(bytes.Repeat([]byte("x"), test.size))
			})
			c := newClient(t, srv.URL, nil)
			r, err := c.Post(t.Context(), nil, nil)
			require.NoError(t, err)
			assert.Equal(t, test.err, r.BodyErr)
			assert.Len(t, r.Body, min(test.size, 64<<10))
			_, err = c.Post(t.Context(), nil, nil)
			require.NoError(t, err, "the next attempt is not disturbed")
		})
	}
}

func TestPostAfterClose(t *testing.T) {
	srv, _ := newServer(t, accept)
	c := newClient(t, srv.URL, nil)
	c.Close()
	_, err := c.Post(t.Context(), nil, nil)
	require.NoError(t, err)
}

func TestAClientShowsNoSecret(t *testing.T) {
	c := newClient(t, "http://user:"+canary+"@siem.example", nil)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		assert.NotContains(t, fmt.Sprintf(verb, c), canary)
		assert.NotContains(t, fmt.Sprintf(verb, struct{ c *httpsend.Client }{c}), canary)
	}
}

// A server may close a pooled connection just when it is used again. As long as nothing was sent on it, net/http dials
// once more by itself; a request that may have arrived is never sent again.
func TestARequestIsSentAgainOnlyIfItWasNotSent(t *testing.T) {
	var requests atomic.Int64
	s := newRawServer(t, func(conn net.Conn) {
		r := bufio.NewReader(conn)
		if readRequest(r) != nil {
			return
		}
		if requests.Add(1) == 1 {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			if readRequest(r) == nil {
				requests.Add(1)
			}
		}
		// And close without an answer.
	})
	c := newClient(t, s.url, func(o *httpsend.Options) { o.Gzip = true })
	_, err := c.Post(t.Context(), lines(300_000), nil)
	require.NoError(t, err)
	_, err = c.Post(t.Context(), lines(300_000), nil)
	require.Error(t, err)
	assert.Equal(t, int64(2), requests.Load())
	assert.Equal(t, int64(1), s.connections.Load())
}
