package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/auditstream/auditstream/bench/internal/corpus"
	"github.com/auditstream/auditstream/bench/internal/server"
	"github.com/auditstream/auditstream/bench/internal/stats"
)

// outcome is what all rounds of one contender took.
type outcome struct {
	contender
	rounds []figures
}

// each sums up one figure of all rounds.
func (o *outcome) each(of func(f *figures) float64) stats.Summary {
	all := make([]float64, 0, len(o.rounds))
	for i := range o.rounds {
		all = append(all, of(&o.rounds[i]))
	}
	return stats.Of(all)
}

// The figures of the table, for each event.

func (o *outcome) cpu() stats.Summary {
	return o.each(perEvent(func(f *figures) time.Duration { return f.CPU }))
}

func (o *outcome) publisher() stats.Summary {
	return o.each(perEvent(func(f *figures) time.Duration { return f.Publisher }))
}

func (o *outcome) looping() stats.Summary {
	return o.each(perEvent(func(f *figures) time.Duration { return f.Looping }))
}

func (o *outcome) rate() stats.Summary {
	return o.each(func(f *figures) float64 { return float64(f.Events) / f.Wall.Seconds() })
}

func (o *outcome) bytes() stats.Summary {
	return o.each(func(f *figures) float64 { return float64(f.Bytes) / float64(f.Events) })
}

func (o *outcome) allocs() stats.Summary {
	return o.each(func(f *figures) float64 { return float64(f.Allocs) / float64(f.Events) })
}

func (o *outcome) peak() stats.Summary {
	return o.each(func(f *figures) float64 { return float64(f.Peak) / (1 << 20) })
}

// perEvent turns a time of a round into microseconds an event.
func perEvent(of func(f *figures) time.Duration) func(f *figures) float64 {
	return func(f *figures) float64 { return float64(of(f).Nanoseconds()) / 1e3 / float64(f.Events) }
}

// compare runs every contender, round after round.
func compare(ctx context.Context, p *plan, r *results) error {
	all := matching(contenders(), p.match)
	if err := p.check(ctx, all); err != nil {
		return err
	}
	if err := p.captureBodies(ctx, all); err != nil {
		return err
	}
	address, stop, err := startServer(ctx, server.Options{})
	if err != nil {
		return err
	}
	defer stop()
	r.outcomes = make([]outcome, len(all))
	for i := range all {
		r.outcomes[i].contender = all[i]
	}
	for round := range p.rounds {
		p.say("round %d of %d", round+1, p.rounds)
		for i := range r.outcomes {
			f, _, err := p.play(ctx, &r.outcomes[i].contender, p.corpus, p.share(&all[i]), address)
			if err != nil {
				return err
			}
			r.outcomes[i].rounds = append(r.outcomes[i].rounds, *f)
		}
	}
	return nil
}

// matching returns those whom a pattern asks for, with whom they are compared.
func matching(all []contender, pattern *regexp.Regexp) []contender {
	groups := make(map[string]bool)
	for i := range all {
		groups[all[i].group] = groups[all[i].group] || pattern.MatchString(all[i].key())
	}
	return slices.DeleteFunc(all, func(c contender) bool {
		return !groups[c.group] || !c.reference && !pattern.MatchString(c.key())
	})
}

// share is how many of the events a contender gets: a quarter of them where publishing is all that is measured, for
// that takes two passings and a dozen contenders, and its figures move less.
func (p *plan) share(c *contender) int {
	if c.group == groupPublish {
		return p.events / 4
	}
	return p.events
}

// check runs every contender once against a server that looks into everything: what is lost, repeated or cut there does
// not take part in a comparison.
func (p *plan) check(ctx context.Context, all []contender) error {
	n := min(p.events, quickEvents)
	path := p.file("corpus-check")
	if err := corpus.Generate(n, p.seed+1).Write(path); err != nil {
		return err
	}
	address, stop, err := startServer(ctx, server.Options{Corpus: path})
	if err != nil {
		return err
	}
	defer stop()
	for i := range all {
		c := &all[i]
		if !c.ships || c.copies {
			continue
		}
		_, counted, err := p.play(ctx, c, path, n, address)
		if err != nil {
			return err
		}
		found := counted.Check
		if found == nil || found.Events != n || found.Missing+found.Repeated+found.Broken > 0 {
			return fmt.Errorf("%s did not ship %d events whole: %+v", c.key(), n, found)
		}
	}
	p.say("everybody ships %d events whole", n)
	return nil
}

// play lets a contender ship n events to a server.
func (p *plan) play(ctx context.Context, c *contender, path string, n int, a server.Addresses) (*figures, *server.Stats, error) {
	if _, err := order(ctx, a, "reset"); err != nil {
		return nil, nil, err
	}
	j := job{Task: "round", Contender: c.key(), Corpus: path, Events: n, Server: a, Bodies: p.bodies(c.group)}
	if p.profile != "" {
		name := strings.NewReplacer(" / ", "--", "/", "-", " ", "-", ",", "", "'", "").Replace(c.key())
		j.Profile = filepath.Join(p.profile, name+".pprof")
	}
	f := new(figures)
	if err := runChild(ctx, j, f); err != nil {
		return nil, nil, err
	}
	counted, err := order(ctx, a, "stats")
	if err != nil {
		return nil, nil, err
	}
	f.Requests, f.Bytes = counted.Requests, counted.Bytes
	if c.ships && (f.Requests == 0 || f.Bytes == 0) {
		return nil, nil, errors.New(c.key() + " sent nothing")
	}
	return f, &counted, nil
}

// bodies is the file of what auditstream sends in a group.
func (p *plan) bodies(group string) string {
	if group == groupPublish {
		return ""
	}
	return p.file("bodies " + fmt.Sprintf("%x", group))
}

// captureBodies stores what auditstream sends, for those who send the same.
func (p *plan) captureBodies(ctx context.Context, all []contender) error {
	for i := range all {
		c := &all[i]
		if !c.reference || !c.ships {
			continue
		}
		j := job{Task: "capture", Contender: c.key(), Corpus: p.corpus, Events: p.events, Bodies: p.bodies(c.group)}
		if err := runChild(ctx, j, &struct{}{}); err != nil {
			return err
		}
	}
	return nil
}
