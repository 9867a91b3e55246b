package secret

import (
	"net/url"
	"strings"
)

// RenderURL is [Template.Render] for the URL of a request. The text is concatenated byte for byte and then checked; an
// http.Request made of it sends its path and query exactly as they were rendered.
//
//   - It is absolute, and its scheme, host and port are literal text of the template: no token may stand there.
//   - It has no fragment, and no space, control character, backslash or byte beyond ASCII. Every % begins an escape.
//   - A token in the path adds no ? or #, one in the query no # or &, one in the user information none of @ / : ? #.
//     It may add / to the path, and escapes anywhere.
//   - No segment of the path is . or .., in whatever way it is escaped.
//
// Anything else is a [*TemplateError] that names the part of the URL and the remedy, which for a token is to end it
// with | UriDataEscape. Its Reason holds no text of the template, its Text at most the token as it is written.
func (t *Template) RenderURL(v Value) (Value, error) {
	pieces, err := t.render(v)
	if err != nil {
		return Value{}, err
	}
	u := renderedURL{pieces: pieces, raw: join(pieces)}
	if err := u.split(); err != nil {
		return Value{}, err
	}
	for _, check := range []func() *TemplateError{
		u.checkTokens, u.checkBytes, u.checkEscapes, u.checkSegments, u.checkParsed,
	} {
		if err := check(); err != nil {
			return Value{}, err
		}
	}
	return New(u.raw), nil
}

// A renderedURL is a URL and where its parts begin, which literal text alone decides: a delimiter that a token has put
// out delimits nothing.
type renderedURL struct {
	pieces []rendered
	raw    string

	authority int // after ://
	at        int // the @ that ends the user information, or -1
	path      int // the first / after the host, or the end of the host where there is none
	query     int // the ?, or the end
}

// split finds the parts.
func (u *renderedURL) split() *TemplateError {
	colon := u.literal(0, ":/?#")
	if colon < 1 || !strings.HasPrefix(u.raw[colon:], "://") || u.tokenBefore(colon+len("://")) {
		return u.faultAt(0, "the URL does not begin with a literal scheme and host: write it as https://host/path")
	}
	u.authority = colon + len("://")
	u.path = u.orEnd(u.literal(u.authority, "/?#"))
	u.query = u.orEnd(u.literal(u.path, "?#"))
	u.at = -1
	for i := u.literal(u.authority, "@"); i >= 0 && i < u.path; i = u.literal(i+1, "@") {
		u.at = i
	}
	if i := u.literal(0, "#"); i >= 0 {
		return u.faultAt(i, "the URL has a fragment, which is never sent: remove the # and what follows it")
	}
	return nil
}

// literal returns the offset of the first byte from from on that is literal text and one of chars, or -1.
func (u *renderedURL) literal(from int, chars string) int {
	start := 0
	for _, r := range u.pieces {
		end := start + len(r.out)
		if begin := max(start, from); !r.token && begin < end {
			if i := strings.IndexAny(u.raw[begin:end], chars); i >= 0 {
				return begin + i
			}
		}
		start = end
	}
	return -1
}

func (u *renderedURL) orEnd(i int) int {
	if i < 0 {
		return len(u.raw)
	}
	return i
}

// tokenBefore reports whether a token stands before offset end of the text.
func (u *renderedURL) tokenBefore(end int) bool {
	start := 0
	for _, r := range u.pieces {
		if r.token && start < end {
			return true
		}
		start += len(r.out)
	}
	return false
}

// faultAt returns an error about the byte at offset i.
func (u *renderedURL) faultAt(i int, reason string) *TemplateError {
	if len(u.pieces) == 0 {
		return fault(0, "", reason)
	}
	r, i := pieceAt(u.pieces, i)
	return r.fault(i, reason)
}

// A part is one of the parts of a URL in which tokens and escapes are checked.
type part struct {
	name       string
	start, end int
	token      string // the delimiters that a token must not add
	never      string // what nobody may write there without escaping it, because it would not be sent as it is
}

const remedy = "end the token with | UriDataEscape"

func (u *renderedURL) parts() []part {
	parts := []part{
		{name: "path", start: u.path, end: u.query, token: "?#", never: "\"<>^`{|}"},
		{name: "query", start: u.query, end: len(u.raw), token: "#&"},
	}
	if u.at >= 0 {
		user := part{name: "user information", start: u.authority, end: u.at, token: "@/:?#", never: "\"<>[]^`{|}"}
		parts = append(parts, user)
	}
	return parts
}

