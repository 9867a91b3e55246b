package secret

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
)

// apply is a filter with its arguments bound. Its error is a fixed text about the filter, and never says anything about
// the text it was given.
type apply func(w *work, in string) (string, error)

// total makes an apply of a function that cannot fail.
func total(f func(in string) string) apply {
	return func(_ *work, in string) (string, error) { return f(in), nil }
}

// maxWork bounds the steps that the regular expressions of one rendering may take: well under a second at the worst, and
// more than any plausible pattern needs for a secret of a few kilobytes.
const maxWork = 1 << 25

// A work is what is left of maxWork.
type work struct{ left int }

var errTooLong = errors.New("it puts out more than 64 KiB")

// A filter is a row of the table.
type filter struct {
	name        string
	usage       string // its arguments, as an error shows them
	least, most int    // how many arguments it takes; anyNumber for most
	bind        func(args []argument) (apply, *argumentError)
}

const anyNumber = math.MaxInt

// filters are all the filters, in the order in which errors list them. Names and meaning are those of Octostache.
var filters = []filter{
	{name: "Append", usage: "text…", least: 1, most: anyNumber, bind: bindAppend},
	{name: "FromBase64", usage: "[utf8|unicode]", most: 1, bind: bindFromBase64},
	{name: "HtmlEscape", bind: bindReplacer(htmlEscapes)},
	{name: "JsonEscape", bind: bindReplacer(jsonEscapes)},
	{name: "Md5", usage: hashUsage, most: 2, bind: bindHash(md5Sum)},
	{name: "Prepend", usage: "text…", least: 1, most: anyNumber, bind: bindPrepend},
	{name: "Replace", usage: "regex [with]", least: 1, most: 2, bind: bindReplace},
	{name: "Sha1", usage: hashUsage, most: 2, bind: bindHash(sha1Sum)},
	{name: "Sha256", usage: hashUsage, most: 2, bind: bindHash(sha256Sum)},
	{name: "Sha384", usage: hashUsage, most: 2, bind: bindHash(sha384Sum)},
	{name: "Sha512", usage: hashUsage, most: 2, bind: bindHash(sha512Sum)},
	{name: "Substring", usage: "[start] length", least: 1, most: 2, bind: bindSubstring},
	{name: "ToBase64", usage: "[utf8|unicode]", most: 1, bind: bindToBase64},
	{name: "ToLower", bind: bindNothing(toLower)},
	{name: "ToUpper", bind: bindNothing(toUpper)},
	// Octostache reads the first option of Trim and leaves the others alone.
	{name: "Trim", usage: "[start|end]", most: anyNumber, bind: bindTrim},
	{name: "Truncate", usage: "length [suffix]", least: 1, most: 2, bind: bindTruncate},
	{name: "UriDataEscape", bind: bindPercent(unreserved)},
	{name: "UriEscape", bind: bindPercent(unreserved + reserved)},
	{name: "XmlEscape", bind: bindReplacer(xmlEscapes)},
}

// compile returns the filter of that name with its arguments.
func compile(name string, pos int, args []argument) (step, error) {
	i := slices.IndexFunc(filters, func(f filter) bool { return lower(f.name) == lower(name) })
	if i < 0 {
		return step{}, fault(pos, name, "unknown filter, write one of "+filterNames())
	}
	f := filters[i]
	switch {
	case len(args) < f.least:
		return step{}, fault(pos, name, "too few arguments, write "+f.form())
	case len(args) > f.most:
		return step{}, fault(args[f.most].pos, args[f.most].text, "too many arguments, write "+f.form())
	}
	do, err := f.bind(args)
	if err != nil {
		return step{}, fault(err.arg.pos, err.arg.text, "bad argument of "+f.form()+": "+err.reason)
	}
	return step{pos: pos, text: name, filter: f.name, apply: do}, nil
}

// form returns how the filter is written.
func (f *filter) form() string { return strings.TrimSuffix(f.name+" "+f.usage, " ") }

func filterNames() string {
	names := make([]string, len(filters))
	for i, f := range filters {
		names[i] = f.name
	}
	return strings.Join(names, ", ")
}

// An argumentError says what is wrong with one argument.
type argumentError struct {
	arg    argument
	reason string
}

// bad returns an error about the argument.
func (a argument) bad(reason string) *argumentError { return &argumentError{arg: a, reason: reason} }

// number reads the argument as a count. As in .NET, white space around it and a sign are fine.
func (a argument) number() (int, *argumentError) {
	n, err := strconv.ParseInt(strings.TrimSpace(a.text), 10, 32)
	if err != nil || n < 0 {
		return 0, a.bad("expected a whole number from 0 to 2147483647")
	}
	return int(n), nil
}

// bindNothing makes a filter without arguments of a function.
func bindNothing(f func(in string) string) func([]argument) (apply, *argumentError) {
	return func([]argument) (apply, *argumentError) { return total(f), nil }
}

// An output collects what a filter puts out and refuses what exceeds the limit before it takes memory for it.
type output struct{ b strings.Builder }

// WriteString implements [io.StringWriter].
func (o *output) WriteString(s string) (int, error) {
	if o.b.Len()+len(s) > maxOutput {
		return 0, errTooLong
	}
	return o.b.WriteString(s)
}

// Write implements [io.Writer].
func (o *output) Write(b []byte) (int, error) { return o.WriteString(string(b)) }
