package record

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

const idLength = 36

// NewID returns a new UUIDv7 with the time now. See [AppendID].
func NewID(now time.Time) string {
	return string(AppendID(make([]byte, 0, idLength), now))
}

// AppendID appends a new UUIDv7 with the time now: 48 bits of milliseconds, 12 bits of the fraction of the millisecond
// in place of rand_a (RFC 9562, section 6.2, method 3), and 62 random bits. A time before 1970 or after 10889 is clamped.
//
// The IDs of a process are unique and rise from call to call, whatever the clock does: while it stands still, or after
// it was set back, the time in the ID goes on from the last one in steps of a quarter of a microsecond.
//
// The random bits are math/rand/v2's, which come from ChaCha8 seeded by the operating system: an ID has to be unique
// and is no secret. google/uuid reads crypto/rand and allocates, and takes three times as long.
func AppendID(dst []byte, now time.Time) []byte { return process.append(dst, now) }

// process is where all IDs of the process come from.
var process idSource

// An idSource makes IDs that rise. Its zero value is ready, for any number of goroutines.
type idSource struct {
	last atomic.Uint64 // the stamp of the last ID
}

// maxStamp is the largest stamp: the milliseconds of the year 10889.
const maxStamp = 1<<60 - 1

// stampOf is the time in an ID: milliseconds since 1970, and 1/4096ths of one.
func stampOf(now time.Time) uint64 {
	ms := uint64(min(max(now.UnixMilli(), 0), 1<<48-1))
	sub := uint64(now.Nanosecond()%1e6) << 12 / 1e6 //nolint:gosec // never negative; below 1<<12 after the division.
	return ms<<12 | sub
}

// next returns the stamp of now, or one more than the last if that is not less.
func (s *idSource) next(now time.Time) uint64 {
	for stamp := stampOf(now); ; {
		last := s.last.Load()
		if next := max(stamp, min(last+1, maxStamp)); s.last.CompareAndSwap(last, next) {
			return next
		}
	}
}

func (s *idSource) append(dst []byte, now time.Time) []byte {
	var (
		stamp = s.next(now)
		id    [16]byte
	)
	binary.BigEndian.PutUint64(id[:8], stamp>>12<<16|7<<12|stamp&(1<<12-1))
	binary.BigEndian.PutUint64(id[8:], rand.Uint64()>>2|1<<63) //nolint:gosec // see above: unique, not secret.

	var text [idLength]byte
	hex.Encode(text[:8], id[:4])
	text[8] = '-'
	hex.Encode(text[9:13], id[4:6])
	text[13] = '-'
	hex.Encode(text[14:18], id[6:8])
	text[18] = '-'
	hex.Encode(text[19:23], id[8:10])
	text[23] = '-'
	hex.Encode(text[24:], id[10:])
	return append(dst, text[:]...)
}
