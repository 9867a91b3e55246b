package checks

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"github.com/anishathalye/porcupine"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/sink"
)

// The operations of a history. All but the last two are calls of the Stream; Shutdown is two of them.
const (
	opPublish   = "Publish"
	opConfigure = "Configure"
	opPause     = "Pause"
	opResume    = "Resume"
	opDelete    = "Delete"
	opStatus    = "Status"
	opClose     = "Shutdown begins"
	opEnd       = "Shutdown ends"

	// opAttempt is the last look at the state before Deliver is called, at some time between the moment since which
	// the sink was free and the call.
	opAttempt = "attempt"

	// opSettle is the answer's way into the ledger, at some time between Deliver's return and the moment when the places
	// of all that may be in progress are taken by others.
	opSettle = "settle"
)

// input is an operation as it was asked for.
type input struct {
	op      string
	id      string // of the event of Publish
	sink    int64  // of Configure and of an attempt
	attempt int    // number, from 1
	events  set    // of an attempt
}

// output is what came of it.
type output struct {
	err      error
	number   uint64 // of the event of Publish, 0 if nobody has seen it
	state    auditstream.State
	totals   auditstream.Totals
	queued   int
	left     int // events handed back by Shutdown
	answered int // events answered for by an attempt
}

// set is a set of sequence numbers up to 64.
type set uint64

// lowest returns the n lowest numbers of s, or all if there are fewer.
func (s set) lowest(n int) (low set) {
	for ; n > 0 && s != 0; n-- {
		one := s & -s
		low, s = low|one, s&^one
	}
	return low
}

func (s set) len() int { return bits.OnesCount64(uint64(s)) }

// setOf returns the set of the events' numbers.
func setOf(events []sink.Event) (s set) {
	for _, e := range events {
		s |= 1 << (e.Sequence - 1)
	}
	return s
}

// progress is an attempt that has begun and not been settled.
type progress struct {
	attempt int // 0: none
	events  set
}

// maxInFlight is how many attempts can be in progress in a history.
const maxInFlight = 3

// machine is the Stream as a sequential state machine. It is compared by ==.
type machine struct {
	state   auditstream.State
	closing bool // Shutdown has begun
	closed  bool // and ended
	sink    int64
	flight  [maxInFlight]progress // by number of the attempt, those that are none at the end
	pending set                   // with DropOldest it is not known, but how many
	left    int
	totals  auditstream.Totals
}

// plain returns the sentinel that err is, so that outputs can be compared, or err itself if it is none.
func plain(err error) error {
	for _, known := range []error{
		auditstream.ErrUnconfigured, auditstream.ErrPaused, auditstream.ErrDeleted, auditstream.ErrShutdown,
		auditstream.ErrQueueFull,
	} {
		if errors.Is(err, known) {
			return known
		}
	}
	return err
}

// sequential is the model: what each operation does to a Stream if nothing else happens meanwhile.
func sequential(cfg auditstream.Config) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return machine{state: auditstream.StateUnconfigured} },
		Step: func(state, in, out any) (bool, any) {
			m := state.(machine)
			ok := m.step(&cfg, in.(input), out.(output))
			return ok, m
		},
		DescribeOperation: func(in, out any) string { return describe(in.(input), out.(output)) },
	}
}

// describe shows an operation with what matters of it.
func describe(in input, out output) string {
	switch in.op {
	case opPublish:
		return fmt.Sprintf("%s %s as number %d: %v", in.op, in.id, out.number, out.err)
	case opConfigure:
		return fmt.Sprintf("%s sink %d: %v", in.op, in.sink, out.err)
	case opStatus:
		return fmt.Sprintf("%s: %s %+v", in.op, out.state, out.totals)
	case opEnd:
		return fmt.Sprintf("%s: %d left", in.op, out.left)
	case opAttempt:
		return fmt.Sprintf("%s %d on sink %d: %b", in.op, in.attempt, in.sink, in.events)
	case opSettle:
		return fmt.Sprintf("%s %d: %d", in.op, in.attempt, out.answered)
	}
	return fmt.Sprintf("%s: %v", in.op, out.err)
}

// step makes m do in, and reports whether it can come to out.
func (m *machine) step(cfg *auditstream.Config, in input, out output) bool {
	switch in.op {
	case opPublish:
		return m.publish(cfg, out)
	case opConfigure:
		return m.configure(cfg, in, out)
	case opPause:
		return m.move(auditstream.StatePaused, out)
	case opResume:
		return m.move(auditstream.StateEnabled, out)
	case opDelete:
		m.totals.DiscardedDeleted += m.discard()
		m.state, m.sink = auditstream.StateDeleted, 0
		return out.err == nil
	case opStatus:
		out.totals.InDoubt = 0 // outside of the ledger: it counts attempts and not calls
		return out.state == m.state && out.totals == m.totals && out.queued == int(m.totals.Pending)
	case opClose:
		m.closing = true
		return true
	case opEnd:
		return m.end(out)
	case opAttempt:
		return m.begin(cfg, in)
	case opSettle:
		return m.settle(in, out)
	}
	panic(in.op)
}

