package splunk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/httpsend"
)

const (
	// truncated is how much Splunk keeps of an event unless the source type's TRUNCATE says otherwise, in bytes.
	truncated = 10_000

	// maxInFlight is how many calls of Deliver may overlap. Each is a connection, over HTTP/1.1, and 2 MB while it sends.
	maxInFlight = 32

	// requestTimeout bounds one request of a sink that waits for acknowledgements, whose attempts may take much longer.
	requestTimeout = time.Minute
)

// hec is a sink.
type hec struct {
	client   *httpsend.Client
	envelope envelope
	acks     acks
	timeout  time.Duration // of an attempt; 0 without acknowledgement
	hint     string        // more for the remedy when the collector cannot be reached
	name     string        // of the destination, in warnings
	log      *slog.Logger

	warnedACK, warnedDisabled, warnedLength, warnedUnparsed atomic.Bool
}

// MaxInFlight is how many calls of Deliver may overlap.
func (*hec) MaxInFlight() int { return maxInFlight }

// AttemptTimeout is how long a call of Deliver may wait for acknowledgements, or 0 if it does not.
func (h *hec) AttemptTimeout() time.Duration { return h.timeout }

// Deliver implements [sink.Sink].
func (h *hec) Deliver(ctx context.Context, batch []sink.Event) (int, error) {
	n, receipts, err := h.send(ctx, batch)
	if len(receipts) > 0 {
		n, err = h.await(ctx, receipts, n, err)
	}
	h.warnIfDisabled(ctx)
	return n, err
}

// send sends a batch, and returns how far it got, with the receipts that are still to come for that.
func (h *hec) send(ctx context.Context, batch []sink.Event) (int, []*receipt, error) {
	body := httpsend.GetBody()
	defer httpsend.PutBody(body)
	var receipts []*receipt
	for done := 0; done < len(batch); {
		var filled filling
		*body, filled = h.envelope.fill((*body)[:0], batch[done:])
		if filled.events == 0 {
			return done + 1, receipts, tooLarge(filled.longest, done)
		}
		h.warnOfLength(ctx, filled.longest)
		n, r, err := h.post(ctx, done, request{events: filled.events, bytes: len(*body)}, *body)
		if r != nil {
			receipts = append(receipts, r)
		}
		if err != nil {
			return done + n, receipts, shifted(err, done)
		}
		done += n
	}
	return len(batch), receipts, nil
}

// Close implements [io.Closer].
func (h *hec) Close() error {
	h.client.Close()
	return nil
}

// post sends one request, whose events begin at start of the batch, and returns how many of them are answered for, with
// the receipt that this depends on, if it depends on any.
func (h *hec) post(ctx context.Context, start int, q request, body []byte) (int, *receipt, error) {
	t, err := h.acks.begin(ctx)
	if err != nil {
		return 0, nil, err
	}
	r, err := h.exchange(ctx, t, body)
	if err != nil {
		e, ok := errors.AsType[*sink.Error](err)
		h.acks.unanswered(t, !ok || !e.NotTaken)
		return 0, nil, h.unreachable(err)
	}
	a := readAnswer(r.Body)
	n, e := judge(q, r, a)
	if e == nil && r.BrokeOff() && t.numbered() {
		h.acks.unanswered(t, true)
		return 0, nil, cutOff()
	}
	doubt := e != nil && !e.NotTaken
	receipt := h.acks.answer(t, a.ack, start, start+takenOf(n, e), doubt)
	h.heed(ctx, t, a)
	if e == nil {
		h.warnOfAnswer(ctx, r)
		return n, receipt, nil
	}
	if r.Status == http.StatusNotFound {
		e.Remedy += h.hint
	}
	return n, receipt, e
}

// exchange sends one request and returns the answer. One whose answer is followed by a wait for acknowledgements has a
// limit of its own, for that of the attempt is made for that wait.
func (h *hec) exchange(ctx context.Context, t ticket, body []byte) (*httpsend.Response, error) {
	if !t.numbered() {
		return h.client.Post(ctx, body, t.header())
	}
	limited, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	r, err := h.client.Post(limited, body, t.header())
	if limited.Err() != nil && ctx.Err() == nil && err != nil {
		return nil, &sink.Error{Err: fmt.Errorf("there was no answer within %v", requestTimeout), Remedy: remedyWait}
	}
	return r, err
}

// takenOf is how many of the n events that are answered for were taken: a rejected one is the last of them.
func takenOf(n int, e *sink.Error) int {
	if e != nil && e.Verdict == sink.VerdictReject {
		return n - len(e.Index)
	}
	return n
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
