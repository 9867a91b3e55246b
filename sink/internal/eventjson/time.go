package eventjson

import (
	"bytes"
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
	start := len(dst)
	dst = append(dst, `"0000-00-00T00:00:00.000000000Z"`...)
	digits := dst[start:]
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	put2(digits[1:], year/100)
	put2(digits[3:], year%100)
	put2(digits[6:], int(month))
	put2(digits[9:], day)
	put2(digits[12:], hour)
	put2(digits[15:], minute)
	put2(digits[18:], second)
	put9(digits[21:], t.Nanosecond())
	return dst
}

// put2 writes a number below 100 as two digits. Unsigned numbers divide faster.
func put2(dst []byte, number int) {
	n := uint(number)
	_ = dst[1]
	dst[0], dst[1] = hexDigits[n/10%10], hexDigits[n%10]
}

// put9 writes a number below 10^9 as nine digits.
func put9(dst []byte, n int) {
	dst[0] = hexDigits[n/100_000_000%10]
	put2(dst[1:], n/1_000_000%100)
	put2(dst[3:], n/10_000%100)
	put2(dst[5:], n/100%100)
	put2(dst[7:], n%100)
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
	return AppendDecimals(dst, int(magnitude%second))
}

// AppendDecimals appends the point and the decimals of a number that has nanos billionths, which are fewer than 10^9,
// without zeros at the end: nothing for 0, ".5" for 500,000,000.
func AppendDecimals(dst []byte, nanos int) []byte {
	if nanos == 0 {
		return dst
	}
	start := len(dst)
	dst = append(dst, ".000000000"...)
	put9(dst[start+1:], nanos)
	return bytes.TrimRight(dst, "0")
}
