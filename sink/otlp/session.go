package otlp

import (
	"context"
	"sync"
	"time"

	sdklog "go.opentelemetry.io/otel/sdk/log"
	"google.golang.org/grpc"

	"github.com/auditstream/auditstream/sink/internal/httpsend"
)

// A session is one gRPC channel with the exporters that ride on it. An exporter makes one call at a time, so there are
// as many as there have been calls at once.
//
// A session on which a call has failed gets no further ones: ending it ends gRPC's own reconnecting behind the stream's
// back, its backoff, which fails calls without dialling, and the connection that a network has swallowed; the next
// attempt dials. The calls that are under way beside the failed one go on, and the last of them ends the session.
type session struct {
	conn   *grpc.ClientConn
	link   *link
	opened time.Time

	// Guarded by the mutex of sessions.
	users   int               // calls under way
	spare   []sdklog.Exporter // those that make no call
	failed  bool              // a call has
	retired bool              // gets no further calls
}

// close ends a session that nobody uses. gRPC waits 5 s for a server that has stopped reading to take its farewell;
// with its connection gone it does not.
func (s *session) close() {
	if s.failed {
		s.link.hangUp()
	}
	for _, exporter := range s.spare {
		_ = exporter.Shutdown(context.Background())
	}
	_ = s.conn.Close()
}

// sessions holds the session of a sink, while calls are under way on it and for a while after the last.
type sessions struct {
	mu sync.Mutex
	// A closure, because somebody may print the sink, and a channel holds the key of the client certificate and, in the
	// state of its connection, the metadata of the last call. It is nil when the next call has to open a session.
	current func() *session
	idle    *time.Timer // of the current session while it has no users
	closed  bool
}

// join returns the session for a call, which open makes if there is none: it dials nothing and does not wait. The caller
// must leave it.
func (p *sessions) join(open func() (*session, error)) (*session, error) {
	p.mu.Lock()
	old := p.renew()
	s, err := p.enter(open)
	p.mu.Unlock()
	if old != nil {
		old.close()
	}
	return s, err
}

// renew retires a session whose connection has grown old, and returns it if nobody uses it.
func (p *sessions) renew() *session {
	if p.current == nil {
		return nil
	}
	s := p.current()
	if time.Since(s.opened) < httpsend.MaxConnAge {
		return nil
	}
	p.retire(s)
	if s.users > 0 {
		return nil
	}
	return s
}

func (p *sessions) enter(open func() (*session, error)) (*session, error) {
	if p.current == nil {
		s, err := open()
		if err != nil {
			return nil, err
		}
		p.current = func() *session { return s }
	}
	if p.idle != nil {
		p.idle.Stop()
		p.idle = nil
	}
	s := p.current()
	s.users++
	return s, nil
}

// exporter returns one that no other call uses.
func (p *sessions) exporter(s *session) (sdklog.Exporter, error) {
	p.mu.Lock()
	last := len(s.spare) - 1
	if last < 0 {
		p.mu.Unlock() // making one reads the environment, and files that are named there
		return newGRPCExporter(s.conn)
	}
	exporter := s.spare[last]
	s.spare = s.spare[:last]
	p.mu.Unlock()
	return exporter, nil
}

// leave ends a call on s, made with exporter. A good session without users is kept for [httpsend.IdleTimeout].
func (p *sessions) leave(s *session, exporter sdklog.Exporter, good bool) {
	p.mu.Lock()
	s.users--
	if good {
		s.spare = append(s.spare, exporter)
	} else {
		s.failed = true
	}
	if s.failed || p.closed {
		p.retire(s)
	}
	switch {
	case s.users > 0:
		s = nil
	case !s.retired:
		kept := s
		p.idle = time.AfterFunc(httpsend.IdleTimeout, func() { p.expire(kept) })
		s = nil
	}
	p.mu.Unlock()
	if s != nil {
		s.close()
	}
}

// retire lets no further call join s.
func (p *sessions) retire(s *session) {
	s.retired = true
	if p.current == nil || p.current() != s {
		return
	}
	p.current = nil
	if p.idle != nil {
		p.idle.Stop()
		p.idle = nil
	}
}

// expire closes s if it still has no users. A call may have joined between the timer's firing and this one.
func (p *sessions) expire(s *session) {
	p.mu.Lock()
	mine := !s.retired && s.users == 0
	if mine {
		p.retire(s)
	}
	p.mu.Unlock()
	if mine {
		s.close()
	}
}

// close closes the session, and every one that would be opened later when its last user leaves.
func (p *sessions) close() {
	p.mu.Lock()
	p.closed = true
	var s *session
	if p.current != nil {
		s = p.current()
		p.retire(s)
		if s.users > 0 {
			s = nil // the last of them closes it
		}
	}
	p.mu.Unlock()
	if s != nil {
		s.close()
	}
}
