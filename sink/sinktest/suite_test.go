package sinktest

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/internal/canary"
	"github.com/auditstream/auditstream/sink"
)

// watcher is a testing.TB that keeps failures to itself.
type watcher struct {
	testing.TB
	mu       sync.Mutex
	failures []string
}

func (w *watcher) Errorf(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failures = append(w.failures, fmt.Sprintf(format, args...))
}

func (w *watcher) Fatalf(format string, args ...any) {
	w.Errorf(format, args...)
	w.FailNow()
}

func (w *watcher) FailNow() { runtime.Goexit() }

// watch runs the suite on a driver and returns its failures. It has no patience with a driver that is to fail: where that
// is found by waiting, somebody would have to wait.
func watch(t *testing.T, h Harness) string {
	t.Helper()
	return watchFor(t, h, 50*time.Millisecond)
}

func watchFor(t *testing.T, h Harness, patience time.Duration) string {
	t.Helper()
	w := &watcher{TB: t}
	for _, p := range parts {
		done := make(chan struct{})
		go func() {
			defer close(done)
			s := newSuite(w, h)
			s.large, s.hangFor, s.patience = 100, 5*time.Millisecond, patience
			s.run(p)
		}()
		<-done
	}
	return strings.Join(w.failures, "\n")
}

func TestSuitePassesGoodDrivers(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*fakeDriver){
		"that names poison":  nil,
		"that counts poison": func(d *fakeDriver) { d.server.count = true },
		"that splits": func(d *fakeDriver) {
			d.deliver = func(good sink.Sink, ctx context.Context, batch []sink.Event) (int, error) {
				if d.server.behavior == Poisoned && slices.ContainsFunc(batch, isPoison) {
					return 0, sink.Split(errors.New("something in it"))
				}
				return good.Deliver(ctx, batch)
			}
		},
		"that counts and stops": func(d *fakeDriver) {
			d.server.count = true
			d.deliver = func(good sink.Sink, ctx context.Context, batch []sink.Event) (int, error) {
				if i := slices.IndexFunc(batch, isPoison); i >= 0 {
					_, err := good.Deliver(ctx, batch[:i+1])
					return i + 1, err
				}
				return good.Deliver(ctx, batch)
			}
		},
		"that take calls at once": func(d *fakeDriver) { d.slots = 3 },
		"that take many at once":  func(d *fakeDriver) { d.slots = 1000 },
		"that take none at once":  func(d *fakeDriver) { d.slots = -1 },
		"that take their time": func(d *fakeDriver) {
			d.limit = func() time.Duration { return time.Hour }
			d.deliver = func(good sink.Sink, ctx context.Context, batch []sink.Event) (int, error) {
				if deadline, ok := ctx.Deadline(); d.server.behavior == Accepting && ctx.Err() == nil &&
					(!ok || time.Until(deadline) < time.Hour-time.Minute) {
					return 0, errReset
				}
				return good.Deliver(ctx, batch)
			}
		},
		"that reorder their batch": func(d *fakeDriver) {
			d.deliver = func(good sink.Sink, ctx context.Context, batch []sink.Event) (int, error) {
				n, err := good.Deliver(ctx, batch)
				slices.Reverse(batch)
				return n, err
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Empty(t, watchFor(t, fakeHarness(change), time.Minute))
		})
	}
}

func TestTestSink(t *testing.T) {
	t.Parallel()
	TestSink(t, fakeHarness(nil))
}

func isPoison(e sink.Event) bool { return e.Action == PoisonAction }

func TestSuiteLeavesOutWhatAHarnessLacks(t *testing.T) {
	t.Parallel()
	h := fakeHarness(nil)
	start := h.Start
	h.MaxEventBytes, h.Invalid = 0, nil
	h.Start = func(tb testing.TB, b Behavior) (sink.Destination, Server) {
		tb.Helper()
		dst, srv := start(tb, b)
		if b == Poisoned {
			return nil, Server{}
		}
		return dst, Server{IDs: srv.IDs}
	}
	TestSink(t, h)
}

