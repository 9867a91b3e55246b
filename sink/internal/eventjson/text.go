package eventjson

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// Numbers of eight equal bytes.
const (
	ones = 0x0101010101010101
	tops = 0x80 * ones
)

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
	dst, s = appendPlain(append(dst, '"'), s)
	if s != "" {
		dst = appendMixed(dst, s)
	}
	return append(dst, '"')
}

// appendPlain appends the plain bytes at the beginning of s, and returns what follows them. Most strings are plain from
// end to end, so it looks at them and copies them in one go, eight bytes at a time as one number.
func appendPlain(dst []byte, s string) (_ []byte, rest string) {
	start := len(dst)
	dst = slices.Grow(dst, len(s))[:start+len(s)]
	out := dst[start:]
	if len(s) < 8 {
		for i := range len(s) {
			if !plain[s[i]] {
				return dst[:start+i], s[i:]
			}
			out[i] = s[i]
		}
		return dst, ""
	}
	for i := 0; i < len(s); i += 8 {
		i = min(i, len(s)-8) // the last eight may overlap those before
		w := load(s[i:])
		binary.LittleEndian.PutUint64(out[i:], w)
		if found := odd(w); found != 0 {
			i += bits.TrailingZeros64(found) / 8
			return dst[:start+i], s[i:]
		}
	}
	return dst, ""
}

// load returns the first eight bytes of s, the first one lowest. The compiler makes one instruction of it.
func load(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// odd sets the top bit of a byte of w that is not plain, and of no byte before the first such. A byte from 0x80 on has
// it set. Of the others it is set by taking 0x20 from a control, by taking 1 from the zero that a quote or a backslash
// leaves when compared with itself, and by adding 1 to a DEL. What is carried or borrowed comes from a byte that is not
// plain, and goes to those behind it.
func odd(w uint64) uint64 {
	return (w | (w - 0x20*ones) | (w ^ '"'*ones - ones) | (w ^ '\\'*ones - ones) | (w + ones)) & tops
}

// appendMixed appends s, which has bytes that are not plain. It copies what lies between two escapes as a whole, so that
// text in other scripts, where nothing is to be escaped and few bytes are plain, costs no more than looking at it.
func appendMixed(dst []byte, s string) []byte {
	start := 0 // s[start:i] is still to be copied, as it is
	for i := 0; i < len(s); {
		b := s[i]
		if plain[b] {
			i++
			if i+8 <= len(s) {
				i += bits.TrailingZeros64(odd(load(s[i:]))) / 8 // eight, if all are plain
			}
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
	return append(dst, s[start:]...)
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
