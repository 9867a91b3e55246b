package auditstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// Fanout publishes each event to several streams: for a host whose customers have more than one SIEM, or that keeps a copy
// of its own. The event is copied once and has one ID in all of them. Beyond that the streams share nothing: each has its
// own queue, numbers, state, condition and Totals, is configured, paused and deleted by itself, and what it does never
// holds back another. Events that are published at the same time may be accepted in another order by each.
//
// All methods may be called from any goroutine at any time. The zero Fanout has no streams and is ready for use. A Fanout
// must not be copied.
type Fanout struct {
	mu      sync.Mutex // held to change streams
	streams atomic.Pointer[[]*Stream]
}

var _ Publisher = (*Fanout)(nil)

// errNoStreams is the answer of a Fanout without streams: it is like one stream that nobody has configured.
var errNoStreams = fmt.Errorf("%w: the Fanout has no streams", ErrUnconfigured)

// NewFanout returns a Fanout of the given streams, in that order.
func NewFanout(streams ...*Stream) *Fanout {
	f := new(Fanout)
	for _, s := range streams {
		f.Add(s)
	}
	return f
}

// Add adds a stream, which gets the events that are published from now on. A stream that is there already stays where it
// is, and a nil one is not added.
func (f *Fanout) Add(s *Stream) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if old := f.list(); s != nil && !slices.Contains(old, s) {
		f.set(append(slices.Clone(old), s))
	}
}

// Remove takes a stream out. It gets no event whose Publish begins after that, and goes on with those that it has. A
// stream that ends is removed before its Shutdown, or every Publish fails for it.
func (f *Fanout) Remove(s *Stream) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.set(slices.DeleteFunc(slices.Clone(f.list()), func(other *Stream) bool { return other == s }))
}

// Streams returns the streams, in the order that the Index of a [StreamError] counts in.
func (f *Fanout) Streams() []*Stream {
	if f == nil {
		return nil
	}
	return slices.Clone(f.list())
}

func (f *Fanout) set(streams []*Stream) { f.streams.Store(&streams) }

// list returns the streams as they are now. Nobody changes that slice.
func (f *Fanout) list() []*Stream {
	if list := f.streams.Load(); list != nil {
		return *list
	}
	return nil
}

// Publish hands an event to every stream, as [Stream.Publish] does. It never waits.
//
// It returns nil when the event was accepted by at least one stream and refused by none. A stream that takes no events by
// the administrator's choice (ErrInactive) does not count as one that refused: it is as if it were not there, but for its
// own Totals. So the error is
//
//   - a *[FanoutError] that lists the streams that refused the event, though they take events: their queue is full, the
//     event is too large for them, or they were shut down. It matches ErrQueueFull if that of one was. The others have
//     accepted the event.
//   - a *[FanoutError] that lists all streams, if each of them takes no events. It matches ErrInactive, which the one
//     above never does.
//   - an error that matches ErrUnconfigured, and so ErrInactive, if there are no streams.
//
// A host handles it like that of a Stream: it fails the request unless the error matches ErrInactive. One that is content
// with one copy looks at FanoutError.Accepted.
//
// A stream refuses an event by its own Config.MaxEventBytes. Publish allocates nothing when it returns nil, once warm.
func (f *Fanout) Publish(e Event) error { return f.publish(context.Background(), &e, false) }

// PublishContext is Publish, but waits for room in full queues until ctx is done, as [Stream.PublishContext] does. All
// other streams have accepted the event before it begins to wait, and it waits for all full ones at once.
func (f *Fanout) PublishContext(ctx context.Context, e Event) error {
	fillTrace(ctx, &e)
	return f.publish(ctx, &e, true)
}

// Begin returns the Record of an action that begins now. See [Stream.Begin].
func (f *Fanout) Begin(ctx context.Context, e Event) *Record { return begin(ctx, f, e) }

// Flush is [Stream.Flush] of all streams at once. A deleted stream has nothing to flush and is passed over. The error is a
// *[FanoutError] that lists the streams whose Flush failed.
func (f *Fanout) Flush(ctx context.Context) error {
	return f.each(func(s *Stream) error {
		if err := s.Flush(ctx); err != nil && !errors.Is(err, ErrDeleted) {
			return err
		}
		return nil
	})
}

// Shutdown is [Stream.Shutdown] of all streams at once. The error is a *[FanoutError] that lists the streams that left
// events behind, each with an *[UndeliveredError].
func (f *Fanout) Shutdown(ctx context.Context) error {
	return f.each(func(s *Stream) error { return s.Shutdown(ctx) })
}

// each calls do for every stream at once, and returns what failed.
func (f *Fanout) each(do func(*Stream) error) error {
	streams := f.Streams()
	errs := make([]error, len(streams))
	var wg sync.WaitGroup
	for i, s := range streams {
		wg.Go(func() { errs[i] = do(s) })
	}
	wg.Wait()
	failed := new(FanoutError)
	for i, err := range errs {
		failed.add(i, streams[i], err)
	}
	if len(failed.Streams) == 0 {
		return nil
	}
	return failed
}

// A FanoutError says which streams of a [Fanout] an operation failed for, and why. It matches what their errors match.
type FanoutError struct {
	// Streams are those streams, in the order of the Fanout.
	Streams []*StreamError

	// Accepted is how many other streams have accepted the event. It is 0 for Flush and Shutdown.
	Accepted int
}

func (e *FanoutError) add(i int, s *Stream, err error) {
	if err != nil {
		e.Streams = append(e.Streams, &StreamError{Index: i, Name: s.cfg.Name, Err: err})
	}
}

// Error returns what the errors of the streams say.
func (e *FanoutError) Error() string {
	var text strings.Builder
	if len(e.Streams) > 1 {
		text.WriteString("auditstream: " + strconv.Itoa(len(e.Streams)) + " streams failed; ")
	}
	for i, err := range e.Streams {
		if i > 0 {
			text.WriteString("; ")
		}
		text.WriteString(err.Error())
	}
	return text.String()
}

// Unwrap returns Streams.
func (e *FanoutError) Unwrap() []error {
	errs := make([]error, len(e.Streams))
	for i, err := range e.Streams {
		errs[i] = err
	}
	return errs
}

// A StreamError is the error of one stream of a [Fanout].
type StreamError struct {
	// Index is the stream's place in the Fanout at the time, Name its Config.Name.
	Index int
	Name  string

	// Err is what its method returned.
	Err error
}

// Error returns the name, the place, and what Err says.
func (e *StreamError) Error() string {
	return "auditstream: stream " + strconv.Quote(e.Name) + " (" + strconv.Itoa(e.Index) + "): " + e.Err.Error()
}

// Unwrap returns Err.
func (e *StreamError) Unwrap() error { return e.Err }
