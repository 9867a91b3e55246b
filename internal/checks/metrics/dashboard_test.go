package metrics

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// rules reads the alert rules as Prometheus does.
func rules(t *testing.T) []rulefmt.Rule {
	t.Helper()
	path := filepath.Join(root, "docs", "dashboards", "alerts.yaml")
	groups, errs := rulefmt.ParseFile(path, false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	require.Empty(t, errs)
	require.Len(t, groups.Groups, 1)
	return groups.Groups[0].Rules
}

// dashboard reads the dashboard of Grafana.
func dashboard(t *testing.T) map[string]any {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, "docs", "dashboards", "auditstream.json"))
	require.NoError(t, err)
	var doc map[string]any
	require.NoError(t, json.Unmarshal(raw, &doc))
	return doc
}

// walk calls visit with every object in a document.
func walk(doc any, visit func(map[string]any)) {
	switch doc := doc.(type) {
	case map[string]any:
		visit(doc)
		for _, v := range doc {
			walk(v, visit)
		}
	case []any:
		for _, v := range doc {
			walk(v, visit)
		}
	}
}

// grafana replaces what Grafana puts into an expression before Prometheus gets it.
var grafana = strings.NewReplacer("$__rate_interval", "5m", "$__range", "6h", "$stream", ".+")

// checkExpression holds the names in an expression against what is exposed.
func checkExpression(t *testing.T, seen exposed, text string) {
	t.Helper()
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(grafana.Replace(text))
	require.NoError(t, err, text)
	var metrics []string
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if selector, ok := node.(*parser.VectorSelector); ok {
			metrics = append(metrics, selector.Name)
			checkSelector(t, seen, selector)
		}
		return nil
	})
	require.NotEmpty(t, metrics, text)
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		switch node := node.(type) {
		case *parser.AggregateExpr:
			assert.False(t, node.Without, "%s: a label that comes later must not split what is added up", text)
			for _, label := range node.Grouping {
				checkLabel(t, seen, metrics, label)
			}
		case *parser.BinaryExpr:
			if node.VectorMatching != nil {
				for _, label := range append(node.VectorMatching.MatchingLabels, node.VectorMatching.Include...) {
					checkLabel(t, seen, metrics, label)
				}
			}
		}
		return nil
	})
}

// checkSelector looks whether a metric, its labels and the values asked for exist.
func checkSelector(t *testing.T, seen exposed, selector *parser.VectorSelector) {
	t.Helper()
	require.Contains(t, seen, selector.Name, "there is no such metric")
	types := 0
	for _, m := range selector.LabelMatchers {
		if m.Name == model.MetricNameLabel {
			continue
		}
		values, ok := seen[selector.Name][m.Name]
		require.True(t, ok, "%s has no label %s", selector.Name, m.Name)
		found := m.Type == labels.MatchEqual && m.Value == "" // the series that lack it
		for value := range values {
			found = found || m.Matches(value)
		}
		assert.True(t, found, "no series of %s has %s", selector.Name, m)
		if m.Type == labels.MatchNotEqual { // what is left out has to be there, or leaving it out is a slip
			assert.True(t, values[m.Value], "no series of %s has %s", selector.Name, m.Value)
		}
		if m.Name == "otel_component_type" {
			types++
		}
	}
	if strings.HasPrefix(selector.Name, "otel_") {
		assert.Equal(t, 1, types, "%s may be an SDK's as well: tell them apart by otel_component_type", selector)
	}
}

// checkLabel looks whether one of several metrics has a label.
func checkLabel(t *testing.T, seen exposed, metrics []string, label string) {
	t.Helper()
	for _, name := range metrics {
		if len(seen[name][label]) > 0 {
			return
		}
	}
	assert.Fail(t, "no such label", "none of %v has the label %s", metrics, label)
}

var (
	legendLabel   = regexp.MustCompile(`{{\s*([a-z_]+)\s*}}`)
	templateLabel = regexp.MustCompile(`\$labels\.([a-z_]+)`)
	labelValues   = regexp.MustCompile(`^label_values\((.+), ([a-z_]+)\)$`)
)

