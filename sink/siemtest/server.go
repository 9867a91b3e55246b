package siemtest

import (
	"context"
	"slices"
	"sync"
)

// server is what all the fake servers are made of: addresses, a script, and a record of what arrived.
type server struct {
	life  sync.Mutex // held while gates open and close, which waits for handlers; never taken by a handler
	gates []*gate
	cert  *certificate // nil without TLS

	mu       sync.Mutex // guards what follows; held for memory operations only
	closed   bool
	script   []Answer
	fail     func(Request) *Answer
	reject   func(Received) bool
	events   []Received
	requests []Request
	changed  chan struct{} // closed and replaced when an event arrives or the server closes
}

// init prepares a server, with a certificate if it is to speak TLS.
func (s *server) init(useTLS bool) error {
	s.changed = make(chan struct{})
	if !useTLS {
		return nil
	}
	var err error
	s.cert, err = newCertificate()
	return err
}

// Respond queues answers: each is given to one of the next requests, in order, in place of the server's own answer.
func (s *server) Respond(answers ...Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = append(s.script, answers...)
}

// Fail makes fn decide about every request for which no answer is queued: nil leaves the request to the server. A nil
// fn ends it. fn may be called concurrently.
func (s *server) Fail(fn func(Request) *Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = fn
}

// RejectIf makes the server refuse the events for which fn returns true, in the way of its protocol: see the server's
// type. A nil fn ends it. fn may be called concurrently; what it is given has no Request.
func (s *server) RejectIf(fn func(Received) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reject = fn
}

// Events returns the events taken so far, in the order of arrival, repeats included. The caller must not change what
// they refer to.
func (s *server) Events() []Received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events)
}

// IDs returns the IDs of the events taken so far, in the order of arrival, repeats included.
func (s *server) IDs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := make([]string, len(s.events))
	for i, e := range s.events {
		ids[i] = e.ID
	}
	return ids
}

// Requests returns the requests read so far, in the order in which they were answered.
func (s *server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Wait returns the events as soon as there are at least n of them. If ctx or the server ends before, it returns those
// that have arrived and a [*WaitError].
func (s *server) Wait(ctx context.Context, n int) ([]Received, error) {
	for {
		s.mu.Lock()
		events, changed, closed := slices.Clone(s.events), s.changed, s.closed
		s.mu.Unlock()
		if len(events) >= n {
			return events, nil
		}
		if closed {
			return events, &WaitError{Want: n, Got: len(events), Err: ErrClosed}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return events, &WaitError{Want: n, Got: len(events), Err: context.Cause(ctx)}
		}
	}
}

// Clear forgets the recorded events and requests, the queued answers, and the functions of Fail and RejectIf.
func (s *server) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events, s.requests, s.script, s.fail, s.reject = nil, nil, nil, nil, nil
}

// CertPEM returns the server's self-signed certificate, to be used as a root. It is empty without TLS.
func (s *server) CertPEM() string {
	if s.cert == nil {
		return ""
	}
	return s.cert.pem
}

// Fingerprint returns the SHA-256 fingerprint of the server's certificate as 64 hexadecimal digits, to be pinned. It is
// empty without TLS.
func (s *server) Fingerprint() string {
	if s.cert == nil {
		return ""
	}
	return s.cert.fingerprint
}

// next takes the next queued answer.
func (s *server) next() (Answer, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.script) == 0 {
		return Answer{}, false
	}
	a := s.script[0]
	s.script = s.script[1:]
	return a, true
}

// ask lets the function of Fail decide about a request.
func (s *server) ask(r Request) (Answer, bool) {
	s.mu.Lock()
	fail := s.fail
	s.mu.Unlock()
	if fail == nil {
		return Answer{}, false
	}
	a := fail(r)
	if a == nil {
		return Answer{}, false
	}
	return *a, true
}

// refuses asks the function of RejectIf about an event.
func (s *server) refuses(r Received) bool {
	s.mu.Lock()
	reject := s.reject
	s.mu.Unlock()
	return reject != nil && reject(r)
}

// record keeps a request and what was taken from it. It is called before the answer is sent, so that a client that has
// the answer finds its events.
func (s *server) record(r Request, events []Received) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.Events = len(events)
	for _, e := range events {
		e.Request = len(s.requests)
		s.events = append(s.events, e)
	}
	s.requests = append(s.requests, r)
	if len(events) > 0 {
		s.wake()
	}
}

// wake lets Wait look again. s.mu is held.
func (s *server) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *server) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

func (s *server) markClosed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.wake()
}
