package canary_test

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/auditstream/auditstream/internal/canary"
)

func TestFind(t *testing.T) {
	t.Parallel()
	const secret = "pässwörd/+ 1"
	for name, text := range map[string]string{
		"as it is":                 "x" + secret,
		"escaped for a query":      url.QueryEscape(secret),
		"escaped for a path":       url.PathEscape(secret),
		"quoted in ASCII":          fmt.Sprintf("%+q", secret),
		"in hexadecimal":           fmt.Sprintf("%x", secret),
		"as numbers":               fmt.Sprintf("%d", []byte("a"+secret+"b")),
		"in Base64":                base64.RawURLEncoding.EncodeToString([]byte(secret + "tail")),
		"in another case":          strings.ToLower(url.QueryEscape(secret)),
		"":                         "harmless",
		"in Base64 after 1":        base64.StdEncoding.EncodeToString([]byte("a" + secret + "tail")),
		"in Base64 after 2":        base64.StdEncoding.EncodeToString([]byte("ab" + secret)),
		"in Base64 after 3 and /+": base64.StdEncoding.EncodeToString([]byte("abc" + secret)),
	} {
		want, _, _ := strings.Cut(name, " after")
		assert.True(t, strings.HasPrefix(canary.Find(text, secret), want), "%s: %q", name, canary.Find(text, secret))
		if name == "" {
			assert.Empty(t, canary.Find(text, secret))
		}
	}
	assert.Equal(t, "escaped for HTML", canary.Find("a&amp;b&lt;cdefgh", "a&b<cdefgh"))
	assert.Equal(t, "escaped for JSON", canary.Find(`a\u0026b\u003ccdefgh`, "a&b<cdefgh"))
	assert.Equal(t, "quoted", canary.Find(`tab\tand\vmore`, "tab\tand\vmore"))
	assert.Equal(t, "in part", canary.Find("x"+canary.Secret[:8], canary.Secret))
	assert.Equal(t, "in part", canary.Find(canary.Secret[len(canary.Secret)-8:], canary.Secret))
	assert.Equal(t, "in another case", canary.Find(strings.ToUpper(canary.Secret), canary.Secret))
}
