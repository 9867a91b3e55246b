// Package auditstream streams a server's audit events to its customers' SIEM: to anything that takes OpenTelemetry
// logs, to Splunk, to Sumo Logic, and to any driver that somebody writes.
//
// A host makes a [Stream] with [New], gives it a destination with [Stream.Configure] when an administrator has typed
// one, and calls [Stream.Publish] wherever something auditable happens. [Stream.Status] says at any time whether it
// works, since when, why not, and what was lost.
//
// # The promise
//
// Publish never waits and never blocks the host: an event is accepted, or the caller gets a typed error. An accepted
// event stays in a bounded queue in memory until somebody has answered for it. It is always one of four things:
//
//	delivered   the destination accepted it
//	rejected    the destination refused it for its content; Config.OnReject gets it
//	discarded   the Stream dropped it: overflow with DropOldest, Delete, or Shutdown, which hands it back
//	pending     it is still queued, or in an attempt
//
// Accepted == Delivered + Rejected + Discarded + Pending holds in every snapshot of [Totals].
//
// Delivery is at least once and in order of acceptance, unless Config.InFlight lets batches overtake each other. Every
// copy of an event carries the same ID, so that a SIEM can drop repeats, of which there are at most Totals.InDoubt, and
// a number 1, 2, 3… per stream instance, so that it can see a hole. The queue is memory: what is pending when the
// process dies is lost, and no SIEM can see it, for it is the end of a sequence and not a hole in it.
//
// # What happens to an event when…
//
//	the destination says                      the stream                                          condition
//	2xx                                       drops it from the queue                             healthy
//	2xx with a proxy's HTML page; for         keeps everything, probes slowly                     blocked
//	  Splunk, anything but HEC's answer
//	408, 425, 429, 5xx, time-out, reset,      keeps everything in order, backs off, tries again   retrying
//	  DNS, refused; gRPC UNAVAILABLE and       for ever
//	  the like
//	401, 403, 404, other 3xx and 4xx, a bad   keeps everything, tells the operator, probes        blocked
//	  certificate; gRPC UNAUTHENTICATED and
//	  the like; HEC "incorrect index"
//	this one event is bad                     hands it to OnReject, goes on with the rest         healthy
//	k of these events are bad (OTLP           counts them as rejected, hands over the             healthy
//	  partial success)                        candidates; never sends them again
//	400, 413, 422, INVALID_ARGUMENT for       halves the batch until the bad event is alone;      healthy
//	  the whole batch                         learns the size that passes
//	it refuses everything                     offers a test event before a third event in a row   blocked
//	                                          is rejected, and keeps everything
//
// # States and conditions
//
// The [State] is what the administrator asked for: unconfigured, enabled, paused, deleted. The [Condition] is how
// delivery is going: healthy, retrying, blocked. Configure on a running stream is an edit: the queue stays, and what is
// in it goes to the new destination. Pause holds events within the queue's bounds (or refuses them, by
// Config.WhilePaused). Delete discards the queue and forgets the configuration with its secrets.
//
// # Errors of Publish
//
// A host whose policy is "no audit, no action" fails the request on [ErrQueueFull] and on *[EventError], and not on
// [ErrInactive], which [ErrUnconfigured], [ErrPaused] and [ErrDeleted] match: then nobody asked for a stream, or
// somebody stopped it on purpose.
//
// # Beside Publish
//
// [Stream.Begin] audits an action that is under way: as a failure, unless its function returns without an error. Package
// audithttp says where a request came from, package auditslog publishes what a program logs with log/slog, and a
// [Fanout] publishes to several streams.
//
// # Cost
//
// Publish copies the event into a compact record and allocates nothing. A Stream with nothing to do owns no goroutine
// and no connection; a server can hold one for each of thousands of tenants. The queue takes at most about
// Config.QueueBytes (64 MiB by default), and a batch in progress some MB more.
package auditstream
