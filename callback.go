package auditstream

import (
	"runtime/debug"
	"time"
)

// Rejection tells Config.OnReject what the destination refused for its content: the dead letter. It is not offered
// again.
type Rejection struct {
	// Events are the refused events; nil when the destination gave only a count.
	Events []Event

	// Count is how many events were refused.
	Count uint64

	// Candidates are the events that the refused ones are among, when only their number is known; the others of them
	// were delivered.
	Candidates []Event

	// Err is what the destination said; a *[sink.Error] among its causes has a code and a remedy.
	Err error
}

// Transition tells Config.OnTransition of a change of state, of condition, or of both.
type Transition struct {
	Time          time.Time
	From          State
	To            State
	FromCondition Condition
	ToCondition   Condition

	// Err is why the condition worsened; nil otherwise.
	Err error
}

// A teller calls the host's callbacks and logger one at a time, in order, without locks, in a goroutine that exists only
// while there is something to tell. Its fields are guarded by the Stream's lock.
type teller struct {
	pending []func()
	running bool
	asked   uint64 // tales handed in
	told    uint64 // tales told
}

// busy reports whether there is something left to tell.
func (t *teller) busy() bool { return t.running }

// tell hands in a tale. It is called with the lock held.
func (s *Stream) tell(tale func()) {
	s.teller.asked++
	s.teller.pending = append(s.teller.pending, tale)
	if !s.teller.running {
		s.teller.running = true
		go s.tellAll()
	}
}

// tellAll runs until there is nothing left to tell.
func (s *Stream) tellAll() {
	finished := false
	defer func() {
		if !finished {
			// A callback called runtime.Goexit, which ends this goroutine and no other tale.
			s.tick()
			go s.tellAll()
		}
	}()
	for {
		tale := s.nextTale()
		if tale == nil {
			finished = true
			return
		}
		s.guard(tale)
		s.tick()
	}
}

// tick counts a tale that was told, for a Flush that waits for it and not for those behind.
func (s *Stream) tick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.teller.told++
	s.notify()
}

// nextTale returns the next tale, or ends the teller and lets those who wait for it go on.
func (s *Stream) nextTale() func() {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &s.teller
	if len(t.pending) == 0 {
		t.pending = nil
		t.running = false
		s.logRemainders(time.Now())
		s.wake()
		s.notify()
		return nil
	}
	tale := t.pending[0]
	t.pending[0] = nil
	t.pending = t.pending[1:]
	return tale
}

// guard calls the host's code and logs its panic.
func (s *Stream) guard(tale func()) {
	defer func() {
		if p := recover(); p != nil {
			s.logCallbackPanic(panicText(p), debug.Stack())
		}
	}()
	tale()
}

// tellRejection counts r for the log and hands it to the host. It is called with the lock held.
func (s *Stream) tellRejection(r Rejection) {
	s.logRejection(r)
	if f := s.cfg.OnReject; f != nil {
		s.tell(func() { f(r) })
	}
}

// tellTransition hands t to the log and to the host. It is called with the lock held.
func (s *Stream) tellTransition(t Transition) {
	s.logTransition(t)
	if f := s.cfg.OnTransition; f != nil {
		s.tell(func() { f(t) })
	}
}
