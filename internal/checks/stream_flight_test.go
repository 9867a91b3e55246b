package checks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/sink"
)

// grace is how long a call may take to return after its context has ended, or its sink was replaced.
const grace = time.Second

// call is one call of Deliver.
type call struct {
	sink      *fake
	ctx       context.Context
	number    uint64 // sequence number of the first event; 0: it is the test event
	size      int
	sequences []uint64
	entered   time.Time
}

func (c *call) trial() bool { return c.number == 0 }

// leased reports whether the call's lease is current for sure: every way to end one ends the context first.
func (c *call) leased() bool { return c.ctx.Err() == nil }

// flight is what a destination knows about the calls of its sinks: which run, what they may bring, and what has become
// of the events. It is guarded by the destination's lock.
type flight struct {
	cfg     auditstream.Config
	running []*call
	offers  map[uint64]int // of events, by sequence number
	over    bool           // Shutdown has returned
	healthy bool           // the condition was, when it was last looked at

	highest  uint64 // sequence number offered so far
	earlier  uint64 // and before lastSeen
	lastSeen time.Time

	settled   map[uint64]bool  // events that were answered for in time: they are not offered again
	delivered map[uint64]bool  // those of them that were taken
	claimed   map[uint64]bool  // events that were taken, in time or not
	refused   map[uint64]bool  // events told to OnReject
	refusedBy map[uint64]*fake // which sink refused them
	counted   uint64           // events that OnReject was told the number of

	failedAt  time.Time // when an attempt last failed
	askedAt   time.Time // when a wait began: a sink asked for one, or blocked
	notBefore time.Time // how long it lasts; zero: there is none, or a call of the Stream has ended it
	urgent    bool      // the next attempt starts in spite of it

	rangeEnd   uint64    // of the range that was refused as a whole; 0: there is none, or it is not known
	rangeSince time.Time // when it was refused
	halving    bool      // there may be one
	leftAt     time.Time // when a call last returned

	goodAt     time.Time   // when an event was last taken, or the destination edited
	rejections []time.Time // of events one by one, since the first
}

func newFlight(cfg auditstream.Config) flight {
	return flight{
		cfg: cfg, offers: make(map[uint64]int), settled: make(map[uint64]bool), delivered: make(map[uint64]bool),
		claimed: make(map[uint64]bool), refused: make(map[uint64]bool),
		refusedBy: make(map[uint64]*fake),
	}
}

// problem notes what is wrong. It is called with the lock held, as what follows.
func (d *destination) problem(format string, args ...any) {
	d.problems = append(d.problems, fmt.Sprintf(format, args...))
}

func (d *destination) close(f *fake) {
	if f.closed || slices.ContainsFunc(d.flight.running, func(c *call) bool { return c.sink == f }) {
		d.problem("closed twice, or while Deliver runs")
	}
	f.closed = true
	d.closed++
}

// enter notes the beginning of a call and what is wrong with it, and returns how to answer it.
func (d *destination) enter(c *call, batch []sink.Event) (mode string, delay time.Duration, hung <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c.entered = time.Now()
	d.flight.running = append(d.flight.running, c)
	d.checkCrowd(c)
	d.checkLimit(c)
	mode, delay, hung = d.plan(c)
	if c.trial() {
		d.flight.offers[0]++
		return mode, delay, hung
	}
	for _, e := range batch {
		c.sequences = append(c.sequences, e.Sequence)
	}
	d.checkTime(c)
	d.checkParts(c)
	d.checkEvents(c)
	return mode, delay, hung
}

// checkCrowd notes when there are more calls than may be.
func (d *destination) checkCrowd(c *call) {
	if c.sink.closed {
		d.problem("called after Close")
	}
	own, leased, newest := 0, 0, c.sink
	for _, other := range d.flight.running {
		if other.sink == c.sink {
			own++
			if deadline, _ := other.ctx.Deadline(); time.Since(deadline) > grace {
				d.problem("called though it has not come back")
			}
		}
		if other.leased() {
			leased++
			if other.sink.number > newest.number {
				newest = other.sink
			}
		}
	}
	if limit := min(d.cfg.InFlight, c.sink.limit); own > limit {
		d.problem("%d calls of a sink at once, want %d", own, limit)
	}
	// The last of them began on the newest sink, when all the others had.
	if limit := min(d.cfg.InFlight, newest.limit); leased > limit && c.leased() {
		d.problem("%d attempts at once, want %d", leased, limit)
	}
}