// result is what a broken driver answers in place of what a good one would.
type result = func(ctx context.Context, batch []sink.Event, n int, err error) (int, error)

// changing returns a change of the fake driver that changes its answers.
func changing(f result) func(*fakeDriver) {
	return func(d *fakeDriver) {
		d.deliver = func(good sink.Sink, ctx context.Context, batch []sink.Event) (int, error) {
			n, err := good.Deliver(ctx, batch)
			return f(ctx, batch, n, err)
		}
	}
}

// withError returns a change by which all errors of the driver are others.
func withError(f func(err error) error) func(*fakeDriver) {
	return changing(func(_ context.Context, _ []sink.Event, n int, err error) (int, error) {
		if err != nil {
			err = f(err)
		}
		return n, err
	})
}

// leak returns a change by which errors hold a text, under the verdict that they had.
func leak(text string) func(*fakeDriver) {
	return withError(func(err error) error {
		return &sink.Error{Verdict: verdictOf(err), Err: errors.New("server said " + text), Count: 1}
	})
}

// hidden is an error whose text is harmless and whose cause is not.
type hidden struct{ cause error }

func (h hidden) Error() string { return "harmless" }
func (h hidden) Unwrap() error { return h.cause }

// breakages are drivers that break one rule each.
var breakages = map[string]struct {
	rule   rule
	change func(*fakeDriver)
}{
	"Open starts a goroutine": {ruleOpen, func(d *fakeDriver) {
		d.open = func() error { go func() { select {} }(); return badOf(d) }
	}},
	"Open dials": {ruleOpen, func(d *fakeDriver) {
		d.open = func() error { d.server.connections++; return badOf(d) }
	}},
	"Open sends": {ruleOpen, func(d *fakeDriver) {
		d.open = func() error { d.server.requests++; return badOf(d) }
	}},
	"Open needs the server": {ruleOpen, func(d *fakeDriver) {
		d.open = func() error {
			if d.server.behavior == Refusing {
				return errReset
			}
			return badOf(d)
		}
	}},
	"Open takes anything": {ruleOpen, func(d *fakeDriver) { d.open = func() error { return nil } }},
	"Open fails untyped": {ruleProblems, func(d *fakeDriver) {
		d.open = func() error { return map[bool]error{true: errors.New("bad")}[d.bad] }
	}},
	"Open fails without a field": {ruleProblems, func(d *fakeDriver) {
		d.open = func() error { return map[bool]error{true: &sink.ConfigError{}}[d.bad] }
	}},
	"Open quotes the token": {ruleDoes, func(d *fakeDriver) {
		d.open = func() error {
			if d.bad {
				return &sink.ConfigError{Field: "f", Reason: "r", Value: fmt.Sprintf("%q", fakeToken)}
			}
			return nil
		}
	}},
	"Open panics": {rulePanic, func(d *fakeDriver) {
		d.open = func() error {
			if d.bad {
				panic("bad")
			}
			return nil
		}
	}},
	"String is empty":       {ruleString, func(d *fakeDriver) { d.text = func() string { return "" } }},
	"String has the token":  {ruleString, func(d *fakeDriver) { d.text = func() string { return "fake " + fakeToken } }},
	"String has the path":   {ruleString, func(d *fakeDriver) { d.text = func() string { return "fake " + fakePath } }},
	"JSON has the token":    {ruleString, func(d *fakeDriver) { d.json = fakeToken }},
	"String panics":         {rulePanic, func(d *fakeDriver) { d.text = func() string { panic("nil") } }},
	"events get lost":       {ruleOrder, changing(loses)},
	"events change places":  {ruleOrder, reorders},
	"count is too large":    {ruleCount, changing(func(_ context.Context, b []sink.Event, _ int, err error) (int, error) { return len(b) + 1, err })},
	"count is negative":     {ruleCount, changing(func(context.Context, []sink.Event, int, error) (int, error) { return -1, nil })},
	"no error":              {ruleReason, changing(func(_ context.Context, _ []sink.Event, n int, _ error) (int, error) { return n - 1, nil })},
	"error of no need":      {ruleSilent, changing(func(_ context.Context, _ []sink.Event, n int, _ error) (int, error) { return n, errReset })},
	"prefix is forgotten":   {rulePrefix, withPrefix(0)},
	"prefix is too long":    {rulePrefix, withPrefix(100)},
	"prefix is too short":   {rulePrefix, withPrefix(1)},
	"busy blocks":           {ruleRetry, withError(func(err error) error { return sink.Block(errors.New(describe(err))) })},
	"forbidden is retried":  {ruleBlock, withError(asPlain)},
	"nothing is something":  {ruleOrder, changing(takesNothing)},
	"panics":                {rulePanic, changing(func(context.Context, []sink.Event, int, error) (int, error) { panic("boom") })},
	"panics with the token": {ruleDoes, changing(func(context.Context, []sink.Event, int, error) (int, error) { panic(fakeToken) })},
	"ignores the context":   {ruleContext, ignoresContext},
	"late for the context": {ruleContext, changing(func(_ context.Context, b []sink.Event, n int, err error) (int, error) {
		if errors.Is(err, context.Canceled) {
			return len(b), err
		}
		return n, err
	})},
	"context is no reason": {ruleContext, withError(func(err error) error {
		if errors.Is(err, context.DeadlineExceeded) {
			return errReset
		}
		return err
	})},
	"context blocks": {ruleContext, withError(func(err error) error {
		if errors.Is(err, context.Canceled) {
			return sink.Block(err)
		}
		return err
	})},
	"writes to attributes": {ruleDoes, changing(func(_ context.Context, b []sink.Event, n int, err error) (int, error) {
		if len(b[0].Attributes) > 0 {
			b[0].Attributes[0].Key = "changed"
		}
		return n, err
	})},
	"writes to bytes": {ruleDoes, changing(func(_ context.Context, b []sink.Event, n int, err error) (int, error) {
		if list, ok := b[0].Attributes[1].Value.Any().([]any); ok {
			list[1].([]byte)[0]++
		}
		return n, err
	})},
	"appends to attributes": {ruleDoes, changing(func(_ context.Context, b []sink.Event, n int, err error) (int, error) {
		_ = append(b[0].Attributes, slog.String("added", "x"))
		return n, err
	})},
	"writes to changes": {ruleDoes, changing(func(_ context.Context, b []sink.Event, n int, err error) (int, error) {
		if len(b[0].Changes) > 0 {
			b[0].Changes[0].Before = nil
		}
		return n, err
	})},
	"retries": {ruleDoes, func(d *fakeDriver) {
		d.deliver = func(good sink.Sink, ctx context.Context, batch []sink.Event) (int, error) {
			if n, err := good.Deliver(ctx, batch); err == nil || verdictOf(err) != sink.VerdictRetry {
				return n, err
			}
			return good.Deliver(ctx, batch)
		}
	}},
	"token in an error":        {ruleDoes, leak(fakeToken)},
	"token quoted in an error": {ruleDoes, leak(fmt.Sprintf("%q", fakeToken))},
	"token escaped in a URL":   {ruleDoes, leak("https://x/?t=" + url.QueryEscape(fakeToken))},
	"token in Base64":          {ruleDoes, leak(base64.StdEncoding.EncodeToString([]byte("user:" + fakeToken)))},
	"path in an error":         {ruleDoes, leak("https://siem.example" + fakePath)},
	"token behind an error":    {ruleDoes, withError(func(error) error { return hidden{errors.New(fakeToken)} })},
	"token behind two errors": {ruleDoes, withError(func(error) error {
		return errors.Join(hidden{errors.Join(errReset, hidden{errors.New(fakeToken)})})
	})},
	"odd values fail": {rulePlain, func(d *fakeDriver) {
		d.deliver = func(good sink.Sink, ctx context.Context, batch []sink.Event) (int, error) {
			if len(batch) > 0 && batch[0].ID == "least" {
				return 0, sink.Split(errors.New("cannot encode"))
			}
			return good.Deliver(ctx, batch)
		}
	}},
	"oversize is split": {ruleOversize, withError(func(err error) error {
		if verdictOf(err) == sink.VerdictReject {
			return sink.Split(asPlain(err))
		}
		return err
	})},
	"oversize is sent": {ruleOversize, func(d *fakeDriver) {
		d.deliver = func(good sink.Sink, ctx context.Context, batch []sink.Event) (int, error) {
			n, err := good.Deliver(ctx, batch)
			if verdictOf(err) == sink.VerdictReject {
				_, _ = d.server.take(ctx, batch[n-1:n])
			}
			return n, err
		}
	}},
	"the rest of an oversize": {ruleSilent, func(d *fakeDriver) {
		broken := false
		d.deliver = func(good sink.Sink, ctx context.Context, batch []sink.Event) (int, error) {
			if broken {
				return 0, errReset
			}
			n, err := good.Deliver(ctx, batch)
			broken = verdictOf(err) == sink.VerdictReject
			return n, err
		}
	}},
	"poison is retried": {ruleSplit, withError(func(err error) error {
		if verdictOf(err) == sink.VerdictReject {
			return errReset
		}
		return err
	})},
	"poison is another": {ruleReject, rejectAs(func(int) error { return sink.Reject(errReset, 0) })},
	"poison is outside": {ruleReject, rejectAs(func(n int) error { return sink.Reject(errReset, n) })},
	"poison is two":     {ruleReject, rejectAs(func(int) error { return sink.RejectCount(errReset, 2) })},
	"poison is taken": {ruleReject, func(d *fakeDriver) {
		d.deliver = func(good sink.Sink, ctx context.Context, batch []sink.Event) (int, error) {
			for i := range batch {
				batch[i].Action = "project.delete"
			}
			return good.Deliver(ctx, batch)
		}
	}},
	"nothing after poison": {ruleSilent, func(d *fakeDriver) {
		d.server.count = true
		d.deliver = func(good sink.Sink, ctx context.Context, batch []sink.Event) (int, error) {
			if i := slices.IndexFunc(batch, isPoison); i >= 0 {
				_, err := good.Deliver(ctx, batch[:i+1])
				return i + 1, err
			}
			return 0, errReset
		}
	}},
	"splits and refuses": {ruleReject, func(d *fakeDriver) {
		d.deliver = func(good sink.Sink, ctx context.Context, batch []sink.Event) (int, error) {
			if d.server.behavior == Poisoned {
				return 0, sink.Split(errReset)
			}
			return good.Deliver(ctx, batch)
		}
	}},
	"goroutine after Close": {ruleIdle, func(d *fakeDriver) {
		d.deliver = func(good sink.Sink, ctx context.Context, batch []sink.Event) (int, error) {
			go func() { select {} }()
			return good.Deliver(ctx, batch)
		}
	}},
	"Close closes others": {ruleSilent, func(d *fakeDriver) {
		closed := false
		d.close = func() { closed = true }
		d.deliver = func(good sink.Sink, ctx context.Context, batch []sink.Event) (int, error) {
			if closed {
				return 0, errReset
			}
			return good.Deliver(ctx, batch)
		}
	}},
	"calls at once lose an event": {ruleOverlap, beside(func(_ *fakeDriver, good sink.Sink, ctx context.Context, b []sink.Event) (int, error) {
		n, err := good.Deliver(ctx, b[1:])
		return n + 1, err
	})},
	"calls at once repeat an event": {ruleOverlap, beside(func(_ *fakeDriver, good sink.Sink, ctx context.Context, b []sink.Event) (int, error) {
		_, _ = good.Deliver(ctx, b[:1])
		return good.Deliver(ctx, b)
	})},
	"calls at once bring what is not theirs": {ruleOverlap, beside(func(d *fakeDriver, good sink.Sink, ctx context.Context, b []sink.Event) (int, error) {
		if d.server.behavior == Accepting {
			_, _ = good.Deliver(ctx, []sink.Event{makeEvent(9999, 10)})
		}
		return good.Deliver(ctx, b)
	})},
	"calls at once are refused": {ruleOverlap, beside(func(*fakeDriver, sink.Sink, context.Context, []sink.Event) (int, error) {
		return 0, errBusy
	})},
	"a call at once spoils the others": {ruleOverlap, func(d *fakeDriver) {
		d.slots = 2
		var spoilt atomic.Bool
		d.deliver = func(good sink.Sink, ctx context.Context, batch []sink.Event) (int, error) {
			n, err := good.Deliver(ctx, batch)
			if d.server.behavior == Poisoned && verdictOf(err) == sink.VerdictReject && len(batch) == overlappingEvents {
				spoilt.Store(true)
			} else if spoilt.Load() {
				return 0, errReset
			}
			return n, err
		}
	}},
	"AttemptTimeout sends": {ruleOpen, func(d *fakeDriver) {
		d.limit = func() time.Duration { d.server.requests++; return 0 }
	}},
	"AttemptTimeout panics": {rulePanic, func(d *fakeDriver) { d.limit = func() time.Duration { panic("no limit") } }},
	"Close panics":          {rulePanic, func(d *fakeDriver) { d.close = func() { panic("closed") } }},
}

