package httpsend

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// MaxRetryAfter is the longest that a destination may ask to be left alone.
const MaxRetryAfter = 5 * time.Minute

// ParseRetryAfter returns what the Retry-After headers of an answer ask for, from 0 to [MaxRetryAfter]: a number of
// seconds, or a date, which counts from the answer's own Date, so that a wrong clock on either side does no harm. Of
// several the longest counts. What cannot be understood is 0.
//
// The format is that of RFC 9110, section 10.2.3.
func ParseRetryAfter(h http.Header, now time.Time) time.Duration {
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	var longest time.Duration
	for _, value := range h.Values("Retry-After") {
		longest = max(longest, parseRetryAfter(strings.TrimSpace(value), now))
	}
	return longest
}

func parseRetryAfter(value string, now time.Time) time.Duration {
	if t, err := http.ParseTime(value); err == nil {
		// Sub saturates, so a date in the year 9999 is far away and not long ago.
		return min(max(t.Sub(now), 0), MaxRetryAfter)
	}
	var longest time.Duration
	// A proxy may have joined repeated headers by commas.
	for part := range strings.SplitSeq(value, ",") {
		longest = max(longest, parseSeconds(strings.TrimSpace(part)))
	}
	return longest
}

// parseSeconds clamps before it multiplies: 9223372037 s do not fit into a Duration.
func parseSeconds(digits string) time.Duration {
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n > int64(MaxRetryAfter/time.Second) {
		return MaxRetryAfter // all digits and not a number: too many of them
	}
	return time.Duration(n) * time.Second
}
