package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/sink"
)

// A report prints what happened, in two columns. It remembers the first error of its output. Callbacks of the stream
// print too, so it has a lock.
type report struct {
	out   io.Writer
	steps int

	mu  sync.Mutex
	err error
}

func (r *report) print(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := fmt.Fprintf(r.out, format, args...); r.err == nil {
		r.err = err
	}
}

// step begins a numbered part.
func (r *report) step(title, about string) {
	r.steps++
	r.print("\n%d. %s\n   %s\n\n", r.steps, title, about)
}

// heading begins a part without a number.
func (r *report) heading(title string) { r.print("\n%s\n", title) }

// line prints one fact.
func (r *report) line(label, format string, args ...any) {
	r.print("   %-12s  %s\n", label, fmt.Sprintf(format, args...))
}

// ledger prints the totals.
func (r *report) ledger(t auditstream.Totals) {
	r.line("ledger", "accepted %d = delivered %d + rejected %d + discarded %d + pending %d",
		t.Accepted, t.Delivered, t.Rejected, t.Discarded, t.Pending)
}

// problem prints an error of a delivery, and what to do about it if that is known.
func (r *report) problem(label string, err error) {
	r.line(label, "%v", err)
	if e, ok := errors.AsType[*sink.Error](err); ok && e.Remedy != "" {
		r.line("remedy", "%s", e.Remedy)
	}
}

// plural returns "1 event" or "2 events".
func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return strconv.Itoa(n) + " " + noun
}

// balanced reports whether the ledger adds up.
func balanced(t auditstream.Totals) bool {
	return t.Accepted == t.Delivered+t.Rejected+t.Discarded+t.Pending &&
		t.Discarded == t.DiscardedOverflow+t.DiscardedDeleted+t.DiscardedShutdown
}