// beside returns a change by which the driver answers in another way when a call comes beside another.
func beside(f func(d *fakeDriver, good sink.Sink, ctx context.Context, batch []sink.Event) (int, error)) func(*fakeDriver) {
	return func(d *fakeDriver) {
		d.slots = 4
		var calls atomic.Int64
		d.deliver = func(good sink.Sink, ctx context.Context, batch []sink.Event) (int, error) {
			if len(batch) != overlappingEvents || ctx.Err() != nil {
				return good.Deliver(ctx, batch)
			}
			if calls.Add(1)%3 == 0 { // as if by chance
				return f(d, good, ctx, batch)
			}
			return good.Deliver(ctx, batch)
		}
	}
}

// badOf returns what the good driver's Open says.
func badOf(d *fakeDriver) error {
	if d.bad {
		return &sink.ConfigError{Field: "fake: Config.Endpoint", Reason: "is no URL"}
	}
	return nil
}

// asPlain returns an error of no type.
func asPlain(err error) error { return fmt.Errorf("plain %s", describe(err)) }

// loses makes an event disappear, by saying that one more was answered for when the server has refused it.
func loses(_ context.Context, batch []sink.Event, n int, err error) (int, error) {
	if err != nil && n < len(batch) {
		return n + 1, err
	}
	return n, err
}

