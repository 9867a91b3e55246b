package sinktest

import (
	"errors"

	"github.com/auditstream/auditstream/sink"
)

// verdictOf returns what an error says, which for a plain one is Retry.
func verdictOf(err error) sink.Verdict {
	if e, ok := errors.AsType[*sink.Error](err); ok {
		return e.Verdict
	}
	return sink.VerdictRetry
}

// rejectedIndex returns which of n answered events an error names as rejected: none if it only counts them, and the last
// one if it does neither.
func rejectedIndex(err error, n int) []int {
	e, ok := errors.AsType[*sink.Error](err)
	if !ok || e.Verdict != sink.VerdictReject {
		return nil
	}
	if len(e.Index) == 0 && e.Count == 0 && n > 0 {
		return []int{n - 1}
	}
	return e.Index
}
