package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/bench/internal/corpus"
	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/otlp"
	"github.com/auditstream/auditstream/sink/splunk"
	"github.com/auditstream/auditstream/sink/sumologic"
)

// A driver makes a destination of a server's addresses.
type driver interface {
	destination(j *job) sink.Destination
}

type driverFunc func(j *job) sink.Destination

func (f driverFunc) destination(j *job) sink.Destination { return f(j) }

// token is what a server would know a client by.
const token = "6f1c2a52-9b1d-4a39-8f5e-2b7f0c1d3e4f" //nolint:gosec // the server takes everybody

func ourOTLP(rpc, compress bool) driver {
	return driverFunc(func(j *job) sink.Destination {
		c := otlp.Config{Endpoint: j.Server.HTTP + "/v1/logs", Compression: otlp.None}
		if rpc {
			c.Endpoint, c.Protocol = j.Server.GRPC, otlp.GRPC
		}
		if compress {
			c.Compression = otlp.Gzip
		}
		c.Resource.ServiceName = serviceName
		return c
	})
}

func ourSplunk(compress bool) driver {
	return driverFunc(func(j *job) sink.Destination {
		c := splunk.Config{Endpoint: j.Server.HTTP, Token: secret.New(token), Compression: splunk.None}
		if compress {
			c.Compression = splunk.Gzip
		}
		return c
	})
}

func ourSumo(compress bool) driver {
	return driverFunc(func(j *job) sink.Destination {
		c := sumologic.Config{Endpoint: secret.New(j.Server.HTTP + sumoPath), Compression: sumologic.None}
		if compress {
			c.Compression = sumologic.Gzip
		}
		return c
	})
}

// sumoPath is that of a Sumo Logic source.
const sumoPath = "/receiver/v1/http/ZaVnC4dhaV3-bench=="

// discarding is a destination whose sink throws everything away: what is left is the cost of publishing and queueing.
type discarding struct{}

func (d discarding) destination(*job) sink.Destination { return d }
func (d discarding) Open() (sink.Sink, error)          { return d, nil }
func (discarding) String() string                      { return "nowhere" }

func (discarding) Deliver(_ context.Context, batch []sink.Event) (int, error) { return len(batch), nil }

// ours is auditstream.
type ours struct {
	stream *auditstream.Stream
	paused bool
	lean   bool
}

// queueFor returns a tuning in which everything fits into the queue, as it has to with those who would drop it.
func queueFor(events int) auditstream.Config {
	return auditstream.Config{QueueEvents: max(events, batchEvents), QueueBytes: 1 << 32, BatchEvents: batchEvents}
}

func newOurs(j *job, d driver, cfg auditstream.Config) (*ours, error) {
	stream, err := auditstream.New(cfg)
	if err != nil {
		return nil, err
	}
	return &ours{stream: stream}, stream.Configure(d.destination(j))
}

func openOurs(d driver, inFlight int) func(context.Context, *job) (shipper, error) {
	return func(_ context.Context, j *job) (shipper, error) {
		cfg := queueFor(j.Events)
		cfg.InFlight = inFlight
		return newOurs(j, d, cfg)
	}
}

// openPaused leaves the exporting half out.
func openPaused(_ context.Context, j *job) (shipper, error) {
	cfg := queueFor(j.Events)
	cfg.StartPaused = true
	o, err := newOurs(j, discarding{}, cfg)
	if err != nil {
		return nil, err
	}
	o.paused = true
	return o, nil
}

func openLean(_ context.Context, j *job) (shipper, error) {
	o, err := newOurs(j, discarding{}, queueFor(j.Events))
	if err != nil {
		return nil, err
	}
	o.lean = true
	return o, nil
}

// scratch is what one goroutine builds events in. Publish takes a copy of all of it.
type scratch struct {
	attributes [corpus.Attributes]slog.Attr
	target     [1]auditstream.Target
}

// build makes an event of its raw material.
func (s *scratch) build(e *corpus.Event) auditstream.Event {
	s.target[0] = auditstream.Target{ID: e.TargetID, Type: auditstream.TargetType(e.TargetType), Name: e.TargetName}
	return auditstream.Event{
		ID: e.ID, Time: e.Time, Action: e.Action, Outcome: auditstream.Outcome(e.Outcome),
		Actor:      auditstream.Actor{ID: e.ActorID, Type: auditstream.ActorType(e.ActorType), Name: e.ActorName},
		Targets:    s.target[:],
		Source:     auditstream.Source{Address: e.Address, UserAgent: e.UserAgent},
		Message:    e.Message,
		Attributes: slogAttributes(s.attributes[:0], e),
	}
}

// buildLean makes an event of the ten attributes and the least that auditstream takes beside them.
func (s *scratch) buildLean(e *corpus.Event) auditstream.Event {
	return auditstream.Event{
		ID: e.ID, Time: e.Time, Action: e.Action, Message: e.Message, Actor: auditstream.Actor{ID: e.ActorID},
		Attributes: slogAttributes(s.attributes[:0], e),
	}
}

func slogAttributes(attrs []slog.Attr, e *corpus.Event) []slog.Attr {
	for i := range e.Attributes {
		a := &e.Attributes[i]
		switch a.Kind {
		case corpus.Text:
			attrs = append(attrs, slog.String(a.Key, a.Text))
		case corpus.Number:
			attrs = append(attrs, slog.Int64(a.Key, a.Number))
		case corpus.Flag:
			attrs = append(attrs, slog.Bool(a.Key, a.IsSet()))
		}
	}
	return attrs
}

func (o *ours) publisher() publish {
	var s scratch
	if o.lean {
		return func(e *corpus.Event) error { return o.stream.Publish(s.buildLean(e)) }
	}
	return func(e *corpus.Event) error { return o.stream.Publish(s.build(e)) }
}

func (o *ours) finish(ctx context.Context, events int) error {
	if !o.paused {
		if err := o.stream.Flush(ctx); err != nil {
			return err
		}
	}
	totals := o.stream.Status().Totals
	kept := totals.Delivered
	if o.paused {
		kept = totals.Pending
	}
	if want := uint64(events); totals.Accepted != want || kept != want { //nolint:gosec // never negative
		return fmt.Errorf("not everything was delivered: %+v", totals)
	}
	return nil
}

// openBuild builds events and drops them.
func openBuild(context.Context, *job) (shipper, error) { return built{}, nil }

type built struct{}

// sunk keeps the compiler from leaving the work out.
var sunk auditstream.Event

func (built) publisher() publish {
	s := new(scratch)
	return func(e *corpus.Event) error {
		sunk = s.build(e)
		return nil
	}
}

func (built) finish(context.Context, int) error { return nil }
