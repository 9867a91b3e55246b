package record

import (
	"encoding/binary"
	"time"
)

// The seconds of 0001-01-01T00:00:00Z, which is also the zero Time, and of 9999-12-31T23:59:59Z: RFC 3339 has years of
// four digits.
const (
	minSeconds = -62135596800
	maxSeconds = 253402300799
	timeLength = 12
)

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
	var seconds uint64
	for i := range 8 {
		seconds |= uint64(b[i]) << (8 * i)
	}
	var nanos uint32
	for i := range 4 {
		nanos |= uint32(b[8+i]) << (8 * i)
	}
	s := int64(seconds)
	if s < minSeconds || s > maxSeconds || nanos > 999_999_999 {
		return time.Time{}, false
	}
	return time.Unix(s, int64(nanos)).UTC(), true
}
