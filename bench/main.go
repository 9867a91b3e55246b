// Command bench compares auditstream with everything else that a Go server could ship its audit events by: the same
// events, to the same server on loopback, in alternating rounds, each in a process of its own.
//
//	go run -C bench .           the whole comparison, in less than ten minutes
//	go run -C bench . -quick    everything with few events, looking at no time: that nobody loses an event, and that the
//	                            harness works
//
// It writes results.md and results.svg. BENCHMARKS.md explains them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run is the program, in each of its parts: whoever was started by hand starts the others.
func run(ctx context.Context, args []string) error {
	if len(args) == 2 {
		switch args[0] {
		case roleServer:
			return beServer(ctx, args[1])
		case roleChild:
			return beChild(ctx, args[1])
		}
	}
	p, err := parse(args)
	if err != nil {
		return err
	}
	return p.run(ctx)
}

// plan is what a run is to do.
type plan struct {
	quick   bool
	events  int
	rounds  int
	seed    uint64
	out     string
	insert  string
	only    string
	match   *regexp.Regexp // names of contenders
	profile string
	scratch string // directory of its own, removed at the end
	corpus  string // file of the events
	began   time.Time
}

func parse(args []string) (*plan, error) {
	p := &plan{began: time.Now()}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.BoolVar(&p.quick, "quick", false, "run everything with few events, judge no figure, keep no results unless -out says where")
	flags.IntVar(&p.events, "events", 200_000, "how many events each contender ships in a round")
	flags.IntVar(&p.rounds, "rounds", 5, "how many alternating rounds there are")
	flags.Uint64Var(&p.seed, "seed", 1, "seed of the events")
	flags.StringVar(&p.out, "out", ".", "directory for results.md and results.svg")
	flags.StringVar(&p.insert, "insert", "", "file in which the results replace what is between the lines <!-- results --> and <!-- /results -->")
	flags.StringVar(&p.only, "only", "", "one part alone: compare, pending, streams, roundtrips or idle")
	match := flags.String("match", "", "regular expression: of the contenders, only those whose group / name it matches, and whom they are compared with")
	flags.StringVar(&p.profile, "profile", "", "directory for a CPU profile of each contender; it costs a little itself")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	var err error
	if p.match, err = regexp.Compile(*match); err != nil {
		return nil, fmt.Errorf("-match: %w", err)
	}
	if flags.NArg() > 0 || p.events < batchEvents || p.rounds < 1 {
		return nil, fmt.Errorf("there are no arguments, at least %d events and one round", batchEvents)
	}
	if info, err := os.Stat(p.out); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("-out %q is no directory: make it first", p.out)
	}
	if p.only != "" && partNamed(p.only) == nil {
		return nil, fmt.Errorf("-only %q is none of the parts", p.only)
	}
	if p.quick {
		p.rounds = 1
		p.events = min(p.events, quickEvents)
		set := false
		flags.Visit(func(f *flag.Flag) { set = set || f.Name == "out" })
		if !set {
			p.out = ""
		}
	}
	return p, nil
}

// quickEvents are some batches, the last of which is not full.
const quickEvents = 2_000

// A part is one section of the results.
type part struct {
	name string
	run  func(ctx context.Context, p *plan, r *results) error
}

// parts stand in the order in which they run.
var parts = []part{
	{"compare", compare},
	{"pending", comparePending},
	{"streams", compareStreams},
	{"roundtrips", compareRoundTrips},
	{"idle", compareIdle},
}

func partNamed(name string) *part {
	for i := range parts {
		if parts[i].name == name {
			return &parts[i]
		}
	}
	return nil
}

func (p *plan) run(ctx context.Context) (err error) {
	if p.scratch, err = os.MkdirTemp("", "bench"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(p.scratch)) }() //nolint:gosec // MkdirTemp made it
	if err := p.makeCorpus(); err != nil {
		return err
	}
	r := newResults(p)
	for _, part := range parts {
		if p.only != "" && part.name != p.only {
			continue
		}
		p.say("%s", part.name)
		if err := part.run(ctx, p, r); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	r.Took = time.Since(p.began).Round(time.Second)
	return r.write(p)
}

// say tells how far the run is.
func (p *plan) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%4.0f s  %s\n", time.Since(p.began).Seconds(), fmt.Sprintf(format, args...))
}

// file returns a path in the run's own directory.
func (p *plan) file(name string) string { return filepath.Join(p.scratch, name) }
