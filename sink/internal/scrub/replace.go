package scrub

import (
	"iter"
	"slices"
	"strings"
)

const (
	// shortestCut is how much of a secret must stand at an end of a text, where somebody may have cut it, to count. In
	// hexadecimal or Base64 it takes more digits: three of them often end a port by chance.
	shortestCut = 3

	// cutMarks is what people and programs put where they cut.
	cutMarks = " \t\r\n.…\"'`)]}>*"
)

// replace returns text with everything that it has in common with a form replaced.
func (f *forms) replace(text string) string {
	low := lower(text)
	hidden := make([]bool, len(text))
	f.markWindows(low, hidden)
	for _, w := range f.whole {
		for from := 0; ; from++ {
			i := strings.Index(low[from:], w)
			if i < 0 {
				break
			}
			from += i
			mark(hidden, from, from+len(w))
		}
	}
	f.markEnds(low, hidden)
	if !slices.Contains(hidden, true) {
		return text
	}
	return blot(text, hidden)
}

// markWindows finds every part of at least shortest bytes: a secret, one that somebody cut, and one of two that were
// joined all have such parts. The table is of the text, which is short as a rule, and not of the forms.
func (f *forms) markWindows(low string, hidden []bool) {
	shared := make(map[window]bool)
	for w := range windows(low) {
		shared[w] = false
	}
	for _, p := range f.parts {
		for w := range windows(p.text) {
			if _, ok := shared[w]; ok {
				shared[w] = true
			}
		}
	}
	i := 0
	for w := range windows(low) {
		if shared[w] {
			mark(hidden, i, i+shortest)
		}
		i++
	}
}

type window [shortest]byte

// windows returns every piece of shortest bytes of s, in order.
func windows(s string) iter.Seq[window] {
	return func(yield func(window) bool) {
		var w window
		for i := range len(s) - shortest + 1 {
			copy(w[:], s[i:])
			if !yield(w) {
				return
			}
		}
	}
}

// markEnds finds a secret cut so short by an end of the text that no window of it is left.
func (f *forms) markEnds(low string, hidden []bool) {
	head := strings.TrimRight(low, cutMarks)
	start := len(low) - len(strings.TrimLeft(low, cutMarks+"([{<"))
	tail := low[start:]
	for _, p := range f.parts {
		for n := shortest - 1; n >= p.cut; n-- {
			if strings.HasSuffix(head, p.text[:n]) {
				mark(hidden, len(head)-n, len(head))
			}
			if strings.HasPrefix(tail, p.text[len(p.text)-n:]) {
				mark(hidden, start, start+n)
			}
		}
	}
}

func mark(hidden []bool, from, to int) {
	for i := from; i < to; i++ {
		hidden[i] = true
	}
}

// blot returns text with every run of hidden bytes replaced. A run may end within a rune when an unrelated character
// shares its first bytes with one of a secret, so what is left is repaired.
func blot(text string, hidden []bool) string {
	var b strings.Builder
	for i := range len(text) {
		switch {
		case !hidden[i]:
			b.WriteByte(text[i])
		case i == 0 || !hidden[i-1]:
			b.WriteString(Redacted)
		}
	}
	return strings.ToValidUTF8(b.String(), "\uFFFD")
}

// holdsShort reports whether text holds one of the secrets that are too short to be replaced.
func (f *forms) holdsShort(text string) bool {
	low := lower(text)
	return slices.ContainsFunc(f.shorts, func(s string) bool { return strings.Contains(low, s) })
}
