package sinktest

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/auditstream/auditstream/internal/canary"
	"github.com/auditstream/auditstream/sink"
)

// largeText is the size of the events in a large batch.
const largeText = 10_000

// parts are the subtests of the suite.
var parts = []part{
	{"open does nothing", Accepting, checkOpen},
	{"open needs no server", Refusing, checkOpenOffline},
	{"open refuses what is invalid", Accepting, checkInvalid},
	{"destination keeps its secrets", Accepting, checkDestination},
	{"one event", Accepting, checkOne},
	{"events in order", Accepting, checkOrder},
	{"large batch", Accepting, checkLarge},
	{"odd events", Accepting, checkOdd},
	{"oversize event", Accepting, checkOversize},
	{"poison event", Poisoned, checkPoison},
	{"prefix", BusyLater, checkPrefix},
	{"busy server", Busy, checkBusy},
	{"cut connection", Cutting, checkRetry},
	{"refused connection", Refusing, checkRetry},
	{"forbidden", Forbidding, checkForbidden},
	{"context already done", Accepting, checkDone},
	{"context cancelled", Hanging, checkCancel},
	{"context times out", Hanging, checkDeadline},
	{"calls at once", Accepting, checkOverlap},
	{"calls at once, of which some fail", Poisoned, checkOverlapFailing},
	{"close before use", Accepting, checkCloseUnused},
	{"close after use", Accepting, checkCloseUsed},
	{"close after a hang", Hanging, checkCloseHung},
}

// checkOpen checks that Open and an unused sink do nothing.
func checkOpen(s *suite, dst sink.Destination, srv Server) {
	s.tb.Helper()
	k := s.open(dst)
	if stacks := s.lingering(0); len(stacks) > 0 {
		// The goroutine in which Open was called may still be on its way out.
		if stacks = s.lingering(s.patience); len(stacks) > 0 {
			s.broken(ruleOpen, "%d goroutines run after Open, the first of them:\n%s", len(stacks), stacks[0])
		}
	}
	if srv.Connections != nil && srv.Connections() > 0 {
		s.broken(ruleOpen, "the server has seen %d connections", srv.Connections())
	}
	if srv.Requests != nil && srv.Requests() > 0 {
		s.broken(ruleOpen, "the server has seen %d requests", srv.Requests())
	}
	s.close(k)
}

// checkOpenOffline checks that Open works without a server.
func checkOpenOffline(s *suite, dst sink.Destination, _ Server) {
	s.tb.Helper()
	var k sink.Sink
	var err error
	if !s.guard("Open", func() { k, err = dst.Open() }) {
		return
	}
	if err != nil {
		s.broken(ruleOpen, "Open fails (%T) while nobody listens at the destination", err)
		return
	}
	s.close(k)
}

// checkInvalid checks what Open says about bad destinations.
func checkInvalid(s *suite, _ sink.Destination, _ Server) {
	s.tb.Helper()
	for i, dst := range s.h.Invalid {
		var k sink.Sink
		var err error
		if !s.guard("Open", func() { k, err = dst.Open() }) {
			continue
		}
		s.checkPrints(dst)
		if err == nil {
			s.broken(ruleOpen, "Open takes Harness.Invalid[%d]", i)
			s.close(k)
			continue
		}
		s.checkErr("Open", err)
		if bad, ok := errors.AsType[*sink.ConfigError](err); !ok || bad.Field == "" || bad.Reason == "" {
			s.broken(ruleProblems, "Open of Harness.Invalid[%d] returns a %T, which holds no *sink.ConfigError with a "+
				"field and a reason", i, err)
		}
	}
}

// checkDestination checks how a good destination prints.
func checkDestination(s *suite, dst sink.Destination, _ Server) {
	s.tb.Helper()
	s.checkPrints(dst)
}

// checkPrints checks that no printed form of a destination shows what it must not.
func (s *suite) checkPrints(dst sink.Destination) {
	s.tb.Helper()
	var text string
	if !s.guard("String", func() { text = dst.String() }) {
		return
	}
	if text == "" {
		s.broken(ruleString, "String returns nothing")
	}
	for _, text := range append(prints(dst), text) {
		for i, secret := range s.h.Secrets {
			if form := canary.Find(text, secret); form != "" {
				s.broken(ruleString, "a printed form of the destination holds Harness.Secrets[%d], %s", i, form)
			}
		}
		for i, path := range s.h.Paths {
			if canary.Find(text, path) != "" {
				s.broken(ruleString, "a printed form of the destination holds Harness.Paths[%d]", i)
			}
		}
	}
	// Paths may be in the JSON of a destination, for that is how hosts store it; credentials may not.
	for i, secret := range s.h.Secrets {
		if form := canary.Find(jsonOf(dst), secret); form != "" {
			s.broken(ruleString, "the JSON of the destination holds Harness.Secrets[%d], %s", i, form)
		}
	}
}

