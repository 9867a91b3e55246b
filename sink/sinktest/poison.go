package sinktest

import (
	"errors"
	"slices"

	"github.com/auditstream/auditstream/sink"
)

// checkPoison delivers a batch with one bad event as a Stream would, following the verdicts, and checks that the bad
// one alone is given up.
func checkPoison(s *suite, dst sink.Destination, srv Server) {
	s.tb.Helper()
	k := s.open(dst)
	defer s.close(k)
	const bad = 5
	batch := makeEvents(12, 10)
	batch[bad] = poisonEvent(bad)
	given, ok := s.follow(k, batch)
	if !ok {
		return
	}
	if given != nil && !slices.Equal(given, []string{batch[bad].ID}) {
		s.broken(ruleReject, "the events %q were given up, want the bad one: %q", given, batch[bad].ID)
		return
	}
	for i := range batch {
		if arrived := slices.Contains(srv.IDs(), batch[i].ID); arrived == (i == bad) {
			s.broken(ruleReject, "the bad event is number %d; number %d has arrived: %t", bad, i, arrived)
			return
		}
	}
}

// follow offers a batch until it has been answered for. It returns the IDs of the rejected events, or nil when the
// driver gave their number only, which has to be 1.
func (s *suite) follow(k sink.Sink, batch []sink.Event) (given []string, ok bool) {
	s.tb.Helper()
	size := len(batch)
	for len(batch) > 0 { // Every turn takes events away or halves size, which ends at 1.
		part := batch[:min(size, len(batch))]
		n, err := s.deliver(s.tb.Context(), k, slices.Clone(part))
		rest := part[n:]
		switch verdict := verdictOf(err); {
		case err == nil:
		case verdict == sink.VerdictReject:
			index := rejectedIndex(err, n)
			if index == nil {
				return nil, s.checkCount(k, err, batch[n:])
			}
			for _, i := range index {
				if i < 0 || i >= n {
					s.broken(ruleReject, "Deliver returned %d and rejects event %d", n, i)
					return nil, false
				}
				given = append(given, part[i].ID)
			}
		case verdict == sink.VerdictSplit && len(rest) == 1:
			given = append(given, rest[0].ID)
			n++
		case verdict == sink.VerdictSplit && len(rest) > 1:
			size = len(rest) / 2
		default:
			s.broken(ruleSplit, "Deliver returned %d and %s for a batch of %d with one bad event", n, describe(err), len(part))
			return nil, false
		}
		batch = batch[n:]
	}
	return given, true
}

// checkCount checks a rejection that counts, and delivers what is left.
func (s *suite) checkCount(k sink.Sink, err error, rest []sink.Event) bool {
	s.tb.Helper()
	if e, ok := errors.AsType[*sink.Error](err); ok && e.Count != 1 {
		s.broken(ruleReject, "Deliver counts %d rejected events, want 1", e.Count)
		return false
	}
	if len(rest) == 0 {
		return true
	}
	n, err := s.deliver(s.tb.Context(), k, slices.Clone(rest))
	if n != len(rest) || err != nil {
		s.broken(ruleSilent, "Deliver returned %d and %s for the %d events after a bad one", n, describe(err), len(rest))
		return false
	}
	return true
}
