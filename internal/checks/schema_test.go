package checks

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// root is the directory of the main module.
const root = "../.."

// eventSchema compiles the schema of an event.
func eventSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	schema, err := compiler.Compile(filepath.Join(root, "docs", "event.schema.json"))
	require.NoError(t, err)
	return schema
}

// documents reads the JSON values of a file: one, several one after the other, or one a line. Headers before an empty
// line are passed over.
func documents(t *testing.T, path string) []any {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	if _, body, ok := bytes.Cut(raw, []byte("\n\n")); ok && !bytes.HasPrefix(raw, []byte("{")) {
		raw = body
	}
	var docs []any
	for d := json.NewDecoder(bytes.NewReader(raw)); ; {
		d.UseNumber()
		var doc any
		err := d.Decode(&doc)
		if err == io.EOF {
			break
		}
		require.NoError(t, err, path)
		docs = append(docs, doc)
	}
	require.NotEmpty(t, docs, path)
	return docs
}

// files returns the files that match a pattern relative to root. There is at least one: a moved directory must not pass
// for a clean one.
func files(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, pattern))
	require.NoError(t, err)
	require.NotEmpty(t, paths, pattern)
	return paths
}

func TestGoldenDocumentsFollowTheSchema(t *testing.T) {
	t.Parallel()
	schema := eventSchema(t)
	whole := func(doc any) any { return doc }
	inEnvelope := func(doc any) any { return doc.(map[string]any)["event"] }
	for _, source := range []struct {
		pattern string
		event   func(doc any) any
	}{
		{"sink/internal/eventjson/testdata/*.json", whole},
		{"sink/sumologic/testdata/*.*", whole},
		{"sink/splunk/testdata/*.*", inEnvelope},
		{"examples/quickstart/events.ndjson", whole},
	} {
		t.Run(source.pattern, func(t *testing.T) {
			t.Parallel()
			for _, path := range files(t, source.pattern) {
				for i, doc := range documents(t, path) {
					assert.NoError(t, schema.Validate(source.event(doc)), "%s, document %d", path, i+1)
				}
			}
		})
	}
}

// TestTheSchemaRefusesBrokenDocuments breaks one thing at a time in the golden document that has everything.
func TestTheSchemaRefusesBrokenDocuments(t *testing.T) {
	t.Parallel()
	schema := eventSchema(t)
	whole := func() map[string]any {
		return documents(t, filepath.Join(root, "sink/internal/eventjson/testdata/full.json"))[0].(map[string]any)
	}
	require.NoError(t, schema.Validate(whole()))

	object := func(doc map[string]any, key string) map[string]any { return doc[key].(map[string]any) }
	first := func(doc map[string]any, key string) map[string]any { return doc[key].([]any)[0].(map[string]any) }
	tests := map[string]func(doc map[string]any){
		"an unknown key":                func(doc map[string]any) { doc["severity"] = "high" },
		"a timestamp in seconds":        func(doc map[string]any) { doc["timestamp"] = json.Number("1772600767") },
		"a timestamp in microseconds":   func(doc map[string]any) { doc["timestamp"] = json.Number("1772600767089000") },
		"a timestamp with a fraction":   func(doc map[string]any) { doc["timestamp"] = json.Number("1772600767089.5") },
		"a timestamp as text":           func(doc map[string]any) { doc["timestamp"] = "1772600767089" },
		"a time with an offset":         func(doc map[string]any) { doc["time"] = "2026-03-04T06:06:07.089000000+01:00" },
		"a time in milliseconds":        func(doc map[string]any) { doc["time"] = "2026-03-04T05:06:07.089Z" },
		"a time without a zone":         func(doc map[string]any) { doc["observed_time"] = "2026-03-04T05:06:07.089000000" },
		"a numeric id":                  func(doc map[string]any) { doc["id"] = json.Number("1") },
		"sequence 0":                    func(doc map[string]any) { doc["sequence"] = json.Number("0") },
		"a sequence that readers round": func(doc map[string]any) { doc["sequence"] = json.Number("9007199254740993") },
		"another version":               func(doc map[string]any) { doc["schema_version"] = "2" },
		"an empty outcome":              func(doc map[string]any) { doc["outcome"] = "" },
		"an actor that is a name":       func(doc map[string]any) { doc["actor"] = "Ada" },
		"an actor without an id":        func(doc map[string]any) { delete(object(doc, "actor"), "id") },
		"an actor with an e-mail":       func(doc map[string]any) { object(doc, "actor")["email"] = "ada@bank.example" },
		"an actor with an empty name":   func(doc map[string]any) { object(doc, "actor")["name"] = "" },
		"no target in targets":          func(doc map[string]any) { doc["targets"] = []any{} },
		"a target without an id":        func(doc map[string]any) { delete(first(doc, "targets"), "id") },
		"an empty source":               func(doc map[string]any) { doc["source"] = map[string]any{} },
		"a source with a port":          func(doc map[string]any) { object(doc, "source")["port"] = json.Number("443") },
		"a change without what was":     func(doc map[string]any) { delete(first(doc, "changes"), "before") },
		"a change without what is":      func(doc map[string]any) { delete(first(doc, "changes"), "after") },
		"attributes as a list":          func(doc map[string]any) { doc["attributes"] = []any{"a"} },
		"no attribute in attributes":    func(doc map[string]any) { doc["attributes"] = map[string]any{} },
		"a trace id in capitals":        func(doc map[string]any) { doc["trace_id"] = strings.ToUpper(doc["trace_id"].(string)) },
		"a span id of another length":   func(doc map[string]any) { doc["span_id"] = "00f067aa0ba902" },
		"null in place of a message":    func(doc map[string]any) { doc["message"] = nil },
	}
	for _, key := range []string{"timestamp", "time", "id", "schema_version", "action", "outcome", "actor"} {
		tests["no "+key] = func(doc map[string]any) { delete(doc, key) }
	}
	for _, name := range slices.Sorted(maps.Keys(tests)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc := whole()
			tests[name](doc)
			assert.Error(t, schema.Validate(doc))
		})
	}
}
