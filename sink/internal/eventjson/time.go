package eventjson

import (
	"strconv"
	"time"
)

// The instants whose milliseconds since 1970 have 13 digits.
const (
	minMillis = 1_000_000_000_000
	maxMillis = 9_999_999_999_999
)

// The years that RFC 3339 can write.
var (
	minTime = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)
	maxTime = time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC)
)

// appendMillis appends t as milliseconds since 1970 in 13 digits.
func appendMillis(dst []byte, t time.Time) []byte {
	// UnixMilli overflows 292 million years from now, where the seconds still tell the direction.
	millis := int64(minMillis)
	if s := t.Unix(); s > maxMillis/1000 {
		millis = maxMillis
	} else if s >= minMillis/1000 {
		millis = t.UnixMilli()
	}
	return strconv.AppendInt(dst, millis, 10)
}

// appendTime appends t as an RFC 3339 string in UTC with nine decimals.
func appendTime(dst []byte, t time.Time) []byte {
	t = t.UTC()
	if t.Before(minTime) {
		t = minTime
	} else if t.After(maxTime) {
		t = maxTime
	}
	dst = append(dst, '"')
	start := len(dst)
	// RFC3339Nano has a fast path, which a layout with a fixed number of decimals has not; it leaves out the zeros at
	// the end, and the point when nothing but zeros would follow.
	dst = t.AppendFormat(dst, time.RFC3339Nano)
	dst = dst[:len(dst)-len("Z")]
	if len(dst)-start == len("2006-01-02T15:04:05") {
		dst = append(dst, '.')
	}
	for len(dst)-start < len("2006-01-02T15:04:05.999999999") {
		dst = append(dst, '0')
	}
	return append(dst, 'Z', '"')
}

// appendSeconds appends d as a number of seconds.
func appendSeconds(dst []byte, d time.Duration) []byte {
	magnitude := uint64(d) //nolint:gosec // The sign follows, and two's complement has room for the smallest duration.
	if d < 0 {
		dst = append(dst, '-')
		magnitude = -magnitude
	}
	second := uint64(time.Second)
	dst = strconv.AppendUint(dst, magnitude/second, 10)
	return AppendDecimals(dst, magnitude%second)
}

// AppendDecimals appends the point and the decimals of a number that has nanos billionths, which are fewer than 10^9,
// without zeros at the end: nothing for 0, ".5" for 500,000,000.
func AppendDecimals(dst []byte, nanos uint64) []byte {
	if nanos == 0 {
		return dst
	}
	dst = append(dst, '.')
	for unit := uint64(100_000_000); nanos > 0; unit /= 10 {
		dst = append(dst, hexDigits[nanos/unit])
		nanos %= unit
	}
	return dst
}
