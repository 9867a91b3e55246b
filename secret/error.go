package secret

import "fmt"

// maxQuote bounds the template text that an error repeats.
const maxQuote = 80

// TemplateError is what is wrong with a template, or with what a template has rendered. [Parse] and the Render methods
// of [Template] return it as a pointer.
//
// It never holds the secret or anything derived from it. Where the template itself is a secret, as a URL that carries
// its own token, show Pos and Reason only: they hold no text of the template. Error and Text do.
type TemplateError struct {
	// Pos is where in the template, as a byte offset from 0.
	Pos int

	// Text is the piece of the template that is at fault, cut to 80 bytes. It may be empty.
	Text string

	// Reason says what is wrong and what to write instead.
	Reason string
}

// Error returns `secret: template at byte 10: "Rot13": reason`.
func (e *TemplateError) Error() string {
	if e.Text == "" {
		return fmt.Sprintf("secret: template at byte %d: %s", e.Pos, e.Reason)
	}
	return fmt.Sprintf("secret: template at byte %d: %q: %s", e.Pos, e.Text, e.Reason)
}
