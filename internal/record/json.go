package record

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// putFloatText writes f as a string.
func (enc *Encoder) putFloatText(f float64, bits int) *Error {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return enc.putFloat(f)
	}
	return enc.putString(strconv.FormatFloat(f, 'g', -1, bits))
}

// putNumber writes the text of a JSON number as a number if that loses nothing: an integer as int64 or uint64, another
// as a float64 that prints as the same decimal. Whatever else it is stays a string: 1e400, 2⁶⁴, thirty decimals, "".
func (enc *Encoder) putNumber(text string) *Error {
	if !isNumber(text) {
		return enc.putString(text)
	}
	if i, err := strconv.ParseInt(text, 10, 64); err == nil && text != "-0" {
		return enc.putInt(i)
	}
	if u, err := strconv.ParseUint(text, 10, 64); err == nil {
		return enc.putUint(u)
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || !strings.ContainsAny(text, ".eE") && text != "-0" {
		return enc.putString(text)
	}
	digits, exponent := decimal(text)
	if d, x := decimal(strconv.FormatFloat(f, 'e', -1, 64)); d != digits || x != exponent {
		return enc.putString(text)
	}
	return enc.putFloat(f)
}

// isNumber reports whether text is a number as JSON writes it. strconv takes more: +1, 0x1p4, 1_000, Inf.
func isNumber(text string) bool {
	if text == "" || strings.Trim(text, "0123456789+-.eE") != "" {
		return false
	}
	return json.Valid([]byte(text))
}

// decimal returns the digits of a JSON number without zeros at either end, and the power of ten that the first of them
// stands for. An exponent that does not fit in 32 bits cannot be that of a float64, so what it becomes is no matter.
func decimal(text string) (digits string, exponent int) {
	mantissa := strings.TrimPrefix(text, "-")
	if at := strings.IndexAny(mantissa, "eE"); at >= 0 {
		exponent, _ = strconv.Atoi(mantissa[at+1:])
		mantissa = mantissa[:at]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits = strings.TrimLeft(whole+fraction, "0")
	exponent += len(whole) - 1 - (len(whole) + len(fraction) - len(digits))
	digits = strings.TrimRight(digits, "0")
	if digits == "" {
		return "", 0
	}
	return digits, exponent
}

// putJSON writes what a JSON text says. A text that is not valid JSON, which here includes one nested over 10,000 deep,
// is kept as a string: it is evidence. So is not one longer than the limit, however little it says.
func (enc *Encoder) putJSON(raw json.RawMessage) *Error {
	if len(raw) > enc.room() {
		return enc.tooLarge("json.RawMessage")
	}
	text := string(raw)
	if !json.Valid(raw) {
		return enc.putString(text)
	}
	p := jsonText{text: text}
	return p.put(enc)
}

// jsonText reads a valid JSON text from the front. The lists and groups that are open are the Encoder's, not the call
// stack's.
type jsonText struct {
	text string
	at   int
}

// next skips white space and returns the next byte without consuming it.
func (p *jsonText) next() byte {
	for {
		switch c := p.text[p.at]; c {
		case ' ', '\t', '\r', '\n':
			p.at++
		default:
			return c
		}
	}
}

func (p *jsonText) put(enc *Encoder) *Error {
	outside := enc.depth
	for {
		opened, err := p.putValue(enc)
		if err != nil {
			return err
		}
		if opened && p.next() != '}' && p.text[p.at] != ']' {
			if err := p.beginMember(enc); err != nil {
				return err
			}
			continue
		}
		for enc.depth > outside && p.next() != ',' {
			p.at++ // } or ]
			enc.close()
		}
		if enc.depth == outside {
			return nil
		}
		p.at++ // the comma
		if err := p.beginMember(enc); err != nil {
			return err
		}
	}
}

// beginMember reads what comes before a value in the innermost list or group.
func (p *jsonText) beginMember(enc *Encoder) *Error {
	if !enc.frames[enc.depth-1].group {
		enc.element()
		return nil
	}
	p.next()
	key := p.string(enc)
	p.next()
	p.at++ // the colon
	return enc.key(key)
}

// putValue writes a scalar, or opens a list or group.
func (p *jsonText) putValue(enc *Encoder) (opened bool, err *Error) {
	switch p.next() {
	case '{':
		p.at++
		return true, enc.openGroup("JSON object", 0)
	case '[':
		p.at++
		return true, enc.openList("JSON array", 0)
	case '"':
		return false, enc.putString(p.string(enc))
	case 'n':
		p.at += len("null")
		return false, enc.putNil()
	case 't':
		p.at += len("true")
		return false, enc.putBool(true)
	case 'f':
		p.at += len("false")
		return false, enc.putBool(false)
	}
	start := p.at
	for p.at < len(p.text) && strings.IndexByte("0123456789+-.eE", p.text[p.at]) >= 0 {
		p.at++
	}
	return false, enc.putNumber(p.text[start:p.at])
}

// string reads a string. A lone surrogate becomes U+FFFD and counts as a repair.
func (p *jsonText) string(enc *Encoder) string {
	p.at++ // the quote
	start := p.at
	for p.text[p.at] != '"' && p.text[p.at] != '\\' {
		p.at++
	}
	if p.text[p.at] == '"' {
		p.at++
		return p.text[start : p.at-1]
	}
	buf := enc.scratch[:0]
	buf = append(buf, p.text[start:p.at]...)
	lone := false
	for p.text[p.at] != '"' {
		if c := p.text[p.at]; c != '\\' {
			buf = append(buf, c)
			p.at++
			continue
		}
		r, ok := p.escape()
		lone = lone || !ok
		buf = utf8.AppendRune(buf, r)
	}
	p.at++
	enc.scratch = buf
	if lone && utf8.Valid(buf) { // else text counts it
		enc.repaired++
	}
	return string(buf)
}

// escape reads a backslash and what it says. It answers U+FFFD and false for half of a surrogate pair.
func (p *jsonText) escape() (r rune, ok bool) {
	c := p.text[p.at+1]
	p.at += 2
	if c != 'u' {
		if at := strings.IndexByte("bfnrt", c); at >= 0 {
			c = "\b\f\n\r\t"[at]
		}
		return rune(c), true
	}
	r = p.hex()
	if !utf16.IsSurrogate(r) {
		return r, true
	}
	if back := p.at; strings.HasPrefix(p.text[p.at:], `\u`) {
		p.at += 2
		if pair := utf16.DecodeRune(r, p.hex()); pair != utf8.RuneError {
			return pair, true
		}
		p.at = back
	}
	return utf8.RuneError, false
}

// hex reads four hexadecimal digits.
func (p *jsonText) hex() rune {
	n, _ := strconv.ParseUint(p.text[p.at:p.at+4], 16, 16)
	p.at += 4
	return rune(n)
}
