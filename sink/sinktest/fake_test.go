package sinktest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/auditstream/auditstream/sink"
)

// The credential and the path of the fake driver's destination.
const (
	fakeToken = `t0k3n/+?&"<canary>`
	fakePath  = "/tenants/canary-tenant"
)

// fakeServer is a server in memory, behaving in one of the ways of the suite.
type fakeServer struct {
	mu                    sync.Mutex
	behavior              Behavior
	count                 bool // poisoned events are counted, not named
	ids                   []string
	requests, connections int
}

func (f *fakeServer) server() Server {
	locked := func(p *int) func() int {
		return func() int {
			f.mu.Lock()
			defer f.mu.Unlock()
			return *p
		}
	}
	return Server{
		IDs: func() []string {
			f.mu.Lock()
			defer f.mu.Unlock()
			return append([]string(nil), f.ids...)
		},
		Requests:    locked(&f.requests),
		Connections: locked(&f.connections),
	}
}

// errPoison says which event is bad.
type errPoison int

func (e errPoison) Error() string { return fmt.Sprintf("event %d is bad", int(e)) }

var (
	errBusy      = errors.New("server busy")
	errForbidden = errors.New("forbidden")
	errReset     = errors.New("connection reset")
)

// take takes one request, or says why not. It returns how many events it has left out without naming them.
func (f *fakeServer) take(ctx context.Context, batch []sink.Event) (leftOut int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.behavior == Refusing {
		return 0, errReset
	}
	f.connections++
	f.requests++
	switch f.behavior {
	case Busy:
		return 0, errBusy
	case BusyLater:
		if f.requests > 1 {
			return 0, errBusy
		}
	case Forbidding:
		return 0, errForbidden
	case Cutting:
		return 0, errReset
	case Hanging:
		f.mu.Unlock()
		<-ctx.Done()
		f.mu.Lock()
		return 0, ctx.Err()
	case Accepting, Refusing, Poisoned:
	}
	for i, e := range batch {
		if f.behavior == Poisoned && e.Action == PoisonAction {
			if !f.count {
				return 0, errPoison(i)
			}
			leftOut++
			continue
		}
		f.ids = append(f.ids, e.ID)
	}
	return leftOut, nil
}

// maxRequest and maxEvent bound what the fake driver sends, in its own idea of bytes.
const (
	maxRequest = 200_000
	maxEvent   = 20_000
)

// fakeDriver is the configuration of the fake driver: good as it is, and broken in one way by a test.
type fakeDriver struct {
	server *fakeServer
	bad    bool                 // Endpoint is bad
	slots  int                  // MaxInFlight, if not 0
	limit  func() time.Duration // AttemptTimeout, if not nil

	open    func() error
	deliver func(good sink.Sink, ctx context.Context, batch []sink.Event) (int, error)
	close   func()
	text    func() string
	json    string
}

func (d fakeDriver) Open() (sink.Sink, error) {
	if d.open != nil {
		if err := d.open(); err != nil {
			return nil, err
		}
	} else if d.bad {
		return nil, errors.Join(&sink.ConfigError{Field: "fake: Config.Endpoint", Reason: "is no URL"})
	}
	switch k := (&fakeSink{d}); {
	case d.limit != nil:
		return patientSink{k}, nil
	case d.slots != 0:
		return slottedSink{k}, nil
	default:
		return k, nil
	}
}

func (d fakeDriver) String() string {
	if d.text != nil {
		return d.text()
	}
	return "fake https://siem.example:443"
}

func (d fakeDriver) Format(s fmt.State, _ rune) { _, _ = fmt.Fprint(s, d.String()) }

func (d fakeDriver) MarshalJSON() ([]byte, error) { return json.Marshal(d.json) }

// fakeSink delivers to the server in memory.
type fakeSink struct{ d fakeDriver }

func (k *fakeSink) Close() error {
	if k.d.close != nil {
		k.d.close()
	}
	return nil
}

func (k *fakeSink) Deliver(ctx context.Context, batch []sink.Event) (int, error) {
	if k.d.deliver != nil {
		return k.d.deliver(goodSink{k.d.server}, ctx, batch)
	}
	return goodSink{k.d.server}.Deliver(ctx, batch)
}

// slottedSink takes several calls at once.
type slottedSink struct{ *fakeSink }

func (k slottedSink) MaxInFlight() int { return k.d.slots }

// patientSink has a time limit of its own.
type patientSink struct{ *fakeSink }

func (k patientSink) AttemptTimeout() time.Duration { return k.d.limit() }

// goodSink keeps every rule.
type goodSink struct{ server *fakeServer }

func (g goodSink) Deliver(ctx context.Context, batch []sink.Event) (int, error) {
	for n := 0; n < len(batch); {
		if ctx.Err() != nil {
			return n, ctx.Err()
		}
		size, end := 0, n
		for end < len(batch) && sizeOf(batch[end]) < maxEvent && size < maxRequest {
			size += sizeOf(batch[end])
			end++
		}
		if end == n {
			return n + 1, sink.Reject(fmt.Errorf("event is larger than %d bytes", maxEvent), n)
		}
		leftOut, err := g.server.take(ctx, batch[n:end])
		if poison, ok := errors.AsType[errPoison](err); ok {
			k := n + int(poison)
			return k + 1, sink.Reject(err, k)
		}
		switch {
		case errors.Is(err, errForbidden):
			return n, sink.Block(err)
		case err != nil && ctx.Err() != nil:
			return n, ctx.Err()
		case err != nil:
			return n, sink.Retry(err, 0)
		case leftOut > 0:
			return end, sink.RejectCount(errors.New("some events were left out"), leftOut)
		}
		n = end
	}
	return len(batch), nil
}

// sizeOf is the fake driver's idea of the size of an event.
func sizeOf(e sink.Event) int {
	n := 100
	for _, a := range e.Attributes {
		n += len(a.Key) + len(a.Value.String())
	}
	return n
}

// fakeHarness returns a harness of a fake driver, which change breaks.
func fakeHarness(change func(d *fakeDriver)) Harness {
	start := func(_ testing.TB, b Behavior) (sink.Destination, Server) {
		d := fakeDriver{server: &fakeServer{behavior: b}}
		if change != nil {
			change(&d)
		}
		return d, d.server.server()
	}
	invalid := fakeDriver{server: &fakeServer{}, bad: true}
	if change != nil {
		change(&invalid)
	}
	return Harness{
		Start: start, Invalid: []sink.Destination{invalid}, Secrets: []string{fakeToken}, Paths: []string{fakePath},
		MaxEventBytes: maxEvent,
	}
}
