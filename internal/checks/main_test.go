package checks

import (
	"flag"
	"os"
	"testing"
)

// TestMain raises the number of random runs from rapid's 100: a run of the Stream's model takes some 5 ms, and its
// steps are many. -rapid.checks on the command line still has the last word.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "2000"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