// checkLimit notes when the attempt's context does not end when it should.
func (d *destination) checkLimit(c *call) {
	want := time.Minute // the default of Config.AttemptTimeout
	if c.sink.timeout > 0 {
		want = c.sink.timeout
	}
	if deadline, ok := c.ctx.Deadline(); !ok || time.Until(deadline) != want {
		d.problem("an attempt has %v, want %v", time.Until(deadline), want)
	}
}

// checkTime notes when the call comes before the time that was asked for.
func (d *destination) checkTime(c *call) {
	f := &d.flight
	if f.urgent {
		f.urgent, f.notBefore = false, time.Time{}
	}
	concurrent := d.cfg.InFlight > 1 && c.entered.Equal(f.askedAt) // it may have begun before
	if early := f.notBefore.Sub(c.entered); early > 0 && !concurrent {
		d.problem("an attempt %v before the time that was asked for", early)
	}
}

// checkParts notes when anything begins beside a part of a range that was refused as a whole.
func (d *destination) checkParts(c *call) {
	f := &d.flight
	if f.rangeEnd == 0 {
		return
	}
	since := 0
	for _, other := range f.running {
		if other.leased() && !other.entered.Before(f.rangeSince) {
			since++
		}
	}
	if since > 1 && c.leased() {
		d.problem("%d attempts at once while the range to %d is halved", since, f.rangeEnd)
	}
}

// checkEvents notes what is wrong with the batch: sequence numbers rise within it, no event is offered for the first
// time after a younger one was, none is in two leases, and none that was answered for comes again.
func (d *destination) checkEvents(c *call) {
	f := &d.flight
	if c.size > d.cfg.BatchEvents {
		d.problem("a batch of %d, want %d", c.size, d.cfg.BatchEvents)
	}
	if c.entered.After(f.lastSeen) || d.cfg.InFlight == 1 {
		// Of attempts that begin at the same time any may be the first to reach its sink.
		f.earlier, f.lastSeen = f.highest, c.entered
	}
	for i, seq := range c.sequences {
		if i > 0 && seq <= c.sequences[i-1] {
			d.problem("event %d after %d", seq, c.sequences[i-1])
		}
		if seq < f.earlier && f.offers[seq] == 0 {
			d.problem("event %d first offered after %d", seq, f.earlier)
		}
		if f.settled[seq] {
			d.problem("event %d, which was answered for, is offered again", seq)
		}
		f.offers[seq]++
		f.highest = max(f.highest, seq)
	}
	for _, other := range f.running {
		if other != c && !d.givenUp(other) && slices.ContainsFunc(c.sequences, func(seq uint64) bool {
			return slices.Contains(other.sequences, seq)
		}) {
			d.problem("events of %v are in two leases: %v", c.sequences, other.sequences)
		}
	}
}

// inTime reports whether what a call says is heard for sure: its lease is current, and does not end at this moment.
func (d *destination) inTime(c *call) bool {
	return c.leased() && (c.sink == d.newest || time.Since(c.sink.replacedAt) < grace)
}

// givenUp reports whether the lease of a call that still runs has ended.
func (d *destination) givenUp(c *call) bool {
	switch err := c.ctx.Err(); {
	case errors.Is(err, context.DeadlineExceeded):
		deadline, _ := c.ctx.Deadline()
		replaced := c.sink != d.newest && time.Since(c.sink.replacedAt) >= grace
		return time.Since(deadline) >= grace || replaced
	default:
		return err != nil
	}
}

// leave notes what a call answers.
func (d *destination) leave(c *call, n int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := &d.flight
	f.running = slices.DeleteFunc(f.running, func(other *call) bool { return other == c })
	if n < 0 || n > c.size {
		n, err = 0, errFake
	}
	e, _ := errors.AsType[*sink.Error](err)
	if c.trial() {
		if err == nil {
			f.goodAt = time.Now()
		} else {
			f.failedAt, c.sink.failed = time.Now(), true
		}
		return
	}
	f.take(c, n, e, d.inTime(c))
	d.fail(c, n, e)
	if e == nil || !c.leased() || c.sink != d.newest {
		f.part(c, n, nil)
		return
	}
	f.part(c, n, e)
	f.wait(min(e.After, honoured))
}

