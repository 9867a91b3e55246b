package auditstream

import (
	"time"

	"github.com/auditstream/auditstream/internal/record"
)

// Status is one consistent snapshot of a Stream: whether it works, since when, why not, and what was lost.
type Status struct {
	// State is what the administrator asked for, Condition how delivery is going, each with the time it came about.
	State          State
	Condition      Condition
	StateSince     time.Time
	ConditionSince time.Time

	// Destination names the provider, scheme, host and port; never a path, a query or user information. It is blank
	// while there is no destination.
	Destination string

	// LastError is the last failure of an attempt, scrubbed of secrets. A *[sink.Error] among its causes has a Remedy, and
	// the JSON form of a Status has one for every error. It stays after a recovery, with its time, and is blank after Delete.
	LastError     error
	LastErrorTime time.Time

	// LastDelivery is when the destination last accepted an event; zero if it never has.
	LastDelivery time.Time

	// NextAttempt is when a retrying or blocked stream will make its next attempt; zero if none is due.
	NextAttempt time.Time

	// Queue is what waits for delivery.
	Queue QueueStatus

	// Totals is the ledger since New.
	Totals Totals
}

// QueueStatus is what waits in the queue, the events of an attempt in progress included.
type QueueStatus struct {
	// Events is how many events are pending, Bytes how large they are, measured like Config.MaxEventBytes.
	Events, Bytes int

	// Oldest is when the oldest of them was published; zero if there is none.
	Oldest time.Time
}

// Totals is the ledger of a Stream since New. In every snapshot
//
//	Accepted == Delivered + Rejected + Discarded + Pending
//
// and there is no other way for an event to leave.
type Totals struct {
	// Accepted counts the events that Publish took.
	Accepted uint64 `json:"accepted"`
	// Delivered counts those that the destination accepted.
	Delivered uint64 `json:"delivered"`
	// Rejected counts those that the destination refused for their content.
	Rejected uint64 `json:"rejected"`
	// Discarded counts those that the Stream dropped: the sum of the three below.
	Discarded uint64 `json:"discarded"`
	// Pending counts those that are still in the queue.
	Pending uint64 `json:"pending"`

	// DiscardedOverflow counts the events dropped to make room, with DropOldest.
	DiscardedOverflow uint64 `json:"discardedOverflow"`
	// DiscardedDeleted counts the events that were queued when the stream was deleted.
	DiscardedDeleted uint64 `json:"discardedDeleted"`
	// DiscardedShutdown counts the events that Shutdown left behind and handed back.
	DiscardedShutdown uint64 `json:"discardedShutdown"`

	// RefusedFull counts the events that were never accepted because the queue was full.
	RefusedFull uint64 `json:"refusedFull"`
	// RefusedInactive counts the events that were never accepted because the stream was unconfigured, paused with
	// Refuse, deleted or shut down.
	RefusedInactive uint64 `json:"refusedInactive"`
	// RefusedInvalid counts the events that were never accepted because something in them was missing, too large, or
	// could not be encoded.
	RefusedInvalid uint64 `json:"refusedInvalid"`

	// InDoubt counts the events that were offered again although an earlier attempt may have delivered them: it ended
	// without an answer, or with one that does not say that nothing was taken. An event counts once for each such
	// attempt. So it is an upper bound on the duplicates that this stream has caused, which carry the ID of the event
	// that they repeat. It is no part of the ledger.
	InDoubt uint64 `json:"inDoubt"`

	// Repaired counts the strings of accepted events in which invalid UTF-8 was replaced by U+FFFD. It is no part of
	// the ledger.
	Repaired uint64 `json:"repaired"`
	// Clamped counts the accepted events whose Time lies outside the range that every provided protocol can carry,
	// 2001-09-09T01:46:40Z to 2262-04-11T23:47:16.854775807Z; the destination gets the nearest time it can carry and
	// the true one beside it. An unset Time, which becomes the time of Publish, does not count. It is no part of the
	// ledger.
	Clamped uint64 `json:"clamped"`
	// SinkPanics counts the panics of sinks that were recovered: in Deliver, which is then tried again, in Close, or in
	// a method of an error that Deliver returned. A sink that calls runtime.Goexit counts as well. It is no part of the
	// ledger.
	SinkPanics uint64 `json:"sinkPanics"`
}

// Status returns one consistent snapshot. It never waits for a sink or a callback.
func (s *Stream) Status() Status {
	if !s.made() {
		return Status{State: StateUnconfigured, Condition: ConditionHealthy}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.snapshot()
}

// snapshot is Status with the lock held.
func (s *Stream) snapshot() Status {
	status := Status{
		State:          s.state,
		Condition:      s.condition,
		StateSince:     s.stateSince,
		ConditionSince: s.conditionSince,
		LastError:      s.lastErr,
		LastErrorTime:  s.lastErrTime,
		LastDelivery:   s.lastDelivery,
		Queue:          QueueStatus{Events: s.queue.Len(), Bytes: s.queue.Bytes()},
		Totals:         s.totals,
	}
	if s.outlet != nil {
		status.Destination = s.outlet.name
	}
	if s.state == StateEnabled && s.condition != ConditionHealthy && s.vacant() && s.queue.Len() > 0 {
		status.NextAttempt = s.pace.due()
	}
	if rec, ok := s.queue.Oldest(); ok {
		status.Queue.Oldest = record.ObservedTime(rec)
	}
	t := &status.Totals
	t.Accepted = s.queue.LastSeq()
	t.Pending = uint64(s.queue.Len()) //nolint:gosec // a length is never negative
	t.Discarded = t.DiscardedOverflow + t.DiscardedDeleted + t.DiscardedShutdown
	return status
}
