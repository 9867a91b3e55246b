package sinktest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/auditstream/auditstream/internal/canary"
	"github.com/auditstream/auditstream/sink"
)

const (
	// attemptTimeout bounds every attempt of the suite that is not to be cut short.
	attemptTimeout = 30 * time.Second

	// largeBatch is how many events make a batch of about 5 MB, which takes most drivers several requests.
	largeBatch = 500

	// hangFor is how long an attempt hangs before its context ends: long enough to have reached a server on loopback.
	hangFor = 100 * time.Millisecond

	// patience is how long after the end of its context Deliver may take to return, and goroutines may take to end.
	// A Stream waits 1 s; the rest is for slow machines.
	patience = 3 * time.Second
)

// TestSink checks a driver against the contract of [sink.Sink] and [sink.Destination]. Each part is a subtest; a failure
// quotes the rule that was broken. It takes about a second for a driver that keeps the rules, and several under the race
// detector.
//
// A sink that has MaxInFlight is also called by as many goroutines at once, up to 8; run the tests with -race then. One
// that has AttemptTimeout is given that time where it is longer than 30 s.
func TestSink(t *testing.T, h Harness) {
	t.Helper()
	if err := h.check(); err != nil {
		t.Fatal(err)
	}
	for _, p := range parts {
		t.Run(p.name, func(t *testing.T) { newSuite(t, h).run(p) })
	}
}

// check reports what is wrong with a harness.
func (h Harness) check() error {
	var errs []error
	if h.Start == nil {
		errs = append(errs, errors.New("sinktest: Harness.Start is nil: give it a function"))
	}
	if len(h.Secrets) == 0 {
		errs = append(errs, errors.New("sinktest: Harness.Secrets is empty: name the credentials that must not show"))
	}
	for i, text := range slices.Concat(h.Secrets, h.Paths) {
		if len(text) < canary.MinLength {
			errs = append(errs, fmt.Errorf("sinktest: text %d of Harness.Secrets and Paths has %d bytes, want %d or more",
				i, len(text), canary.MinLength))
		}
	}
	if h.MaxEventBytes < 0 {
		errs = append(errs, fmt.Errorf("sinktest: Harness.MaxEventBytes (%d) is negative", h.MaxEventBytes))
	}
	return errors.Join(errs...)
}

// part is one subtest.
type part struct {
	name     string
	behavior Behavior
	check    func(s *suite, dst sink.Destination, srv Server)
}

// suite runs one part. It reports to a testing.TB, so that its own tests can watch it fail.
type suite struct {
	tb       testing.TB
	h        Harness
	label    string
	large    int // events in a large batch
	hangFor  time.Duration
	patience time.Duration
	able     abilities // of the sink that was opened last

	mu       sync.Mutex
	reported map[string]bool
}

func newSuite(tb testing.TB, h Harness) *suite {
	tb.Helper()
	return &suite{
		tb: tb, h: h, label: newLabel(), large: largeBatch, hangFor: hangFor, patience: patience,
		able: abilities{maxInFlight: 1, timeout: attemptTimeout}, reported: make(map[string]bool),
	}
}

func (s *suite) run(p part) {
	s.tb.Helper()
	dst, srv := s.h.Start(s.tb, p.behavior)
	if dst == nil {
		s.tb.Logf("sinktest: the harness has no server that is %s: left out", p.behavior)
		return
	}
	p.check(s, dst, srv)
}

// broken reports that a rule was broken, and goes on. It says the same thing only once.
func (s *suite) broken(r rule, format string, args ...any) {
	s.tb.Helper()
	text := fmt.Sprintf(format, args...)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reported[r.name+text] {
		return
	}
	s.reported[r.name+text] = true
	s.tb.Errorf("sinktest: rule %q is broken\n\tthe contract: %s\n\tthe driver:   %s", r.name, r.text, text)
}

// open opens a sink that ends with the test.
func (s *suite) open(dst sink.Destination) sink.Sink {
	s.tb.Helper()
	var k sink.Sink
	var err error
	if !s.guard("Open", func() { k, err = dst.Open() }) {
		s.tb.FailNow()
	}
	if err != nil {
		s.checkErr("Open", err)
		s.tb.Fatalf("sinktest: Open refuses the destination of Harness.Start: %T", err)
	}
	if k == nil {
		s.broken(ruleOpen, "Open returned neither a sink nor an error")
		s.tb.FailNow()
	}
	s.able = s.ask(k)
	return k
}

// guard calls into the driver, in a goroutine that is known by the suite's label, and reports false when that panicked
// or did not return.
func (s *suite) guard(name string, call func()) bool {
	s.tb.Helper()
	return s.guardContext(s.tb.Context(), name, attemptTimeout, call)
}

