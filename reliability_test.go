package auditstream_test

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	faultRow  = regexp.MustCompile(`(?m)^\| (\d+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$`)
	faultTest = regexp.MustCompile("\\[`?((?:Test|Fuzz)[A-Za-z0-9_]+)`?\\]\\(([^)]+_test\\.go)\\)")
)

// unwanted are the numbers in the list of faults that belong to a durable queue, which there is none of yet.
func unwanted(n int) bool { return n == 43 || n >= 47 && n <= 51 || n >= 84 && n <= 93 || n == 107 }

// TestReliabilityIsTrue holds the table of faults against the tests that it names: each fault has its row, in order, and
// each row names a test that is there, or says why there is none.
func TestReliabilityIsTrue(t *testing.T) {
	text, err := os.ReadFile("RELIABILITY.md")
	require.NoError(t, err)
	rows := faultRow.FindAllStringSubmatch(string(text), -1)
	next := 1
	for _, row := range rows {
		n, err := strconv.Atoi(row[1])
		require.NoError(t, err)
		for unwanted(next) {
			next++
		}
		require.Equal(t, next, n, "the faults are in order and whole")
		next++
		tests := faultTest.FindAllStringSubmatch(row[4], -1)
		if len(tests) == 0 {
			assert.Contains(t, row[4], "not tested:", "fault %d names no test and no reason", n)
		}
		for _, test := range tests {
			source, err := os.ReadFile(test[2])
			require.NoError(t, err, "fault %d", n)
			assert.Contains(t, string(source), "func "+test[1]+"(", "fault %d names a test that is not in %s", n, test[2])
		}
	}
	assert.Equal(t, 111, next, "the last fault is 110")
	for _, link := range localLink.FindAllStringSubmatch(string(text), -1) {
		_, err := os.Stat(strings.TrimSpace(link[1]))
		assert.NoError(t, err, "a link of RELIABILITY.md leads nowhere")
	}
}
