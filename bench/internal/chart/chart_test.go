package chart_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/bench/internal/chart"
)

// element is a shape, with its attributes and its text.
type element struct {
	name       string
	attributes map[string]string
	text       string
}

// parse reads a picture, which fails if it is no XML.
func parse(t *testing.T, svg []byte) []element {
	t.Helper()
	var all []element
	for decoder := xml.NewDecoder(bytes.NewReader(svg)); ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		switch token := token.(type) {
		case xml.StartElement:
			e := element{name: token.Name.Local, attributes: make(map[string]string)}
			for _, a := range token.Attr {
				e.attributes[a.Name.Local] = a.Value
			}
			all = append(all, e)
		case xml.CharData:
			if len(all) > 0 {
				all[len(all)-1].text += strings.TrimSuffix(string(token), "\n")
			}
		}
	}
}

func number(t *testing.T, e element, attribute string) float64 {
	t.Helper()
	f, err := strconv.ParseFloat(e.attributes[attribute], 64)
	require.NoError(t, err, "%s of %v", attribute, e)
	return f
}

func sample() chart.Chart {
	bars := []chart.Bar{
		{Label: "ours", Kind: chart.Ours, Value: 2, Low: 1, High: 3, Text: "2.0"},
		{Label: "a peer & <another>", Kind: chart.Peer, Value: 4, Low: 4, High: 4, Text: "4.0"},
		{Label: "nothing", Kind: chart.Limit, Text: "0"},
	}
	panel := chart.Panel{Title: "panel", Groups: []chart.Group{{Name: "group", Bars: bars}, {Name: "again", Bars: bars}}}
	return chart.Chart{
		Title: "title", Subtitle: "subtitle", Panels: []chart.Panel{panel, panel, {Title: "empty"}},
		Footer: []string{"the machine", "the versions"},
	}
}

func TestDraw(t *testing.T) {
	c := sample()
	all := parse(t, c.Draw())
	require.Equal(t, "svg", all[0].name)
	width, height := number(t, all[0], "width"), number(t, all[0], "height")

	var texts []string
	var bars []element
	for _, e := range all[1:] {
		switch e.name {
		case "text":
			texts = append(texts, e.text)
			assert.Less(t, number(t, e, "y"), height, "%q is outside", e.text)
			assert.Less(t, number(t, e, "x"), width, "%q is outside", e.text)
		case "rect":
			if e.attributes["rx"] != "" {
				bars = append(bars, e)
			}
			assert.LessOrEqual(t, number(t, e, "width"), width)
		}
	}
	for _, want := range []string{"title", "subtitle", "panel", "empty", "group", "ours", "2.0", "the machine", "the versions"} {
		assert.Contains(t, texts, want, "the picture does not say so")
	}
	require.Len(t, bars, 12)
	assert.InDelta(t, 2, number(t, bars[1], "width")/number(t, bars[0], "width"), 0.01)
	assert.InDelta(t, 1, number(t, bars[2], "width"), 0.01)
	assert.NotEqual(t, bars[0].attributes["fill"], bars[1].attributes["fill"])
}

func TestDrawEscapes(t *testing.T) {
	c := sample()
	found := false
	for _, e := range parse(t, c.Draw()) {
		found = found || e.text == "a peer & <another>"
	}
	assert.True(t, found)
}
