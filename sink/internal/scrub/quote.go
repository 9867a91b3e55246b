package scrub

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// ellipsis ends a text that was cut.
const ellipsis = "…"

// quote returns text in the form of [strconv.Quote], cut between runes so that the whole takes at most maxOutput bytes.
func quote(text string) string {
	if whole := strconv.Quote(text); len(whole) <= maxOutput {
		return whole
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		q := strconv.Quote(string(r))
		q = q[1 : len(q)-1] // an escape is as whole as a rune
		if b.Len()+len(q)+len(ellipsis)+len(`"`) > maxOutput {
			break
		}
		b.WriteString(q)
	}
	b.WriteString(ellipsis + `"`)
	return b.String()
}

// cut returns text, or as many of its runes as fit into maxOutput bytes with an ellipsis.
func cut(text string) string {
	if len(text) <= maxOutput {
		return text
	}
	end := maxOutput - len(ellipsis)
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + ellipsis
}
