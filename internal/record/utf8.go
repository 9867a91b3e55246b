package record

import "unicode/utf8"

// valid is utf8.ValidString for the strings of events, which are short and nearly always ASCII: those take a quarter of
// the time, because the last bytes are looked at in one word with some before them instead of one by one. Checking
// strings would otherwise be half of what Append and Decode do.
func valid(s string) bool {
	const high = 0x8080808080808080
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
	return bits&high == 0 || utf8.ValidString(s)
}

// word returns the first eight bytes of s. The compiler makes one load of it.
func word(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}