// fail notes a failure. One of an attempt that began after the last blocks for as long as there is no probe; others have
// no meaning. A call that does not come back fails when its time is up, and ends the wait when it does come back.
func (d *destination) fail(c *call, n int, e *sink.Error) {
	f := &d.flight
	hung := slices.ContainsFunc(f.running, d.givenUp)
	switch {
	case d.givenUp(c):
		c.sink.failed = true
		deadline, _ := c.ctx.Deadline()
		f.failedAt = later(f.failedAt, deadline.Add(grace))
		f.notBefore = time.Time{}
	case n == c.size || c.sink != d.newest || e != nil && (e.Verdict == sink.VerdictReject || e.Verdict == sink.VerdictSplit):
	default:
		if e != nil && e.Verdict == sink.VerdictBlock && c.entered.After(f.failedAt) && !hung && c.leased() {
			f.wait(firstProbe)
		}
		c.sink.failed = true
		f.failedAt = time.Now()
	}
}

// firstProbe is how long a blocked destination is left alone at the least.
const firstProbe = 48 * time.Second

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// wait notes that the next attempt is not to begin before a time has passed.
func (f *flight) wait(d time.Duration) {
	if until := time.Now().Add(d); d > 0 && until.After(f.notBefore) {
		f.askedAt, f.notBefore = time.Now(), until
	}
}

// take notes what has become of the events of a call.
func (f *flight) take(c *call, n int, e *sink.Error, inTime bool) {
	certain := n // events from the front that leave the queue, whether a rejection is believed or not
	var rejected []int
	switch {
	case e == nil:
	case e.Verdict == sink.VerdictSplit && c.size == 1:
		f.refusedBy[c.number] = c.sink
	case e.Verdict != sink.VerdictReject:
	case len(e.Index) > 0:
		rejected, certain = e.Index, e.Index[0]
	case e.Count == 0:
		rejected, certain = []int{n - 1}, n-1
	}
	for i, seq := range c.sequences[:n] {
		if slices.Contains(rejected, i) {
			f.refusedBy[seq] = c.sink
			continue
		}
		f.claimed[seq] = true
		f.goodAt = time.Now()
		if i < certain && inTime {
			f.settled[seq] = true
			if e == nil || e.Count == 0 {
				f.delivered[seq] = true
			}
		}
	}
}

// part follows the halving of a range that was refused as a whole. It loses sight of it where another may have been refused
// before, or another attempt may have begun at the same time, and wherever it may be over.
func (f *flight) part(c *call, n int, e *sink.Error) {
	known := !f.halving || !slices.ContainsFunc(f.running, (*call).leased)
	now := time.Now()
	crowded := f.rangeEnd == 0 && (f.leftAt.Equal(now) || c.entered.Equal(now))
	f.leftAt = now
	switch {
	case f.rangeEnd != 0 && c.entered.Before(f.rangeSince): // it is not a part
		if f.rangeSince.Equal(now) { // and it may have made room before the refusal is known
			f.rangeEnd = 0
		}
	case e != nil && e.Verdict == sink.VerdictSplit && c.size > 1:
		f.rangeEnd, f.halving = 0, true
		if known && !crowded && f.cfg.Overflow != auditstream.DropOldest { // that may drop what is left of it
			f.rangeEnd, f.rangeSince = c.sequences[c.size-1], now
		}
	case e != nil && (e.Verdict == sink.VerdictSplit || e.Verdict == sink.VerdictReject),
		n == c.size && c.sequences[n-1] >= f.rangeEnd:
		f.rangeEnd = 0
	}
}

// rejected notes what OnReject was told. No more than two events are rejected in a row, one by one, without one that is
// taken between them, be it the test event.
func (d *destination) rejected(r auditstream.Rejection) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := &d.flight
	if r.Events == nil {
		f.counted += r.Count
		return
	}
	for _, e := range r.Events {
		if f.refused[e.Sequence] {
			d.problem("event %d was rejected twice", e.Sequence)
		}
		if f.refusedBy[e.Sequence] != d.newest {
			d.problem("event %d was rejected by a sink that has been replaced", e.Sequence)
		}
		f.refused[e.Sequence] = true
		f.rejections = append(f.rejections, time.Now())
	}
	if n := len(f.rejections); n > 2 && f.rejections[n-3].After(f.goodAt) {
		d.problem("event %d is the third in a row to be rejected", r.Events[len(r.Events)-1].Sequence)
	}
}

