package secret

import "strings"

const (
	// maxTemplate bounds a template, in bytes. An endpoint or a header value is a few hundred; the bound keeps what an
	// administrator can make the host compute and hold small.
	maxTemplate = 4 << 10

	// maxOutput bounds what one filter may put out, in bytes.
	maxOutput = 64 << 10

	// maxRendered bounds a rendered template, in bytes: a template has room for 400 tokens, each with a large output. It
	// bounds the secret too, or filters with a short output would go through a long one 400 times.
	maxRendered = 1 << 20
)

// Template is a text in which tokens stand for the secret. [Parse] makes one. It is immutable and safe for concurrent
// use; the zero Template is the empty text.
//
// A template can be a secret itself, so, like that of a [Value], its text is in a closure and no print verb, encoder
// or dump shows it.
type Template struct{ pieces func() []piece }

// A piece is a stretch of literal text, or a token. Literal text is always a substring of the template that begins at
// pos, so that a byte of it can be pointed at.
type piece struct {
	pos   int
	text  string // the literal text, or the token as it is written
	token bool
	steps []step
}

// A step is a filter with its arguments.
type step struct {
	pos    int
	text   string // the filter's name as it is written
	filter string // and as it is called
	apply  apply
}

// Parse reads a template. Everything that is wrong with its syntax, its filters and their arguments is an error here,
// a [*TemplateError] with its position: a template that parses never puts a token on the wire as text. A template of
// more than 4 KiB is an error. The package comment describes the syntax.
func Parse(text string) (*Template, error) {
	if len(text) > maxTemplate {
		return nil, fault(maxTemplate, "", "a template has at most 4096 bytes")
	}
	pieces, err := scan(text)
	if err != nil {
		return nil, err
	}
	return &Template{pieces: func() []piece { return pieces }}, nil
}

// list returns the pieces of t, none for the zero Template.
func (t *Template) list() []piece {
	if t.pieces == nil {
		return nil
	}
	return t.pieces()
}

// UsesSecret reports whether the template holds a token. A driver refuses a token without a secret, and a secret that
// no template uses.
func (t *Template) UsesSecret() bool {
	for _, p := range t.list() {
		if p.token {
			return true
		}
	}
	return false
}

// Render returns the template's text with every token replaced by what its filters make of v, which may be blank. The
// text of v is never read as a template.
//
// A filter that cannot work on v, and one whose output exceeds 64 KiB, is a [*TemplateError] that names the filter and
// never v. So are a v of more than 1 MiB where a token stands, and a rendered text of more than 1 MiB.
func (t *Template) Render(v Value) (Value, error) {
	pieces, err := t.render(v)
	if err != nil {
		return Value{}, err
	}
	return New(join(pieces)), nil
}

// render returns the pieces of t in order, each token's out being what has become of it.
func (t *Template) render(v Value) ([]rendered, error) {
	w := work{left: maxWork}
	secret, size := v.Reveal(), 0
	pieces := make([]rendered, 0, len(t.list()))
	for _, p := range t.list() {
		r := rendered{piece: p, out: p.text}
		if p.token {
			if len(secret) > maxRendered {
				return nil, fault(p.pos, "", "the secret exceeds 1 MiB")
			}
			r.out = secret
		}
		for _, s := range p.steps {
			out, err := s.apply(&w, r.out)
			if err == nil && len(out) > maxOutput {
				err = errTooLong
			}
			if err != nil {
				return nil, fault(s.pos, s.text, s.filter+": "+err.Error())
			}
			r.out = out
		}
		if size += len(r.out); size > maxRendered {
			return nil, fault(p.pos, "", "the rendered text exceeds 1 MiB here: use fewer tokens or a shorter secret")
		}
		pieces = append(pieces, r)
	}
	return pieces, nil
}

// A rendered is a piece and its rendered text.
type rendered struct {
	piece
	out string
}

// fault returns a TemplateError about the byte at offset i of out. What a token has put out has no position of its own,
// so the error points at the token and shows it as it is written; about literal text it only points.
func (r *rendered) fault(i int, reason string) *TemplateError {
	if r.token {
		return fault(r.pos, r.text, reason)
	}
	return fault(r.pos+i, "", reason)
}

func join(pieces []rendered) string {
	var b strings.Builder
	for _, r := range pieces {
		b.WriteString(r.out)
	}
	return b.String()
}
