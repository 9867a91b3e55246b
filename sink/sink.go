// Package sink is the line between a Stream and the destinations it delivers to: the [Event], the [Sink] that carries
// batches of them, the [Destination] that opens sinks, and the [Error] by which a sink says what becomes of events that
// it could not deliver.
//
// Hosts meet the event types, which package auditstream repeats under its own name, and the settings [Network] and
// [TLS]. Everything else here is written for whoever implements a driver; package sinktest checks one against it.
package sink

import "context"

// Sink carries events to one destination. A sink makes attempts; the Stream decides when to make one, waits, retries,
// splits, and counts.
//
// A sink may also implement [io.Closer]. Close is called at most once, never while Deliver runs, in a goroutine that
// nobody waits for and whose panic is recovered; it is not called for a sink whose Deliver never returns.
//
// Two more methods are optional, and asked once, when the sink has been opened:
//
//   - MaxInFlight() int: how many calls of Deliver may overlap at most. A stream whose Config.InFlight allows it makes up
//     to as many at once, each with a batch of its own that is answered for by itself. Without it, and with less than 2,
//     calls do not overlap.
//   - AttemptTimeout() time.Duration: how long an attempt may take instead of the stream's Config.AttemptTimeout; 0 or
//     less leaves it at that. It is for sinks that wait for more than an answer.
//
// An idle sink costs nothing: it gives back its connections about 25 s after its last Deliver, by a timer of its own,
// and starts no goroutine and dials nothing before its first.
type Sink interface {
	// Deliver makes one attempt to deliver batch, in order, and reports how far it got: the n leading events have been
	// answered for by the destination and are never offered again, and err says what becomes of the rest.
	//
	// What the Stream guarantees:
	//
	//   - Calls do not overlap, and a sink needs no lock of its own, unless it has MaxInFlight.
	//   - batch has at least one event. Its events are in order of acceptance, as [Event] describes them.
	//   - The slice itself is made for this call and used for no other: the sink may reorder or keep it. Slices inside
	//     the events are shared with other copies of the same event and are read-only.
	//   - ctx ends when AttemptTimeout has passed, when the stream is deleted, when Shutdown gives up, and 1 s after an
	//     edit that replaced this sink.
	//   - A panic is recovered, reported with its stack, and means Retry.
	//
	// What a sink does:
	//
	//   - It returns len(batch) and nil when everything has been accepted, which is the only answer that is silent.
	//   - It returns n < len(batch) only with an error. Which one decides what happens to batch[n:]; see [Verdict].
	//     An error of no particular type means Retry, so a forgotten case costs time and never an event.
	//   - It sets [Error.NotTaken] when it knows that none of batch[n:] was taken, so that the stream need not count them
	//     as in doubt.
	//   - When ctx ends, it returns soon, with the prefix that was answered for and ctx.Err().
	//   - When a batch needs several requests, it stops at the first that fails and returns the prefix.
	//   - When an event can never be sent, because its encoding exceeds what the provider takes, it returns k+1 and
	//     Reject(err, k) without sending event k.
	//
	// What it does not do: sleep, retry, start goroutines that outlive all calls, modify what batch refers to, or put a
	// secret, a URL or raw text from the destination into an error.
	//
	// A count outside [0, len(batch)] is taken as 0 and Retry. A sink that does not return within 1 s after ctx has
	// ended loses the batch, which is offered again, to it or its successor; it is not called again until the call has
	// come back, and the late answer changes nothing.
	Deliver(ctx context.Context, batch []Event) (n int, err error)
}

// Destination is the configuration of a sink: what an administrator typed, in the form of one driver. Each driver's
// Config implements it by value. Destinations are never compared with ==.
type Destination interface {
	// Open checks every field and returns a sink that has not done any I/O, started a goroutine or dialled yet. All
	// problems are reported at once, as [*ConfigError] values joined by [errors.Join].
	Open() (Sink, error)

	// String names the provider, scheme, host and port, and nothing else: no path, query or user information, where
	// credentials live. It works on an invalid configuration too. Stream.Status shows it.
	String() string
}
