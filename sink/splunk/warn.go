package splunk

import (
	"context"

	"github.com/auditstream/auditstream/sink/internal/httpsend"
)

// heed takes note of what an answer says beside its verdict.
func (h *hec) heed(ctx context.Context, t ticket, a answer) {
	switch a.code {
	case 25, 27:
		h.acks.full(t)
	}
	if a.ack != none && h.timeout == 0 && h.warnedACK.CompareAndSwap(false, true) {
		h.log.WarnContext(ctx, "the token has indexer acknowledgement (useACK), which is not awaited; set Acknowledge, or "+
			"switch it off in Splunk", "destination", h.name)
	}
}

// warnIfDisabled is called by Deliver and not where it is found out, for the host's logger may panic.
func (h *hec) warnIfDisabled(ctx context.Context) {
	if h.timeout > 0 && h.acks.isDisabled() && h.warnedDisabled.CompareAndSwap(false, true) {
		h.log.WarnContext(ctx, "the token has no indexer acknowledgement (useACK), which Acknowledge asks for: events count as "+
			"delivered when the collector has taken them; enable it in Splunk and save the destination again",
			"destination", h.name)
	}
}

func (h *hec) warnOfLength(ctx context.Context, longest int) {
	if longest <= truncated || !h.warnedLength.CompareAndSwap(false, true) {
		return
	}
	h.log.WarnContext(ctx, "an event is longer than Splunk keeps by default; raise TRUNCATE for its source type in props.conf",
		"destination", h.name, "bytes", longest, "default", truncated)
}

func (h *hec) warnOfAnswer(ctx context.Context, r *httpsend.Response) {
	if r.BrokeOff() && h.warnedUnparsed.CompareAndSwap(false, true) {
		h.log.WarnContext(ctx, httpsend.UnparsedMessage, "destination", h.name, "code", httpsend.UnparsedCode)
	}
}
