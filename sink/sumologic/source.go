package sumologic

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/eventjson"
	"github.com/auditstream/auditstream/sink/internal/httpsend"
	"github.com/auditstream/auditstream/sink/internal/scrub"
)

const (
	// maxMessage is the size in bytes of the longest message that stays whole. One of 64 KiB cannot be told from one
	// that was cut there.
	maxMessage = 64<<10 - 1

	// maxRequest is the size in bytes of a request before compression, line feeds included: Sumo Logic recommends 1 MB
	// and answers larger ones late or not at all.
	maxRequest = 1_000_000
)

// source is a sink. The Stream calls it from one goroutine at a time, so one request is in flight.
type source struct {
	client *httpsend.Client
	scrub  *scrub.Scrubber
	name   string // of the destination, in warnings
	log    *slog.Logger

	warned, warnedUnparsed bool
}

// Deliver implements [sink.Sink].
func (s *source) Deliver(ctx context.Context, batch []sink.Event) (int, error) {
	body := httpsend.GetBody()
	defer httpsend.PutBody(body)
	for done := 0; done < len(batch); {
		var events, longest int
		*body, events, longest = fill((*body)[:0], batch[done:])
		if events == 0 {
			return done + 1, tooLarge(longest, done)
		}
		if err := s.post(ctx, *body); err != nil {
			return done, err
		}
		done += events
	}
	return len(batch), nil
}

// Close implements [io.Closer].
func (s *source) Close() error {
	s.client.Close()
	return nil
}

// fill appends as many of the events as one request holds, and returns how many they are. It stops before an event that
// is too long for a message; when that is the first, it returns 0 and the event's size.
func fill(body []byte, batch []sink.Event) (_ []byte, events, size int) {
	for i := range batch {
		start := len(body)
		body = eventjson.Append(body, &batch[i])
		size = len(body) - start
		body = append(body, '\n')
		if size > maxMessage || len(body) > maxRequest {
			return body[:start], i, size
		}
	}
	return body, len(batch), size
}

// tooLarge rejects batch[i].
func tooLarge(size, i int) error {
	return &sink.Error{
		Verdict: sink.VerdictReject,
		Err:     fmt.Errorf("sumologic: an event takes %d bytes, and a message holds at most %d", size, maxMessage),
		Count:   1,
		Index:   []int{i},
		Remedy:  "Publish less with one event.",

		NotTaken: true,
	}
}

func (s *source) post(ctx context.Context, body []byte) error {
	r, err := s.client.Post(ctx, body, nil)
	if err != nil {
		return httpsend.Named("sumologic", err)
	}
	if err := judge(r); err != nil {
		return httpsend.Named("sumologic", err)
	}
	s.heed(ctx, r)
	return nil
}

// heed warns when Sumo Logic has taken the messages and says that it left something out, or may have said so.
func (s *source) heed(ctx context.Context, r *httpsend.Response) {
	if r.BrokeOff() && !s.warnedUnparsed {
		s.warnedUnparsed = true
		s.log.WarnContext(ctx, httpsend.UnparsedMessage, "destination", s.name, "code", httpsend.UnparsedCode)
	}
	if s.warned || r.Status == http.StatusNoContent {
		return
	}
	if code := complaint(r.Body); code != "" {
		s.warned = true
		s.log.WarnContext(ctx, "Sumo Logic took the events and dropped some of their metadata; check Fields",
			"destination", s.name, "code", s.scrub.Text(code))
	}
}
