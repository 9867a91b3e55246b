package peers

import (
	"log/slog"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/bearertokenauthextension"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/xconfmap"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"

	"github.com/auditstream/auditstream/internal/canary"
)

// blocks returns the code blocks of the guide on OpenTelemetry in a language.
func blocks(t *testing.T, language string) []string {
	t.Helper()
	guide, err := os.ReadFile("../docs/opentelemetry.md")
	require.NoError(t, err)
	var all []string
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(guide), -1) {
		all = append(all, m[1])
	}
	return all
}

// TestCollectorConfigurationOfTheGuide lets the Collector's own components read the configuration that the guide shows.
func TestCollectorConfigurationOfTheGuide(t *testing.T) {
	shown := blocks(t, "yaml")
	require.Len(t, shown, 1)
	retrieved, err := confmap.NewRetrievedFromYAML([]byte(strings.ReplaceAll(shown[0], "${env:AUDIT_TOKEN}", canary.Secret)))
	require.NoError(t, err)
	conf, err := retrieved.AsConf()
	require.NoError(t, err)
	for path, cfg := range map[string]any{
		"receivers::otlp":             otlpreceiver.NewFactory().CreateDefaultConfig(),
		"extensions::bearertokenauth": bearertokenauthextension.NewFactory().CreateDefaultConfig(),
	} {
		sub, err := conf.Sub(path)
		require.NoError(t, err)
		require.NotEmpty(t, sub.AllKeys(), path)
		require.NoError(t, sub.Unmarshal(cfg), path)
		assert.NoError(t, xconfmap.Validate(cfg), path)
	}
}

// TestQueriesOfTheGuide finds a repeat and a hole with the queries that the guide shows. The hole is an event that
// VictoriaLogs takes and does not keep.
func TestQueriesOfTheGuide(t *testing.T) {
	t.Parallel()
	queries := blocks(t, "logsql")
	require.Len(t, queries, 2)
	db := startDatabase(t, canary.Secret)
	opened, err := db.destination(newHost(t, 100), canary.Secret).Open()
	require.NoError(t, err)
	batch := small(numbered(1, 4))
	for i := range batch {
		batch[i].Sequence, batch[i].StreamID = uint64(i+1), "a stream"
	}
	batch[1].Attributes = []slog.Attr{slog.Bool(strings.Repeat("long", 40), true)}
	for _, again := range []int{4, 1} {
		n, err := opened.Deliver(t.Context(), batch[:again])
		require.NoError(t, err)
		require.Equal(t, again, n)
	}
	db.settle()
	repeats, holes := db.query(queries[0]), db.query(queries[1])
	require.Len(t, repeats, 1)
	assert.Equal(t, map[string]string{"audit.record.id": batch[0].ID, "copies": "2"}, repeats[0])
	require.Len(t, holes, 1)
	assert.Equal(t, "a stream", holes[0]["audit.source.id"])
	assert.Equal(t, "1", holes[0]["missing"])
}
