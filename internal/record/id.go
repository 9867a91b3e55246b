package record

import (
	"encoding/binary"
	"math/rand/v2"
	"time"
)

const (
	idLength = 36
	hexDigit = "0123456789abcdef"
)

// NewID returns a new UUIDv7 with the time now. See [AppendID].
func NewID(now time.Time) string {
	return string(AppendID(make([]byte, 0, idLength), now))
}

// AppendID appends a new UUIDv7 with the time now: 48 bits of milliseconds, 12 bits of the fraction of the millisecond
// in place of rand_a (RFC 9562, section 6.2, method 3), so that the IDs of one goroutine sort by their time to a
// quarter of a microsecond, and 62 random bits, which keep them unique whatever the clock does. A time before 1970 or
// after 10889 is clamped.
//
// The random bits are math/rand/v2's, which come from ChaCha8 seeded by the operating system: an ID has to be unique
// and is no secret. google/uuid reads crypto/rand and allocates, and takes three times as long.
func AppendID(dst []byte, now time.Time) []byte {
	var (
		ms  = uint64(min(max(now.UnixMilli(), 0), 1<<48-1))
		sub = uint64(now.Nanosecond()%1e6) << 12 / 1e6 //nolint:gosec // never negative; below 1<<12 after the division.
		id  [16]byte
	)
	binary.BigEndian.PutUint64(id[:8], ms<<16|7<<12|sub)
	binary.BigEndian.PutUint64(id[8:], rand.Uint64()>>2|1<<63) //nolint:gosec // see above: unique, not secret.

	var text [idLength]byte
	at := 0
	for i, b := range id {
		switch i {
		case 4, 6, 8, 10:
			text[at] = '-'
			at++
		}
		text[at], text[at+1] = hexDigit[b>>4], hexDigit[b&15]
		at += 2
	}
	return append(dst, text[:]...)
}
