package main

import (
	"bytes"
	"fmt"
	"math"
	"slices"

	"github.com/auditstream/auditstream/bench/internal/stats"
)

// A goal is a ratio or a figure that auditstream must reach, and one that it reaches for.
type goal struct {
	what    string
	value   float64
	must    float64
	reach   float64 // 0 if there is none
	atLeast bool    // otherwise at most
	format  string
}

// met reports whether the value is on the right side of a bound.
func (g *goal) met(bound float64) bool {
	if g.atLeast {
		return g.value >= bound
	}
	return g.value <= bound
}

func (g *goal) verdict() string {
	switch {
	case !g.met(g.must):
		return "**missed**"
	case g.reach != 0 && !g.met(g.reach):
		return "reached"
	case g.reach != 0:
		return "reached, and what it reaches for"
	}
	return "reached"
}

// The figures of a round that goals look at.
func cpuOf(f *figures) float64       { return float64(f.CPU) / float64(f.Events) }
func publisherOf(f *figures) float64 { return float64(f.Publisher) / float64(f.Events) }
func loopingOf(f *figures) float64   { return float64(f.Looping) / float64(f.Events) }
func rateOf(f *figures) float64      { return float64(f.Events) / f.Wall.Seconds() }

// ratio returns how a's figure compares with b's: the median of the ratios in each round, so that a slow minute of the
// machine, which both have lived through, does not count. It is no number if one of them was not measured.
func (r *results) ratio(a, b *outcome, of func(*figures) float64) float64 {
	if a == nil || b == nil {
		return math.NaN()
	}
	var ratios []float64
	for i := range min(len(a.rounds), len(b.rounds)) {
		if base := of(&b.rounds[i]); base > 0 {
			ratios = append(ratios, of(&a.rounds[i])/base)
		}
	}
	return stats.Of(ratios).Median
}

// goals returns everything that can be said about goals with what was measured.
func (r *results) goals() []goal {
	var goals []goal
	if len(r.outcomes) > 0 {
		goals = slices.Concat(goals, r.publishGoals(), r.otlpGoals(), r.jsonGoals())
	}
	if len(r.pending) > 0 {
		goals = append(goals, r.pendingGoals()...)
	}
	if len(r.streams) > 0 {
		goals = append(goals, r.streamsGoals()...)
	}
	if len(r.distances) > 0 {
		goals = append(goals, r.distanceGoals()...)
	}
	if len(r.idle) > 0 {
		goals = append(goals, r.idleGoals()...)
	}
	return slices.DeleteFunc(goals, func(g goal) bool { return math.IsNaN(g.value) })
}

func allocsOf(o *outcome) float64 {
	if o == nil {
		return math.NaN()
	}
	return o.allocs().Median
}

func (r *results) publishGoals() []goal {
	find := func(name string) *outcome { return r.find(groupPublish, name) }
	ours := find(nameOurs)
	return []goal{
		{
			what:  "Publish against Emit into the BatchProcessor: times faster",
			value: r.ratio(find(nameSDK), ours, publisherOf), must: 7, reach: 10, atLeast: true, format: "%.1f",
		},
		{
			what:  "the same, ten attributes and little else",
			value: r.ratio(find(nameSDKLean), find(nameOursLean), publisherOf), must: 7, reach: 10, atLeast: true, format: "%.1f",
		},
		{
			what:  "allocations of a Publish, chunks of the queue included",
			value: allocsOf(find(nameOursPaused)), must: 0.02, format: "%.3f",
		},
		{
			what:  "Publish on 8 goroutines against one: elapsed time an event",
			value: r.ratio(find(nameOursEight), ours, loopingOf), must: 1.5, reach: 1.1, format: "%.2f",
		},
		{
			what:  "Publish on 8 goroutines against one: CPU an event",
			value: r.ratio(find(nameOursEight), ours, cpuOf), must: 1.5, reach: 1.1, format: "%.2f",
		},
	}
}

func (r *results) otlpGoals() []goal {
	var goals []goal
	for _, g := range []struct {
		group       string
		must, reach float64
	}{
		{groupOTLPHTTP, 0.6, 0.5}, {groupOTLPHTTPGzip, 0.5, 0.4}, {groupOTLPGRPC, 0.7, 0.6}, {groupOTLPGRPCGzip, 0.7, 0.6},
	} {
		ours, two, sdk := r.reference(g.group), r.find(g.group, nameOursTwo), r.find(g.group, nameSDK)
		goals = append(goals,
			goal{
				what: g.group + ": CPU against the SDK", value: r.ratio(ours, sdk, cpuOf),
				must: g.must, reach: g.reach, format: "%.2f",
			},
			goal{
				what: g.group + ": events/s against the SDK, one batch in flight", value: r.ratio(ours, sdk, rateOf),
				must: 1, atLeast: true, format: "%.2f",
			},
			goal{
				what: g.group + ": events/s against the SDK, two in flight", value: r.ratio(two, sdk, rateOf),
				must: 1.4, atLeast: true, format: "%.2f",
			})
	}
	return goals
}

