package checks

import (
	"errors"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/sink"
)

// requireBounded looks at the pace of the attempts: each may only start when it may, and no minute has too many.
func (s *soak) requireBounded(t *testing.T) {
	t.Helper()
	l := s.log
	l.mu.Lock()
	defer l.mu.Unlock()
	attempts := slices.DeleteFunc(slices.Clone(l.attempts), func(d *delivery) bool { return d.trial })
	s.findAlone(attempts)
	var waits []*delivery // attempts after which there is a wait
	for i, d := range attempts {
		if i > 0 {
			l.requireCompany(t, attempts[i-1], d)
		}
		for _, before := range waits {
			if d.start.After(before.end) || s.cfg.InFlight == 1 {
				l.requireDue(t, s.sky.asked, before, d)
			}
		}
		waits = slices.DeleteFunc(waits, func(before *delivery) bool { return d.start.Sub(before.end) > soakMaxAfter })
		if d.waits() {
			waits = append(waits, d)
		}
	}
	l.requireMinutes(t, s.stations, s.cfg.InFlight)
}

// findAlone marks the attempts beside which no other ran, or may have.
func (s *soak) findAlone(attempts []*delivery) {
	var ended time.Time // the last end of those before
	for i, d := range attempts {
		overlaps := d.start.Before(ended) || i+1 < len(attempts) && attempts[i+1].start.Before(d.end)
		if s.cfg.InFlight > 1 {
			overlaps = overlaps || d.start.Equal(ended) || i+1 < len(attempts) && attempts[i+1].start.Equal(d.end)
		}
		d.alone = !overlaps
		if d.end.After(ended) {
			ended = d.end
		}
	}
}

// waits reports whether events are kept for a later attempt.
func (d *delivery) waits() bool {
	e, ok := errors.AsType[*sink.Error](d.err)
	return d.n < d.size && (!ok || e.Verdict == sink.VerdictRetry || e.Verdict == sink.VerdictBlock)
}

// requireDue checks that the attempt d may follow an attempt that has ended before, and after which there is a wait.
func (l *attemptLog) requireDue(t *testing.T, asks []asked, before, d *delivery) {
	t.Helper()
	at := d.start.Sub(l.began)
	if disturbed(l.calls, before.start, d.start) {
		return
	}
	gap := d.start.Sub(before.end)
	if e, ok := errors.AsType[*sink.Error](before.err); ok {
		if wait := min(e.After, soakMaxAfter); gap < wait {
			assert.Fail(t, "an attempt before the time that the destination asked for", "%v: %v instead of %v", at, gap, wait)
		}
		if e.Verdict == sink.VerdictBlock && before.alone && gap < soakRetryMax*8/10 {
			assert.Fail(t, "a blocked destination is probed too soon", "%v: after %v", at, gap)
		}
	}
	if !before.alone || disturbed(l.tests, before.start.Add(-time.Minute), before.end) {
		return // what was asked for may have been asked of another attempt, or of a Test
	}
	for _, ask := range asks {
		if !ask.at.Before(before.start) && !ask.at.After(before.end) && gap < ask.wait {
			assert.Fail(t, "an attempt before the time that the server asked for", "%v: %v instead of %v", at, gap, ask.wait)
		}
	}
}

// requireCompany checks that the attempt d, which begins next after another, has not left too soon.
func (l *attemptLog) requireCompany(t *testing.T, before, d *delivery) {
	t.Helper()
	since := d.start.Add(-soakBatchDelay)
	if before.start.Before(since) {
		since = before.start
	}
	waited := d.start.Sub(d.oldest)
	if d.fresh && d.size < soakBatchEvents && waited < soakBatchDelay && !disturbed(l.calls, since, d.start) {
		assert.Fail(t, "a batch that is not full leaves before BatchDelay", "%v: after %v", d.start.Sub(l.began), waited)
	}
}

// minute is how much happened in one minute.
type minute struct {
	attempts, full, failed, splits, calls, requests, dials, tests int

	stuck bool // every attempt failed, after stuckAfter others
}

// maximum raises m to other where that is more.
func (m *minute) maximum(other minute) {
	m.attempts, m.failed = max(m.attempts, other.attempts), max(m.failed, other.failed)
	m.requests, m.dials = max(m.requests, other.requests), max(m.dials, other.dials)
}

const (
	// maxPartial is how many attempts at batches that are not full can follow each other in a minute while they
	// succeed: one has taken all that was queued, so what the next takes was published after it began, and waits
	// BatchDelay.
	maxPartial = int(time.Minute/soakBatchDelay) + 1

	// maxFailed is how many attempts can fail in a minute whatever happens between them. The wait after a failure is
	// uniform in (0, RetryMin] at the least, 0.5 s on average. The number of such waits that fit into a minute has a
	// mean of 120 and a standard deviation of 6.3; this is 10 of them above.
	maxFailed = 183

	// maxStuck is how many attempts can fail in a minute of an outage, from the eighth failure in a row on. The waits
	// are uniform in (0, RetryMax] by then, RetryMax being that minute. That n of them fit into it has a probability of
	// 1/n!, for 16 of them 5·10⁻¹⁴; and one more attempt stands before the first wait.
	maxStuck = 17

	// stuckAfter is how many failures in a row let the bound of the wait grow to RetryMax: 1 s·2⁶ exceeds it.
	stuckAfter = 7
)

