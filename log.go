package auditstream

import (
	"log/slog"
	"time"

	"github.com/auditstream/auditstream/internal/selflog"
)

// logEvery is how often rejections and overflow are logged at most; the records carry counts.
const logEvery = time.Second

// log hands a record to the teller: the host's handler may be slow, may panic, or may publish to this very stream. It
// is called with the lock held.
func (s *Stream) log(level slog.Level, msg string, attrs ...slog.Attr) {
	s.logError(level, msg, nil, attrs...)
}

// logError is log with what err says, unless it is nil. The teller asks it, without the lock: it is a driver's to answer.
func (s *Stream) logError(level slog.Level, msg string, err error, attrs ...slog.Attr) {
	if !s.logging {
		return
	}
	attrs = append([]slog.Attr{slog.String("stream", s.cfg.Name)}, attrs...)
	s.tell(func() {
		if err != nil {
			attrs = append(attrs, slog.String("error", err.Error()), slog.String("remedy", remedyOf(err)))
		}
		s.cfg.Logger.LogAttrs(selflog.Context, level, msg, attrs...)
	})
}

// logTransition logs a change of state or condition: the first failure of a streak, and its recovery, are among them.
func (s *Stream) logTransition(t Transition) {
	attrs := []slog.Attr{
		slog.String("state", string(t.To)),
		slog.String("condition", string(t.ToCondition)),
		slog.String("destination", s.destination()),
		slog.Int("pending", s.queue.Len()),
	}
	switch {
	case t.From != t.To:
		s.log(slog.LevelInfo, "audit stream "+string(t.To), attrs...)
	case t.ToCondition == ConditionBlocked:
		s.logError(slog.LevelError, "audit stream blocked: events are kept, somebody has to act", t.Err, attrs...)
	case t.ToCondition == ConditionRetrying:
		s.logError(slog.LevelWarn, "audit stream delivery failed: events are kept and tried again", t.Err, attrs...)
	default:
		s.log(slog.LevelInfo, "audit stream delivers again", attrs...)
	}
}

func (s *Stream) logEdit(old, fresh *outlet) {
	s.log(slog.LevelInfo, "audit stream edited",
		slog.String("from", old.name), slog.String("destination", fresh.name))
}

// logLate logs an answer that came after its lease had ended: the events were offered again, so some may arrive twice.
func (s *Stream) logLate(a *attempt, ans answer) {
	s.log(slog.LevelWarn, "audit stream sink answered late: some events may arrive twice",
		slog.String("destination", a.outlet.name), slog.Int("events", ans.n))
}

// notePanic counts a sink's panic, if that is what err is of, and reports it with its stack, once in a streak of
// failures. It is called with the lock held.
func (s *Stream) notePanic(o *outlet, err error) {
	p, ok := err.(*panicError)  //nolint:errorlint // the Stream has made it, and methods of other errors are not ours to call
	if ok || err == errGoexit { //nolint:errorlint // the same
		s.totals.SinkPanics++
	}
	if !ok || o.panicked {
		return
	}
	o.panicked = true
	s.log(slog.LevelError, "audit stream sink panicked",
		slog.String("destination", o.name), slog.String("panic", p.text), slog.String("stack", string(p.stack)))
}

// logCallbackPanic is called by the teller, without the lock.
func (s *Stream) logCallbackPanic(text string, stack []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.callbackPanicked {
		return // a logger that panics would be told of its own panic for ever
	}
	s.callbackPanicked = true
	s.log(slog.LevelError, "audit stream callback panicked; further panics are not logged",
		slog.String("panic", text), slog.String("stack", string(stack)))
}

// A logLimit holds back records that would come more often than once a second, and their counts with them.
type logLimit struct {
	count  int
	err    error
	logged time.Time
}

// take returns the count to log now, or 0 to wait.
func (l *logLimit) take(now time.Time) int {
	if l.count == 0 || now.Sub(l.logged) < logEvery {
		return 0
	}
	n := l.count
	l.count, l.logged = 0, now
	return n
}

func (s *Stream) logRejection(r Rejection) {
	s.rejects.count += int(r.Count) //nolint:gosec // bounded by the batch
	s.rejects.err = r.Err
	s.logRemainders(time.Now())
}

func (s *Stream) logOverflow(dropped int) {
	s.overflows.count += dropped
	s.logRemainders(time.Now())
}

// logRemainders logs what was held back, once a second has passed and nothing else is being told: records must not
// gather behind a callback that hangs. It is called with the lock held.
func (s *Stream) logRemainders(now time.Time) {
	if s.teller.busy() {
		return
	}
	if n := s.rejects.take(now); n > 0 {
		s.logError(slog.LevelError, "audit stream events rejected by the destination", s.rejects.err,
			slog.Int("events", n), slog.String("destination", s.destination()))
	}
	if n := s.overflows.take(now); n > 0 {
		s.log(slog.LevelError, "audit stream queue full: oldest events discarded", slog.Int("events", n))
	}
}

// logShutdown logs the end of the stream, with what it left behind.
func (s *Stream) logShutdown(left int) {
	s.rejects.logged, s.overflows.logged = time.Time{}, time.Time{}
	s.logRemainders(time.Now())
	level := slog.LevelInfo
	if left > 0 {
		level = slog.LevelError
	}
	s.log(level, "audit stream shut down", slog.Int("undelivered", left))
}

// destination names the current destination for the log.
func (s *Stream) destination() string {
	if s.outlet == nil {
		return ""
	}
	return s.outlet.name
}
