package settings

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
)

// owned are the headers that a transport writes itself, and those that would change how it sends: net/http sends a POST
// again by itself when it has an idempotency key.
var owned = []string{
	"Accept-Encoding", "Connection", "Content-Encoding", "Content-Length", "Content-Type", "Expect", "Host",
	"Http2-Settings", "Idempotency-Key", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	"X-Idempotency-Key",
}

// maxHeaders is how many headers a configuration may have. Servers take about a hundred of all kinds, and a template may
// take half a second to render.
const maxHeaders = 50

// sensitiveWords are what the names of headers and query parameters that hold credentials have in common.
var sensitiveWords = []string{
	"auth", "cookie", "credential", "key", "pass", "pwd", "secret", "session", "sig", "token",
}

// Headers renders the values of headers and returns them under their canonical names. A name that is no token of
// RFC 9110, that belongs to the transport or to the driver, as reserved says, or that another one repeats, is a problem,
// and so are more than 50 headers.
func (c *Check) Headers(field string, headers sink.Headers, reserved ...string) http.Header {
	all := make(http.Header, len(headers))
	if len(headers) > maxHeaders {
		c.unparsed = true // any of them may use the secret
		c.Failf(field, "has %d headers: write at most %d", len(headers), maxHeaders)
		return all
	}
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		at := HeaderField(field, name)
		canonical := http.CanonicalHeaderKey(name)
		switch {
		case !token(name):
			c.Fail(at, "", "is not a header name: write letters, digits and hyphens")
			continue
		case slices.Contains(owned, canonical), strings.HasPrefix(canonical, "Proxy-"), strings.HasPrefix(canonical, "Sec-"):
			c.Fail(at, "", "belongs to the transport: remove it")
			continue
		case containsFold(reserved, canonical):
			c.Fail(at, "", "is set by the driver itself: remove it")
			continue
		case all[canonical] != nil:
			c.Fail(at, "", "is given twice: upper and lower case make no difference in a header name")
			continue
		}
		// A value that is at fault still counts as given, or its repetition would pass for the first.
		all[canonical] = []string{c.Header(at, name, headers[name])}
	}
	return all
}

// HeaderField returns the path of one header for [Check.Fail]. A name that cannot be one is shown up to where it stops
// being one: people paste whole headers, "Authorization: Bearer …", where the name belongs.
func HeaderField(field, name string) string {
	if i := strings.IndexFunc(name, notToken); i >= 0 {
		return fmt.Sprintf("%s[%.100q…]", field, name[:i])
	}
	return fmt.Sprintf("%s[%.100q]", field, name)
}

// Header renders the value of one header, which is then known as a secret, or returns "" if something is wrong with it.
// Drivers call it for headers that they write themselves, with the field that the administrator knows.
func (c *Check) Header(field, name, template string) string {
	t, ok := c.parse(field, template)
	if !ok {
		return ""
	}
	v, err := t.RenderHeader(c.secret)
	if !c.rendered(field, t, err) {
		return ""
	}
	if v.IsZero() {
		if !t.UsesSecret() || !c.secret.IsZero() {
			c.Fail(field, "", "has an empty value: give it one or remove it")
		}
		return ""
	}
	c.hideHeader(field, name, t, v)
	return v.Reveal()
}

func (c *Check) hideHeader(field, name string, t *secret.Template, v secret.Value) {
	if strings.EqualFold(name, "Authorization") {
		c.authorization = field
	}
	if t.UsesSecret() || sensitive(name) {
		c.credential = field
		c.hide(v)
		return
	}
	c.sources.Plain = append(c.sources.Plain, v)
}

// sensitive reports whether the name of a header or query parameter sounds like that of a credential.
func sensitive(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc(sensitiveWords, func(w string) bool { return strings.Contains(name, w) })
}

func containsFold(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}

// token reports whether a name is a token of RFC 9110, section 5.6.2.
func token(name string) bool {
	return name != "" && !strings.ContainsFunc(name, notToken)
}

func notToken(r rune) bool { return !alphanumeric(r) && !strings.ContainsRune("!#$%&'*+-.^_`|~", r) }

// alphanumeric reports whether r is an ASCII letter or digit.
func alphanumeric(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}
