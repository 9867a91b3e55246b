package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/auditstream/auditstream"
)

// errUnaccounted is why the program fails when events are not where they should be.
var errUnaccounted = errors.New("not every event is accounted for")

// stream delivers everything from source to a real destination.
func stream(ctx context.Context, account *report, opts options, from *source) error {
	refused := 0
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
	if err := within(ctx, opts, func(ctx context.Context) error { return s.Test(ctx, opts.destination) }); err != nil {
		account.problem("failed", err)
		return err
	}
	account.line("arrived", "one event, auditstream.test")

	account.step("Configure and publish", "Publish waits only if the queue is full.")
	if err := s.Configure(opts.destination); err != nil {
		return err
	}
	err = from.each(ctx, account, func(e auditstream.Event) error {
		err := s.PublishContext(ctx, e)
		if _, ok := errors.AsType[*auditstream.EventError](err); ok {
			refused++
			account.line("refused", "event %d: %v", from.good, err)
			return nil
		}
		return err
	})
	account.line("events", "%v", from)

	account.step("Shut down", "What is queued is delivered first, for as long as -timeout allows.")
	err = errors.Join(err, within(ctx, opts, s.Shutdown))
	status := s.Status()
	if status.LastError != nil && status.Totals.Discarded > 0 {
		account.problem("last error", status.LastError)
	}
	account.ledger(status.Totals)
	t := status.Totals
	if err == nil && (!balanced(t) || t.Discarded+t.Pending > 0 || t.Accepted+uint64(refused) != uint64(from.good)) { //nolint:gosec // Counts are never negative.
		err = errUnaccounted
	}
	return err
}

// within calls f with the time that -timeout gives. An interrupt ends ctx and not f, so that what has been read is
// still delivered.
func within(ctx context.Context, opts options, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), opts.timeout, errTimeout)
	defer cancel()
	return f(ctx)
}

var errTimeout = errors.New("the time that -timeout gives is over")
