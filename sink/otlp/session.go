package otlp

import (
	"context"
	"sync"
	"time"

	sdklog "go.opentelemetry.io/otel/sdk/log"
	"google.golang.org/grpc"

	"github.com/auditstream/auditstream/sink/internal/httpsend"
)

// A session is one gRPC channel with the exporter that rides on it. A channel is never reused after a failure: closing
// it ends gRPC's own reconnecting behind the stream's back, its backoff, which fails calls without dialling, and the
// connection that a network has swallowed; the next attempt dials.
type session struct {
	conn     *grpc.ClientConn
	link     *link
	exporter sdklog.Exporter
	opened   time.Time
}

// abort is close for a session that has failed. gRPC waits 5 s for a server that has stopped reading to take its
// farewell; with its connection gone it does not.
func (s *session) abort() {
	s.link.hangUp()
	s.close()
}

func (s *session) close() {
	_ = s.exporter.Shutdown(context.Background())
	_ = s.conn.Close()
}

// A parking lot holds the session between deliveries, for a while. Whoever takes it out owns it, so the timer only
// ever closes a session that nobody uses.
type parkingLot struct {
	mu sync.Mutex
	// A closure, because somebody may print the sink, and a channel holds the key of the client certificate and, in the
	// state of its connection, the metadata of the last call. It is nil when nothing is parked.
	parked func() *session
	timer  *time.Timer
	closed bool
}

// take returns the parked session, or nil.
func (p *parkingLot) take() *session {
	p.mu.Lock()
	defer p.mu.Unlock()
	parked := p.parked
	p.parked = nil
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
	if parked == nil {
		return nil
	}
	return parked()
}

// park keeps s for the next delivery, or for [httpsend.IdleTimeout].
func (p *parkingLot) park(s *session) {
	p.mu.Lock()
	closed := p.closed
	if !closed {
		p.parked = func() *session { return s }
		p.timer = time.AfterFunc(httpsend.IdleTimeout, func() { p.expire(s) })
	}
	p.mu.Unlock()
	if closed {
		s.close()
	}
}

// expire closes s if it is still parked. A delivery may have taken it out between the timer's firing and this call.
func (p *parkingLot) expire(s *session) {
	p.mu.Lock()
	mine := p.parked != nil && p.parked() == s
	if mine {
		p.parked = nil
		p.timer = nil
	}
	p.mu.Unlock()
	if mine {
		s.close()
	}
}

// close closes the parked session and every one that would be parked later.
func (p *parkingLot) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	if s := p.take(); s != nil {
		s.close()
	}
}
