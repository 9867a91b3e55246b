// Package retry is the arithmetic of waiting between attempts. Its functions are pure apart from the randomness they
// draw; the Stream owns the clock.
//
// Every wait is random, because the streams of one server, and of many, fail together when a destination does, and
// must not come back together.
package retry

import (
	"math"
	"math/rand/v2"
	"time"
)

// MaxAfter is the longest delay that a destination may ask for. A longer one, whether a mistake or an attack, would
// silence the stream until somebody looks.
const MaxAfter = 5 * time.Minute

// Backoff returns the wait after the failure number k of a streak, counted from 0: uniform in
// (0, min(longest, shortest·2^k)]. It does not overflow, whatever k is; a negative k counts as 0.
//
// Both bounds are positive; a bound below a nanosecond counts as one.
func Backoff(shortest, longest time.Duration, k int) time.Duration {
	shortest, bound, k := max(shortest, 1), max(longest, 1), max(k, 0)
	// Compared this way round nothing overflows: shifting right by 63 or more leaves 0.
	if shortest <= bound>>k {
		bound = shortest << k
	}
	return 1 + rand.N(bound) //nolint:gosec // Jitter spreads load and protects nothing.
}

// Probe returns the wait between two probes of a blocked destination: uniform in longest ± 20 %.
func Probe(longest time.Duration) time.Duration {
	longest = max(longest, 0)
	spread := min(longest/5, math.MaxInt64-longest)
	return longest - spread + rand.N(2*spread+1) //nolint:gosec // Jitter spreads load and protects nothing.
}

// ClampAfter brings a delay that a destination asked for into [0, MaxAfter].
func ClampAfter(d time.Duration) time.Duration { return min(max(d, 0), MaxAfter) }