func (r *results) jsonGoals() []goal {
	var goals []goal
	for _, g := range []struct {
		group       string
		must, reach float64
	}{
		{groupSplunk, 1. / 3, 1. / 4},
		{groupSplunkGzip, 1. / 3, 1. / 4},
		{groupSumo, 1. / 5, 1. / 6},
		{groupSumoGzip, 1. / 5, 1. / 6},
	} {
		goals = append(goals, goal{
			what:  g.group + ": CPU against the Collector's exporter",
			value: r.ratio(r.reference(g.group), r.find(g.group, nameCollector), cpuOf),
			must:  g.must, reach: g.reach, format: "%.3f",
		})
	}
	for _, group := range []string{groupSplunk, groupSumo} {
		goals = append(goals, goal{
			what:  group + ": CPU against the bare POST of the same bytes",
			value: r.ratio(r.reference(group), r.find(group, nameBare), cpuOf), must: 4.5, reach: 3, format: "%.2f",
		})
	}
	return goals
}

func (r *results) pendingGoals() []goal {
	var publish, heap, drain []float64
	for i := range r.pending {
		p := &r.pending[i]
		publish = append(publish, p.publishNanos(tenths-1)/p.emptyNanos())
		heap = append(heap, float64(p.Heap)/float64(p.JSON))
		drain = append(drain, float64(p.Drain[tenths-1])/float64(p.Drain[0]))
	}
	pending := fmt.Sprintf("%d pending: ", r.pending[0].Events)
	return []goal{
		{what: pending + "Publish against one to an empty queue", value: stats.Of(publish).Median, must: 1.1, format: "%.2f"},
		{what: pending + "heap against their JSON", value: stats.Of(heap).Median, must: 0.8, format: "%.2f"},
		{what: pending + "draining the last tenth against the first", value: stats.Of(drain).Median, must: 1.25, format: "%.2f"},
	}
}

func (r *results) streamsGoals() []goal {
	var goals []goal
	for _, s := range r.streams {
		each := fmt.Sprintf("%d streams, %s: ", s.Streams, s.Driver)
		goals = append(goals,
			goal{what: each + "heap bytes each, never used", value: s.Unused, must: 8192, reach: 4096, format: "%.0f"},
			goal{what: each + "goroutines each, never used", value: s.UnusedGo, must: 0.001, format: "%.4f"})
		if s.Wait > 0 {
			later := fmt.Sprintf("%.0f s after an event", s.Wait)
			goals = append(goals,
				goal{what: each + "heap bytes each, " + later, value: s.Idle, must: 8192, reach: 4096, format: "%.0f"},
				goal{what: each + "goroutines each, " + later, value: s.IdleGo, must: 0.001, format: "%.4f"})
		}
	}
	return goals
}

func (r *results) distanceGoals() []goal {
	var goals []goal
	for _, name := range driverNames {
		if name == driverSumo {
			continue
		}
		least := 1e9
		for _, n := range inFlights {
			_, share := r.distanceOf(name, n)
			least = min(least, share)
		}
		goals = append(goals, goal{
			what:  fmt.Sprintf("round trips of %s, %s: the least share of N times the throughput, N up to 8", roundTrip, name),
			value: least, must: 0.9, reach: 0.95, atLeast: true, format: "%.2f",
		})
	}
	return goals
}

func (r *results) idleGoals() []goal {
	var single, flushed, batches float64
	for _, d := range r.idle {
		single = max(single, stats.Quantile(d.Single, 0.9))
		flushed = max(flushed, stats.Quantile(d.Flushed, 0.9))
		batches = max(batches, stats.Quantile(d.Batches, 0.9))
	}
	return []goal{
		{what: "idle stream: milliseconds until one event is there, 90 %", value: single, must: 206, format: "%.1f"},
		{what: "idle stream: milliseconds until a flushed event is there, 90 %", value: flushed, must: 10, format: "%.1f"},
		{what: "idle stream: milliseconds until a full batch is there, 90 %", value: batches, must: 50, format: "%.1f"},
	}
}

func (r *results) goalsTable(b *bytes.Buffer) {
	b.WriteString("\n### Goals\n\n| what | measured | must reach | reaches for | |\n|---|--:|--:|--:|---|\n")
	for _, g := range r.goals() {
		sign := "≤ "
		if g.atLeast {
			sign = "≥ "
		}
		reach := ""
		if g.reach != 0 {
			reach = sign + fmt.Sprintf(g.format, g.reach)
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", g.what, fmt.Sprintf(g.format, g.value),
			sign+fmt.Sprintf(g.format, g.must), reach, g.verdict())
	}
}