// takesNothing says that everything is answered for when nothing is.
func takesNothing(_ context.Context, batch []sink.Event, n int, err error) (int, error) {
	if n == 0 && err != nil {
		return len(batch), err
	}
	return n, err
}

// reorders sends a batch in two halves, the second one first.
func reorders(d *fakeDriver) {
	d.deliver = func(good sink.Sink, ctx context.Context, batch []sink.Event) (int, error) {
		half := len(batch) / 2
		if half == 0 || d.server.behavior != Accepting {
			return good.Deliver(ctx, batch)
		}
		if n, err := good.Deliver(ctx, batch[half:]); err != nil {
			return n, err
		}
		if n, err := good.Deliver(ctx, batch[:half]); err != nil {
			return n, err
		}
		return len(batch), nil
	}
}

// withPrefix makes the driver answer a count of its own when only a part was taken.
func withPrefix(count int) func(*fakeDriver) {
	return changing(func(_ context.Context, batch []sink.Event, n int, err error) (int, error) {
		if n > 0 && n < len(batch) && verdictOf(err) == sink.VerdictRetry {
			return count, err
		}
		return n, err
	})
}

// rejectAs makes the driver reject in another way.
func rejectAs(f func(n int) error) func(*fakeDriver) {
	return changing(func(_ context.Context, _ []sink.Event, n int, err error) (int, error) {
		if verdictOf(err) == sink.VerdictReject {
			return n, f(n)
		}
		return n, err
	})
}

