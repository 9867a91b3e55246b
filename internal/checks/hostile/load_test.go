package hostile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/sink"
)

const (
	publishers = 4

	// pace is how often each of them publishes.
	pace = 8 * time.Millisecond

	// tick is how often a condition is looked at.
	tick = 10 * time.Millisecond

	// patience is when a condition that was waited for has failed. No test passes or fails by how long it took.
	patience = 2 * time.Minute
)

// A load publishes to a stream from several goroutines until it is stopped.
type load struct {
	stream *auditstream.Stream
	sent   [publishers]atomic.Int64
	failed chan error

	once     sync.Once
	stopping chan struct{}
	running  sync.WaitGroup
}

func startLoad(t *testing.T, s *auditstream.Stream) *load {
	t.Helper()
	l := &load{stream: s, failed: make(chan error, publishers), stopping: make(chan struct{})}
	for p := range publishers {
		l.running.Go(func() { l.publish(p) })
	}
	t.Cleanup(func() { _, _ = l.stop() })
	return l
}

func (l *load) publish(p int) {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-l.stopping:
			return
		}
		if err := l.stream.Publish(event(p, l.sent[p].Load())); err != nil {
			l.failed <- err
			return
		}
		l.sent[p].Add(1)
	}
}

// stop ends the publishers and returns how many events they have published, and the first error, which no fault of a
// network excuses.
func (l *load) stop() (int64, error) {
	l.once.Do(func() { close(l.stopping) })
	l.running.Wait()
	var n int64
	for p := range publishers {
		n += l.sent[p].Load()
	}
	select {
	case err := <-l.failed:
		return n, err
	default:
		return n, nil
	}
}

// goOn waits until every publisher has published some more.
func (l *load) goOn(t *testing.T) {
	t.Helper()
	for p := range publishers {
		until := l.sent[p].Load() + 10
		require.Eventually(t, func() bool { return l.sent[p].Load() >= until || len(l.failed) > 0 },
			patience, tick, "publisher %d does not get on", p)
	}
	require.Empty(t, l.failed)
}

// event is what publisher p publishes as its nth event. Its text does not compress to nothing.
func event(p int, n int64) auditstream.Event {
	return auditstream.Event{
		ID:      eventID(p, n),
		Action:  "project.variable.update",
		Outcome: auditstream.OutcomeSuccess,
		Actor:   auditstream.Actor{ID: fmt.Sprintf("users-%d", p), Type: auditstream.ActorUser, Name: "Ada Lovelace"},
		Targets: []auditstream.Target{{ID: fmt.Sprintf("projects-%d", n%97), Type: "project", Name: "Zürich ledger"}},
		Source:  auditstream.Source{Address: "192.0.2.7", UserAgent: "deploy-cli/4.2"},
		Message: fmt.Sprintf("variable %x of the project was changed", uint64(n+1)*0x9e3779b97f4a7c15),
		Changes: []auditstream.Change{{Path: "/value", Before: n, After: n + 1}},
		Attributes: []slog.Attr{
			slog.Int64("revision", n), slog.Bool("scheduled", n%2 == 0), slog.String("space", "Spaces-1"),
		},
	}
}

const idFormat = "publisher-%d-event-%06d"

func eventID(p int, n int64) string { return fmt.Sprintf(idFormat, p, n) }

// publisherOf returns who published an event, as which.
func publisherOf(t *testing.T, id string) (p int, n int64) {
	t.Helper()
	_, err := fmt.Sscanf(id, idFormat, &p, &n)
	require.NoError(t, err)
	return p, n
}

// A meter counts the attempts at a destination.
type meter struct{ taken, spoiled atomic.Int64 }

// metered is a destination whose attempts are counted.
type metered struct {
	sink.Destination
	meter *meter
}

// Open implements [sink.Destination].
func (m metered) Open() (sink.Sink, error) {
	s, err := m.Destination.Open()
	if err != nil {
		return nil, err
	}
	c, ok := s.(io.Closer)
	if !ok {
		return nil, errors.New("a driver of this module cannot be closed")
	}
	return &meteredSink{s, c, m.meter}, nil
}

type meteredSink struct {
	sink.Sink
	io.Closer
	meter *meter
}

// Deliver implements [sink.Sink].
func (s *meteredSink) Deliver(ctx context.Context, batch []sink.Event) (int, error) {
	n, err := s.Sink.Deliver(ctx, batch)
	if err == nil {
		s.meter.taken.Add(1)
	} else {
		s.meter.spoiled.Add(1)
	}
	return n, err
}