// checkAll delivers events that must all arrive.
func (s *suite) checkAll(r rule, k sink.Sink, srv Server, events []sink.Event) {
	s.tb.Helper()
	n, err := s.deliver(s.tb.Context(), k, append([]sink.Event(nil), events...))
	if n != len(events) || err != nil {
		s.broken(r, "Deliver returned %d and %s for a batch of %d that the server takes", n, describe(err), len(events))
		return
	}
	s.checkArrived(r, srv, events)
}

func checkOne(s *suite, dst sink.Destination, srv Server) {
	s.tb.Helper()
	k := s.open(dst)
	defer s.close(k)
	s.checkAll(ruleSilent, k, srv, makeEvents(1, 10))
}

// checkOrder delivers three batches by one sink.
func checkOrder(s *suite, dst sink.Destination, srv Server) {
	s.tb.Helper()
	k := s.open(dst)
	defer s.close(k)
	events := makeEvents(120, 10)
	for _, batch := range [][]sink.Event{events[:50], events[50:51], events[51:]} {
		n, err := s.deliver(s.tb.Context(), k, append([]sink.Event(nil), batch...))
		if n != len(batch) || err != nil {
			s.broken(ruleSilent, "Deliver returned %d and %s for a batch of %d that the server takes",
				n, describe(err), len(batch))
			return
		}
	}
	s.checkArrived(ruleOrder, srv, events)
}

func checkLarge(s *suite, dst sink.Destination, srv Server) {
	s.tb.Helper()
	k := s.open(dst)
	defer s.close(k)
	s.checkAll(ruleSilent, k, srv, makeEvents(s.large, largeText))
}

func checkOdd(s *suite, dst sink.Destination, srv Server) {
	s.tb.Helper()
	k := s.open(dst)
	defer s.close(k)
	s.checkAll(rulePlain, k, srv, oddEvents())
}

// checkOversize puts an event that is too large at different places of a batch.
func checkOversize(s *suite, dst sink.Destination, srv Server) {
	s.tb.Helper()
	if s.h.MaxEventBytes == 0 {
		s.tb.Log("sinktest: Harness.MaxEventBytes is 0: left out")
		return
	}
	k := s.open(dst)
	defer s.close(k)
	huge := makeEvent(1000, s.h.MaxEventBytes)
	var good []sink.Event
	for i, place := range []int{2, 0, 1} {
		batch := makeEvents(4*(i+1), 10)[4*i:]
		batch[place] = huge
		n, err := s.deliver(s.tb.Context(), k, append([]sink.Event(nil), batch...))
		if rejected := rejectedIndex(err, n); n != place+1 || len(rejected) != 1 || rejected[0] != place {
			s.broken(ruleOversize, "Deliver returned %d and %s, rejecting %v, for a batch of 4 whose event %d is too large",
				n, describe(err), rejected, place)
			return
		}
		good = append(good, batch[:place]...)
		rest := batch[place+1:]
		if n, err = s.deliver(s.tb.Context(), k, append([]sink.Event(nil), rest...)); n != len(rest) || err != nil {
			s.broken(ruleSilent, "Deliver returned %d and %s for the %d events after one that was too large",
				n, describe(err), len(rest))
			return
		}
		good = append(good, rest...)
	}
	s.checkArrived(ruleOversize, srv, good)
}

// checkPrefix lets the server fail after the first request.
func checkPrefix(s *suite, dst sink.Destination, srv Server) {
	s.tb.Helper()
	k := s.open(dst)
	defer s.close(k)
	events := makeEvents(s.large, largeText)
	n, err := s.deliver(s.tb.Context(), k, append([]sink.Event(nil), events...))
	if err != nil && verdictOf(err) != sink.VerdictRetry {
		s.broken(ruleRetry, "Deliver returned %s when the server was busy", describe(err))
	}
	if n == 0 {
		s.broken(rulePrefix, "Deliver returned 0 and %s although the server has taken the first request", describe(err))
		return
	}
	s.checkArrived(rulePrefix, srv, events[:n])
}

// checkFailure delivers to a server that takes nothing, twice, and checks what that is called.
func (s *suite) checkFailure(r rule, want sink.Verdict, dst sink.Destination, srv Server) {
	s.tb.Helper()
	k := s.open(dst)
	defer s.close(k)
	for range 2 {
		n, err := s.deliver(s.tb.Context(), k, makeEvents(3, 10))
		if n != 0 {
			s.broken(ruleOrder, "Deliver returned %d and %s when the server took nothing", n, describe(err))
			return
		}
		if verdictOf(err) != want {
			s.broken(r, "Deliver returned %s, want %s", describe(err), want)
		}
	}
	s.checkArrived(ruleOrder, srv, nil)
}

