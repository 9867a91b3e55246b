package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/auditstream/auditstream/bench/internal/stats"
)

// results are everything that a run has measured.
type results struct {
	Quick    bool
	Events   int
	Rounds   int
	Seed     uint64
	Date     string
	Machine  string
	Versions []string
	Took     time.Duration

	outcomes  []outcome
	pending   []pending
	streams   []streams
	distances []distance
	idle      []idle
}

func newResults(p *plan) *results {
	return &results{
		Quick: p.quick, Events: p.events, Rounds: p.rounds, Seed: p.seed,
		Date: p.began.UTC().Format(time.DateOnly), Machine: machine(), Versions: versions(),
	}
}

// find returns an outcome, or nil if it was not measured.
func (r *results) find(group, name string) *outcome {
	i := slices.IndexFunc(r.outcomes, func(o outcome) bool { return o.group == group && o.name == name })
	if i < 0 {
		return nil
	}
	return &r.outcomes[i]
}

// reference returns whom the others of a group are compared with.
func (r *results) reference(group string) *outcome { return r.find(group, nameOurs) }

func (r *results) groups() []string {
	var groups []string
	for i := range r.outcomes {
		if !slices.Contains(groups, r.outcomes[i].group) {
			groups = append(groups, r.outcomes[i].group)
		}
	}
	return groups
}

// markdown returns all tables.
func (r *results) markdown() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s. %s.\n\n", r.Date, r.Machine)
	fmt.Fprintf(&b, "%d events in each of %d rounds, seed %d, %d events a batch. Median (lowest–highest).\n",
		r.Events, r.Rounds, r.Seed, batchEvents)
	for _, group := range r.groups() {
		fmt.Fprintf(&b, "\n### %s\n\n", group)
		if group == groupPublish {
			fmt.Fprintf(&b, "%d events.\n\n", r.reference(group).rounds[0].Events)
			r.publishTable(&b)
		} else {
			r.shippingTable(&b, group)
		}
	}
	if len(r.pending) > 0 {
		r.pendingTable(&b)
	}
	if len(r.streams) > 0 {
		r.streamsTable(&b)
	}
	if len(r.distances) > 0 {
		r.distanceTable(&b)
	}
	if len(r.idle) > 0 {
		r.idleTable(&b)
	}
	if !r.Quick {
		r.goalsTable(&b)
	}
	r.versionsTable(&b)
	return b.Bytes()
}

func (r *results) shippingTable(b *bytes.Buffer, group string) {
	b.WriteString("| | CPU µs/event | × ours | events/s | × ours | bytes/event | allocs/event | peak heap MiB |\n")
	b.WriteString("|---|--:|--:|--:|--:|--:|--:|--:|\n")
	ours := r.reference(group)
	for i := range r.outcomes {
		o := &r.outcomes[i]
		if o.group != group {
			continue
		}
		bytes := "–"
		if o.ships {
			bytes = fmt.Sprintf("%.0f", o.bytes().Median)
		}
		fmt.Fprintf(b, "| %s | %s | %.2f | %s | %.2f | %s | %s | %.0f |\n", o.name,
			spread(o.cpu(), 2), r.ratio(o, ours, cpuOf),
			spread(o.rate(), 0), r.ratio(o, ours, rateOf),
			bytes, allocs(o), o.peak().Median)
	}
}

func (r *results) publishTable(b *bytes.Buffer) {
	b.WriteString("| | publisher's CPU ns/event | × ours | elapsed ns/event | process CPU ns/event | × ours | allocs/event | peak heap MiB |\n")
	b.WriteString("|---|--:|--:|--:|--:|--:|--:|--:|\n")
	ours := r.reference(groupPublish)
	for i := range r.outcomes {
		o := &r.outcomes[i]
		if o.group != groupPublish {
			continue
		}
		publisher, ratio := "–", "–"
		if o.goroutines == 0 {
			publisher = spread(nanos(o.publisher()), 0)
			ratio = fmt.Sprintf("%.2f", r.ratio(o, ours, publisherOf))
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %.2f | %s | %.0f |\n", o.name, publisher, ratio,
			spread(nanos(o.looping()), 0), spread(nanos(o.cpu()), 0), r.ratio(o, ours, cpuOf),
			allocs(o), o.peak().Median)
	}
}

func allocs(o *outcome) string {
	if n := o.allocs().Median; n >= 10 {
		return fmt.Sprintf("%.0f", n)
	}
	return fmt.Sprintf("%.2f", o.allocs().Median)
}

// nanos turns microseconds into nanoseconds.
func nanos(s stats.Summary) stats.Summary {
	return stats.Summary{Median: s.Median * 1e3, Min: s.Min * 1e3, Max: s.Max * 1e3}
}

// spread writes a summary with some decimals.
func spread(s stats.Summary, decimals int) string {
	return fmt.Sprintf("%.*f (%.*f–%.*f)", decimals, s.Median, decimals, s.Min, decimals, s.Max)
}

func (r *results) versionsTable(b *bytes.Buffer) {
	b.WriteString("\n### Versions\n\n")
	for _, version := range r.Versions {
		fmt.Fprintf(b, "- %s\n", version)
	}
}

// The lines between which a file gets the results.
const (
	insertBegin = "<!-- results -->\n"
	insertEnd   = "<!-- /results -->\n"
)

// write prints the results and stores them where the plan says.
func (r *results) write(p *plan) error {
	text := r.markdown()
	if _, err := os.Stdout.Write(text); err != nil {
		return err
	}
	if p.insert != "" {
		if err := insert(p.insert, text); err != nil {
			return err
		}
	}
	if p.out == "" {
		return nil
	}
	return errors.Join(
		store(filepath.Join(p.out, "results.md"), append([]byte("# Results\n\nWritten by `go run -C bench .`; see ../BENCHMARKS.md.\n\n"), text...)),
		store(filepath.Join(p.out, "results.svg"), r.picture()),
	)
}

func store(path string, text []byte) error {
	return os.WriteFile(path, text, 0o644) //nolint:gosec // it is for everybody
}

// insert puts the results into a file, in the place of older ones.
func insert(path string, text []byte) error {
	old, err := os.ReadFile(path) //nolint:gosec // the user says which
	if err != nil {
		return err
	}
	before, rest, ok := bytes.Cut(old, []byte(insertBegin))
	_, after, closed := bytes.Cut(rest, []byte(insertEnd))
	if !ok || !closed {
		return fmt.Errorf("%s has no place for the results", path)
	}
	return store(path, slices.Concat(before, []byte(insertBegin), []byte("\n"), text, []byte("\n"), []byte(insertEnd), after))
}
