package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// round returns figures of a round of 1,000 events.
func round(cpu, wall time.Duration) figures {
	return figures{
		Events: 1000, CPU: cpu, Wall: wall, Looping: wall, Publisher: cpu / 2, Allocs: 250, Peak: 3 << 20, Requests: 2,
		Bytes: 500_000,
	}
}

// sampleResults are of two rounds, in which everybody but auditstream takes three times as long.
func sampleResults() *results {
	r := &results{Events: 1000, Rounds: 2, Date: "2026-03-14", Machine: "a machine", Versions: []string{"module v1"}}
	for _, c := range contenders() {
		times := time.Duration(3)
		if strings.HasPrefix(c.name, nameOurs) {
			times = 1
		}
		r.outcomes = append(r.outcomes, outcome{contender: c, rounds: []figures{
			round(times*2*time.Millisecond, times*time.Millisecond),
			round(times*4*time.Millisecond, times*2*time.Millisecond),
		}})
	}
	r.pending = []pending{{Events: 1000, Empty: 1000, Heap: 700, JSON: 1000}}
	r.streams = []streams{{Driver: driverHTTP, Streams: 10, Unused: 5000, Idle: 9000, IdleGo: 1, Wait: 60}}
	r.distances = []distance{{driverHTTP, 1, 10_000, 1000}, {driverHTTP, 2, 19_000, 1000}, {driverHTTP, 4, 39_000, 1000}, {driverHTTP, 8, 60_000, 1000}}
	r.idle = []idle{{driverHTTP, []float64{200, 201, 202}, []float64{1}, []float64{2, 3}}}
	return r
}

func TestMarkdown(t *testing.T) {
	text := string(sampleResults().markdown())
	for _, want := range []string{
		"2026-03-14. a machine.",
		"| auditstream | 3.00 (2.00–4.00) | 1.00 | 750000 (500000–1000000) | 1.00 | 500 | 0.25 | 3 |",
		"| Collector's exporter | 9.00 (6.00–12.00) | 3.00 | 250000 (166667–333333) | 0.33 | 500 | 0.25 | 3 |",
		"| memory copy of the same bytes | 9.00 (6.00–12.00) | 3.00 | 250000 (166667–333333) | 0.33 | – | 0.25 | 3 |",
		"| auditstream, 8 goroutines | – | – | 1500 (1000–2000) | 3000 (2000–4000) | 1.00 | 0.25 | 3 |",
		"| log/slog, JSONHandler, discarded | 4500 (3000–6000) | 3.00 | 4500 (3000–6000) | 9000 (6000–12000) | 3.00 | 0.25 | 3 |",
		"| OTLP/HTTP | 10000 | 19000 (0.95 N) | 39000 (0.97 N) | 60000 (0.75 N) |",
		"| OTLP/HTTP | 201.0, 201.8, 202.0 | 1.0, 1.0, 1.0 | 2.5, 2.9, 3.0 |",
		"- module v1\n",
	} {
		assert.Contains(t, text, want)
	}
}

// TestTablesAreWhole: every row has as many cells as the head of its table.
func TestTablesAreWhole(t *testing.T) {
	cells := 0
	for line := range strings.Lines(string(sampleResults().markdown())) {
		if !strings.HasPrefix(line, "|") {
			cells = 0
			continue
		}
		n := strings.Count(line, "|")
		if cells == 0 {
			cells = n
		}
		assert.Equal(t, cells, n, line)
	}
}

func TestRatioIsOfEachRound(t *testing.T) {
	// The machine was three times slower in the second round, for both.
	slow := outcome{rounds: []figures{round(2*time.Millisecond, 1), round(6*time.Millisecond, 1), round(9*time.Millisecond, 1)}}
	fast := outcome{rounds: []figures{round(1*time.Millisecond, 1), round(3*time.Millisecond, 1), round(1*time.Millisecond, 1)}}
	r := &results{}
	assert.InDelta(t, 2, r.ratio(&slow, &fast, cpuOf), 1e-9)
	assert.True(t, math.IsNaN(r.ratio(&slow, nil, cpuOf)))
}

func TestVerdict(t *testing.T) {
	tests := map[string]struct {
		goal goal
		want string
	}{
		"at most, missed":        {goal{value: 0.61, must: 0.6, reach: 0.5}, "**missed**"},
		"at most, reached":       {goal{value: 0.6, must: 0.6, reach: 0.5}, "reached"},
		"at most, reached all":   {goal{value: 0.5, must: 0.6, reach: 0.5}, "reached, and what it reaches for"},
		"at least, missed":       {goal{value: 6.9, must: 7, reach: 10, atLeast: true}, "**missed**"},
		"at least, reached":      {goal{value: 7, must: 7, reach: 10, atLeast: true}, "reached"},
		"at least, reached all":  {goal{value: 11, must: 7, reach: 10, atLeast: true}, "reached, and what it reaches for"},
		"nothing to reach for":   {goal{value: 1, must: 1}, "reached"},
		"not measured, at least": {goal{must: 1, atLeast: true}, "**missed**"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { assert.Equal(t, test.want, test.goal.verdict()) })
	}
}

func TestGoalsOfNobody(t *testing.T) {
	r := sampleResults()
	r.outcomes = r.outcomes[:1]
	for _, g := range r.goals() {
		assert.NotContains(t, g.what, "CPU against")
		assert.NotContains(t, g.what, "Publish against Emit")
	}
}

func TestGoalsSayWhatIsMissed(t *testing.T) {
	verdicts := make(map[string]string)
	for _, g := range sampleResults().goals() {
		verdicts[g.what] = g.verdict()
	}
	assert.Equal(t, "reached", verdicts["Splunk: CPU against the Collector's exporter"])
	assert.Equal(t, "**missed**", verdicts["Sumo Logic: CPU against the Collector's exporter"])
	assert.Equal(t, "reached", verdicts["10 streams, OTLP/HTTP: heap bytes each, never used"])
	assert.Equal(t, "**missed**", verdicts["10 streams, OTLP/HTTP: heap bytes each, 60 s after an event"])
	assert.Equal(t, "**missed**", verdicts["10 streams, OTLP/HTTP: goroutines each, 60 s after an event"])
	assert.Equal(t, "**missed**", verdicts["round trips of 50ms, OTLP/HTTP: the least share of N times the throughput, N up to 8"])
	assert.Equal(t, "reached", verdicts["1000 pending: heap against their JSON"])
}

func TestPicture(t *testing.T) {
	svg := string(sampleResults().picture())
	for _, want := range []string{"<svg ", "a machine", "module v1", "OTLP/gRPC, gzip", "hashicorp/eventlogger", "(3.0×)", "(0.95 × 2)"} {
		assert.Contains(t, svg, want)
	}
}

func TestInsert(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.md")
	require.NoError(t, os.WriteFile(path, []byte("before\n<!-- results -->\nold\n<!-- /results -->\nafter\n"), 0o600))
	require.NoError(t, insert(path, []byte("new\n")))
	require.NoError(t, insert(path, []byte("newer\n")))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "before\n<!-- results -->\n\nnewer\n\n<!-- /results -->\nafter\n", string(text))

	require.NoError(t, os.WriteFile(path, []byte("no place"), 0o600))
	require.Error(t, insert(path, []byte("new\n")))
	text, err = os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "no place", string(text))
}
