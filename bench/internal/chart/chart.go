// Package chart draws panels of bars as SVG: few shapes, a light background, text that can be read.
package chart

import (
	"bytes"
	"encoding/xml"
	"fmt"
)

// Kind says how a bar is coloured.
type Kind int

// The kinds of bar.
const (
	Ours Kind = iota
	Peer
	Limit
)

// Chart is a picture.
type Chart struct {
	Title    string
	Subtitle string
	Panels   []Panel // two in a row
	Footer   []string
}

// Panel is a part of a picture with a scale of its own.
type Panel struct {
	Title  string
	Groups []Group
}

// Group is some bars under one heading.
type Group struct {
	Name string
	Bars []Bar
}

// Bar is one figure, with the lowest and the highest that were measured.
type Bar struct {
	Label string
	Kind  Kind
	Value float64
	Low   float64
	High  float64
	Text  string // the figure as it is to be read
}

// Measures of the picture, in pixels.
const (
	margin      = 28
	panelWidth  = 600
	panelGap    = 36
	labelWidth  = 232
	textWidth   = 104
	barHeight   = 15
	barPitch    = 20
	groupPitch  = 26
	panelHead   = 34
	head        = 76
	footerPitch = 16
	width       = 2*margin + 2*panelWidth + panelGap
)

var colours = map[Kind]string{Ours: "#0b7285", Peer: "#adb5bd", Limit: "#ffd8a8"}

// Draw returns the picture.
func (c *Chart) Draw() []byte {
	var b bytes.Buffer
	height := c.height()
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" `+
		`font-family="Helvetica, Arial, 'DejaVu Sans', sans-serif" font-size="12">`+"\n", width, height, width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", width, height)
	text(&b, margin, 38, `font-size="22" font-weight="bold" fill="#212529"`, c.Title)
	text(&b, margin, 60, `font-size="13" fill="#495057"`, c.Subtitle)
	y := head
	for i := 0; i < len(c.Panels); i += 2 {
		tallest := 0
		for k := i; k < min(i+2, len(c.Panels)); k++ {
			c.Panels[k].draw(&b, margin+(k-i)*(panelWidth+panelGap), y)
			tallest = max(tallest, c.Panels[k].height())
		}
		y += tallest
	}
	for i, line := range c.Footer {
		text(&b, margin, y+20+i*footerPitch, `font-size="11" fill="#868e96"`, line)
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

func (c *Chart) height() int {
	y := head
	for i := 0; i < len(c.Panels); i += 2 {
		tallest := c.Panels[i].height()
		if i+1 < len(c.Panels) {
			tallest = max(tallest, c.Panels[i+1].height())
		}
		y += tallest
	}
	return y + 20 + len(c.Footer)*footerPitch + margin/2
}

func (p *Panel) height() int {
	y := panelHead + 12
	for _, g := range p.Groups {
		y += groupPitch + len(g.Bars)*barPitch
	}
	return y
}

// highest is where the scale of the panel ends.
func (p *Panel) highest() float64 {
	highest := 0.0
	for _, g := range p.Groups {
		for _, bar := range g.Bars {
			highest = max(highest, bar.Value, bar.High)
		}
	}
	return max(highest, 1e-9)
}

func (p *Panel) draw(b *bytes.Buffer, x, y int) {
	text(b, x, y+20, `font-size="15" font-weight="bold" fill="#212529"`, p.Title)
	fmt.Fprintf(b, `<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="#ced4da"/>`+"\n", x, y+28, x+panelWidth, y+28)
	y += panelHead
	scale := float64(panelWidth-labelWidth-textWidth) / p.highest()
	for _, g := range p.Groups {
		text(b, x, y+17, `font-weight="bold" fill="#343a40"`, g.Name)
		y += groupPitch
		for _, bar := range g.Bars {
			bar.draw(b, x, y, scale)
			y += barPitch
		}
	}
}

func (bar *Bar) draw(b *bytes.Buffer, x, y int, scale float64) {
	from := float64(x + labelWidth)
	text(b, x+labelWidth-8, y+12, `text-anchor="end" fill="#343a40"`, bar.Label)
	fmt.Fprintf(b, `<rect x="%.1f" y="%d" width="%.1f" height="%d" rx="2" fill="%s"/>`+"\n",
		from, y, max(bar.Value*scale, 1), barHeight, colours[bar.Kind])
	end := bar.Value
	if bar.High > bar.Low {
		middle := float64(y) + barHeight/2.0
		fmt.Fprintf(b, `<path d="M%.1f %.1fH%.1fM%.1f %.1fv6M%.1f %.1fv6" stroke="#495057" fill="none"/>`+"\n",
			from+bar.Low*scale, middle, from+bar.High*scale, from+bar.Low*scale, middle-3, from+bar.High*scale, middle-3)
		end = max(end, bar.High)
	}
	weight := ""
	if bar.Kind == Ours {
		weight = ` font-weight="bold"`
	}
	text(b, int(from+end*scale)+6, y+12, `fill="#212529"`+weight, bar.Text)
}

func text(b *bytes.Buffer, x, y int, attributes, s string) {
	fmt.Fprintf(b, `<text x="%d" y="%d" %s>`, x, y, attributes)
	_ = xml.EscapeText(b, []byte(s)) // a buffer takes everything
	b.WriteString("</text>\n")
}
