package secret

import "strings"

// Template is a text with tokens that the secret takes the place of. It is immutable and safe for concurrent use.
type Template struct {
	pieces []string
}

// Parse reads a template.
func Parse(text string) (*Template, error) {
	pieces := strings.Split(text, "#{Secret}")
	for _, p := range pieces {
		if strings.Contains(p, "#{") {
			return nil, &TemplateError{Reason: "unknown token; the only one is Secret"}
		}
	}
	return &Template{pieces: pieces}, nil
}

// UsesSecret reports whether the template holds a token.
func (t *Template) UsesSecret() bool { return len(t.pieces) > 1 }

// Render returns the template with every token replaced by what its filters make of v.
func (t *Template) Render(v Value) (Value, error) {
	return New(strings.Join(t.pieces, v.Reveal())), nil
}

// RenderURL is Render for a URL.
func (t *Template) RenderURL(v Value) (Value, error) { return t.Render(v) }

// RenderHeader is Render for the value of a request header.
func (t *Template) RenderHeader(v Value) (Value, error) { return t.Render(v) }
