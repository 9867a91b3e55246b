package secret

// RenderHeader is [Template.Render] for the value of a request header. The result is made of the bytes 0x20 to 0x7E,
// without a space at either end, and may be empty: so neither a template nor a secret can end the header and begin
// another. Anything else is a [*TemplateError] that shows nothing of what was rendered.
func (t *Template) RenderHeader(v Value) (Value, error) {
	pieces, err := t.render(v)
	if err != nil {
		return Value{}, err
	}
	for _, r := range pieces {
		for i := range len(r.out) {
			if c := r.out[i]; c < ' ' || c > '~' {
				return Value{}, r.fault(i, "a header value holds printable ASCII only, no line break, no control "+
					"character and no other letters: use | Trim against a line break at the end, or | ToBase64")
			}
		}
	}
	text := join(pieces)
	if text == "" {
		return Value{}, nil
	}
	const reason = "a header value neither begins nor ends with a space: remove it, or use | Trim"
	if text[0] == ' ' {
		r, i := pieceAt(pieces, 0)
		return Value{}, r.fault(i, reason)
	}
	if text[len(text)-1] == ' ' {
		r, i := pieceAt(pieces, len(text)-1)
		return Value{}, r.fault(i, reason)
	}
	return New(text), nil
}

// pieceAt returns the piece that has put out the byte at offset i of the rendered text, and the byte's offset in it.
func pieceAt(pieces []rendered, i int) (*rendered, int) {
	n := 0
	for n < len(pieces)-1 && i >= len(pieces[n].out) {
		i -= len(pieces[n].out)
		n++
	}
	return &pieces[n], i
}
