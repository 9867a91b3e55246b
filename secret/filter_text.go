package secret

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

var errPastEnd = errors.New("the text that it is given ends before the start")

// .NET's invariant culture maps characters one to one, so ß has no capital, and leaves both Turkish letters alone.
const (
	dottedCapitalI = '\u0130'
	dotlessSmallI  = '\u0131'
)

func toUpper(in string) string {
	return mapRunes(in, func(r rune) rune {
		if r == dotlessSmallI {
			return r
		}
		return unicode.ToUpper(r)
	})
}

func toLower(in string) string {
	return mapRunes(in, func(r rune) rune {
		if r == dottedCapitalI {
			return r
		}
		return unicode.ToLower(r)
	})
}

// mapRunes is [strings.Map], but keeps bytes that are not UTF-8 as they are.
func mapRunes(in string, f func(rune) rune) string {
	var b strings.Builder
	b.Grow(len(in))
	for i, r := range in {
		if _, size := utf8.DecodeRuneInString(in[i:]); r == utf8.RuneError && size == 1 {
			b.WriteByte(in[i])
			continue
		}
		b.WriteRune(f(r))
	}
	return b.String()
}

func bindTrim(args []argument) (apply, *argumentError) {
	if len(args) == 0 {
		return total(strings.TrimSpace), nil
	}
	switch lower(args[0].text) {
	case "start":
		return total(func(in string) string { return strings.TrimLeftFunc(in, unicode.IsSpace) }), nil
	case "end":
		return total(func(in string) string { return strings.TrimRightFunc(in, unicode.IsSpace) }), nil
	}
	return nil, args[0].bad("the options are start and end")
}

func bindAppend(args []argument) (apply, *argumentError) {
	suffix := concat(args)
	return func(_ *work, in string) (string, error) { return add(in, suffix) }, nil
}

func bindPrepend(args []argument) (apply, *argumentError) {
	prefix := concat(args)
	return func(_ *work, in string) (string, error) { return add(prefix, in) }, nil
}

func concat(args []argument) string {
	var b strings.Builder
	for _, a := range args {
		b.WriteString(a.text)
	}
	return b.String()
}

func add(a, b string) (string, error) {
	if len(a)+len(b) > maxOutput {
		return "", errTooLong
	}
	return a + b, nil
}

func bindTruncate(args []argument) (apply, *argumentError) {
	length, err := args[0].number()
	if err != nil {
		return nil, err
	}
	suffix := "..."
	if len(args) > 1 {
		suffix = args[1].text
	}
	return func(_ *work, in string) (string, error) {
		if length >= units(in) {
			return in, nil
		}
		return add(cut(in, 0, length), suffix)
	}, nil
}

func bindSubstring(args []argument) (apply, *argumentError) {
	start := 0
	length, err := args[len(args)-1].number()
	if err == nil && len(args) > 1 {
		start, err = args[0].number()
	}
	if err != nil {
		return nil, err
	}
	return func(_ *work, in string) (string, error) {
		n := units(in)
		if start > n {
			return "", errPastEnd
		}
		return cut(in, start, start+min(length, n-start)), nil
	}, nil
}

// units returns the length of s as .NET counts it, in UTF-16 units: a character beyond U+FFFF has two. A byte that is
// not UTF-8 counts as one.
func units(s string) int {
	n := 0
	for _, r := range s {
		n += width(r)
	}
	return n
}

func width(r rune) int {
	if r > 0xFFFF {
		return 2
	}
	return 1
}

// cut returns the UTF-16 units of s from start up to end. Half a character becomes U+FFFD, which is what .NET writes
// for it in every encoding; so the result has the length that was asked for.
func cut(s string, start, end int) string {
	var b strings.Builder
	at := 0
	for i, r := range s {
		w := width(r)
		switch have := min(at+w, end) - max(at, start); {
		case have == w:
			_, size := utf8.DecodeRuneInString(s[i:])
			b.WriteString(s[i : i+size])
		case have > 0:
			b.WriteRune(utf8.RuneError)
		}
		if at += w; at >= end {
			break
		}
	}
	return b.String()
}
