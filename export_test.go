package auditstream

import (
	"context"
	"time"

	"github.com/auditstream/auditstream/internal/record"
)

// PublishObserved is the second half of Publish, on a wall clock that shows another time: synctest has no clock that
// jumps.
func (s *Stream) PublishObserved(e Event, wall time.Time) error {
	var encoder record.Encoder
	e.ObservedTime = wall
	rec, info, err := encoder.Append(nil, &e, s.cfg.MaxEventBytes)
	if err != nil {
		return err
	}
	return s.admit(context.Background(), rec, info, false)
}

// PooledRecord is the capacity of the buffer that the next Publish begins with.
func PooledRecord() int {
	sc := scratches.Get().(*scratch)
	defer sc.free()
	return cap(sc.rec)
}

// Steps are those of the worker, led by hand, so that a test can come between them.
type Steps struct {
	s *Stream
	a *attempt
}

// Lead takes the place of the worker. It is called before there is one.
func (s *Stream) Lead() *Steps {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.worker.running = true
	return &Steps{s: s}
}

// Begin leases a batch, and reports whether there was one.
func (l *Steps) Begin() bool {
	l.a, _, _ = l.s.next()
	return l.a != nil
}

// CarryOut makes the attempt at the batch.
func (l *Steps) CarryOut() { l.s.carryOut(l.a) }

// Deliver calls the sink and reads its answer no further.
func (l *Steps) Deliver() {
	l.a.batch = l.s.decode(l.s.segments(l.a.lease), l.a.lease.Len)
	l.a.ctx = context.Background()
	l.s.deliver(l.a)
}

// Abandon is the end of the attempt's grace. It reports whether there was an answer after all, and settles it.
func (l *Steps) Abandon() bool {
	ans, ok := l.s.abandon(l.a)
	if ok {
		l.s.settle(l.a, ans)
	}
	return ok
}

// Return gives the worker its place back.
func (l *Steps) Return() { go l.s.work() }
