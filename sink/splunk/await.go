package splunk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/httpsend"
)

// await waits for the receipts of a batch, of which n events are answered for if all of them come in, and err is what
// Deliver returns then. They are looked at in the order of the events: what is acknowledged behind one that is not does
// not count.
func (h *hec) await(ctx context.Context, receipts []*receipt, n int, err error) (int, error) {
	for i, r := range receipts {
		missing := r.wait(ctx)
		if missing == nil {
			continue
		}
		if errors.Is(missing, context.DeadlineExceeded) && !errors.Is(err, context.DeadlineExceeded) {
			missing = h.late(receipts[i:], len(receipts))
		}
		h.acks.withdraw(receipts[i:])
		return r.start, missing
	}
	return n, err
}

// wait waits until a receipt is in, and returns nil, or why it cannot be had, or the error of ctx if that ends before.
func (r *receipt) wait(ctx context.Context) error {
	select {
	case <-r.done:
		return r.err
	default:
	}
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// late is the error of receipts that did not come in time.
func (h *hec) late(receipts []*receipt, of int) error {
	lost, trouble := h.acks.why(receipts)
	text := fmt.Sprintf("splunk: of %d requests, %d were taken and not acknowledged in time", of, len(receipts))
	switch {
	case lost:
		text += ": a number of an acknowledgement was given twice, so an indexer was restarted or requests reach several"
	case trouble != nil:
		text += ": " + strings.TrimPrefix(trouble.Error(), "splunk: ")
	}
	return &sink.Error{
		Verdict: sink.VerdictRetry,
		Err:     errors.New(text),
		Remedy: "Check in Splunk that the indexers replicate what they get, and raise AcknowledgeTimeout if they are only " +
			"slow. Check that a load balancer in front of them keeps sessions on one of them.",
	}
}

// cutOff is the error of an answer that says that events were taken, and broke off before the number of their
// acknowledgement.
func cutOff() error {
	return &sink.Error{
		Err: errors.New("splunk: the answer broke off, and with it the number of the acknowledgement"), Remedy: remedyWait,
	}
}

// ask asks Splunk for acknowledgements of a channel.
func (h *hec) ask(ctx context.Context, c *channel, ids []ackID) reply {
	body, err := json.Marshal(struct {
		Acks []ackID `json:"acks"`
	}{ids})
	if err != nil {
		return reply{err: err} // numbers can be marshalled
	}
	limited, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	r, err := h.client.PostPlain(limited, "ack", body, c.header)
	if err != nil {
		return reply{err: noAcks(err)}
	}
	return judgeAcks(r)
}

// judgeAcks tells what an answer to a question for acknowledgements means.
func judgeAcks(r *httpsend.Response) reply {
	a := readAnswer(r.Body)
	success := 200 <= r.Status && r.Status <= 299
	if success {
		if confirmed, ok := readAcks(r.Body); ok {
			return reply{confirmed: confirmed}
		}
	}
	switch {
	case a.code == 14 && r.Status == http.StatusBadRequest:
		return reply{disabled: true}
	case success && r.BrokeOff():
		// What it said to be in will be denied from now on: Splunk says so once.
		return reply{err: noAcks(errors.New("the answer broke off")), after: r.RetryAfter}
	case success:
		return refusal(strangeAcks(r))
	}
	_, e := judge(request{}, r, a)
	if e.Verdict == sink.VerdictRetry {
		return reply{err: noAcks(e), after: r.RetryAfter}
	}
	return refusal(e)
}

// refusal is the reply of an answer that will not get better by itself. Whether the events are stored stays open.
func refusal(e *sink.Error) reply {
	blocked := *e
	blocked.Verdict, blocked.NotTaken, blocked.Err = sink.VerdictBlock, false, noAcks(e)
	return reply{refused: true, err: &blocked, after: e.After}
}

// strangeAcks is the error of a 2xx that does not speak of acknowledgements.
func strangeAcks(r *httpsend.Response) *sink.Error {
	return &sink.Error{
		Err: errors.New(describe(r.Status, none) + ", but not in the words of an HTTP Event Collector"),
		Remedy: "Look for a proxy that leads " + collectorPath + "/ack elsewhere than " + collectorPath + "/event, or switch " +
			"Acknowledge off.",
	}
}

// noAcks words an error of a question for acknowledgements. The error's own text has been scrubbed.
func noAcks(err error) error {
	text := strings.TrimPrefix(err.Error(), "splunk: ")
	if errors.Is(err, context.DeadlineExceeded) {
		text = fmt.Sprintf("there was no answer within %v", askTimeout)
	}
	return errors.New("splunk: asked for acknowledgements, and " + text)
}
