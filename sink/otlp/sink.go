package otlp

import (
	"context"
	"errors"

	sdklog "go.opentelemetry.io/otel/sdk/log"

	"github.com/auditstream/auditstream/sink"
)

// maxRequest is how large a request may become before compression, the resource not counted. Most servers take 4 MiB
// over gRPC and more over HTTP.
const maxRequest = 4<<20 - maxResourceSize - 1<<10

// placeholderHost is what the exporters are told to send to. Our end of the transport knows better, and the name does
// not exist should a request ever get past it.
const placeholderHost = "placeholder.invalid"

// A wire makes requests. It is safe for concurrent use.
type wire interface {
	// send makes one request with records, of which there is at least one. It returns nil when all were taken, a
	// *sink.Error, or the context's error.
	send(ctx context.Context, records []sdklog.Record) error
	close()
}

// otlpSink is the [sink.Sink] of this package. It is safe for concurrent use.
type otlpSink struct{ wire wire }

// maxInFlight is how many batches may be under way at once: as many connections over HTTP/1, and streams of one
// connection over HTTP/2 and gRPC, of which servers allow 100 by default. At round trips of 50 ms it makes 320 requests
// a second.
const maxInFlight = 16

// MaxInFlight lets a stream call Deliver from up to 16 goroutines.
func (*otlpSink) MaxInFlight() int { return maxInFlight }

// Deliver sends batch in as many requests as its size asks for, mostly one, and stops at the first that is not taken
// whole.
func (s *otlpSink) Deliver(ctx context.Context, batch []sink.Event) (int, error) {
	m := mappers.Get().(*mapper) //nolint:forcetypeassert // New makes nothing else
	defer m.release()
	for done := 0; done < len(batch); {
		records := m.fill(batch[done:])
		err := s.wire.send(ctx, records)
		if err == nil {
			done += len(records)
			continue
		}
		if e, ok := errors.AsType[*sink.Error](err); ok && e.Verdict == sink.VerdictReject {
			done += len(records) // the request was taken, less some records
		}
		return done, err
	}
	return len(batch), nil
}

// Close gives the connections back. No request is under way when it is called.
func (s *otlpSink) Close() error {
	s.wire.close()
	return nil
}
