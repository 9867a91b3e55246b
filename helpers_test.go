package auditstream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/sink"
)

type deliverFunc = func(ctx context.Context, batch []sink.Event) (int, error)

// fake is a destination and the sink that it opens. Each Deliver is recorded and answered by the script.
type fake struct {
	name string

	mu      sync.Mutex
	script  deliverFunc
	calls   []call
	running int
	overlap bool
	opened  int
	closed  int
}

// call is one Deliver.
type call struct {
	at     time.Time
	ids    []string
	events []sink.Event
}

func newFake(script deliverFunc) *fake { return &fake{name: "fake://one:1", script: script} }

// accept is the script of a sink that takes everything.
func accept(_ context.Context, batch []sink.Event) (int, error) { return len(batch), nil }

// fail is the script of a sink that gives one answer to everything.
func fail(err error) deliverFunc {
	return func(context.Context, []sink.Event) (int, error) { return 0, err }
}

// sequence is the script that gives each of its answers once, and the last one from then on.
func sequence(answers ...deliverFunc) deliverFunc {
	var mu sync.Mutex
	return func(ctx context.Context, batch []sink.Event) (int, error) {
		mu.Lock()
		answer := answers[0]
		if len(answers) > 1 {
			answers = answers[1:]
		}
		mu.Unlock()
		return answer(ctx, batch)
	}
}

// hang is the script of a sink that ignores its context until release is closed.
func hang(release <-chan struct{}) deliverFunc {
	return func(_ context.Context, batch []sink.Event) (int, error) {
		<-release
		return len(batch), nil
	}
}

// untilDone is the script of a sink that waits for its context.
func untilDone(ctx context.Context, _ []sink.Event) (int, error) {
	<-ctx.Done()
	return 0, ctx.Err()
}

func (f *fake) Open() (sink.Sink, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.opened++
	return (*fakeSink)(f), nil
}

func (f *fake) String() string { return f.name }

func (f *fake) answer(script deliverFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.script = script
}

func (f *fake) current() deliverFunc {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.script
}

// fakeSink is what a fake opens.
type fakeSink fake

func (f *fakeSink) Deliver(ctx context.Context, batch []sink.Event) (int, error) {
	f.mu.Lock()
	f.running++
	f.overlap = f.overlap || f.running > 1
	f.calls = append(f.calls, call{at: time.Now(), ids: ids(batch), events: slices.Clone(batch)})
	script := f.script
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.running--
	}()
	return script(ctx, batch)
}

func (f *fakeSink) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed++
	return nil
}

// attempts returns the ids of each Deliver.
func (f *fake) attempts() [][]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all [][]string
	for _, c := range f.calls {
		all = append(all, c.ids)
	}
	return all
}

// last returns the events of the last Deliver.
func (f *fake) last() []sink.Event {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[len(f.calls)-1].events
}

func (f *fake) times() []time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []time.Time
	for _, c := range f.calls {
		all = append(all, c.at)
	}
	return all
}

func (f *fake) closes() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.closed
}

func ids(events []sink.Event) []string {
	var all []string
	for _, e := range events {
		id := e.ID
		if e.Action == "auditstream.test" {
			id = "test"
		}
		all = append(all, id)
	}
	return all
}

// event returns a small event with the id e<n>.
func event(n int) auditstream.Event {
	return auditstream.Event{ID: fmt.Sprint("e", n), Action: "project.edit", Actor: auditstream.Actor{ID: "alice"}}
}

// span returns the ids e<from> to e<to>.
func span(from, to int) []string {
	var all []string
	for i := from; i <= to; i++ {
		all = append(all, fmt.Sprint("e", i))
	}
	return all
}

// newStream returns a Stream that ends with the test, and checks its ledger then.
func newStream(t *testing.T, cfg auditstream.Config) *auditstream.Stream {
	t.Helper()
	s, err := auditstream.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = s.Shutdown(ctx)
		checkLedger(t, s)
	})
	return s
}

// enabled returns a Stream that delivers to f.
func enabled(t *testing.T, cfg auditstream.Config, f *fake) *auditstream.Stream {
	t.Helper()
	s := newStream(t, cfg)
	require.NoError(t, s.Configure(f))
	return s
}

// publish publishes the events e<from> to e<to>.
func publish(t *testing.T, s *auditstream.Stream, from, to int) {
	t.Helper()
	for i := from; i <= to; i++ {
		require.NoError(t, s.Publish(event(i)))
	}
}

func checkLedger(t *testing.T, s *auditstream.Stream) {
	t.Helper()
	status := s.Status()
	l := status.Totals
	assert.Equal(t, l.Accepted, l.Delivered+l.Rejected+l.Discarded+l.Pending, "the ledger does not balance: %+v", l)
	assert.Equal(t, l.Discarded, l.DiscardedOverflow+l.DiscardedDeleted+l.DiscardedShutdown)
	assert.EqualValues(t, l.Pending, status.Queue.Events)
}

// after returns a context that ends after d.
func after(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// journal collects what a Stream tells its callbacks and its logger.
type journal struct {
	mu          sync.Mutex
	rejections  []auditstream.Rejection
	transitions []auditstream.Transition
	text        bytes.Buffer
}

func (j *journal) onReject(r auditstream.Rejection) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.rejections = append(j.rejections, r)
}

func (j *journal) onTransition(tr auditstream.Transition) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.transitions = append(j.transitions, tr)
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) logger() *slog.Logger { return slog.New(slog.NewTextHandler(j, nil)) }

func (j *journal) log() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// rejected returns the ids of all rejected events.
func (j *journal) rejected() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var all []string
	for _, r := range j.rejections {
		all = append(all, ids(r.Events)...)
	}
	return all
}

// moves returns the transitions as "state/condition" after each.
func (j *journal) moves() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var all []string
	for _, tr := range j.transitions {
		all = append(all, string(tr.To)+"/"+string(tr.ToCondition))
	}
	return all
}

var errFake = errors.New("fake: refused")

// goroutines returns how many goroutines this test's bubble has. runtime.NumGoroutine would count what tests without a
// bubble, those with sockets, have left to the runtime to end.
func goroutines() int {
	stacks := make([]byte, 1<<20)
	return bytes.Count(stacks[:runtime.Stack(stacks, true)], []byte(", synctest bubble "))
}
