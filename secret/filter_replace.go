package secret

import (
	"errors"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxPattern bounds the states of a regular expression with its repetitions written out: x{1000} has a thousand. The
// memory of the compiled expression and the time for each byte of text are proportional to it.
const maxPattern = 2000

const notRE2 = "not an RE2 regular expression, "

var errWork = errors.New("the regular expression takes too long on a text of this length: write a simpler one, " +
	"at best without * and +")

func bindReplace(args []argument) (apply, *argumentError) {
	p, err := compilePattern(args[0])
	if err != nil {
		return nil, err
	}
	var with substitution
	if len(args) > 1 {
		with = parseSubstitution(args[1].text, groups(p.Regexp))
	}
	return func(w *work, in string) (string, error) {
		matches, err := w.findAll(p, in)
		if err != nil {
			return "", err
		}
		var o output
		end := 0
		for _, m := range matches {
			_, err := o.WriteString(in[end:m[0]])
			if err == nil {
				err = with.write(&o, in, m)
			}
			if err != nil {
				return "", err
			}
			end = m[1]
		}
		_, err = o.WriteString(in[end:])
		return o.b.String(), err
	}, nil
}

// A pattern is a regular expression and what it costs.
type pattern struct {
	*regexp.Regexp
	states int // about how many it has
	reach  int // how many bytes a match has at most, or a negative number when there is no bound
}

// compilePattern compiles a regular expression. Its size is estimated before that, because a few characters can stand
// for a million states.
func compilePattern(arg argument) (*pattern, *argumentError) {
	tree, err := syntax.Parse(arg.text, syntax.Perl)
	if err != nil {
		// The error quotes the pattern, so only its code, a fixed text, goes on.
		reason := "invalid"
		if e, ok := errors.AsType[*syntax.Error](err); ok {
			reason = string(e.Code)
		}
		return nil, arg.bad(notRE2 + reason)
	}
	for _, name := range tree.CapNames() {
		if name != "" && '0' <= name[0] && name[0] <= '9' {
			// .NET takes such a name for a number.
			return nil, arg.bad(notRE2 + "the name of a group begins with a digit")
		}
	}
	p := &pattern{states: states(tree), reach: reach(tree)}
	if p.states > maxPattern {
		return nil, arg.bad("the regular expression is too large with its repetitions written out")
	}
	if p.Regexp, err = regexp.Compile(arg.text); err != nil {
		return nil, arg.bad(notRE2 + "too large")
	}
	return p, nil
}

// states estimates the size of a regular expression.
func states(re *syntax.Regexp) int {
	n := 0
	for _, sub := range re.Sub {
		n += states(sub)
	}
	switch re.Op {
	case syntax.OpLiteral:
		return len(re.Rune)
	case syntax.OpRepeat:
		return n * max(re.Min+1, re.Max)
	default:
		return n + 1
	}
}

// reach returns how many bytes a match has at most, or a negative number when there is no bound.
func reach(re *syntax.Regexp) int {
	sum, most := 0, 0
	for _, sub := range re.Sub {
		n := reach(sub)
		if n < 0 {
			return n
		}
		sum, most = sum+n, max(most, n)
	}
	switch re.Op {
	case syntax.OpLiteral:
		return utf8.UTFMax * len(re.Rune)
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return utf8.UTFMax
	case syntax.OpStar, syntax.OpPlus:
		return -1
	case syntax.OpRepeat:
		return sum * re.Max // which is -1 for no bound
	case syntax.OpAlternate:
		return most
	default: // a sequence, a group, an option, or an assertion
		return sum
	}
}

// findAll returns all matches of p in s. Whatever it is given, the time that it takes is bounded: all searches together
// pass over s once, and each may look beyond the match that it settles for, as far as a match could reach. Every byte
// costs as many steps as p has states. A text with more matches than the steps that are left allow is refused.
func (w *work) findAll(p *pattern, s string) ([][]int, error) {
	pass, look := len(s)+1, len(s)+1
	if p.reach >= 0 {
		look = min(look, p.reach+1)
	}
	most := (w.left/p.states - pass) / look
	if most <= 0 {
		return nil, errWork
	}
	matches := p.FindAllStringSubmatchIndex(s, most)
	if len(matches) == most {
		return nil, errWork
	}
	w.left -= p.states * (pass + look*len(matches))
	return matches, nil
}

// groups maps what a substitution can name to Go's number of the group. .NET numbers the groups without a name first;
// Go numbers all in order.
func groups(re *regexp.Regexp) map[string]int {
	byName := map[string]int{"0": 0}
	named := make([]int, 0, re.NumSubexp())
	n := 0
	for i, name := range re.SubexpNames() {
		switch {
		case i == 0:
		case name == "":
			n++
			byName[strconv.Itoa(n)] = i
		default:
			byName[name] = i
			named = append(named, i)
		}
	}
	for _, i := range named {
		n++
		byName[strconv.Itoa(n)] = i
	}
	byName["+"] = byName[strconv.Itoa(n)]
	return byName
}

// A substitution is the parsed second argument of Replace.
type substitution []func(in string, match []int) string

// parseSubstitution reads a replacement as .NET does: $1, ${1}, ${name}, $0 and $& are groups, $$ a dollar, $` and $'
// what is before and after the match, $+ the last group, $_ the whole text. $1s is group 1, then s. A $ that begins
// none of them, or names a group that does not exist, is text.
func parseSubstitution(text string, groups map[string]int) substitution {
	var parts substitution
	literal := func(s string) {
		parts = append(parts, func(string, []int) string { return s })
	}
	for text != "" {
		before, rest, found := strings.Cut(text, "$")
		literal(before)
		if !found {
			break
		}
		part, size := reference(rest, groups)
		if part == nil {
			literal("$")
		} else {
			parts = append(parts, part)
		}
		text = rest[size:]
	}
	return parts
}

// reference reads what follows a dollar. part is nil when that is no reference.
func reference(rest string, groups map[string]int) (part func(in string, m []int) string, size int) {
	name := ""
	switch inBraces, _, closed := strings.Cut(strings.TrimPrefix(rest, "{"), "}"); {
	case rest == "":
		return nil, 0
	case rest[0] == '{' && closed && inBraces != "+":
		name, size = inBraces, len(inBraces)+2
	case rest[0] == '&':
		name, size = "0", 1
	case rest[0] == '+':
		name, size = "+", 1
	case rest[0] == '$':
		return func(string, []int) string { return "$" }, 1
	case rest[0] == '`':
		return func(in string, m []int) string { return in[:m[0]] }, 1
	case rest[0] == '\'':
		return func(in string, m []int) string { return in[m[1]:] }, 1
	case rest[0] == '_':
		return func(in string, _ []int) string { return in }, 1
	default:
		size = len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		name = rest[:size]
	}
	if n, err := strconv.Atoi(name); err == nil && name[0] != '+' && name[0] != '-' {
		name = strconv.Itoa(n) // without leading zeros
	}
	g, ok := groups[name]
	if !ok {
		return nil, 0
	}
	return func(in string, m []int) string {
		if m[2*g] < 0 {
			return "" // the group took no part in the match
		}
		return in[m[2*g]:m[2*g+1]]
	}, size
}

func (s substitution) write(o *output, in string, match []int) error {
	for _, part := range s {
		if _, err := o.WriteString(part(in, match)); err != nil {
			return err
		}
	}
	return nil
}