// ignoresContext makes the driver hang on with the server.
func ignoresContext(d *fakeDriver) {
	d.deliver = func(good sink.Sink, ctx context.Context, batch []sink.Event) (int, error) {
		if d.server.behavior == Hanging {
			select {}
		}
		return good.Deliver(ctx, batch)
	}
}

func TestSuiteQuotesTheBrokenRule(t *testing.T) {
	t.Parallel()
	for name, b := range breakages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := watch(t, fakeHarness(b.change))
			assert.Contains(t, got, fmt.Sprintf("rule %q is broken\n\tthe contract: %s\n", b.rule.name, b.rule.text))
			if canary.Find(got, fakeToken) != "" {
				t.Error("the failure shows the token")
			}
		})
	}
}

// allRules are the rules of rules.go.
var allRules = []rule{
	ruleOpen, ruleProblems, ruleString, ruleOrder, ruleSilent, ruleCount, ruleReason, rulePrefix, ruleOversize,
	ruleContext, ruleDoes, rulePanic, rulePlain, ruleRetry, ruleBlock, ruleReject, ruleSplit, ruleIdle,
	ruleOverlap,
}

func TestEveryRuleCanBeBroken(t *testing.T) {
	t.Parallel()
	broken := make(map[string]bool)
	for b := range maps.Values(breakages) {
		broken[b.rule.name] = true
	}
	for _, r := range allRules {
		assert.True(t, broken[r.name], r.name)
	}
	assert.Len(t, broken, len(allRules))
}

