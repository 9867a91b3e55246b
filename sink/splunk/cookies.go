package splunk

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"sync"
)

const (
	// maxCookies is how many cookies of different names are kept: a balancer sets one or two. A server that makes up new
	// ones all the time must not fill the memory of the host.
	maxCookies = 16

	// maxCookie bounds a cookie's name and value together, in bytes, as browsers do.
	maxCookie = 4096
)

// cookies keep the sessions of one sink with a load balancer, which by them finds the indexer that a request belongs to.
// Cookies go to the endpoint's host alone, because all requests do. It implements [http.CookieJar].
type cookies struct {
	mu    sync.Mutex
	jar   *cookiejar.Jar // nil until the first cookie
	names map[string]bool
}

// SetCookies implements [http.CookieJar].
func (c *cookies) SetCookies(u *url.URL, set []*http.Cookie) {
	if len(set) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.jar == nil {
		// The only error is one of the options, and there are none. Without a list of public suffixes, a cookie may claim
		// to be for all of a top-level domain, and is sent to the endpoint's host all the same.
		c.jar, _ = cookiejar.New(nil)
		c.names = make(map[string]bool)
	}
	kept := make([]*http.Cookie, 0, len(set))
	for _, cookie := range set {
		if len(cookie.Name)+len(cookie.Value) > maxCookie || !c.names[cookie.Name] && len(c.names) == maxCookies {
			continue
		}
		c.names[cookie.Name] = true
		// The paths for events and for acknowledgements are those of one service, which has to find the same indexer.
		cookie.Path = "/"
		kept = append(kept, cookie)
	}
	c.jar.SetCookies(u, kept)
}

// Cookies implements [http.CookieJar].
func (c *cookies) Cookies(u *url.URL) []*http.Cookie {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.jar == nil {
		return nil
	}
	return c.jar.Cookies(u)
}
