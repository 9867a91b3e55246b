// Package canary finds out whether a secret has come out somewhere: the tests put one where secrets belong, collect
// everything that is printed, and look for it in every form that it may have taken on the way.
package canary

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"strconv"
	"strings"
)

// Secret is a secret whose escaped and encoded forms all differ from it.
const Secret = "cAn4ry/7f3e+9a61=b2~Zz" //nolint:gosec // it opens nothing

// MinLength is the length, in bytes, under which a secret is too short to look for.
const MinLength = 8

// partLength is how long a secret has to be for its first or last MinLength bytes to tell it from other text.
const partLength = 2 * MinLength

// Find returns in what form text holds secret, or nothing. The answer does not repeat it.
func Find(text, secret string) string {
	quoted := strconv.Quote(secret)
	ascii := strconv.QuoteToASCII(secret)
	forms := []struct{ name, text string }{
		{"as it is", secret},
		{"escaped for a query", url.QueryEscape(secret)},
		{"escaped for a path", url.PathEscape(secret)},
		{"escaped for JSON", strings.Trim(inJSON(secret), `"`)},
		{"quoted", quoted[1 : len(quoted)-1]},
		{"quoted in ASCII", ascii[1 : len(ascii)-1]},
		{"escaped for HTML", html.EscapeString(secret)},
		{"in hexadecimal", hex.EncodeToString([]byte(secret))},
		{"as numbers", strings.Trim(fmt.Sprintf("%d", []byte(secret)), "[]")},
	}
	for _, f := range forms {
		if strings.Contains(text, f.text) {
			return f.name
		}
	}
	if len(secret) >= partLength &&
		(strings.Contains(text, secret[:MinLength]) || strings.Contains(text, secret[len(secret)-MinLength:])) {
		return "in part"
	}
	lower := strings.ToLower(text)
	if strings.Contains(lower, strings.ToLower(secret)) ||
		strings.Contains(lower, strings.ToLower(url.QueryEscape(secret))) ||
		strings.Contains(lower, hex.EncodeToString([]byte(secret))) {
		return "in another case"
	}
	for shift := range 3 {
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			if strings.Contains(text, inBase64(encoding, secret, shift)) {
				return "in Base64"
			}
		}
	}
	return ""
}

// inBase64 returns the characters that secret alone decides when it stands in Base64 after shift other bytes, as it does
// in Basic authentication after the user name.
func inBase64(encoding *base64.Encoding, secret string, shift int) string {
	text := encoding.EncodeToString([]byte(strings.Repeat("x", shift) + secret))
	start := []int{0, 2, 3}[shift]
	end := len(text)
	if (shift+len(secret))%3 != 0 {
		end-- // The last character has bits of whatever follows.
	}
	return text[start:end]
}

// inJSON returns a text as encoding/json writes it, quotation marks included.
func inJSON(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		return ""
	}
	return string(b)
}
