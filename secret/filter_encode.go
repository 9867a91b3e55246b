package secret

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

var errBase64 = errors.New("the text that it is given is not Base64")

// An encoding is one of those that a filter takes by name.
type encoding int

const (
	encUTF8    encoding = iota
	encUnicode          // UTF-16, little end first, without a mark
	encBase64           // the bytes that the text stands for; in the hash filters only
)

// encodings are the names of the encodings, in lower case.
var encodings = map[string]encoding{"utf8": encUTF8, "utf-8": encUTF8, "unicode": encUnicode, "base64": encBase64}

// encode returns the bytes that s has in e. In UTF-8 they are those of s, whether or not it is valid.
func (e encoding) encode(s string) ([]byte, error) {
	switch e {
	case encUnicode:
		b := make([]byte, 0, 2*len(s))
		for _, u := range utf16.Encode([]rune(s)) {
			b = binary.LittleEndian.AppendUint16(b, u)
		}
		return b, nil
	case encBase64:
		return fromBase64(s)
	case encUTF8:
	}
	return []byte(s), nil
}

// decode returns the text that b stands for in e. As in .NET, what stands for no character becomes U+FFFD.
func (e encoding) decode(b []byte) string {
	if e == encUnicode {
		units := make([]uint16, 0, len(b)/2)
		for ; len(b) >= 2; b = b[2:] {
			units = append(units, binary.LittleEndian.Uint16(b))
		}
		s := string(utf16.Decode(units))
		if len(b) == 1 {
			s += string(utf8.RuneError)
		}
		return s
	}
	return decodeUTF8(string(b))
}

// decodeUTF8 puts one U+FFFD in the place of each ill-formed sequence: of the start of a character that breaks off, and
// of any other byte. That is how the Unicode standard recommends it (section 3.9) and how .NET counts; Go's own
// conversions count by bytes or by runs.
func decodeUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && size == 1 {
			size = illFormed(s)
		}
		b.WriteRune(r)
		s = s[size:]
	}
	return b.String()
}

// illFormed returns the length of the longest start of s that could begin a character, at least 1. s begins with an
// ill-formed sequence.
func illFormed(s string) int {
	n := 1
	// FullRuneInString reports false while more bytes could complete a character.
	for n < len(s) && !utf8.FullRuneInString(s[:n+1]) {
		n++
	}
	return n
}

// fromBase64 decodes standard Base64 with padding. White space is ignored, and so are left-over bits.
func fromBase64(s string) ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(strings.Map(func(r rune) rune {
		if r == ' ' || r == '\t' || r == '\r' || r == '\n' {
			return -1
		}
		return r
	}, s))
	if err != nil {
		return nil, errBase64 // the cause tells where the secret has which byte
	}
	return b, nil
}

func bindToBase64(args []argument) (apply, *argumentError) {
	enc, err := textEncoding(args)
	return func(_ *work, in string) (string, error) {
		if base64.StdEncoding.EncodedLen(len(in)) > maxOutput {
			return "", errTooLong
		}
		b, err := enc.encode(in)
		return base64.StdEncoding.EncodeToString(b), err
	}, err
}

func bindFromBase64(args []argument) (apply, *argumentError) {
	enc, err := textEncoding(args)
	return func(_ *work, in string) (string, error) {
		b, err := fromBase64(in)
		return enc.decode(b), err
	}, err
}

// textEncoding reads the optional encoding of the Base64 filters.
func textEncoding(args []argument) (encoding, *argumentError) {
	if len(args) == 0 {
		return encUTF8, nil
	}
	enc, ok := encodings[lower(args[0].text)]
	if !ok || enc == encBase64 {
		return 0, args[0].bad("the encodings are utf8, utf-8 and unicode")
	}
	return enc, nil
}

// What the URI filters keep; the names are those of RFC 3986.
const (
	unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
	reserved   = ":/?#[]@!$&'()*+,;="
)

// bindPercent makes a filter that turns every byte but those of keep into %XX, a percent sign included.
func bindPercent(keep string) func([]argument) (apply, *argumentError) {
	const digits = "0123456789ABCDEF"
	do := func(_ *work, in string) (string, error) {
		var o output
		for i := range len(in) {
			s := in[i : i+1]
			if !strings.Contains(keep, s) {
				s = string([]byte{'%', digits[in[i]>>4], digits[in[i]&15]})
			}
			if _, err := o.WriteString(s); err != nil {
				return "", err
			}
		}
		return o.b.String(), nil
	}
	return func([]argument) (apply, *argumentError) { return do, nil }
}

// The replacement texts of the escape filters, in pairs. That of JSON leaves the other control characters alone.
var (
	xmlEscapes  = []string{"&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&apos;"}
	htmlEscapes = append([]string{"/", "&#x2F;"}, xmlEscapes...)
	jsonEscapes = []string{`"`, `\"`, `\`, `\\`, "\r", `\r`, "\n", `\n`, "\t", `\t`}
)

// bindReplacer makes a filter that replaces characters by texts.
func bindReplacer(pairs []string) func([]argument) (apply, *argumentError) {
	r := strings.NewReplacer(pairs...)
	do := func(_ *work, in string) (string, error) {
		var o output
		_, err := r.WriteString(&o, in)
		return o.b.String(), err
	}
	return func([]argument) (apply, *argumentError) { return do, nil }
}
