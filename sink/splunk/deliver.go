package splunk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/google/uuid"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/httpsend"
)

// truncated is how much Splunk keeps of an event unless the source type's TRUNCATE says otherwise, in bytes.
const truncated = 10_000

// hec is a sink. The Stream calls it from one goroutine at a time.
type hec struct {
	client   *httpsend.Client
	envelope envelope
	channel  http.Header // the one header that changes
	hint     string      // more for the remedy when the collector cannot be reached
	name     string      // of the destination, in warnings
	log      *slog.Logger

	warnedACK, warnedLength, warnedUnparsed bool
}

// Deliver implements [sink.Sink].
func (h *hec) Deliver(ctx context.Context, batch []sink.Event) (int, error) {
	body := httpsend.GetBody()
	defer httpsend.PutBody(body)
	for done := 0; done < len(batch); {
		var filled filling
		*body, filled = h.envelope.fill((*body)[:0], batch[done:])
		if filled.events == 0 {
			return done + 1, tooLarge(filled.longest, done)
		}
		h.warnOfLength(ctx, filled.longest)
		n, err := h.post(ctx, request{events: filled.events, bytes: len(*body)}, *body)
		if err != nil {
			return done + n, shifted(err, done)
		}
		done += n
	}
	return len(batch), nil
}

// Close implements [io.Closer].
func (h *hec) Close() error {
	h.client.Close()
	return nil
}

// post sends one request and returns how many of its events are answered for.
func (h *hec) post(ctx context.Context, q request, body []byte) (int, error) {
	r, err := h.client.Post(ctx, body, h.channel)
	if err != nil {
		return 0, h.unreachable(err)
	}
	a := readAnswer(r.Body)
	h.heed(ctx, a)
	n, e := judge(q, r, a)
	if e == nil {
		h.warnOfAnswer(ctx, r)
		return n, nil
	}
	if r.Status == http.StatusNotFound {
		e.Remedy += h.hint
	}
	return n, e
}

// shifted makes the indexes of rejected events count from the start of the batch, of which done events went before the
// request.
func shifted(err error, done int) error {
	if e, ok := errors.AsType[*sink.Error](err); ok {
		for i := range e.Index {
			e.Index[i] += done
		}
	}
	return err
}

// tooLarge rejects batch[i], which would fill more than a request by itself.
func tooLarge(size, i int) error {
	return &sink.Error{
		Verdict: sink.VerdictReject,
		Err:     fmt.Errorf("splunk: an event takes %d bytes, and a request holds %d", size, maxRequest),
		Count:   1,
		Index:   []int{i},
		Remedy:  "Publish less with one event.",

		NotTaken: true,
	}
}

// unreachable completes the error of a request that got no answer.
func (h *hec) unreachable(err error) error {
	err = httpsend.Named("splunk", err)
	if e, ok := errors.AsType[*sink.Error](err); ok {
		e.Remedy += h.hint
	}
	return err
}

// heed takes note of what an answer says beside its verdict.
func (h *hec) heed(ctx context.Context, a answer) {
	switch a.code {
	case 25, 27:
		// Acknowledgements that nobody asks for fill the channel. A new one is empty, and Splunk drops the old one.
		h.channel = newChannel()
	}
	if a.acked && !h.warnedACK {
		h.warnedACK = true
		h.log.WarnContext(ctx, "the token has indexer acknowledgement (useACK), which is not awaited; switch it off in Splunk",
			"destination", h.name)
	}
}

func (h *hec) warnOfLength(ctx context.Context, longest int) {
	if longest <= truncated || h.warnedLength {
		return
	}
	h.warnedLength = true
	h.log.WarnContext(ctx, "an event is longer than Splunk keeps by default; raise TRUNCATE for its source type in props.conf",
		"destination", h.name, "bytes", longest, "default", truncated)
}

func (h *hec) warnOfAnswer(ctx context.Context, r *httpsend.Response) {
	if !r.BrokeOff() || h.warnedUnparsed {
		return
	}
	h.warnedUnparsed = true
	h.log.WarnContext(ctx, httpsend.UnparsedMessage, "destination", h.name, "code", httpsend.UnparsedCode)
}

func newChannel() http.Header { return http.Header{channelHeader: {uuid.NewString()}} }
