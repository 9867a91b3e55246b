package record

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
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