func checkRetry(s *suite, dst sink.Destination, srv Server) {
	s.tb.Helper()
	s.checkFailure(ruleRetry, sink.VerdictRetry, dst, srv)
}

// checkBusy also counts the requests, for the Stream decides when to try again.
func checkBusy(s *suite, dst sink.Destination, srv Server) {
	s.tb.Helper()
	s.checkFailure(ruleRetry, sink.VerdictRetry, dst, srv)
	if srv.Requests != nil && srv.Requests() != 2 {
		s.broken(ruleDoes, "two attempts made %d requests", srv.Requests())
	}
}

func checkForbidden(s *suite, dst sink.Destination, srv Server) {
	s.tb.Helper()
	s.checkFailure(ruleBlock, sink.VerdictBlock, dst, srv)
}

// checkEnded checks what an attempt returned whose context has ended.
func (s *suite) checkEnded(ctx context.Context, n int, err error, arrived int) {
	s.tb.Helper()
	if !errors.Is(err, ctx.Err()) || verdictOf(err) != sink.VerdictRetry {
		s.broken(ruleContext, "Deliver returned %d and %s, which is not ctx.Err()", n, describe(err))
	}
	if n > arrived {
		s.broken(ruleContext, "Deliver returned %d, but the server has taken %d", n, arrived)
	}
}

func checkDone(s *suite, dst sink.Destination, srv Server) {
	s.tb.Helper()
	k := s.open(dst)
	defer s.close(k)
	ctx, cancel := context.WithCancel(s.tb.Context())
	cancel()
	n, err := s.deliver(ctx, k, makeEvents(3, 10))
	s.checkEnded(ctx, n, err, len(srv.IDs()))
}

func checkCancel(s *suite, dst sink.Destination, srv Server) {
	s.tb.Helper()
	k := s.open(dst)
	defer s.close(k)
	ctx, cancel := context.WithCancel(s.tb.Context())
	defer time.AfterFunc(s.hangFor, cancel).Stop()
	n, err := s.deliver(ctx, k, makeEvents(3, 10))
	cancel()
	s.checkEnded(ctx, n, err, len(srv.IDs()))
}

func checkDeadline(s *suite, dst sink.Destination, srv Server) {
	s.tb.Helper()
	k := s.open(dst)
	defer s.close(k)
	ctx, cancel := context.WithTimeout(s.tb.Context(), s.hangFor)
	defer cancel()
	n, err := s.deliver(ctx, k, makeEvents(3, 10))
	<-ctx.Done()
	s.checkEnded(ctx, n, err, len(srv.IDs()))
}

func checkCloseUnused(s *suite, dst sink.Destination, _ Server) {
	s.tb.Helper()
	s.close(s.open(dst))
	s.checkGone()
}

// checkCloseUsed also checks that sinks of one destination do not depend on each other: Stream.Test opens one beside
// the stream's own.
func checkCloseUsed(s *suite, dst sink.Destination, srv Server) {
	s.tb.Helper()
	first, second := s.open(dst), s.open(dst)
	events := makeEvents(2, 10)
	s.checkAll(ruleSilent, first, srv, events[:1])
	s.close(first)
	n, err := s.deliver(s.tb.Context(), second, events[1:])
	if n != 1 || err != nil {
		s.broken(ruleSilent, "Deliver returned %d and %s after another sink of the destination was closed", n, describe(err))
	}
	s.close(second)
	s.checkGone(first, second)
}

func checkCloseHung(s *suite, dst sink.Destination, _ Server) {
	s.tb.Helper()
	k := s.open(dst)
	ctx, cancel := context.WithTimeout(s.tb.Context(), s.hangFor)
	defer cancel()
	_, _ = s.deliver(ctx, k, makeEvents(1, 10))
	s.close(k)
	s.checkGone(k)
}

// idleTime is when a sink has to have given back its connections by itself.
const idleTime = 30 * time.Second

// checkGone checks that no goroutine is left of sinks that were closed, or, where they cannot be, that are idle.
func (s *suite) checkGone(sinks ...sink.Sink) {
	s.tb.Helper()
	limit := s.patience
	for _, k := range sinks {
		if _, ok := k.(io.Closer); !ok {
			limit += idleTime
			break
		}
	}
	if stacks := s.lingering(limit); len(stacks) > 0 {
		s.broken(ruleIdle, "%d goroutines are left, the first of them:\n%s", len(stacks), stacks[0])
	}
}