// TestRulesAreTheContract keeps the quotations true.
func TestRulesAreTheContract(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../*.go")
	require.NoError(t, err)
	var contract strings.Builder
	for _, name := range files {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		for line := range strings.Lines(string(text)) {
			line = strings.TrimPrefix(strings.TrimSpace(line), "//")
			contract.WriteString(strings.TrimPrefix(strings.TrimSpace(line), "- ") + " ")
		}
	}
	for _, r := range allRules {
		assert.Contains(t, contract.String(), r.text, r.name)
	}
}

func TestHarnessIsChecked(t *testing.T) {
	t.Parallel()
	err := Harness{Secrets: []string{"short"}, Paths: []string{"/"}, MaxEventBytes: -1}.check()
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "short")
	assert.Len(t, strings.Split(err.Error(), "\n"), 4)
	require.Error(t, Harness{Start: fakeHarness(nil).Start}.check())
	require.NoError(t, fakeHarness(nil).check())
}

func TestOpenMustSucceed(t *testing.T) {
	t.Parallel()
	got := watch(t, fakeHarness(func(d *fakeDriver) { d.bad = true }))
	assert.Contains(t, got, "Open refuses the destination of Harness.Start")

	h := fakeHarness(nil)
	h.Start = func(testing.TB, Behavior) (sink.Destination, Server) {
		return nothing{}, (&fakeServer{}).server()
	}
	assert.Contains(t, watch(t, h), "Open returned neither a sink nor an error")
}

// nothing opens to nothing.
type nothing struct{}

func (nothing) Open() (sink.Sink, error) { return nil, nil }
func (nothing) String() string           { return "nothing" }

func TestEventsArePlain(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, e := range oddEvents() {
		assert.NotEmpty(t, e.ID)
		assert.False(t, seen[e.ID], e.ID)
		seen[e.ID] = true
		assert.NotZero(t, e.Sequence)
		keys := make(map[string]bool)
		for _, a := range e.Attributes {
			assert.NotEmpty(t, a.Key)
			assert.False(t, keys[a.Key], a.Key)
			keys[a.Key] = true
			assert.LessOrEqual(t, depthOf(a.Value.Any()), 32)
		}
	}
}

// depthOf returns how deep a value is nested.
func depthOf(v any) int {
	deepest := 0
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			deepest = max(deepest, depthOf(e))
		}
	case []slog.Attr:
		for _, a := range v {
			deepest = max(deepest, depthOf(a.Value.Any()))
		}
	default:
		return 1
	}
	return deepest + 1
}