// refusal is why nothing is accepted, or nil.
func (m *machine) refusal(cfg *auditstream.Config) error {
	switch {
	case m.closing:
		return auditstream.ErrShutdown
	case m.state == auditstream.StateUnconfigured:
		return auditstream.ErrUnconfigured
	case m.state == auditstream.StateDeleted:
		return auditstream.ErrDeleted
	case m.state == auditstream.StatePaused && cfg.WhilePaused == auditstream.Refuse:
		return auditstream.ErrPaused
	}
	return nil
}

func (m *machine) publish(cfg *auditstream.Config, out output) bool {
	t := &m.totals
	if err := m.refusal(cfg); err != nil {
		t.RefusedInactive++
		return out.err == err //nolint:errorlint // plain has unwrapped it.
	}
	if int(t.Pending) == cfg.QueueEvents {
		if cfg.Overflow != auditstream.DropOldest {
			t.RefusedFull++
			return out.err == auditstream.ErrQueueFull //nolint:errorlint // plain has unwrapped it.
		}
		// All batches in flight are smaller than the queue, so there is always one to drop that no attempt has.
		t.Pending--
		t.Discarded++
		t.DiscardedOverflow++
	}
	m.pending |= 1 << t.Accepted
	t.Accepted++
	t.Pending++
	return out.err == nil && (out.number == 0 || out.number == t.Accepted)
}

func (m *machine) configure(cfg *auditstream.Config, in input, out output) bool {
	if m.closing {
		return out.err == auditstream.ErrShutdown //nolint:errorlint // plain has unwrapped it.
	}
	switch {
	case m.state == auditstream.StateUnconfigured && cfg.StartPaused:
		m.state = auditstream.StatePaused
	case m.state != auditstream.StatePaused:
		m.state = auditstream.StateEnabled
	}
	m.sink = in.sink
	return out.err == nil
}

// move is Pause and Resume.
func (m *machine) move(to auditstream.State, out output) bool {
	var want error
	switch {
	case m.closing:
		want = auditstream.ErrShutdown
	case m.state == auditstream.StateUnconfigured:
		want = auditstream.ErrUnconfigured
	case m.state == auditstream.StateDeleted:
		want = auditstream.ErrDeleted
	default:
		m.state = to
	}
	return out.err == want //nolint:errorlint // plain has unwrapped it.
}

// discard empties the queue and ends the attempts in progress.
func (m *machine) discard() uint64 {
	n := m.totals.Pending
	m.totals.Discarded += n
	m.totals.Pending, m.pending, m.flight = 0, 0, [maxInFlight]progress{}
	return n
}

// end is the end of the first Shutdown, or of a later one, which gets the same result.
func (m *machine) end(out output) bool {
	if !m.closed {
		n := m.discard()
		m.totals.DiscardedShutdown += n
		m.left, m.closed = int(n), true
	}
	return m.closing && out.left == m.left
}

// leased returns the events of the attempts in progress, and how many attempts there are.
func (m *machine) leased() (events set, attempts int) {
	for attempts < maxInFlight && m.flight[attempts].attempt != 0 {
		events |= m.flight[attempts].events
		attempts++
	}
	return events, attempts
}

// begin is the last look before an attempt: it starts on the sink that is the stream's own, while the stream is enabled
// and there is a place for it, with events that nobody else has: the oldest, if it is alone. (Beside others it need not
// be: an attempt that is called off at the last look has had its events until then.)
func (m *machine) begin(cfg *auditstream.Config, in input) bool {
	leased, attempts := m.leased()
	if m.state != auditstream.StateEnabled || m.closed || attempts == cfg.InFlight || m.sink != in.sink ||
		in.events.len() > cfg.BatchEvents || in.events.len() > int(m.totals.Pending)-leased.len() || in.events&leased != 0 {
		return false
	}
	if cfg.Overflow != auditstream.DropOldest {
		if in.events&^m.pending != 0 || cfg.InFlight == 1 && in.events != m.pending.lowest(in.events.len()) {
			return false
		}
	}
	m.flight[attempts] = progress{in.attempt, in.events}
	slices.SortFunc(m.flight[:attempts+1], func(a, b progress) int { return a.attempt - b.attempt })
	return true
}

// settle counts the answer to an attempt, unless Delete or Shutdown has ended it.
func (m *machine) settle(in input, out output) bool {
	i := slices.IndexFunc(m.flight[:], func(p progress) bool { return p.attempt == in.attempt })
	if i < 0 {
		return true
	}
	m.totals.Delivered += uint64(out.answered)
	m.totals.Pending -= uint64(out.answered)
	m.pending &^= m.flight[i].events.lowest(out.answered)
	copy(m.flight[i:], m.flight[i+1:])
	m.flight[maxInFlight-1] = progress{}
	return true
}
