package record

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestValidAtEveryLength(t *testing.T) {
	for n := range 41 {
		ascii := strings.Repeat("x", n)
		assert.True(t, valid(ascii))
		for at := range n {
			for _, piece := range []string{"\x80", "\xff", "\xc3", "é", "世", "😀", "\xed\xa0\x80"} {
				s := ascii[:at] + piece + ascii[at:]
				assert.Equal(t, utf8.ValidString(s), valid(s), "%q", s)
				assert.Equal(t, utf8.ValidString(s[:at+1]), valid(s[:at+1]), "%q", s[:at+1])
			}
		}
	}
}

// TestTextAtEveryLength puts something that is not ASCII at every place of short strings, whose words are checked while
// they are copied.
func TestTextAtEveryLength(t *testing.T) {
	var enc Encoder
	var dec Decoder
	buf := make([]byte, 0, 1024)
	for n := range 41 {
		ascii := strings.Repeat("x", n)
		for at := range n + 1 {
			for _, piece := range []string{"", "\x80", "\xff\xfe", "é", "世"} {
				s := ascii[:at] + piece + ascii[at:]
				e := minimal()
				e.Message = s
				rec, info, err := enc.Append(buf, &e, testLimit)
				require.NoError(t, err)
				got, err := dec.Decode(string(rec))
				require.NoError(t, err, "%q", s)
				require.Equal(t, strings.ToValidUTF8(s, "\uFFFD"), got.Message)
				require.Equal(t, !utf8.ValidString(s), info.Repaired == 1, "%q", s)
			}
		}
	}
}
