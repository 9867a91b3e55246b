package main

import (
	"fmt"
	"strings"

	"github.com/auditstream/auditstream/bench/internal/chart"
	"github.com/auditstream/auditstream/bench/internal/stats"
)

// picture draws the figures that a reader asks for first.
func (r *results) picture() []byte {
	c := chart.Chart{
		Title: "auditstream and the other ways to ship an audit event",
		Subtitle: fmt.Sprintf("The same %d events, to the same discarding server on loopback, %d alternating rounds. "+
			"Medians; the lines show the lowest and the highest. Shorter is better, except bottom right.", r.Events, r.Rounds),
		Panels: []chart.Panel{
			r.shippingPanel("CPU µs per event: OpenTelemetry",
				groupOTLPHTTP, groupOTLPHTTPGzip, groupOTLPGRPC, groupOTLPGRPCGzip),
			r.shippingPanel("CPU µs per event: Splunk and Sumo Logic",
				groupSplunk, groupSplunkGzip, groupSumo, groupSumoGzip),
			r.publishPanel(),
			r.distancePanel(),
		},
		Footer: append([]string{r.Date + " · " + r.Machine}, wrapped(r.Versions, 170)...),
	}
	return c.Draw()
}

// wrapped joins names of modules to lines.
func wrapped(words []string, limit int) []string {
	var lines []string
	line := ""
	for _, word := range words {
		if line != "" && len(line)+len(word) > limit {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " · "
		}
		line += word
	}
	return append(lines, line)
}

func (r *results) shippingPanel(title string, groups ...string) chart.Panel {
	p := chart.Panel{Title: title}
	for _, group := range groups {
		g := chart.Group{Name: group}
		ours := r.reference(group)
		for i := range r.outcomes {
			o := &r.outcomes[i]
			if o.group != group || o.name == nameCopy || o.name == nameSDKAllow || o.name == nameOursTwo {
				continue
			}
			g.Bars = append(g.Bars, bar(o, o.cpu(), "%.1f", r.ratio(o, ours, cpuOf)))
		}
		if len(g.Bars) > 0 {
			p.Groups = append(p.Groups, g)
		}
	}
	return p
}

// bar draws one contender's figure, and how many times ours that is.
func bar(o *outcome, s stats.Summary, format string, ratio float64) chart.Bar {
	b := chart.Bar{Label: short(o.name), Kind: chart.Peer, Value: s.Median, Low: s.Min, High: s.Max}
	b.Text = fmt.Sprintf(format, s.Median)
	switch {
	case strings.HasPrefix(o.name, nameOurs):
		b.Kind = chart.Ours
	case o.copies || o.name == nameBuild:
		b.Kind = chart.Limit
	default:
		b.Text += fmt.Sprintf("  (%.1f×)", ratio)
	}
	return b
}

// short is a name that fits beside a bar.
func short(name string) string {
	return strings.NewReplacer(
		"OpenTelemetry SDK, BatchProcessor", "OTel SDK, BatchProcessor",
		"OpenTelemetry SDK", "OTel SDK",
		"hashicorp/eventlogger, JSON, discarded", "hashicorp/eventlogger",
		"log/slog, JSONHandler, discarded", "log/slog, JSON to io.Discard",
		"building the event and nothing else", "building the event alone",
		"10 attributes and little else", "small event",
	).Replace(name)
}

func (r *results) publishPanel() chart.Panel {
	p := chart.Panel{Title: "Publish alone: CPU ns per event of the goroutine that publishes"}
	whole := chart.Group{Name: "The whole event"}
	little := chart.Group{Name: "Ten attributes and little else"}
	for i := range r.outcomes {
		o := &r.outcomes[i]
		if o.group != groupPublish || o.goroutines > 0 {
			continue
		}
		if o.name == nameOursLean || o.name == nameSDKLean {
			ratio := r.ratio(o, r.find(groupPublish, nameOursLean), publisherOf)
			little.Bars = append(little.Bars, bar(o, nanos(o.publisher()), "%.0f", ratio))
			continue
		}
		whole.Bars = append(whole.Bars, bar(o, nanos(o.publisher()), "%.0f", r.ratio(o, r.reference(groupPublish), publisherOf)))
	}
	if len(whole.Bars) > 0 {
		p.Groups = []chart.Group{whole, little}
	}
	return p
}

func (r *results) distancePanel() chart.Panel {
	p := chart.Panel{Title: fmt.Sprintf("Thousand events per second at round trips of %s, by Config.InFlight", roundTrip)}
	for _, name := range driverNames {
		g := chart.Group{Name: name}
		for _, n := range append([]int{1}, inFlights...) {
			if rate, share := r.distanceOf(name, n); rate > 0 && (name != driverSumo || n == 1) {
				b := chart.Bar{Label: fmt.Sprintf("%d in flight", n), Value: rate / 1e3, Text: fmt.Sprintf("%.0f", rate/1e3)}
				if n > 1 {
					b.Text += fmt.Sprintf("  (%.2f × %d)", share, n)
				}
				g.Bars = append(g.Bars, b)
			}
		}
		if len(g.Bars) > 0 {
			p.Groups = append(p.Groups, g)
		}
	}
	return p
}
