package splunk

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

func cookieURL(host string) *url.URL {
	return &url.URL{Scheme: "https", Host: host, Path: "/services/collector/event"}
}

// held returns the cookies for a host as they are sent, without regard to their order.
func held(c *cookies, u *url.URL) map[string]string {
	all := map[string]string{}
	for _, cookie := range c.Cookies(u) {
		all[cookie.Name] = cookie.Value
	}
	return all
}

func TestCookies(t *testing.T) {
	u := cookieURL("hec.splunk.example:8088")
	for name, test := range map[string]struct {
		set  []string
		want map[string]string
	}{
		"session":         {[]string{"a=1"}, map[string]string{"a": "1"}},
		"two":             {[]string{"a=1", "b=2; Secure; HttpOnly"}, map[string]string{"a": "1", "b": "2"}},
		"changed":         {[]string{"a=1", "a=2"}, map[string]string{"a": "2"}},
		"deleted":         {[]string{"a=1", "a=; Max-Age=0"}, map[string]string{}},
		"of another path": {[]string{"a=1; Path=/services/collector/event"}, map[string]string{"a": "1"}},
		"of the domain":   {[]string{"a=1; Domain=splunk.example"}, map[string]string{"a": "1"}},
		"foreign":         {[]string{"a=1; Domain=other.example"}, map[string]string{}},
		"of another host": {[]string{"a=1; Domain=x.splunk.example"}, map[string]string{}},
		"huge":            {[]string{"a=" + strings.Repeat("x", 4096)}, map[string]string{}},
		"as large as can be": {
			[]string{"a=" + strings.Repeat("x", 4095)}, map[string]string{"a": strings.Repeat("x", 4095)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := new(cookies)
			assert.Empty(t, c.Cookies(u))
			for _, text := range test.set {
				c.SetCookies(u, (&http.Response{Header: http.Header{"Set-Cookie": {text}}}).Cookies())
			}
			ack := *u
			ack.Path = "/services/collector/ack"
			assert.Equal(t, test.want, held(c, u))
			assert.Equal(t, test.want, held(c, &ack))
			assert.Empty(t, c.Cookies(cookieURL("other.example")), "they never go to another host")
		})
	}
}

func TestCookiesExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, u := new(cookies), cookieURL("hec.splunk.example")
		c.SetCookies(u, []*http.Cookie{{Name: "a", Value: "1", MaxAge: 60}})
		time.Sleep(59 * time.Second)
		assert.Len(t, c.Cookies(u), 1)
		time.Sleep(2 * time.Second)
		assert.Empty(t, c.Cookies(u))
	})
}

// TestCookiesAreBounded has a server make up a new cookie with every answer.
func TestCookiesAreBounded(t *testing.T) {
	c, u := new(cookies), cookieURL("hec.splunk.example")
	for i := range 1000 {
		c.SetCookies(u, []*http.Cookie{{Name: fmt.Sprint("c", i), Value: "x", Path: fmt.Sprint("/", i)}})
	}
	assert.Len(t, c.Cookies(u), maxCookies)
	c.SetCookies(u, []*http.Cookie{{Name: "c0", Value: "new"}})
	assert.Equal(t, "new", held(c, u)["c0"])
}
