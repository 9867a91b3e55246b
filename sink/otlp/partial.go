package otlp

import (
	"fmt"

	collogpb "go.opentelemetry.io/proto/otlp/collector/logs/v1"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/scrub"
)

// partialSuccess returns what an accepted request's answer means for the n records of it: nil, or a Reject with the
// number of records that the destination refused. It does not say which, and the protocol forbids to send any of them
// again. A message without a number is a warning about records that were taken.
func partialSuccess(resp *collogpb.ExportLogsServiceResponse, n int, s *scrub.Scrubber) error {
	rejected := min(max(resp.GetPartialSuccess().GetRejectedLogRecords(), 0), int64(n))
	if rejected == 0 {
		return nil
	}
	return &sink.Error{
		Verdict: sink.VerdictReject,
		Count:   int(rejected),
		Code:    "partial_success",
		Err: fmt.Errorf("otlp: the destination refused %d of %d records: %s",
			rejected, n, s.Text(resp.GetPartialSuccess().GetErrorMessage())),
		Remedy: "Look for the reason at the destination; these events are not sent again.",
	}
}
