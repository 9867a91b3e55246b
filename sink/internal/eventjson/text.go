package eventjson

import "unicode/utf8"

const hexDigits = "0123456789abcdef"

// plain marks the bytes that stand for themselves in a JSON string: printable ASCII without the quote and the
// backslash.
var plain = func() (table [256]bool) {
	for b := 0x20; b < 0x7f; b++ {
		table[b] = b != '"' && b != '\\'
	}
	return table
}()

// AppendString appends s as a JSON string, quotes included, and returns the extended slice. The package documentation
// says what is escaped.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0 // s[start:i] is still to be copied, as it is
	for i := 0; i < len(s); {
		b := s[i]
		if plain[b] {
			i++
			continue
		}
		if b < utf8.RuneSelf {
			dst = append(dst, s[start:i]...)
			dst = appendEscape(dst, rune(b))
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			dst = append(dst, s[start:i]...)
			dst = utf8.AppendRune(dst, utf8.RuneError)
			start = i + size
		} else if hidden(r) {
			dst = append(dst, s[start:i]...)
			dst = appendEscape(dst, r)
			start = i + size
		}
		i += size
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// hidden reports whether r, outside of ASCII, is a control, ends a line, or has Unicode's property Bidi_Control.
func hidden(r rune) bool {
	switch {
	case r < 0xa0: // C1
		return true
	case r == 0x061c, r == 0x200e, r == 0x200f: // the directional marks
		return true
	case 0x2028 <= r && r <= 0x202e: // the separators, then embeddings and overrides
		return true
	case 0x2066 <= r && r <= 0x2069: // isolates
		return true
	}
	return false
}

// appendEscape appends the shortest escape of r, which is below U+10000.
func appendEscape(dst []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(dst, '\\', byte(r))
	case '\b':
		return append(dst, `\b`...)
	case '\f':
		return append(dst, `\f`...)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	return append(dst, '\\', 'u',
		hexDigits[r>>12&0xf], hexDigits[r>>8&0xf], hexDigits[r>>4&0xf], hexDigits[r&0xf])
}
