package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/sink"
)

var (
	// errUnaccounted is why the program fails when events are not where they should be.
	errUnaccounted = errors.New("not every event is accounted for")

	errTest    = errors.New("the destination did not take the test event")
	errTimeout = errors.New("the time that -timeout gives is over")
)

// stream delivers everything from source to a real destination.
func stream(ctx context.Context, account *report, opts options, from *source) error {
	s, err := auditstream.New(auditstream.Config{
		Name: "quickstart",
		OnReject: func(r auditstream.Rejection) {
			account.problem("rejected", fmt.Errorf("%d of them: %w", r.Count, r.Err))
		},
	})
	if err != nil {
		return err
	}
	account.step("Test "+opts.destination.String(), "One marked event, before anything is saved.")
	if err := try(ctx, account, opts, s); err != nil {
		return err
	}

	defer context.AfterFunc(ctx, func() {
		account.line("interrupted", "what was read is delivered first; interrupt again to stop at once")
	})()
	account.step("Configure and publish", "Publish waits only if the queue is full.")
	if err := s.Configure(opts.destination); err != nil {
		return err
	}
	err = from.each(ctx, account, func(e auditstream.Event) error {
		return s.PublishContext(ctx, e)
	})
	account.line("events", "%v", from)

	account.step("Shut down", "What is queued is delivered first, for as long as -timeout allows.")
	// An interrupt ends ctx, but what has been read is still delivered.
	drain, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), opts.timeout, errTimeout)
	defer cancel()
	err = errors.Join(err, s.Shutdown(drain))
	status := s.Status()
	if status.LastError != nil && status.Totals.Discarded > 0 {
		account.problem("last error", status.LastError)
	}
	account.ledger(status.Totals)
	t := status.Totals
	switch {
	case err != nil:
		return err
	case !balanced(t), t.Discarded+t.Pending > 0, t.Accepted != uint64(from.good): //nolint:gosec // A count is never negative.
		return errUnaccounted
	}
	account.line("verdict", "every event is accounted for")
	return nil
}

// try sends the test event.
func try(ctx context.Context, account *report, opts options, s *auditstream.Stream) error {
	ctx, cancel := context.WithTimeoutCause(ctx, opts.timeout, errTimeout)
	defer cancel()
	err := s.Test(ctx, opts.destination)
	if err == nil {
		account.line("arrived", "one event, auditstream.test")
		return nil
	}
	if _, ok := errors.AsType[*sink.ConfigError](err); ok {
		return err
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", errTest, context.Cause(ctx))
	}
	account.problem("failed", err)
	return errTest
}
