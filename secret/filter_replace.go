package secret

import (
	"errors"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
)

// maxPattern bounds the states of a regular expression with its repetitions written out: x{1000} has a thousand. The
// memory of the compiled expression and the time for each byte of text are proportional to it.
const maxPattern = 2000

const notRE2 = "not an RE2 regular expression, "

var errWork = errors.New("the regular expression takes too long on a text of this length: write a simpler one")

func bindReplace(args []argument) (apply, *argumentError) {
	re, cost, err := compilePattern(args[0])
	if err != nil {
		return nil, err
	}
	var with substitution
	if len(args) > 1 {
		with = parseSubstitution(args[1].text, groups(re))
	}
	return func(w *work, in string) (string, error) {
		matches, err := w.findAll(re, cost, in)
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

// compilePattern compiles the expression and estimates how many states it has, which is done before compiling because
// a few characters can stand for a million of them.
func compilePattern(arg argument) (*regexp.Regexp, int, *argumentError) {
	tree, err := syntax.Parse(arg.text, syntax.Perl)
	if err != nil {
		// The error quotes the pattern, so only its code, a fixed text, goes on.
		reason := "invalid"
		if e, ok := errors.AsType[*syntax.Error](err); ok {
			reason = string(e.Code)
		}
		return nil, 0, arg.bad(notRE2 + reason)
	}
	cost := states(tree)
	if cost > maxPattern {
		return nil, 0, arg.bad(notRE2 + "too large with its repetitions written out")
	}
	for _, name := range tree.CapNames() {
		if name != "" && '0' <= name[0] && name[0] <= '9' {
			// .NET takes such a name for a number.
			return nil, 0, arg.bad(notRE2 + "the name of a group begins with a digit")
		}
	}
	re, err := regexp.Compile(arg.text)
	if err != nil {
		return nil, 0, arg.bad(notRE2 + "too large")
	}
	return re, cost, nil
}

// states estimates the size of a regular expression.
func states(re *syntax.Regexp) int {
	n := 1
	for _, sub := range re.Sub {
		n += states(sub)
	}
	switch re.Op { //nolint:exhaustive // Every other operator is one state.
	case syntax.OpLiteral:
		n += len(re.Rune)
	case syntax.OpRepeat:
		n *= max(re.Min+1, re.Max)
	}
	return n
}

// findAll returns all matches of re in s. A search may look at all that is left of s before it settles for a short
// match, so what it may cost in all is the number of matches times the length times the number of states; a text with
// more matches than that leaves room for is refused.
func (w *work) findAll(re *regexp.Regexp, cost int, s string) ([][]int, error) {
	search := cost * (len(s) + 1)
	most := w.left / search
	if most == 0 {
		return nil, errWork
	}
	matches := re.FindAllStringSubmatchIndex(s, most)
	if len(matches) == most {
		return nil, errWork
	}
	w.left -= search * (len(matches) + 1)
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
