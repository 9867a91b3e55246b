// Package otlp delivers audit events as OpenTelemetry log records, over HTTP with protobuf or over gRPC, to anything
// that takes them: an OpenTelemetry Collector, and most SIEMs and log stores. It rides on the official exporters.
//
// A [Config] is an auditstream destination:
//
//	stream.Configure(otlp.Config{
//		Endpoint: "https://collector.example:4318/v1/logs",
//		Secret:   secret.New(token),
//		Headers:  sink.Headers{"Authorization": "Bearer #{Secret}"},
//		Resource: otlp.Resource{ServiceName: "deploy-server", ServiceVersion: "2026.1"},
//	})
//
// # Log records
//
// An event becomes one log record with an empty scope and no severity, for audit events have none. Attribute names
// follow OpenTelemetry's draft on audit logging (OTEP 0267, development status) and its semantic conventions; the ones
// marked with a star are ours. The version that is followed is in every record as audit.schema.version.
//
//	event                        log record
//	-----                        ----------
//	Time                         Timestamp; outside of 1970 to 2262 the nearest time that fits, and
//	                             audit.record.time * as RFC 3339 text
//	ObservedTime                 ObservedTimestamp
//	Action                       EventName, audit.action
//	Message                      Body
//	TraceID, SpanID              TraceId, SpanId
//	ID                           audit.record.id
//	StreamID                     audit.source.id, with audit.source.type "stream": who numbers the records
//	Sequence                     audit.sequence.number
//	                             audit.schema.version "1"
//	Outcome                      audit.outcome: "success", "failure" or "unknown"
//	Actor                        audit.actor.id, audit.actor.type, audit.actor.name *
//	Targets                      audit.target.id, audit.target.type, audit.target.name * of the first; if there are
//	                             more, all of them as a list of maps {id, type, name} in audit.targets *
//	Source.Address               client.address
//	Source.UserAgent             user_agent.original
//	Changes                      audit.changes *, a list of maps {path, before, after}; an empty before or after
//	                             means that the property was not there
//	Attributes                   under their own names
//
// What is empty in the event is left out, Outcome and Actor.ID excepted. An attribute whose name is one of those above
// gets the prefix "attribute.", so that no attribute can pass for the actor; and so does one that already has the prefix
// before such a name.
//
// Values keep their types: text, booleans, 64-bit integers, floating point numbers, bytes, lists and maps, the last in
// the order of their keys. An unsigned integer beyond int64 becomes decimal text, a time RFC 3339 text in UTC with nine
// decimals, a duration a number of seconds. What is nested more than 28 levels deep becomes text, because many receivers
// refuse a whole request for it.
//
// # Requests
//
// A batch is one request, or several if it is larger than 4 MiB before compression. Delivery stops at the first request
// that is not taken. How answers are read is in the package documentation of auditstream; what is special here:
//
//   - A success with a partial_success that counts rejected records is final: the protocol forbids to send any of them
//     again. They are reported by their number. One that only has a message is a warning, once, to [Config.Logger].
//   - HTTP 400 and 422, and INVALID_ARGUMENT, refuse the whole request; the stream finds the event.
//   - RESOURCE_EXHAUSTED is retried if the server says when, by RetryInfo. If it says that the message is too large the
//     batch is divided. Otherwise the stream is blocked and keeps everything; the specification would drop it.
//   - An answer over gRPC that is not gRPC, such as that of a web server, blocks, unless its status says that it will
//     pass or, with 413, that the request is too large for a proxy.
//
// Nothing of the host's environment has a say: not OTEL_EXPORTER_OTLP_*, OTEL_LOGRECORD_*, OTEL_RESOURCE_ATTRIBUTES,
// OTEL_SERVICE_NAME nor HTTP_PROXY. Those are about the host's own telemetry.
//
// A sink takes up to 16 batches at once, if the stream's InFlight says so: over as many connections with HTTP/1.1, over
// one with HTTP/2 and gRPC.
//
// A sink dials at its first delivery and gives its connections back 25 s after the last. Over gRPC every failure that
// may be the connection's ends it, so that the next attempt dials anew and asks DNS anew; other requests that are under
// way on it are not disturbed.
package otlp
