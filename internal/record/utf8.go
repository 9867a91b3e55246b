package record

import "unicode/utf8"

// highBits are those that no byte of an ASCII string has.
const highBits = 0x8080808080808080

// valid is utf8.ValidString for the strings of events, which are short and nearly always ASCII: those take a quarter of
// the time, because the last bytes are looked at in one word with some before them instead of one by one. Checking
// strings would otherwise be half of what Append and Decode do.
func valid(s string) bool {
	var bits uint64
	if len(s) < 8 {
		for i := range len(s) {
			bits |= uint64(s[i])
		}
	} else {
		bits = word(s[len(s)-8:])
		for rest := s; len(rest) > 8; rest = rest[8:] {
			bits |= word(rest)
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
