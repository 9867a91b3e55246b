package auditstream

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/auditstream/auditstream/internal/queue"
	"github.com/auditstream/auditstream/internal/record"
)

// A fanning is one Publish of a Fanout: what each stream says of it.
type fanning struct {
	streams []*Stream
	answers []answerOf
}

// answerOf is what a stream has said: why it refused the event, or that it has to wait for room.
type answerOf struct {
	err    error
	waiter *queue.Waiter
}

var fannings = sync.Pool{New: func() any { return new(fanning) }}

// free keeps the room for answers, and nothing that it refers to.
func (p *fanning) free() {
	clear(p.answers)
	p.streams, p.answers = nil, p.answers[:0]
	fannings.Put(p)
}

// publish encodes e once and offers its record to every stream. Those that are full and wait do so when everybody has
// been asked: their line is joined at once, and whoever makes room lets the event in.
func (f *Fanout) publish(ctx context.Context, e *Event, wait bool) error {
	if f == nil {
		return errNoStreams
	}
	p := fannings.Get().(*fanning)
	p.streams = f.list()
	limit := p.ask()
	if limit > 0 {
		e.ObservedTime = time.Now()
		sc := scratches.Get().(*scratch)
		rec, info, err := sc.encoder.Append(sc.rec[:0], e, limit)
		sc.rec = rec
		if err != nil {
			p.refuseAll(eventError(err))
		} else {
			p.offer(rec, info, wait)
			p.await(ctx, info)
		}
		sc.free()
	}
	err := p.err()
	p.free()
	return err
}

// ask finds out who takes events at all, and returns the largest event that one of them takes, or 0 if nobody does.
func (p *fanning) ask() (limit int) {
	for _, s := range p.streams {
		var a answerOf
		switch {
		case !s.made():
			a.err = errNotMade
		case !s.admitting.Load():
			a.err = s.refuse()
		}
		if a.err == nil {
			limit = max(limit, s.cfg.MaxEventBytes)
		}
		p.answers = append(p.answers, a)
	}
	return limit
}

// refuseAll refuses an event that cannot be encoded, for all who would have taken it.
func (p *fanning) refuseAll(reason error) {
	for i, s := range p.streams {
		if p.answers[i].err == nil {
			p.answers[i].err = s.refuseInvalid(reason)
		}
	}
}

// offer puts the record into the queues.
func (p *fanning) offer(rec []byte, info record.Info, wait bool) {
	for i, s := range p.streams {
		a := &p.answers[i]
		switch {
		case a.err != nil:
		case info.Size > s.cfg.MaxEventBytes:
			a.err = s.refuseInvalid(tooLarge(s.cfg.MaxEventBytes))
		default:
			a.waiter, a.err = s.offer(rec, info, wait)
		}
	}
}

// await waits for those that were full.
func (p *fanning) await(ctx context.Context, info record.Info) {
	defer p.leave() // should ctx panic, which a nil one does
	for i, s := range p.streams {
		if a := &p.answers[i]; a.waiter != nil {
			a.err = s.await(ctx, a.waiter, info)
			a.waiter = nil
		}
	}
}

// leave takes the event out of the lines that it still stands in.
func (p *fanning) leave() {
	for i, s := range p.streams {
		if w := p.answers[i].waiter; w != nil {
			s.mu.Lock()
			s.queue.Leave(w)
			s.mu.Unlock()
		}
	}
}

// err makes one answer of all.
func (p *fanning) err() error {
	if len(p.streams) == 0 {
		return errNoStreams
	}
	inactive, refused := 0, 0
	for _, a := range p.answers {
		switch {
		case a.err == nil:
		case errors.Is(a.err, ErrInactive):
			inactive++
		default:
			refused++
		}
	}
	accepted := len(p.streams) - inactive - refused
	if refused == 0 && accepted > 0 {
		return nil
	}
	failed := &FanoutError{Accepted: accepted}
	for i, a := range p.answers {
		if refused == 0 || !errors.Is(a.err, ErrInactive) {
			failed.add(i, p.streams[i], a.err)
		}
	}
	return failed
}

// tooLarge says that an event is larger than a stream takes, when another one would.
func tooLarge(limit int) error {
	return &EventError{
		Limit:  limit,
		Reason: "is larger than " + strconv.Itoa(limit) + " bytes: record less, or raise MaxEventBytes",
	}
}
