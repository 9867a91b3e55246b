package settings

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/auditstream/auditstream/secret"
)

// Endpoint renders the template of an endpoint and returns the URL, which may hold the secret, or nil if something is
// wrong with it. The URL is http or https, has a host, and has no fragment.
func (c *Check) Endpoint(field, template string) *url.URL {
	return c.endpointURL(field, template, template)
}

// SecretEndpoint is Endpoint for an endpoint that is itself a secret, whether or not it uses one. The parts of its path
// that are the same for every customer, given as public, may be shown.
func (c *Check) SecretEndpoint(field string, template secret.Value, public string) *url.URL {
	u := c.endpointURL(field, template.Reveal(), public)
	if u == nil {
		return nil
	}
	if strings.Trim(u.Path, "/") == "" {
		// What looks like the host may be the secret here.
		c.Fail(field, "", "has no path: copy the whole URL, secret part included")
		return nil
	}
	c.credential = "the secret in " + field
	return u
}

func (c *Check) endpointURL(field, template, public string) *url.URL {
	c.endpointField = field
	if template == "" {
		c.Fail(field, "", "is empty: write a URL such as https://host.example/path")
		return nil
	}
	t, ok := c.parse(field, template)
	if !ok {
		return nil
	}
	v, err := t.RenderURL(c.secret)
	if !c.rendered(field, t, err) {
		return nil
	}
	u := c.parseURL(field, v)
	if u == nil {
		return nil
	}
	c.endpoint = u
	c.sources.URL, c.sources.Public = v, public
	if u.User != nil {
		c.credential = "the user information in " + field
	}
	for name := range u.Query() {
		if sensitive(name) {
			c.credential = "the query of " + field
		}
	}
	return u
}

// parseURL makes the checks that a template cannot. It never repeats the URL, as the errors of package url do.
func (c *Check) parseURL(field string, v secret.Value) *url.URL {
	u, err := url.Parse(v.Reveal())
	switch {
	case err != nil:
		c.Fail(field, "", "is not a URL: write one such as https://host.example/path")
	case u.Scheme != "http" && u.Scheme != "https":
		c.Fail(field, "", "does not begin with https:// or http://")
	case u.Port() != "" && !validPort(u.Port()):
		c.Fail(field, "", "has a port outside 1 to 65535")
	default:
		return u
	}
	return nil
}

// checkPlaintext refuses to send a credential where everybody on the way can read it.
func (c *Check) checkPlaintext() {
	if c.endpoint == nil || c.endpoint.Scheme != "http" || c.credential == "" || c.network.AllowPlaintext {
		return
	}
	if loopback(c.endpoint) && (c.network.Proxy == nil || loopback(c.network.Proxy)) {
		return
	}
	c.Failf(c.endpointField, "begins with http://, which would send %s in the clear: write https://", c.credential)
}

// loopback reports whether the host of u is this machine. Names below localhost, which RFC 6761 reserves for it, do not
// count: Go's resolver asks DNS for them like for any other, search domains included.
func loopback(u *url.URL) bool {
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

func validPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}
