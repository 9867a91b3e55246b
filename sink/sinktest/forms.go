package sinktest

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

// minSecret is the length under which a text is too short to look for.
const minSecret = 8

// findForm returns in what form text holds secret, or nothing.
func findForm(text, secret string) string {
	quoted := strconv.Quote(secret)
	ascii := strconv.QuoteToASCII(secret)
	forms := []struct{ name, text string }{
		{"as it is", secret},
		{"escaped for a query", url.QueryEscape(secret)},
		{"escaped for a path", url.PathEscape(secret)},
		{"escaped for JSON", strings.Trim(jsonOf(secret), `"`)},
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
	lower := strings.ToLower(text)
	if strings.Contains(lower, strings.ToLower(url.QueryEscape(secret))) ||
		strings.Contains(lower, hex.EncodeToString([]byte(secret))) {
		return "escaped or in hexadecimal, in another case"
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

// prints returns the forms in which fmt prints a value.
func prints(v any) []string {
	var texts []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		texts = append(texts, fmt.Sprintf(verb, v))
	}
	return texts
}

// jsonOf returns a value in JSON, or nothing if it has no such form.
func jsonOf(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
