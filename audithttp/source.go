package audithttp

import (
	"net/http"
	"unicode/utf8"

	"github.com/auditstream/auditstream"
)

// maxUserAgent is how much of a User-Agent header an event gets. Those of browsers have up to 200 bytes; a client may
// send as much as the server takes in headers, 1 MiB by default, which no event holds.
const maxUserAgent = 512

// Source returns where r came from: the client's address as far as trusted proxies tell it, and the first 512 bytes of
// its User-Agent header. The address is blank if it is not known, as behind a Unix socket.
//
// It reads r.RemoteAddr, so it has to be called before anything that puts a header's word there, as some middlewares do.
func Source(r *http.Request, trusted TrustedProxies) auditstream.Source {
	s := auditstream.Source{UserAgent: cut(r.UserAgent())}
	if a := trusted.client(r); a.IsValid() {
		s.Address = a.String()
	}
	return s
}

// cut shortens a long s, between two characters.
func cut(s string) string {
	if len(s) <= maxUserAgent {
		return s
	}
	n := maxUserAgent
	for n > maxUserAgent-utf8.UTFMax && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