// guardContext is like guard and gives up some time after ctx has ended, and in any case after the limit.
func (s *suite) guardContext(ctx context.Context, name string, limit time.Duration, call func()) bool {
	s.tb.Helper()
	panicked := make(chan string, 1)
	go s.labelled(func() {
		defer close(panicked)
		defer func() {
			if v := recover(); v != nil {
				panicked <- fmt.Sprintf("%v\n%s", v, debug.Stack())
			}
		}()
		call()
	})
	timer := time.NewTimer(limit)
	defer timer.Stop()
	var text string
	select {
	case text = <-panicked:
	case <-ctx.Done():
		timer.Reset(s.patience)
		select {
		case text = <-panicked:
		case <-timer.C:
			s.broken(ruleContext, "%s had not returned %v after the end of ctx", name, s.patience)
			return false
		}
	case <-timer.C:
		s.tb.Errorf("sinktest: %s had not returned after %v", name, limit)
		return false
	}
	if text != "" {
		s.checkText("the panic", text)
		s.broken(rulePanic, "%s panicked (shown by its stack only)", name)
		return false
	}
	return true
}

// deliver makes one attempt and checks what must be true after every one of them. It ends the test when there is no
// answer to go on with.
func (s *suite) deliver(ctx context.Context, k sink.Sink, batch []sink.Event) (int, error) {
	s.tb.Helper()
	o := s.attempt(ctx, k, batch)
	if !o.ok {
		s.tb.FailNow()
	}
	return o.n, o.err
}

// attempt is deliver for any goroutine: it does not end the test.
func (s *suite) attempt(ctx context.Context, k sink.Sink, batch []sink.Event) outcome {
	s.tb.Helper()
	ctx, cancel := context.WithTimeout(ctx, s.able.timeout)
	defer cancel()
	before := fingerprint(batch)
	own := slices.Clone(batch) // The slice itself may be reordered; what it refers to may not be touched.
	var n int
	var err error
	if !s.guardContext(ctx, "Deliver", 2*s.able.timeout, func() { n, err = k.Deliver(ctx, batch) }) {
		return outcome{}
	}
	if fingerprint(own) != before {
		s.broken(ruleDoes, "Deliver modified what batch refers to")
	}
	s.checkErr("Deliver", err)
	if n < 0 || n > len(own) {
		s.broken(ruleCount, "Deliver returned %d for a batch of %d", n, len(own))
		return outcome{}
	}
	if n < len(own) && err == nil {
		s.broken(ruleReason, "Deliver returned %d and nil for a batch of %d", n, len(own))
		return outcome{}
	}
	return outcome{n, err, true}
}

// close closes a sink if it wants to be.
func (s *suite) close(k sink.Sink) {
	s.tb.Helper()
	c, ok := k.(io.Closer)
	if !ok {
		return
	}
	var err error
	if s.guard("Close", func() { err = c.Close() }) {
		s.checkErr("Close", err)
	}
}

// describe names an error by its type and verdict, for its text may be what is wrong with it.
func describe(err error) string {
	if err == nil {
		return "nil"
	}
	if e, ok := errors.AsType[*sink.Error](err); ok {
		return fmt.Sprintf("%s (code %q)", e.Verdict, e.Code)
	}
	return fmt.Sprintf("%T", err)
}

// idsOf returns the IDs of events.
func idsOf(events []sink.Event) []string {
	ids := make([]string, len(events))
	for i := range events {
		ids[i] = events[i].ID
	}
	return ids
}

// checkArrived reports to a rule if not exactly these events have arrived, in order.
func (s *suite) checkArrived(r rule, srv Server, want []sink.Event) {
	s.tb.Helper()
	got, ids := srv.IDs(), idsOf(want)
	if slices.Equal(got, ids) {
		return
	}
	i := 0
	for i < len(got) && i < len(ids) && got[i] == ids[i] {
		i++
	}
	s.broken(r, "%d events arrived, want %d; the first %d are the same, then came %s where %s was due",
		len(got), len(ids), i, at(got, i), at(ids, i))
}

// at returns the element as a literal.
func at(ids []string, i int) string {
	if i < len(ids) {
		return fmt.Sprintf("%.60q", ids[i])
	}
	return "nothing"
}

// checkErr reports an error that shows what it must not, anywhere in its chain.
func (s *suite) checkErr(what string, err error) {
	s.tb.Helper()
	if err == nil {
		return
	}
	for _, text := range append(prints(err), jsonOf(err)) {
		s.checkText("the error of "+what, text)
	}
	switch e := err.(type) { //nolint:errorlint // The chain is walked here, link by link.
	case interface{ Unwrap() error }:
		s.checkErr(what, e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			s.checkErr(what, err)
		}
	}
}

// checkText reports a text that holds a secret or a path. It never shows the text.
func (s *suite) checkText(what, text string) {
	s.tb.Helper()
	for i, secret := range s.h.Secrets {
		if form := canary.Find(text, secret); form != "" {
			s.broken(ruleDoes, "%s holds Harness.Secrets[%d], %s", what, i, form)
		}
	}
	for i, path := range s.h.Paths {
		if strings.Contains(text, path) {
			s.broken(ruleDoes, "%s holds Harness.Paths[%d]", what, i)
		}
	}
}
