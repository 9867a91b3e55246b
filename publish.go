package auditstream

import (
	"context"
	"sync"
	"time"

	"github.com/auditstream/auditstream/internal/queue"
	"github.com/auditstream/auditstream/internal/record"
)

// maxPooledRecord is the largest buffer that a publisher gives back for reuse, so that one large event does not keep
// its memory for ever.
const maxPooledRecord = 64 << 10

// scratch is what one Publish needs to encode an event.
type scratch struct {
	encoder record.Encoder
	rec     []byte
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

func (sc *scratch) free() {
	if cap(sc.rec) <= maxPooledRecord {
		scratches.Put(sc)
	}
}

// Publish hands an event to the stream. It never waits: it returns nil when the event has been accepted, which means
// that it will be delivered, or handed to Config.OnReject, or counted as discarded, or handed back by Shutdown; and an
// error when it was not:
//
//   - ErrUnconfigured, ErrPaused (with [Refuse]) or ErrDeleted, all of which match ErrInactive: nobody wants it.
//   - ErrShutdown after Shutdown was called.
//   - ErrQueueFull: there is no room, or others wait for it in PublishContext.
//   - *[EventError]: something in the event is missing or cannot be encoded.
//
// The whole event is copied before Publish returns; what the caller changes afterwards changes nothing. Values in
// Attributes and Changes are copied by these rules, the first that fits: a [slog.LogValuer] is resolved, at most 8
// deep; [time.Time], [time.Duration], error (its text), []byte, [json.Number] and [json.RawMessage] by type; an
// [encoding.TextMarshaler] by its text; everything else by its kind, structs by their json tags. MarshalJSON and String
// are never called. Methods of the host's types run on the caller's goroutine, and their panics are recovered. Nesting
// deeper than 32 levels, cycles, channels, functions, complex numbers, empty keys, panicking methods and more than
// Config.MaxEventBytes are an EventError; of repeated keys the last wins; NaN and infinities become strings; invalid
// UTF-8 is replaced by U+FFFD and counted. A map or slice that another goroutine changes during the call is a data race
// of the host, and when it is a map, Go may end the process: no library can recover from that. The copy is made at once,
// so nothing of the host's is read after Publish has returned.
//
// Publish allocates nothing for an event of plain values, once warm.
func (s *Stream) Publish(e Event) error { return s.publish(context.Background(), &e, false) }

// PublishContext is Publish, but waits for room in a full queue until ctx is done; the error then matches ErrQueueFull
// and ctx.Err(). Publishers get room in the order in which they began to wait. Give ctx a deadline: a request's own may
// have none, and behind a blocked destination the queue stays full.
//
// ctx bounds only the wait: whenever there is room the event is accepted, even under a ctx that is already done, for
// the action of an aborted request is still audited; and cancelling ctx later changes nothing. The event's TraceID and
// SpanID are taken from the span in ctx unless they are set.
func (s *Stream) PublishContext(ctx context.Context, e Event) error {
	fillTrace(ctx, &e)
	return s.publish(ctx, &e, true)
}

// publish encodes e outside the lock and puts its record into the queue, waiting for room or not.
func (s *Stream) publish(ctx context.Context, e *Event, wait bool) error {
	if !s.made() {
		return errNotMade
	}
	if !s.admitting.Load() {
		if err := s.refuse(); err != nil {
			return err
		}
	}
	e.ObservedTime = time.Now()
	sc := scratches.Get().(*scratch)
	rec, info, err := sc.encoder.Append(sc.rec[:0], e, s.cfg.MaxEventBytes)
	sc.rec = rec
	if err != nil {
		sc.free()
		return s.refuseInvalid(eventError(err))
	}
	err = s.admit(ctx, rec, info, wait)
	sc.free()
	return err
}

// refuse counts an event that an inactive stream does not take, and returns why. It returns nil, and counts nothing, if
// the stream has begun to take events since the caller looked: the answer and the count belong to one state.
func (s *Stream) refuse() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.refusal()
	if err != nil {
		s.totals.RefusedInactive++
	}
	return err
}

// refuseWaiters sends everybody away who waits for room, and counts them at once: when they get to run, the state may
// have changed again. It is called with the lock held.
func (s *Stream) refuseWaiters(reason error) {
	s.totals.RefusedInactive += uint64(s.queue.RefuseWaiters(reason)) //nolint:gosec // a count is never negative
}

// refuseInvalid counts an event that is at fault itself.
func (s *Stream) refuseInvalid(reason error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.totals.RefusedInvalid++
	return reason
}

// admit puts an encoded event into the queue.
func (s *Stream) admit(ctx context.Context, rec []byte, info record.Info, wait bool) error {
	w, err := s.offer(rec, info, wait)
	if w != nil {
		return s.await(ctx, w, info)
	}
	return err
}

// offer puts an encoded event into the queue. If there is no room, and the caller waits for it, offer lines up for that:
// whoever makes room appends the record, so that the order of waiting is the order of acceptance.
func (s *Stream) offer(rec []byte, info record.Info, wait bool) (*queue.Waiter, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refusal(); err != nil {
		s.totals.RefusedInactive++
		return nil, err
	}
	if s.put(rec, info.Size) {
		s.taken(info)
		return nil, nil // accepted, and nothing to wait for
	}
	if !wait {
		s.totals.RefusedFull++
		return nil, ErrQueueFull
	}
	w := s.queue.Wait(rec, info.Size)
	s.wakeForEvents() // a batch that waits for company need not: there is a crowd
	return w, nil
}

// await waits in the line that offer has joined.
func (s *Stream) await(ctx context.Context, w *queue.Waiter, info record.Info) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.queue.Leave(w) // should ctx panic, which a nil one does
	err := s.waitFor(ctx, w.Done())
	if s.queue.Leave(w) {
		s.totals.RefusedFull++
		return &endedWait{ErrQueueFull, err}
	}
	if _, ok := w.Seq(); !ok {
		return w.Refused() // counted by whoever refused it
	}
	s.taken(info)
	return nil
}

// taken counts what is worth counting of an event that was accepted, and lets the worker know. It is called with the lock
// held.
func (s *Stream) taken(info record.Info) {
	s.totals.Repaired += uint64(info.Repaired) //nolint:gosec // a count is never negative
	if info.Clamped {
		s.totals.Clamped++
	}
	s.wakeForEvents()
}

// put appends a record as the overflow policy says.
func (s *Stream) put(rec []byte, size int) bool {
	if s.cfg.Overflow == RefuseNew {
		_, ok := s.queue.Put(rec, size)
		return ok
	}
	_, dropped, ok := s.queue.PutDropOldest(rec, size)
	s.overflow(dropped)
	return ok
}

// overflow counts events that were dropped to make room.
func (s *Stream) overflow(dropped int) {
	if dropped > 0 {
		s.totals.DiscardedOverflow += uint64(dropped)
		s.logOverflow(dropped)
		s.notify()
	}
}

// admitWaiters lets in publishers who found the queue full of leased events, now that a lease has ended: what came back
// from it may be dropped for them. With RefuseNew the queue has let in whom it could.
func (s *Stream) admitWaiters() {
	if s.cfg.Overflow == DropOldest {
		s.overflow(s.queue.AdmitDropOldest())
	}
}
