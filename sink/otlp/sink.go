package otlp

import (
	"context"
	"errors"
	"sync"

	sdklog "go.opentelemetry.io/otel/sdk/log"

	"github.com/auditstream/auditstream/sink"
)

// maxRequest is how large a request may become before compression, the resource not counted. Most servers take 4 MiB
// over gRPC and more over HTTP.
const maxRequest = 4<<20 - maxResourceSize - 1<<10

// placeholderHost is what the exporters are told to send to. Our end of the transport knows better, and the name does
// not exist should a request ever get past it.
const placeholderHost = "placeholder.invalid"

// A wire makes requests. Its methods are called one at a time.
type wire interface {
	// send makes one request with records, of which there is at least one. It returns nil when all were taken, a
	// *sink.Error, or the context's error.
	send(ctx context.Context, records []sdklog.Record) error
	close()
}

// otlpSink is the [sink.Sink] of this package.
type otlpSink struct {
	wire   wire
	mapper func() *mapper // makes it at the first call: an idle sink has none
}

func newSink(w wire) *otlpSink {
	return &otlpSink{wire: w, mapper: sync.OnceValue(func() *mapper {
		return &mapper{prototype: newPrototype()}
	})}
}

// recordPool lends the records of one request. They are large and cleared, so that the pool keeps no event alive.
var recordPool = sync.Pool{New: func() any { return new([]sdklog.Record) }}

// Deliver sends batch in as many requests as its size asks for, mostly one, and stops at the first that is not taken
// whole.
func (s *otlpSink) Deliver(ctx context.Context, batch []sink.Event) (int, error) {
	lent := recordPool.Get().(*[]sdklog.Record) //nolint:forcetypeassert // New makes nothing else
	defer func() {
		clear(*lent)
		recordPool.Put(lent)
	}()
	for done := 0; done < len(batch); {
		*lent = s.mapper().fill((*lent)[:0], batch[done:])
		err := s.wire.send(ctx, *lent)
		n := len(*lent)
		clear(*lent)
		if err == nil {
			done += n
			continue
		}
		if e, ok := errors.AsType[*sink.Error](err); ok && e.Verdict == sink.VerdictReject {
			done += n // the request was taken, less some records
		}
		return done, err
	}
	return len(batch), nil
}

// Close gives the connections back.
func (s *otlpSink) Close() error {
	s.wire.close()
	return nil
}

// fill appends the records of events to dst until the request is full, the first in any case: whether a single event
// is too large is for the server to say.
func (m *mapper) fill(dst []sdklog.Record, events []sink.Event) []sdklog.Record {
	total := 0
	for i := range events {
		record, size := m.record(&events[i])
		total += size
		if i > 0 && total > maxRequest {
			break
		}
		dst = append(dst, record)
	}
	m.attrs = nil // it refers to the last event, and may have grown
	return dst
}
