// Search looks for the secret of the tests in files, such as what "go test -v" has printed, and fails if a form of it is
// there. It says where, and does not repeat it.
//
//	go run ./internal/canary/search FILE…
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/auditstream/auditstream/internal/canary"
)

func main() {
	failed := len(os.Args) < 2
	if failed {
		fmt.Fprintln(os.Stderr, "usage: search FILE…")
	}
	for _, path := range os.Args[1:] {
		text, err := os.ReadFile(path) //nolint:gosec // the files to read are what this program is called with
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			failed = true
			continue
		}
		for _, found := range search(string(text)) {
			fmt.Fprintf(os.Stderr, "%s:%s\n", path, found)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}

// search returns the lines that hold the secret, as "12: the secret, as it is". A secret that a line break cuts in two is
// found last, without a line.
func search(text string) []string {
	var found []string
	number := 0
	for line := range strings.Lines(text) {
		number++
		if form := canary.Find(line, canary.Secret); form != "" {
			found = append(found, fmt.Sprintf("%d: the secret, %s", number, form))
		}
	}
	if joined := strings.NewReplacer("\n", "", "\r", "", " ", "").Replace(text); found == nil {
		if form := canary.Find(joined, canary.Secret); form != "" {
			found = append(found, " the secret over several lines, "+form)
		}
	}
	return found
}
