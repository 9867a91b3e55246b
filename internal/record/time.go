package record

import (
	"encoding/binary"
	"math"
	"time"
)

// The seconds of 0001-01-01T00:00:00Z, which is also the zero Time, and of 9999-12-31T23:59:59Z: RFC 3339 has years of
// four digits.
const (
	minSeconds = -62135596800
	maxSeconds = 253402300799
	timeLength = 12
)

// The times that every protocol of this module's drivers can carry. In the JSON object, milliseconds since 1970 have 13
// digits from 2001 on; OTLP's nanoseconds as an int64 end in 2262. A driver sends the nearest time that its protocol can
// carry for any other, and the true one beside it. A test of the root package holds the drivers to this range.
var (
	minCarried = time.UnixMilli(1_000_000_000_000)
	maxCarried = time.Unix(0, math.MaxInt64)
)

// carried reports whether every protocol can carry t.
func carried(t time.Time) bool { return !t.Before(minCarried) && !t.After(maxCarried) }

// appendTime appends t, clamped to the years 1 to 9999. What lies before them becomes one nanosecond after the zero
// Time, because the zero Time means that none is set.
func appendTime(dst []byte, t time.Time) []byte {
	seconds, nanos := t.Unix(), t.Nanosecond()
	switch {
	case seconds < minSeconds:
		seconds, nanos = minSeconds, 1
	case seconds > maxSeconds:
		seconds, nanos = maxSeconds, 999_999_999
	}
	dst = binary.LittleEndian.AppendUint64(dst, uint64(seconds)) //nolint:gosec // the bits of an int64.
	return binary.LittleEndian.AppendUint32(dst, uint32(nanos))
}

// ObservedTime returns the ObservedTime of a record without decoding it, or the zero Time when rec is too short to hold
// one.
func ObservedTime[T []byte | string](rec T) time.Time {
	if len(rec) < observedAt+timeLength {
		return time.Time{}
	}
	t, _ := readTime(rec[observedAt : observedAt+timeLength])
	return t
}

// readTime reads what appendTime wrote at the start of b, which is long enough. It reports whether appendTime can have
// written it.
func readTime[T []byte | string](b T) (time.Time, bool) {
	s, nanos := int64(word(b)), halfWord(b[8:]) //nolint:gosec // the bits of an int64.
	if s < minSeconds || s > maxSeconds || nanos > 999_999_999 {
		return time.Time{}, false
	}
	return time.Unix(s, int64(nanos)).UTC(), true
}
