package secret

import (
	"strconv"
	"unicode/utf8"
)

// maxQuote bounds, in bytes, the template text that an error repeats.
const maxQuote = 80

// TemplateError is one thing wrong with a template, or with what a template has rendered. [Parse] and the Render
// methods of [Template] return it as a pointer.
//
// It never holds the secret or anything derived from it. A template may be a secret itself, as a URL that carries its
// own token is: show Pos and Reason then, which hold no text of the template. Error and Text do.
type TemplateError struct {
	// Pos is where in the template the fault is, as a byte offset from 0.
	Pos int

	// Text is the piece of the template that is at fault, cut to 80 bytes. Empty when the position says it all.
	Text string

	// Reason says what is wrong and what to write instead.
	Reason string
}

// Error returns `secret: template at byte 10, "Rot13": reason`.
func (e *TemplateError) Error() string {
	s := "secret: template at byte " + strconv.Itoa(e.Pos)
	if e.Text != "" {
		s += ", " + strconv.Quote(e.Text)
	}
	return s + ": " + e.Reason
}

// fault returns a TemplateError about text, a piece of the template.
func fault(pos int, text, reason string) *TemplateError {
	return &TemplateError{Pos: pos, Text: quotable(text), Reason: reason}
}

// quotable cuts text to maxQuote bytes, between two characters.
func quotable(text string) string {
	if len(text) <= maxQuote {
		return text
	}
	cut := maxQuote
	for cut > maxQuote-utf8.UTFMax && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut]
}
