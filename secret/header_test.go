package secret_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/secret"
)

func TestRenderHeader(t *testing.T) {
	t.Parallel()
	var printable strings.Builder
	for c := byte('!'); c <= '~'; c++ {
		printable.WriteByte(c)
	}
	tests := []struct{ name, template, secret, want string }{
		{"bearer", "Bearer #{Secret}", "abc", "Bearer abc"},
		{"basic", `Basic #{Secret | Prepend "user:" | ToBase64}`, "pass", "Basic dXNlcjpwYXNz"},
		{"all that is allowed", "#{Secret}", printable.String() + " ~", printable.String() + " ~"},
		{"spaces inside", "a  #{Secret}  b", " ", "a     b"},
		{"trimmed", "#{Secret | Trim}", " abc\r\n", "abc"},
		{"encoded", "#{Secret | ToBase64}", "é\r\n\x00", "w6kNCgA="},
		{"literal", "abc", "", "abc"},
		{"nothing", "", "", ""},
		{"blank secret", "#{Secret}", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v, err := parse(t, tt.template).RenderHeader(secret.New(tt.secret))
			require.NoError(t, err)
			assert.Equal(t, tt.want, v.Reveal())
		})
	}
}

func TestRenderHeaderErrors(t *testing.T) {
	t.Parallel()
	const (
		ascii = "printable ASCII only"
		space = "neither begins nor ends with a space"
	)
	tests := []struct {
		name, template, secret string
		pos                    int
		text, reason           string
	}{
		{"line break in the secret", "Bearer #{Secret}", canary + "\nX: y", 7, "#{Secret}", ascii},
		{"carriage return in the secret", "Bearer #{Secret}", canary + "\r", 7, "#{Secret}", ascii},
		{"NUL in the secret", "#{Secret}", "\x00" + canary, 0, "#{Secret}", ascii},
		{"tab in the secret", "a#{Secret | Append b}", canary + "\t", 1, "#{Secret | Append b}", ascii},
		{"delete in the secret", "#{Secret}", canary + "\x7f", 0, "#{Secret}", ascii},
		{"letter in the secret", "#{Secret}", canary + "é", 0, "#{Secret}", ascii},
		{"byte in the secret", "#{Secret}", canary + "\xff", 0, "#{Secret}", ascii},
		{"line break in the text", "#{Secret}ab\ncd", canary, 11, "", ascii},
		{"letter in the text", "abé#{Secret}", canary, 2, "", ascii},
		{"line break after hashes", "##{\n", "", 3, "", ascii},
		{"space before the secret", "#{Secret}x", " " + canary, 0, "#{Secret}", space},
		{"space after the secret", "x #{Secret | Append x | Append \" \"}", canary, 2, `#{Secret | Append x | Append " "}`, space},
		{"space at the start", " #{Secret}", canary, 0, "", space},
		{"space at the end", "#{Secret} ", canary, 9, "", space},
		{"space after a blank secret", "#{Secret} x", "", 9, "", space},
		{"space before a blank secret", "x #{Secret}", "", 1, "", space},
		{"only a space", " ", "", 0, "", space},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v, err := parse(t, tt.template).RenderHeader(secret.New(tt.secret))
			fault := asFault(t, err)
			assert.True(t, v.IsZero())
			assert.Equal(t, tt.pos, fault.Pos)
			assert.Equal(t, tt.text, fault.Text)
			assert.Contains(t, fault.Reason, tt.reason)
			assertNoTrace(t, canary, err.Error())
		})
	}
}

// Every byte is either let through as it is or refused.
func TestRenderHeaderBytes(t *testing.T) {
	t.Parallel()
	tmpl := parse(t, "x#{Secret}x")
	for c := range 256 {
		v, err := tmpl.RenderHeader(secret.New(string([]byte{byte(c)})))
		if c >= 0x20 && c <= 0x7e {
			require.NoError(t, err, "%#x", c)
			assert.Equal(t, []byte{'x', byte(c), 'x'}, []byte(v.Reveal()))
		} else {
			assert.Contains(t, asFault(t, err).Reason, "printable ASCII only", "%#x", c)
		}
	}
}
