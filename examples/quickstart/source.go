package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/auditstream/auditstream"
)

// maxNamed is how many bad lines are named one by one.
const maxNamed = 20

// A source is where events come from.
type source struct {
	name string
	in   io.ReadCloser

	good    int
	skipped int
}

// openSource opens what -events names, or the bundled events.
func openSource(name string, stdin io.Reader) (*source, error) {
	switch name {
	case "":
		return &source{name: "bundled with the program", in: io.NopCloser(bytes.NewReader(bundled))}, nil
	case "-":
		return &source{name: "from standard input", in: io.NopCloser(stdin)}, nil
	}
	f, err := os.Open(name) //nolint:gosec // Which file to read is the user's choice.
	if err != nil {
		return nil, err
	}
	return &source{name: "from " + name, in: f}, nil
}

// each calls take for every event, until ctx is done. Bad lines are reported and passed over.
func (s *source) each(ctx context.Context, account *report, take func(auditstream.Event) error) error {
	for e, err := range parse(s.in) {
		if bad, ok := errors.AsType[*lineError](err); ok {
			if s.skipped++; s.skipped <= maxNamed {
				account.line("skipped", "%v", bad)
			}
			continue
		}
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		s.good++
		if err := take(e); err != nil {
			return err
		}
	}
	if s.skipped > maxNamed {
		account.line("skipped", "and %d more", s.skipped-maxNamed)
	}
	return nil
}

// String returns how many events came from where.
func (s *source) String() string {
	text := fmt.Sprintf("%d, %s", s.good, s.name)
	if s.skipped > 0 {
		text += fmt.Sprintf("; bad lines skipped: %d", s.skipped)
	}
	return text
}
