package record

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

const idPattern = `^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`

func TestIDHoldsTheTime(t *testing.T) {
	for _, tt := range []struct {
		name string
		now  time.Time
		want string // up to the variant
	}{
		{"RFC 9562, appendix A.6", time.UnixMilli(0x017F22E279B0), "017f22e2-79b0-7000-"},
		{"fraction of a millisecond", time.UnixMilli(0x017F22E279B0).Add(500 * time.Microsecond), "017f22e2-79b0-7800-"},
		{"last nanosecond of a millisecond", time.UnixMilli(0x017F22E279B0).Add(999_999), "017f22e2-79b0-7fff-"},
		{"before 1970", time.Unix(-1, 0), "00000000-0000-7000-"},
		{"after 10889", time.Unix(1<<50, 0), "ffffffff-ffff-7000-"},
		{"zero", time.Time{}, "00000000-0000-7000-"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			id := NewID(tt.now)
			assert.Regexp(t, idPattern, id)
			assert.True(t, strings.HasPrefix(id, tt.want), id)
		})
	}
}

func TestIDsAreUniqueAndSorted(t *testing.T) {
	seen := map[string]bool{}
	now := testNow
	last := ""
	for range 10_000 {
		id := NewID(now)
		assert.False(t, seen[id])
		assert.Less(t, last, id)
		seen[id], last = true, id
		now = now.Add(250 * time.Nanosecond)
	}
	for range 10_000 { // the clock stands still
		id := NewID(now)
		assert.False(t, seen[id])
		seen[id] = true
	}
}

func TestAppendIDAllocatesNothing(t *testing.T) {
	buf := make([]byte, 0, 64)
	assert.Zero(t, testing.AllocsPerRun(100, func() { AppendID(buf, testNow) }))
	assert.Equal(t, "id=", string(AppendID([]byte("id="), testNow)[:3]))
}

func BenchmarkAppendID(b *testing.B) {
	now := time.Now()
	var buf [idLength]byte
	b.ReportAllocs()
	for b.Loop() {
		AppendID(buf[:0], now)
	}
}
