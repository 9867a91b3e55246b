package scrub

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/url"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/auditstream/auditstream/secret"
)

// forms is everything to look for, in lower case.
type forms struct {
	shorts []string // secrets too short to be looked for
	whole  []string // looked for as a whole only
	parts  []part   // looked for in parts of at least shortest bytes
}

// part is a form of which parts are looked for.
type part struct {
	text string
	cut  int // how many bytes of it must stand at an end of a text to count: as many as shortestCut of the secret take
}

func collect(src Sources) *forms {
	f := &forms{}
	for _, v := range src.Secrets {
		f.addSecret(credential(v.Reveal()))
	}
	for _, part := range urlParts(src.URL) {
		if len(part) >= shortest || !strings.Contains(src.Public, part) {
			f.addSecret(part)
		}
	}
	for _, v := range src.Plain {
		f.addPlain(v.Reveal())
	}
	return f
}

func (f *forms) short() bool { return len(f.shorts) > 0 }

// addSecret also takes apart what is Base64: a destination may show the password of a Basic header.
func (f *forms) addSecret(s string) {
	f.add(s)
	plain, ok := decode(s)
	if !ok {
		return
	}
	f.addForms(plain)
	if _, password, ok := strings.Cut(plain, ":"); ok {
		f.add(password)
	}
}

func (f *forms) add(s string) {
	switch {
	case s == "":
	case len(s) < shortest:
		f.shorts = append(f.shorts, lower(s))
	default:
		f.addForms(s)
	}
}

func (f *forms) addPlain(s string) {
	switch {
	case len(s) < shortestPlain:
	case len(s) < shortest:
		f.whole = append(f.whole, lower(s))
	default:
		f.addForms(s)
	}
}

func (f *forms) addForms(s string) {
	f.addParts(shortestCut, escaped(s)...)
	f.addParts(hex.EncodedLen(shortestCut), hex.EncodeToString([]byte(s)))
	f.addParts(base64.StdEncoding.EncodedLen(shortestCut), base64Forms(s)...)
}

func (f *forms) addParts(cut int, forms ...string) {
	for _, form := range forms {
		p := part{lower(form), cut}
		if len(form) < shortest || slices.Contains(f.parts, p) {
			continue
		}
		f.parts = append(f.parts, p)
	}
}

// escaped returns s and what encoders that leave most letters alone make of it.
func escaped(s string) []string {
	return append(jsonForms(s), s, strings.TrimSpace(s), oneLine(s),
		url.QueryEscape(s), url.PathEscape(s), dataEscape(s), html.EscapeString(s))
}

// base64Forms returns the Base64 of s, as UTF-16 too, on its own and inside a longer text, where it may start at any of
// three places in a group of three bytes; there, the digits that it shares with its neighbours are left off.
func base64Forms(s string) []string {
	all := []string{base64.StdEncoding.EncodeToString(utf16LE(s))}
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		all = append(all, enc.EncodeToString([]byte(s)))
		for shift := 1; shift <= 2; shift++ {
			text := enc.EncodeToString([]byte(strings.Repeat("\x00", shift) + s))
			all = append(all, strings.TrimRight(text[shift+1:], "="))
		}
	}
	return all
}

// jsonForms returns what stands between the quotes of s as JSON, with and without the escapes that are optional.
func jsonForms(s string) []string {
	b, err := json.Marshal(s)
	if err != nil {
		return nil // a string cannot fail
	}
	form := string(b[1 : len(b)-1])
	return []string{form, strings.ReplaceAll(form, "/", `\/`), strings.NewReplacer(
		`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(form)}
}

// dataEscape returns s with everything but the unreserved characters of RFC 3986 escaped.
func dataEscape(s string) string {
	return strings.NewReplacer("+", "%20").Replace(url.QueryEscape(s))
}

func utf16LE(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

// oneLine returns s without control characters, as [Scrubber.Text] leaves it.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7F {
			return -1
		}
		return r
	}, s)
}

// decode returns what s is the Base64 of, if that is text.
func decode(s string) (string, bool) {
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		b, err := enc.DecodeString(strings.TrimRight(s, "="))
		if err == nil && len(b) > 0 && oneLine(string(b)) == string(b) && utf8.Valid(b) {
			return string(b), true
		}
	}
	return "", false
}

// schemes are words of a header value that say what kind of credential follows.
var schemes = []string{"basic", "bearer", "digest", "splunk", "token", "apikey", "api-key", "key"}

// credential returns a header value without the scheme in front: "Bearer" is not secret, and short.
func credential(value string) string {
	scheme, rest, ok := strings.Cut(value, " ")
	if ok && slices.Contains(schemes, lower(scheme)) {
		return rest
	}
	return value
}

// urlParts returns the parts of a rendered URL that may be secret.
func urlParts(v secret.Value) []string {
	u, err := url.Parse(v.Reveal())
	if err != nil {
		return []string{v.Reveal()}
	}
	var parts []string
	if u.User != nil {
		password, _ := u.User.Password()
		parts = append(parts, u.User.Username(), password)
	}
	for segment := range strings.SplitSeq(u.EscapedPath(), "/") {
		parts = append(parts, segment)
		if plain, err := url.PathUnescape(segment); err == nil {
			parts = append(parts, plain)
		}
	}
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			value = name // a token may stand where a name would
		}
		parts = append(parts, value)
		if plain, err := url.QueryUnescape(value); err == nil {
			parts = append(parts, plain)
		}
	}
	return parts
}

// lower maps ASCII letters only, so that every byte stays where it was.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
