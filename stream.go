package auditstream

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/auditstream/auditstream/internal/queue"
	"github.com/auditstream/auditstream/internal/record"
	"github.com/auditstream/auditstream/sink"
)

// Stream carries audit events from a host to one destination. It owns a bounded queue and the state machine that an
// administrator steers with Configure, Pause, Resume and Delete.
//
// All methods may be called from any goroutine at any time, and from callbacks. None waits for a slow or hung sink but
// Flush, Shutdown and Test, and PublishContext while the queue is full; they end with their context. A nil or zero
// Stream refuses everything with an error that matches ErrUnconfigured.
//
// A Stream with nothing to do owns no goroutine. Shutdown ends it.
type Stream struct {
	cfg    Config
	id     string  // the stream instance, as events carry it
	meters *meters // nil without Config.MeterProvider

	// admitting mirrors "Publish takes events" for a look without the lock; the decision is made under it.
	admitting atomic.Bool

	// mu guards everything below and is held for memory operations only: never while a sink, a callback, a logger or a
	// host's value is called.
	mu     sync.Mutex
	queue  *queue.Queue
	totals Totals // without Accepted, Discarded and Pending, which Status derives

	state          State
	stateSince     time.Time
	condition      Condition
	conditionSince time.Time
	lastErr        error
	lastErrTime    time.Time
	lastDelivery   time.Time

	outlet   *outlet    // the open sink; nil while there is no destination
	attempts []*attempt // those in progress, at most as many as may be in flight

	worker   worker
	pace     pace
	split    split
	contrast contrast
	teller   teller
	closing  closing

	changed chan struct{} // closed and replaced when Flush and Shutdown have something to look at; nil if nobody looks

	logging          bool // there is a logger to tell
	callbackPanicked bool // and it has been logged
	rejects          logLimit
	overflows        logLimit
}

// New returns an unconfigured Stream with the given tuning, or every problem with it as [*sink.ConfigError] values. It
// starts no goroutine and does no I/O.
func New(cfg Config) (*Stream, error) {
	logging := cfg.Logger != nil
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	now := time.Now()
	s := &Stream{
		cfg:            cfg,
		id:             record.NewID(now),
		queue:          queue.New(queue.Limits{Events: cfg.QueueEvents, Bytes: cfg.QueueBytes}),
		state:          StateUnconfigured,
		stateSince:     now,
		condition:      ConditionHealthy,
		conditionSince: now,
		worker:         newWorker(),
		closing:        newClosing(),
		logging:        logging,
	}
	if cfg.MeterProvider != nil {
		var err error
		if s.meters, err = newMeters(s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// made reports whether New made s.
func (s *Stream) made() bool { return s != nil && s.queue != nil }

// Configure gives the stream a destination, or another one. It checks dst whole and opens its sink without any I/O;
// if that fails, it returns what is wrong as [*sink.ConfigError] values and nothing has changed.
//
// An unconfigured or deleted stream is enabled by it (or paused, by the first call, with Config.StartPaused); an
// enabled or paused one stays what it is. Events that are queued go to the new destination. An attempt in progress on
// the old one has 1 s to end; its events are then offered again, to the new one, and may arrive at both. A backoff ends
// at once. After Configure has returned, no attempt starts on the old configuration.
//
// Configure returns ErrShutdown after Shutdown.
func (s *Stream) Configure(dst sink.Destination) error {
	if !s.made() {
		return errNotMade
	}
	fresh, err := openOutlet(dst)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.begun {
		s.retire(fresh)
		return ErrShutdown
	}
	to := moves[s.state][configure].to
	if s.state == StateUnconfigured && s.cfg.StartPaused {
		to = StatePaused
	}
	old := s.outlet
	s.outlet = fresh
	if old != nil {
		s.retire(old)
		s.logEdit(old, fresh)
	}
	for _, a := range s.attempts {
		a.supersede()
	}
	s.pace.reset()
	s.split, s.contrast = split{}, contrast{}
	s.enter(to)
	s.wake()
	return nil
}

// Pause stops delivery until Resume. The attempt in progress may finish and no other starts. What is queued stays
// queued; Config.WhilePaused says what happens to events that are published meanwhile. Pausing a paused stream changes
// nothing. Pause returns ErrUnconfigured, ErrDeleted or ErrShutdown when there is nothing to pause.
func (s *Stream) Pause() error { return s.apply(pause) }

// Resume starts delivery again after Pause, with an attempt at once. Resuming an enabled stream changes nothing. Resume
// returns ErrUnconfigured, ErrDeleted or ErrShutdown when there is nothing to resume.
func (s *Stream) Resume() error { return s.apply(resume) }

// apply makes the move of a verb that needs nothing else.
func (s *Stream) apply(v verb) error {
	if !s.made() {
		return errNotMade
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.begun {
		return ErrShutdown
	}
	m := moves[s.state][v]
	if m.err != nil {
		return m.err
	}
	if m.to != s.state {
		s.pace.reset()
		s.enter(m.to)
		s.wake()
	}
	return nil
}

// Delete ends streaming: it cancels the attempts in progress, discards what is queued (counted as discarded, deleted),
// closes the sink and forgets the configuration with its secrets. It works whatever the destination does, and waits for
// nothing. The totals stay, and Configure starts anew. Deleting a deleted stream changes nothing.
//
// The error is nil but for a Stream that was not made by New.
func (s *Stream) Delete() error {
	if !s.made() {
		return errNotMade
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endAttempts(errDeletedAttempt)
	s.refuseWaiters(ErrDeleted)                          // before there is room for them
	s.totals.DiscardedDeleted += uint64(s.queue.Clear()) //nolint:gosec // a count is never negative
	if s.outlet != nil {
		s.retire(s.outlet)
		s.outlet = nil
	}
	s.pace, s.split, s.contrast = pace{}, split{}, contrast{}
	s.lastErr, s.lastErrTime = nil, time.Time{}
	s.transition(moves[s.state][remove].to, ConditionHealthy, nil)
	s.wake()
	return nil
}

// enter changes the state and keeps the condition.
func (s *Stream) enter(to State) { s.transition(to, s.condition, nil) }

// transition changes state and condition, tells of it, and brings what depends on the state into line. It is called
// with the lock held.
func (s *Stream) transition(to State, condition Condition, cause error) {
	if to != s.state || condition != s.condition {
		t := Transition{
			Time:          time.Now(),
			From:          s.state,
			To:            to,
			FromCondition: s.condition,
			ToCondition:   condition,
			Err:           cause,
		}
		if to != s.state {
			s.state, s.stateSince = to, t.Time
		}
		if condition != s.condition {
			s.condition, s.conditionSince = condition, t.Time
		}
		s.tellTransition(t)
	}
	refusal := s.refusal()
	s.admitting.Store(refusal == nil)
	if refusal != nil {
		s.refuseWaiters(refusal)
	}
	s.notify()
}

// refusal returns why the stream takes no events, or nil if it does. It is called with the lock held.
func (s *Stream) refusal() error {
	switch {
	case s.closing.begun:
		return ErrShutdown
	case s.state == StateEnabled, s.state == StatePaused && s.cfg.WhilePaused == Hold:
		return nil
	case s.state == StatePaused:
		return ErrPaused
	case s.state == StateDeleted:
		return ErrDeleted
	}
	return ErrUnconfigured
}

// notify lets Flush and Shutdown look again. It is called with the lock held.
func (s *Stream) notify() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// change returns a channel that is closed at the next notify. It is called with the lock held.
func (s *Stream) change() <-chan struct{} {
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return s.changed
}
