package secret

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// tokenName is the name of the only token, in lower case.
const tokenName = "secret"

// scan splits a template into literal text and tokens.
//
// What a run of k hashes before an opening { or < means follows Octostache: one opens a token; an even k is k-1 hashes
// and the opener as text; an odd k is k-2 hashes and then a token. A run of hashes before anything else is text.
func scan(text string) ([]piece, error) {
	var pieces []piece
	literal := func(from, to int) {
		if from < to {
			pieces = append(pieces, piece{pos: from, text: text[from:to]})
		}
	}
	start := 0 // of the literal text that has not been added yet
	for i := 0; i < len(text); {
		if text[i] != '#' {
			i++
			continue
		}
		opener := i
		for opener < len(text) && text[opener] == '#' {
			opener++
		}
		k := opener - i
		if opener == len(text) || text[opener] != '{' && text[opener] != '<' {
			i = opener
			continue
		}
		if k%2 == 0 {
			// Dropping the first hash leaves the k-1 others and the opener as one substring.
			literal(start, i)
			start, i = i+1, opener+1
			continue
		}
		literal(start, max(i, opener-2))
		s := scanner{text: text, open: opener - 1, pos: opener + 1, closer: '}'}
		if text[opener] == '<' {
			s.closer = '>'
		}
		token, err := s.token()
		if err != nil {
			return nil, err
		}
		pieces = append(pieces, token)
		start, i = s.pos, s.pos
	}
	literal(start, len(text))
	return pieces, nil
}

// A scanner reads one token.
type scanner struct {
	text   string
	open   int  // where the token begins
	pos    int  // what has been read
	closer byte // the byte that ends the token
}

// token reads the name and the filters, up to and including the closer.
func (s *scanner) token() (piece, error) {
	s.space()
	name, pos := s.until(func(r rune) bool {
		return unicode.IsSpace(r) || r == '|' || r == '"' || r == '#' || r == rune(s.closer)
	})
	if s.pos == len(s.text) {
		return piece{}, s.unterminated()
	}
	if lower(name) != tokenName {
		return piece{}, fault(pos, name, "unknown token: the only one is Secret, as in #{Secret} or #<Secret>; "+
			"double the # for text that begins like a token")
	}
	p := piece{pos: s.open, token: true}
	for {
		s.space()
		switch {
		case s.pos == len(s.text):
			return piece{}, s.unterminated()
		case s.text[s.pos] == s.closer:
			s.pos++
			p.text = s.text[s.open:s.pos]
			return p, nil
		case s.text[s.pos] != '|':
			return piece{}, s.unexpected("expected | and a filter, or " + string(s.closer) + " to end the token")
		}
		s.pos++
		step, err := s.filter()
		if err != nil {
			return piece{}, err
		}
		p.steps = append(p.steps, step)
	}
}

// filter reads the name of a filter and its arguments, and compiles them.
func (s *scanner) filter() (step, error) {
	s.space()
	name, pos := s.until(notBare)
	if name == "" {
		if s.pos == len(s.text) {
			return step{}, s.unterminated()
		}
		return step{}, s.unexpected("expected a filter: " + filterNames())
	}
	var args []argument
	for {
		s.space()
		if s.pos == len(s.text) {
			return step{}, s.unterminated()
		}
		if c := s.text[s.pos]; c == '|' || c == s.closer {
			return compile(name, pos, args)
		}
		arg, err := s.argument()
		if err != nil {
			return step{}, err
		}
		args = append(args, arg)
	}
}

// An argument is an option of a filter, without its quotes.
type argument struct {
	pos  int
	text string
}

func (s *scanner) argument() (argument, error) {
	if s.text[s.pos] == '"' {
		return s.quoted()
	}
	text, pos := s.until(notBare)
	if text == "" {
		return argument{}, s.unexpected("put an argument into double quotes if it has anything in it " +
			"but letters, digits and _ - : / ~ ( ) @")
	}
	return argument{pos: pos, text: text}, nil
}

// quoted reads an argument in double quotes. There is no escape in it: a backslash stands for itself.
func (s *scanner) quoted() (argument, error) {
	pos := s.pos
	s.pos++
	text, _ := s.until(func(r rune) bool { return r == '"' || r == '#' })
	if s.pos == len(s.text) {
		return argument{}, fault(pos, s.text[pos:], "the argument does not end: close it with a double quote")
	}
	if s.text[s.pos] == '#' {
		return argument{}, s.unexpected("an argument holds no # and no token inside the token")
	}
	s.pos++
	return argument{pos: pos, text: text}, nil
}

// notBare reports whether r ends a filter's name or an argument without quotes.
func notBare(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_-:/~()@", r)
}

// until reads up to the first character that stop accepts, and returns what it has read and where that began.
func (s *scanner) until(stop func(rune) bool) (text string, pos int) {
	pos = s.pos
	if n := strings.IndexFunc(s.text[pos:], stop); n >= 0 {
		s.pos += n
	} else {
		s.pos = len(s.text)
	}
	return s.text[pos:s.pos], pos
}

func (s *scanner) space() {
	s.until(func(r rune) bool { return !unicode.IsSpace(r) })
}

// unexpected returns an error about the character that comes next.
func (s *scanner) unexpected(reason string) *TemplateError {
	_, size := utf8.DecodeRuneInString(s.text[s.pos:])
	return fault(s.pos, s.text[s.pos:s.pos+size], reason)
}

func (s *scanner) unterminated() *TemplateError {
	return fault(s.open, s.text[s.open:], "the token does not end: close it with "+string(s.closer)+
		"; double the # for text that begins like a token")
}

// lower maps A-Z to a-z and nothing else: names are compared without case, but only an S is an s, not a U+017F.
func lower(name string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, name)
}
