// Quickstart walks through the whole life of an audit stream. Without arguments it needs nothing but itself: it starts
// fake SIEM servers on loopback, streams a few hundred made-up audit events to them over OTLP, Splunk and Sumo Logic,
// breaks a few things on the way, and accounts for every event in the end.
//
//	go run ./examples/quickstart
//	go run ./examples/quickstart -events audit.log
//	tail -n 1000 audit.log | go run ./examples/quickstart -events -
//	go run ./examples/quickstart -otlp-endpoint https://collector.example:4318/v1/logs
//
// With -events it takes newline-delimited JSON: events in the form of docs/event.schema.json, and lines of a Kubernetes
// audit log. With an endpoint it streams to that instead of the fakes. See -help.
//
// It exits with 0 only if every event is accounted for, with 2 if it was called wrongly, and with 1 otherwise.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
)

const (
	exitFailure = 1
	exitUsage   = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second interrupt ends the process
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr))
}

// run is the program without its process.
func run(
	ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer,
) int {
	opts, err := parseOptions(args, getenv, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return fail(stderr, err, exitUsage)
	}
	source, err := openSource(opts.events, stdin)
	if err != nil {
		return fail(stderr, err, exitFailure)
	}
	defer source.in.Close()
	account := &report{out: stdout}
	if opts.destination != nil {
		err = stream(ctx, account, opts, source)
	} else {
		err = tour(ctx, account, source)
	}
	if err = errors.Join(err, account.err); err != nil {
		return fail(stderr, err, exitFailure)
	}
	return 0
}

// fail prints err and returns code. When even standard error is gone, the code has to do.
func fail(stderr io.Writer, err error, code int) int {
	_, _ = fmt.Fprintln(stderr, "quickstart:", err)
	return code
}