// edited notes that Configure or Delete is called, or has been.
func (d *destination) edited() {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := &d.flight
	f.goodAt, f.notBefore, f.rangeEnd = time.Now(), time.Time{}, 0
	f.halving = false
}

// resumed notes that Resume is about to end a pause.
func (d *destination) resumed() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.flight.notBefore = time.Time{}
}

// pressed notes that Flush or Shutdown is about to be called: the next attempt starts in spite of everything.
func (d *destination) pressed() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.flight.urgent = true
}

// ended notes that Shutdown has returned.
func (d *destination) ended() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.flight.over = true
}

// check compares what the sinks have seen with a snapshot. Everything is at rest: the model has waited.
func (d *destination) check(rt *rapid.T, status auditstream.Status) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := &d.flight
	require.Empty(rt, d.problems)
	l := status.Totals
	require.LessOrEqual(rt, f.highest, l.Accepted)
	require.GreaterOrEqual(rt, l.Delivered, uint64(len(f.delivered)), "more was taken than is counted")
	require.LessOrEqual(rt, l.Delivered, uint64(len(f.claimed)), "more is counted than was taken")
	u := d.use(status)
	require.LessOrEqual(rt, uint64(u.events), l.Pending, "more is leased than is pending")
	if status.Condition != auditstream.ConditionHealthy {
		require.LessOrEqual(rt, u.begun, 1, "attempts at once at a destination that fails")
	}
	require.False(rt, u.late, "an attempt goes on at a sink that was replaced")
	if f.healthy && status.Condition != auditstream.ConditionHealthy {
		hung := slices.ContainsFunc(f.running, func(c *call) bool { return c.sink == d.newest && d.givenUp(c) })
		require.True(rt, d.newest.failed || hung, "the stream fails, and its sink has not")
	}
	f.healthy = status.Condition == auditstream.ConditionHealthy
	d.checkUse(rt, status, u)
}

// use is how many calls run, all of a current lease if none is odd.
type use struct {
	leased, events int
	begun, perhaps int  // after the last failure, or at the same time
	halving        bool // one of them began after the range was refused that is halved
	odd            int
	late           bool // one goes on at a sink that was replaced
}

// use counts the calls that run.
func (d *destination) use(status auditstream.Status) (u use) {
	for _, c := range d.flight.running {
		if !c.leased() {
			u.odd++
			continue
		}
		u.late = u.late || c.sink != d.newest && time.Since(c.sink.replacedAt) > grace
		u.leased++
		u.events += c.size
		u.halving = u.halving || !c.entered.Before(d.flight.rangeSince)
		switch {
		case c.trial():
			u.odd++
		case c.entered.After(status.LastErrorTime):
			u.begun++
		case c.entered.Equal(status.LastErrorTime):
			u.perhaps++
		}
	}
	return u
}

// checkUse checks that as many calls run as may, while there are full batches and nothing stands against it.
func (d *destination) checkUse(rt *rapid.T, status auditstream.Status, u use) {
	f := &d.flight
	waiting := status.Queue.Events - u.events
	if status.State != auditstream.StateEnabled || f.over || u.odd > 0 || time.Now().Before(f.notBefore) {
		return
	}
	limit := min(d.cfg.InFlight, d.newest.limit)
	switch {
	case status.Condition != auditstream.ConditionHealthy:
		if waiting >= d.cfg.BatchEvents && u.leased < limit && u.begun+u.perhaps == 0 && !f.halving {
			require.NotZero(rt, status.NextAttempt, "there is a place, and nobody is going to try")
		}
	case f.rangeEnd != 0:
		if u.leased < limit {
			require.True(rt, u.halving, "no part is tried of the range that was refused")
		}
	case f.halving:
	case waiting >= d.cfg.BatchEvents:
		require.GreaterOrEqual(rt, u.leased, limit, "attempts in progress, though more events wait")
	}
}

// reckon checks, in the end, that everything that was accepted is accounted for.
func (d *destination) reckon(rt *rapid.T, l auditstream.Totals) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := &d.flight
	require.Equal(rt, d.opened, d.closed, "every sink is closed, once")
	require.Empty(rt, f.running)
	missing := uint64(0)
	for seq := uint64(1); seq <= l.Accepted; seq++ {
		if !f.claimed[seq] && !f.refused[seq] {
			missing++
		}
	}
	require.LessOrEqual(rt, missing, l.Discarded+f.counted, "events are neither delivered nor counted as anything else")
}
