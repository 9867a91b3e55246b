package metrics

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// everywhere are the labels that every series has: of the stream, of the scope, and of the scrape.
var everywhere = []string{
	"__name__", "instance", "job", "otel_component_name", "otel_component_type",
	"otel_scope_name", "otel_scope_schema_url", "otel_scope_version",
}

var prometheusRow = regexp.MustCompile("(?m)^\\| ((?:`[a-z_]+`(?:, )?)+) \\|([^|]*)\\|$")

// documented reads the table of docs/metrics.md that has the names of Prometheus: the labels of each metric.
func documented(t *testing.T) map[string][]string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(root, "docs", "metrics.md"))
	require.NoError(t, err)
	_, table, ok := strings.Cut(string(page), "\n## Prometheus\n")
	require.True(t, ok)
	table, _, _ = strings.Cut(table, "\n## ")
	words := func(cell string) []string {
		var all []string
		for word := range strings.SplitSeq(cell, ",") {
			if word = strings.Trim(word, " `"); word != "" {
				all = append(all, word)
			}
		}
		return all
	}
	metrics := make(map[string][]string)
	for _, row := range prometheusRow.FindAllStringSubmatch(table, -1) {
		base := ""
		for _, name := range words(row[1]) {
			if strings.HasPrefix(name, "_") { // a suffix beside the whole name
				name = strings.TrimSuffix(base, "_bucket") + name
			} else {
				base = name
			}
			metrics[name] = words(row[2])
		}
	}
	require.NotEmpty(t, metrics)
	return metrics
}

// TestPrometheusNamesAreDocumented compares the names that come out of the exporter with the table about them.
func TestPrometheusNamesAreDocumented(t *testing.T) {
	want := documented(t)
	synctest.Test(t, func(t *testing.T) {
		seen := live(t)
		for name, labels := range seen {
			if name == "target_info" { // the exporter's own, about the process
				continue
			}
			expected, ok := want[name]
			require.True(t, ok, "%s is exposed and not documented", name)
			for label := range labels {
				if !slices.Contains(everywhere, label) && (label != "le" || strings.HasSuffix(name, "_bucket")) {
					assert.Contains(t, expected, label, "a label of %s", name)
				}
			}
			for _, label := range everywhere {
				assert.NotEmpty(t, labels[label], "%s has no %s", name, label)
			}
		}
		for name, labels := range want {
			require.Contains(t, seen, name, "it is documented and not exposed")
			for _, label := range labels {
				if label != "le" || strings.HasSuffix(name, "_bucket") {
					assert.Contains(t, seen[name], label, "a label of %s is documented and not exposed", name)
				}
			}
		}
	})
}

// TestSeriesAreFew counts what one stream costs a Prometheus.
func TestSeriesAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t, auditConfig)
		d.publish(3)
		synctest.Wait()
		assert.Less(t, len(d.scrape()), 70, "after the first attempt")
		d.stop()
	})
}