// checkTokens checks where tokens stand and which delimiters they add.
func (u *renderedURL) checkTokens() *TemplateError {
	start := 0
	for _, r := range u.pieces {
		from := start
		start += len(r.out)
		if !r.token {
			continue
		}
		// A token in the path begins behind its first slash, which is literal text; so one that begins where the path
		// begins stands in the host.
		if from > u.at && from <= u.path {
			return r.fault(0, "the host or port of the URL holds a token: write them as literal text")
		}
		for _, p := range u.parts() {
			if from >= p.start && start <= p.end && strings.ContainsAny(r.out, p.token) {
				return r.fault(0, "the token adds one of the delimiters "+p.token+" to the "+p.name+" of the URL: "+remedy)
			}
		}
	}
	return nil
}

// checkBytes checks for bytes that no URL holds.
func (u *renderedURL) checkBytes() *TemplateError {
	for i := range len(u.raw) {
		if c := u.raw[i]; c > ' ' && c <= '~' && c != '\\' {
			continue
		}
		where, what := u.partAt(i), "write it as %XX, or, where a token puts it out, "+remedy
		if where == "" {
			where, what = "scheme, host or port", "write a host name beyond ASCII in its xn-- form"
		}
		return u.faultAt(i, "the "+where+" of the URL holds a space, a control character, a backslash or a letter beyond "+
			"ASCII: "+what)
	}
	for _, p := range u.parts() {
		if i := strings.IndexAny(u.raw[p.start:p.end], p.never); i >= 0 {
			return u.faultAt(p.start+i, "the "+p.name+" of the URL holds one of "+p.never+
				", which would be sent in another form: write it as %XX, or, where a token puts it out, "+remedy)
		}
	}
	return nil
}

// partAt names the part that the byte at offset i belongs to. It is empty for the scheme, host and port.
func (u *renderedURL) partAt(i int) string {
	for _, p := range u.parts() {
		if i >= p.start && i < p.end {
			return p.name
		}
	}
	return ""
}

// checkEscapes checks that each percent sign is followed by two hexadecimal digits.
func (u *renderedURL) checkEscapes() *TemplateError {
	for _, p := range u.parts() {
		for i := p.start; i < p.end; i++ {
			if u.raw[i] == '%' && (i+2 >= p.end || !isHex(u.raw[i+1]) || !isHex(u.raw[i+2])) {
				return u.faultAt(i, "the "+p.name+" of the URL holds a % that begins no %XX: write it as %25, or, where a "+
					"token puts it out, "+remedy)
			}
		}
	}
	return nil
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// checkSegments checks for segments that climb the path. Escaped slashes and backslashes separate segments too, and a
// segment ends at its ; parameters: there are servers that decode and cut first and look afterwards.
func (u *renderedURL) checkSegments() *TemplateError {
	start := u.path
	for segment := range strings.SplitSeq(u.raw[u.path:u.query], "/") {
		text, err := url.PathUnescape(segment)
		if err != nil {
			return u.faultAt(start, "the path of the URL holds a % that begins no %XX")
		}
		for _, s := range strings.FieldsFunc(text, func(r rune) bool { return r == '/' || r == '\\' }) {
			if s, _, _ = strings.Cut(s, ";"); s == "." || s == ".." {
				return u.segmentFault(start, start+len(segment))
			}
		}
		start += len(segment) + 1
	}
	return nil
}

// segmentFault returns an error about the token within [from, to), or about the literal text where there is none.
func (u *renderedURL) segmentFault(from, to int) *TemplateError {
	const reason = "a segment of the path of the URL is . or .., which may lead to another path: "
	start := 0
	for _, r := range u.pieces {
		if r.token && start < to && start+len(r.out) > from {
			return r.fault(0, reason+"the secret cannot stand there")
		}
		start += len(r.out)
	}
	return u.faultAt(from, reason+"remove it")
}

// checkParsed compares what net/url makes of the text, and so what net/http would send, with the text itself. The host
// is compared with what the literal text alone gives. The errors of net/url quote the URL and end here.
func (u *renderedURL) checkParsed() *TemplateError {
	host := u.raw[max(u.authority, u.at+1):u.path]
	literal, err := url.Parse(u.raw[:u.authority] + host)
	if err != nil || literal.Hostname() == "" {
		return u.faultAt(u.authority, "the URL has no valid scheme, host and port: write it as https://host/path")
	}
	got, err := url.Parse(u.raw)
	query := strings.TrimPrefix(u.raw[u.query:], "?")
	switch {
	case err != nil:
		return u.faultAt(0, "the URL is not valid")
	case got.Scheme != literal.Scheme || got.Host != literal.Host || got.Opaque != "" || (got.User != nil) != (u.at >= 0):
		return u.faultAt(0, "the URL is ambiguous in its scheme, host or port")
	case got.EscapedPath() != u.raw[u.path:u.query]:
		return u.faultAt(u.path, "the path of the URL would be sent in another form")
	case got.RawQuery != query || got.ForceQuery != (query == "" && u.query < len(u.raw)) || got.Fragment != "":
		return u.faultAt(u.query, "the query of the URL would be sent in another form")
	}
	return nil
}
