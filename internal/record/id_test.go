package record

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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
		{"before 1970", time.Unix(-1, 0), "00000000-0000-7001-"},
		{"after 10889", time.Unix(1<<50, 0), "ffffffff-ffff-7000-"},
		{"zero", time.Time{}, "00000000-0000-7001-"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var source idSource // the process's has been at other times
			id := string(source.append(nil, tt.now))
			assert.Regexp(t, idPattern, id)
			assert.True(t, strings.HasPrefix(id, tt.want), id)
		})
	}
}

func TestIDsRiseWhateverTheClockDoes(t *testing.T) {
	const year = 365 * 24 * time.Hour
	for name, step := range map[string]func(now time.Time, i int) time.Time{
		"runs":             func(now time.Time, _ int) time.Time { return now.Add(250 * time.Nanosecond) },
		"stands still":     func(now time.Time, _ int) time.Time { return now },
		"runs backwards":   func(now time.Time, _ int) time.Time { return now.Add(-time.Millisecond) },
		"jumps to and fro": func(now time.Time, i int) time.Time { return now.Add(time.Duration(i%3-1) * 10 * year) },
		"is before 1970":   func(_ time.Time, i int) time.Time { return time.Unix(-int64(i), 0) },
		"ends":             func(time.Time, int) time.Time { return time.Unix(1<<50, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			var source idSource
			seen := map[string]bool{}
			now, last := testNow, ""
			for i := range 10_000 {
				id := string(source.append(nil, now))
				require.Regexp(t, idPattern, id)
				require.False(t, seen[id])
				if name != "ends" { // nothing comes after the last stamp; its IDs differ in their random bits
					require.Less(t, last, id)
				}
				seen[id], last = true, id
				now = step(now, i)
			}
		})
	}
}

func TestIDsOfManyGoroutinesAreUniqueAndRiseInEach(t *testing.T) {
	var (
		source idSource
		group  sync.WaitGroup
		all    [8][]string
	)
	for g := range all {
		group.Go(func() {
			for range 2000 {
				all[g] = append(all[g], string(source.append(nil, testNow)))
			}
		})
	}
	group.Wait()
	seen := map[string]bool{}
	for _, list := range all {
		assert.True(t, slices.IsSorted(list))
		for _, id := range list {
			seen[id] = true
		}
	}
	assert.Len(t, seen, 16_000)
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