// requireMinutes bounds the attempts, requests and dials of every minute.
func (l *attemptLog) requireMinutes(t *testing.T, stations []*station, inFlight int) {
	t.Helper()
	minutes := make([]minute, int((soakTime+drainTime)/time.Minute)+2)
	at := func(moment time.Time) *minute { return &minutes[int(moment.Sub(l.began)/time.Minute)] }
	l.countAttempts(at)
	for _, moment := range l.calls {
		at(moment).calls++
	}
	for _, moment := range l.tests {
		at(moment).tests++
	}
	for _, moment := range l.dials {
		at(moment).dials++
	}
	for _, st := range stations {
		for _, r := range st.server.Requests() {
			at(r.Time).requests++
		}
	}
	var all, most, mostStuck minute
	stuck := 0
	for i, m := range minutes {
		// As many as are in flight can fail before one wait. A call lets an attempt start at once. A refused batch of 16 is halved in at most 6 further attempts, and each
		// event that is rejected costs one, and perhaps a test event.
		bound := maxPartial + inFlight*maxFailed + m.full + m.calls + m.tests + 8*m.splits
		if m.attempts > 0 && m.stuck && m.calls == 0 {
			stuck++
			bound = maxStuck
			mostStuck.maximum(m)
		}
		assert.LessOrEqual(t, m.attempts, bound, "attempts in minute %d: %+v", i, m)
		assert.LessOrEqual(t, m.requests, bound+m.tests, "requests in minute %d: %+v", i, m)
		assert.LessOrEqual(t, m.dials, bound+m.tests, "dials in minute %d: %+v", i, m)
		most.maximum(m)
		all.attempts, all.failed, all.requests = all.attempts+m.attempts, all.failed+m.failed, all.requests+m.requests
	}
	assert.Positive(t, stuck)
	t.Logf("%d attempts, %d failed, %d requests, %d dials; at most %d attempts (%d failed), %d requests and %d dials a minute; "+
		"at most %d attempts in each of %d minutes of outages", all.attempts, all.failed, all.requests, len(l.dials),
		most.attempts, most.failed, most.requests, most.dials, mostStuck.attempts, stuck)
}

// countAttempts counts the attempts of each minute.
func (l *attemptLog) countAttempts(at func(time.Time) *minute) {
	inRow := 0 // failures, since a success or a call that begins a new streak; those that are in flight together are one
	since, failed := l.began, l.began
	for _, d := range l.attempts {
		if disturbed(l.calls, since, d.start) {
			inRow = 0
		}
		since = d.start
		m := at(d.start)
		m.attempts++
		e, ok := errors.AsType[*sink.Error](d.err)
		switch {
		case ok && (e.Verdict == sink.VerdictSplit || e.Verdict == sink.VerdictReject):
			m.splits++
			inRow = 0
		case d.n == d.size:
			inRow = 0
			if d.size == soakBatchEvents {
				m.full++
			}
		default:
			m.failed++
			if d.n > 0 {
				inRow = 0
			}
			if d.start.After(failed) {
				inRow++
				failed = d.end
			}
		}
		m.stuck = (m.stuck || m.attempts == 1) && inRow > stuckAfter
	}
}

var bubbleOfStack = regexp.MustCompile(`, synctest bubble \d+`)

// goroutines returns the stacks of all goroutines of this test's bubble.
func goroutines(t *testing.T) []string {
	t.Helper()
	stacks := make([]byte, 4<<20)
	own := string(bubbleOfStack.Find(stacks[:runtime.Stack(stacks, false)])) + "]"
	all := stacks[:runtime.Stack(stacks, true)]
	require.Less(t, len(all), len(stacks), "the stacks are too long")
	var found []string
	for stack := range strings.SplitSeq(string(all), "\n\n") {
		if header, _, _ := strings.Cut(stack, "\n"); strings.Contains(header, own) {
			found = append(found, stack)
		}
	}
	return found
}

// requireNothingLeft checks that the end took no time and left nothing: no goroutine in the bubble that was not there before, no
// sink open, and nothing, such as a timer, that refers to the dialler of a sink.
func (s *soak) requireNothingLeft(t *testing.T, ended time.Time) {
	t.Helper()
	synctest.Wait()
	require.Equal(t, ended, time.Now(), "time had to pass for the end")
	require.Len(t, goroutines(t), s.goroutines, "a goroutine is left")
	s.stream, s.stations, s.sky = nil, nil, nil
	require.Zero(t, s.log.open, "sinks that are not closed")
	// A timer that was stopped leaves the runtime's heap only when time passes, pools are emptied by the second
	// collection, and a stack may be read too generously once.
	held := len(s.log.leashes)
	for round := 0; held > 0 && round < 20; round++ {
		time.Sleep(time.Nanosecond)
		runtime.GC()
		held = s.log.held()
	}
	require.Zero(t, held, "of %d sinks, so many are still referred to", len(s.log.leashes))
}
