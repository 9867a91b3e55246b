package auditstream_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	goBlock   = regexp.MustCompile("(?s)```go\n(.*?)```")
	localLink = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
)

// TestReadmeIsTrue holds the Go snippets of the README against code that is compiled.
func TestReadmeIsTrue(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	var b strings.Builder
	for _, file := range []string{"example_test.go", "record_example_test.go"} {
		examples, err := os.ReadFile(file)
		require.NoError(t, err)
		b.WriteString(unindent(string(examples)))
	}
	compiled := b.String()
	blocks := goBlock.FindAllStringSubmatch(string(readme), -1)
	require.NotEmpty(t, blocks)
	for _, block := range blocks {
		assert.Contains(t, compiled, unindent(block[1]), "a snippet of README.md is in no example")
	}
}

// TestLinks follows the local links of every page beside the README.
func TestLinks(t *testing.T) {
	pages, err := filepath.Glob("*.md")
	require.NoError(t, err)
	require.Contains(t, pages, "README.md")
	for _, page := range append(pages, "peers/README.md") {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		prose := goBlock.ReplaceAllString(string(text), "")
		for _, link := range localLink.FindAllStringSubmatch(prose, -1) {
			_, err := os.Stat(filepath.Join(filepath.Dir(page), link[1]))
			assert.NoError(t, err, "a link of %s leads nowhere", page)
		}
	}
}

// unindent drops the white space at the start of lines.
func unindent(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimLeft(lines[i], "\t")
	}
	return strings.Join(lines, "\n")
}
