package stats_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/auditstream/auditstream/bench/internal/stats"
)

func TestOf(t *testing.T) {
	tests := map[string]struct {
		figures []float64
		want    stats.Summary
	}{
		"none": {nil, stats.Summary{}},
		"one":  {[]float64{3}, stats.Summary{Median: 3, Min: 3, Max: 3}},
		"odd":  {[]float64{9, 1, 4}, stats.Summary{Median: 4, Min: 1, Max: 9}},
		"even": {[]float64{8, 2, 4, 1}, stats.Summary{Median: 3, Min: 1, Max: 8}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { assert.Equal(t, test.want, stats.Of(test.figures)) })
	}
}

func TestOfLeavesTheFiguresAlone(t *testing.T) {
	figures := []float64{3, 1, 2}
	stats.Of(figures)
	assert.Equal(t, []float64{3, 1, 2}, figures)
}

func TestQuantile(t *testing.T) {
	sorted := []float64{10, 20, 30, 40, 50}
	assert.InDelta(t, 10, stats.Quantile(sorted, 0), 1e-9)
	assert.InDelta(t, 46, stats.Quantile(sorted, 0.9), 1e-9)
	assert.InDelta(t, 50, stats.Quantile(sorted, 1), 1e-9)
	assert.Zero(t, stats.Quantile(nil, 0.5))
}
