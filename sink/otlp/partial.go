package otlp

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"

	collogpb "go.opentelemetry.io/proto/otlp/collector/logs/v1"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/httpsend"
	"github.com/auditstream/auditstream/sink/internal/scrub"
)

// successes reads the answers to accepted requests, for one sink.
type successes struct {
	scrubber *scrub.Scrubber
	name     string // of the destination, in warnings
	log      *slog.Logger

	warned, warnedUnparsed atomic.Bool
}

// missed warns, once, that an accepted request's answer could not be read: it may have held a partial success.
func (s *successes) missed(ctx context.Context) {
	if !s.warnedUnparsed.Swap(true) {
		s.log.WarnContext(ctx, httpsend.UnparsedMessage, "destination", s.name, "code", httpsend.UnparsedCode)
	}
}

// judge returns what an accepted request's answer means for the n records of it: nil, or a Reject with the number of
// records that the destination refused. It does not say which, and the protocol forbids to send any of them again. A
// message without a number is a warning about records that were taken, and is logged once.
func (s *successes) judge(ctx context.Context, resp *collogpb.ExportLogsServiceResponse, n int) error {
	message := resp.GetPartialSuccess().GetErrorMessage()
	rejected := min(max(resp.GetPartialSuccess().GetRejectedLogRecords(), 0), int64(n))
	if rejected == 0 {
		if message != "" && !s.warned.Swap(true) {
			s.log.WarnContext(ctx, "the destination took the events and has something to say about them",
				"destination", s.name, "message", s.scrubber.Text(message))
		}
		return nil
	}
	return &sink.Error{
		Verdict: sink.VerdictReject,
		Count:   int(rejected),
		Code:    "partial_success",
		Err:     fmt.Errorf("otlp: the destination refused %d of %d records: %s", rejected, n, s.scrubber.Text(message)),
		Remedy:  "Look for the reason at the destination; these events are not sent again.",

		NotTaken: true, // of the batch beyond this request, which is all that is offered again
	}
}
