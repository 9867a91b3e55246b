package retry

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// draws is enough that a uniform sample misses an end tenth of its range once in 10^22.
const draws = 500

// requireUniform draws from f and checks that the sample lies in (low, high], reaches into both end tenths, and has
// about the right mean.
func requireUniform(t *testing.T, low, high time.Duration, f func() time.Duration) {
	t.Helper()
	smallest, largest, sum := time.Duration(math.MaxInt64), time.Duration(math.MinInt64), 0.0
	for range draws {
		d := f()
		smallest, largest = min(smallest, d), max(largest, d)
		sum += float64(d - low)
	}
	assert.Greater(t, smallest, low)
	assert.LessOrEqual(t, largest, high)
	width := float64(high - low)
	assert.LessOrEqual(t, float64(smallest-low), width/10+1, "never in the lowest tenth")
	assert.LessOrEqual(t, float64(high-largest), width/10+1, "never in the highest tenth")
	// The standard error is width/sqrt(12·draws), about width/77; 9 of them never happen.
	assert.InDelta(t, width/2, sum/draws, width*9/77+1)
}

func TestBackoff(t *testing.T) {
	const longest = math.MaxInt64
	tests := []struct {
		name              string
		shortest, longest time.Duration
		k                 int
		bound             time.Duration
	}{
		{"first", time.Second, time.Minute, 0, time.Second},
		{"doubles", time.Second, time.Minute, 1, 2 * time.Second},
		{"last below the longest", time.Second, time.Minute, 5, 32 * time.Second},
		{"longest", time.Second, time.Minute, 6, time.Minute},
		{"exactly the longest", time.Second, 64 * time.Second, 6, 64 * time.Second},
		{"shortest above longest", time.Hour, time.Minute, 0, time.Minute},
		{"after a week of failures", time.Second, time.Minute, 10_000, time.Minute},
		{"k of all word sizes", time.Second, time.Minute, 63, time.Minute},
		{"k beyond the word", time.Second, time.Minute, 64, time.Minute},
		{"largest k", time.Second, time.Minute, math.MaxInt, time.Minute},
		{"negative k", time.Second, time.Minute, -1, time.Second},
		{"largest durations", longest, longest, 1, longest},
		{"largest that does not overflow", 1, longest, 62, 1 << 62},
		{"would overflow", 3, longest, 62, longest},
		{"one nanosecond", 1, 1, 0, 1},
		{"no bounds", 0, 0, 5, 1},
		{"negative bounds", -time.Second, -time.Second, 5, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			requireUniform(t, 0, tt.bound, func() time.Duration { return Backoff(tt.shortest, tt.longest, tt.k) })
		})
	}
}

func TestProbe(t *testing.T) {
	tests := []struct {
		name               string
		longest, low, high time.Duration
	}{
		{"a minute", time.Minute, 48 * time.Second, 72 * time.Second},
		{"too short to spread", 4, 4, 4},
		{"zero", 0, 0, 0},
		{"negative", -time.Second, 0, 0},
		{"largest", math.MaxInt64, math.MaxInt64, math.MaxInt64},
		{"no overflow", math.MaxInt64 - 1000, math.MaxInt64 - 2000, math.MaxInt64},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			requireUniform(t, tt.low-1, tt.high, func() time.Duration { return Probe(tt.longest) })
		})
	}
}

func TestClampAfter(t *testing.T) {
	for d, want := range map[time.Duration]time.Duration{
		math.MinInt64: 0,
		-1:            0,
		0:             0,
		1:             1,
		MaxAfter - 1:  MaxAfter - 1,
		MaxAfter:      MaxAfter,
		MaxAfter + 1:  MaxAfter,
		math.MaxInt64: MaxAfter,
	} {
		assert.Equal(t, want, ClampAfter(d), "ClampAfter(%d)", d)
	}
}
