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

// each calls take for every event that is read until ctx is done. Bad lines, and those whose events take refuses with an
// *auditstream.EventError, are reported and passed over. No event at all is an error.
func (s *source) each(ctx context.Context, account *report, take func(auditstream.Event) error) error {
	in, stop := interruptible(ctx, s.in)
	defer stop()
	for e, err := range parse(in) {
		if err == nil {
			err = take(e.Event)
		}
		if refused, ok := errors.AsType[*auditstream.EventError](err); ok {
			err = &lineError{line: e.line, err: fmt.Errorf("is refused: %w", refused)}
		}
		if bad, ok := errors.AsType[*lineError](err); ok {
			if s.skipped++; s.skipped <= maxNamed {
				account.line("skipped", "%v", bad)
			}
			continue
		}
		if err != nil && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		s.good++
	}
	if s.skipped > maxNamed {
		account.line("skipped", "and %d more", s.skipped-maxNamed)
	}
	if s.good == 0 {
		return fmt.Errorf("no event was read %s", s.origin())
	}
	return nil
}

// interruptible returns in as a reader that ends when ctx does, for a read of a terminal or a pipe cannot be called off.
// The goroutine that waits in such a read is left behind.
func interruptible(ctx context.Context, in io.Reader) (r io.Reader, stop func()) {
	out, feed := io.Pipe()
	go func() {
		_, err := io.Copy(feed, in)
		_ = feed.CloseWithError(err) // It always returns nil.
	}()
	unhook := context.AfterFunc(ctx, func() { _ = feed.CloseWithError(context.Cause(ctx)) })
	return out, func() {
		unhook()
		_ = out.Close() // It always returns nil, and ends the goroutine's next write.
	}
}

// String returns how many events came from where.
func (s *source) String() string {
	return fmt.Sprintf("%d, %s", s.good, s.origin())
}

func (s *source) origin() string {
	if s.skipped == 0 {
		return s.name
	}
	return fmt.Sprintf("%s; bad lines skipped: %d", s.name, s.skipped)
}
