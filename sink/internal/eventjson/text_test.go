package eventjson_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/eventjson"
)

// quoted is what AppendString must append, found the slow way: rune by rune, with tables of package unicode.
func quoted(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		short := strings.IndexRune("\"\\\b\f\n\r\t", r)
		switch {
		case short >= 0 && r != utf8.RuneError:
			b.WriteByte('\\')
			b.WriteByte(`"\bfnrt`[short])
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == '\u2028', r == '\u2029':
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// TestEveryByteInEveryPlace puts each byte, alone and before another odd one, into each place of strings that are
// shorter and longer than the words in which they are looked at.
func TestEveryByteInEveryPlace(t *testing.T) {
	const text = "abcdefghijklmnopqrstuvwxyz"
	for length := 1; length <= 20; length++ {
		for place := range length {
			for b := range 256 {
				s := []byte(text[:length])
				s[place] = byte(b)
				require.Equal(t, quoted(string(s)), string(eventjson.AppendString(nil, string(s))), "%q", s)
				s[length-1] = '"'
				require.Equal(t, quoted(string(s)), string(eventjson.AppendString(nil, string(s))), "%q", s)
			}
		}
	}
}

func TestTexts(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	alphabet := []rune("abcdefghijklmnopqrstuvwxyz 0123456789äöé漢字\U0001F511\"\\\n\x00\x7f\u0085\u2028\u202e\ufffd")
	for range 20_000 {
		var b strings.Builder
		for range random.IntN(40) {
			b.WriteRune(alphabet[random.IntN(len(alphabet))])
		}
		s := b.String()
		s = s[:random.IntN(len(s)+1)] // may cut a rune
		prefix := strings.Repeat("-", random.IntN(3))
		require.Equal(t, prefix+quoted(s), string(eventjson.AppendString([]byte(prefix), s)), "%q", s)
	}
}

// TestAppendStringStaysInItsRoom fills a buffer to its last byte: what lies behind belongs to somebody else.
func TestAppendStringStaysInItsRoom(t *testing.T) {
	for _, s := range []string{"", "user", "eight by", "nine byte", "a text of some length", `a "quoted" word`, "ends odd\n"} {
		want := quoted(s)
		buf := []byte(strings.Repeat("#", len(want)+16))
		got := eventjson.AppendString(buf[:0:len(want)], s)
		assert.Equal(t, want, string(got))
		assert.Equal(t, strings.Repeat("#", 16), string(buf[len(want):]), "%q", s)
	}
}

func TestTimes(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	first, last := time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC).Unix(), time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	for range 50_000 {
		at := time.Unix(first+random.Int64N(last-first), random.Int64N(1e9)).In(time.FixedZone("", 3600))
		got := eventjson.Append(nil, &sink.Event{Time: at})
		require.Contains(t, string(got), at.UTC().Format(`,"time":"2006-01-02T15:04:05.000000000Z",`))
	}
}

func TestAppendDecimals(t *testing.T) {
	for nanos, want := range map[int]string{
		0: "1", 500_000_000: "1.5", 1: "1.000000001", 10: "1.00000001", 999_999_999: "1.999999999", 120_000_000: "1.12",
		7_000: "1.000007",
	} {
		assert.Equal(t, want, string(eventjson.AppendDecimals([]byte("1"), nanos)))
	}
	random := rand.New(rand.NewPCG(5, 6))
	for range 10_000 {
		nanos := random.IntN(1e9)
		want := strings.TrimRight(fmt.Sprintf("%s.%09d", strconv.Itoa(nanos), nanos), "0")
		require.Equal(t, want, string(eventjson.AppendDecimals(strconv.AppendInt(nil, int64(nanos), 10), nanos)))
	}
}