// TestDashboardNamesExist holds every metric and label that the dashboard names against what the exporter exposes.
func TestDashboardNamesExist(t *testing.T) {
	doc := dashboard(t)
	synctest.Test(t, func(t *testing.T) {
		seen := live(t)
		expressions, queries := 0, 0
		used := make(map[string]bool)
		walk(doc, func(o map[string]any) {
			if text, ok := o["expr"].(string); ok {
				expressions++
				checkExpression(t, seen, text)
				expr, err := parser.NewParser(parser.Options{}).ParseExpr(grafana.Replace(text))
				require.NoError(t, err)
				var metrics []string
				parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
					if selector, ok := node.(*parser.VectorSelector); ok {
						used[selector.Name] = true
						metrics = append(metrics, selector.Name)
					}
					return nil
				})
				legend, _ := o["legendFormat"].(string)
				for _, label := range legendLabel.FindAllStringSubmatch(legend, -1) {
					checkLabel(t, seen, metrics, label[1])
					assert.Contains(t, text, "by ("+label[1], "the legend shows a label that is added up")
				}
			}
			if text, ok := o["query"].(string); ok && strings.HasPrefix(text, "label_values") {
				queries++
				parts := labelValues.FindStringSubmatch(text)
				require.NotNil(t, parts, text)
				checkExpression(t, seen, parts[1])
				checkLabel(t, seen, []string{parts[1]}, parts[2])
			}
		})
		assert.Greater(t, expressions, 20)
		assert.Equal(t, 1, queries)
		for name := range seen {
			shown := used[name] || name == "target_info" || strings.HasSuffix(name, "_sum") || strings.HasSuffix(name, "_count")
			assert.True(t, shown, "%s is on no panel", name)
		}
	})
}

// TestDashboardCanBeImported looks at what Grafana needs to import it into another installation: a data source that is
// chosen there, and ids of their own.
func TestDashboardCanBeImported(t *testing.T) {
	doc := dashboard(t)
	assert.NotEmpty(t, doc["title"])
	assert.NotEmpty(t, doc["uid"])
	assert.NotContains(t, doc, "id", "the number of a dashboard belongs to one installation")
	variables := make(map[string]string)
	templating, ok := doc["templating"].(map[string]any)
	require.True(t, ok)
	walk(templating["list"], func(o map[string]any) {
		if name, ok := o["name"].(string); ok {
			variables[name], _ = o["type"].(string)
		}
	})
	assert.Equal(t, map[string]string{"datasource": "datasource", "stream": "query"}, variables)
	ids := make(map[float64]bool)
	panels, ok := doc["panels"].([]any)
	require.True(t, ok)
	taken := make(map[[2]int]string)
	for _, p := range panels {
		panel, ok := p.(map[string]any)
		require.True(t, ok)
		title, _ := panel["title"].(string)
		id, ok := panel["id"].(float64)
		require.True(t, ok)
		assert.False(t, ids[id], "%s has the id of another panel", title)
		ids[id] = true
		at, ok := panel["gridPos"].(map[string]any)
		require.True(t, ok)
		left, top := int(at["x"].(float64)), int(at["y"].(float64))
		for x := left; x < left+int(at["w"].(float64)); x++ {
			assert.Less(t, x, 24, "%s reaches beyond the page", title)
			for y := top; y < top+int(at["h"].(float64)); y++ {
				assert.Empty(t, taken[[2]int{x, y}], "%s lies over another panel", title)
				taken[[2]int{x, y}] = title
			}
		}
	}
	walk(doc, func(o map[string]any) {
		if source, ok := o["datasource"]; ok {
			assert.Equal(t, map[string]any{"type": "prometheus", "uid": "${datasource}"}, source)
		}
		if _, ok := o["expr"]; ok {
			assert.Contains(t, o["expr"], `otel_component_name=~"$stream"`)
			assert.Contains(t, o, "datasource")
		}
	})
}

// TestAlertNamesExist does for the rules what TestDashboardNamesExist does for the dashboard.
func TestAlertNamesExist(t *testing.T) {
	all := rules(t)
	assert.Len(t, all, 3)
	synctest.Test(t, func(t *testing.T) {
		seen := live(t)
		for _, rule := range all {
			checkExpression(t, seen, rule.Expr)
			var metrics []string
			for name := range seen {
				if strings.Contains(rule.Expr, name) {
					metrics = append(metrics, name)
				}
			}
			for _, text := range rule.Annotations {
				for _, label := range templateLabel.FindAllStringSubmatch(text, -1) {
					checkLabel(t, seen, metrics, label[1])
				}
			}
			assert.Contains(t, rule.Labels, "severity")
		}
	})
}
