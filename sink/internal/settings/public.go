package settings

import (
	"net"
	"net/netip"
	"net/url"
	"strings"

	"github.com/auditstream/auditstream/secret"
)

// maxHost is the length of the longest host name.
const maxHost = 253

// Public returns what may be shown of a configuration: the provider, and the scheme, host and port of its endpoint if
// they can be told: "splunk https://splunk.example:8088". It takes the template of the endpoint, valid or not.
func Public(provider, endpoint string) string {
	authority, _ := split(endpoint)
	return public(provider, endpoint, authority)
}

// PublicSecret is Public for an endpoint that is itself a secret. One without a path may be the secret and nothing else,
// which only looks like a host.
func PublicSecret(provider string, endpoint secret.Value) string {
	authority, path := split(endpoint.Reveal())
	if strings.Trim(path, "/") == "" {
		return provider
	}
	return public(provider, endpoint.Reveal(), authority)
}

// Origin returns scheme, host and port of a URL: "https://splunk.example:8088".
func Origin(u *url.URL) string {
	return u.Scheme + "://" + HostPort(u)
}

// HostPort returns host and port of a URL, the port of its scheme if it names none.
func HostPort(u *url.URL) string {
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "http":
		port = "80"
	default:
		port = "443"
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

func public(provider, endpoint, authority string) string {
	scheme, _, _ := strings.Cut(strings.ToLower(endpoint), "://")
	if scheme != "http" && scheme != "https" {
		return provider
	}
	u, err := url.Parse(scheme + "://" + authority)
	if err != nil || !validHost(u.Hostname()) || (u.Port() != "" && !validPort(u.Port())) {
		return provider
	}
	return provider + " " + Origin(u)
}

// split returns the authority of a URL template without user information, and what follows it.
func split(endpoint string) (authority, path string) {
	_, rest, _ := strings.Cut(blank(endpoint), "://")
	if i := strings.IndexAny(rest, `/?#\`); i >= 0 {
		rest, path = rest[:i], rest[i:]
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		rest = rest[i+1:]
	}
	return rest, path
}

// blank replaces every token of a template by a star, which no host holds, so that nothing of the token, its quoted
// arguments included, is taken for a part of the URL. What begins like a token and does not end takes the rest along.
func blank(template string) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(template, '#')
		if i < 0 || i+1 == len(template) || (template[i+1] != '{' && template[i+1] != '<') {
			if i < 0 || i+1 == len(template) {
				b.WriteString(template)
				return b.String()
			}
			b.WriteString(template[:i+1])
			template = template[i+1:]
			continue
		}
		b.WriteString(template[:i])
		b.WriteByte('*')
		template = afterToken(template[i+1:])
	}
}

// afterToken returns what follows a token that begins with its opening bracket.
func afterToken(token string) string {
	closing := byte('}')
	if token[0] == '<' {
		closing = '>'
	}
	quoted := false
	for i := range len(token) {
		switch {
		case token[i] == '"':
			quoted = !quoted
		case token[i] == closing && !quoted:
			return token[i+1:]
		}
	}
	return ""
}

// validHost reports whether a name is what a host is called, so that nothing else is shown for one.
func validHost(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Zone() == ""
	}
	if host == "" || len(host) > maxHost {
		return false
	}
	return !strings.ContainsFunc(host, func(r rune) bool {
		return !alphanumeric(r) && r != '-' && r != '.' && r != '_'
	})
}
