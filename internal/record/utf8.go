package record

import "unicode/utf8"

// highBits are those that no byte of an ASCII string has.
const highBits = 0x8080808080808080

// valid is utf8.ValidString for the strings of events, which are short and nearly always ASCII: those take a quarter of
// the time, because their bytes are looked at in words, which may overlap, instead of one by one. Checking strings would
// otherwise be half of what Append and Decode do.
func valid(s string) bool {
	n := len(s)
	var bits uint64
	switch {
	case n >= 8:
		bits = word(s) | word(s[n-8:])
		if n > 16 {
			bits |= word(s[8:]) | word(s[n-16:])
		}
		for i := 16; i < n-16; i += 8 {
			bits |= word(s[i:])
		}
	case n >= 4:
		bits = uint64(halfWord(s) | halfWord(s[n-4:]))
	default:
		for i := range n {
			bits |= uint64(s[i])
		}
	}
	return bits&highBits == 0 || utf8.ValidString(s)
}

// word returns the first eight bytes of s. The compiler makes one load of it.
func word[T string | []byte](s T) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// halfWord returns the first four bytes of s, likewise.
func halfWord[T string | []byte](s T) uint32 {
	_ = s[3]
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}
