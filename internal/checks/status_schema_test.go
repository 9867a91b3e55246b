package checks

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// statusSchema compiles the schema of a status.
func statusSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	schema, err := compiler.Compile(filepath.Join(root, "docs", "status.schema.json"))
	require.NoError(t, err)
	return schema
}

// TestStatusesMatchTheSchema validates what a stream says of itself, as golden files have it, and the example on the page
// about it.
func TestStatusesMatchTheSchema(t *testing.T) {
	schema := statusSchema(t)
	for _, path := range files(t, "testdata/status/*.json") {
		for _, doc := range documents(t, path) {
			assert.NoError(t, schema.Validate(doc), path)
		}
	}
	page, err := os.ReadFile(filepath.Join(root, "docs", "status.md"))
	require.NoError(t, err)
	_, rest, ok := strings.Cut(string(page), "```json\n")
	require.True(t, ok, "the page has an example")
	example, _, _ := strings.Cut(rest, "```")
	var doc any
	require.NoError(t, json.Unmarshal([]byte(example), &doc))
	assert.NoError(t, schema.Validate(doc))
}

// TestStatusSchemaIsExact changes a valid status into ones that are not.
func TestStatusSchemaIsExact(t *testing.T) {
	schema := statusSchema(t)
	valid := func() map[string]any {
		doc, ok := documents(t, filepath.Join(root, "testdata", "status", "blocked.json"))[0].(map[string]any)
		require.True(t, ok)
		return doc
	}
	require.NoError(t, schema.Validate(valid()))
	for name, change := range map[string]func(map[string]any){
		"another key":        func(doc map[string]any) { doc["secret"] = "x" },
		"a key less":         func(doc map[string]any) { delete(doc, "nextAttempt") },
		"an unknown state":   func(doc map[string]any) { doc["state"] = "broken" },
		"a time with a zone": func(doc map[string]any) { doc["stateSince"] = "2026-03-02T09:14:05+01:00" },
		"no remedy":          func(doc map[string]any) { doc["lastError"].(map[string]any)["remedy"] = "" },
		"a negative count":   func(doc map[string]any) { doc["totals"].(map[string]any)["pending"] = json.Number("-1") },
	} {
		t.Run(name, func(t *testing.T) {
			doc := valid()
			change(doc)
			assert.Error(t, schema.Validate(doc))
		})
	}
}
