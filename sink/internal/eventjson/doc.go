// Package eventjson writes an audit event as one JSON object on one line: the form in which Splunk and Sumo Logic get
// it. docs/event.schema.json describes the object for whoever reads it there.
//
// The keys, in this order. The ones marked with a star are always there, the others when they hold something. The
// right column has the attribute of OpenTelemetry's draft on audit logging (OTEP 0267, development status) that the
// key stands for; drivers that speak OpenTelemetry keep those names themselves.
//
//	timestamp *        milliseconds since 1970, always 13 digits   (Timestamp)
//	time *             the same instant, RFC 3339                  (Timestamp)
//	id *               text                                        audit.record.id
//	stream_id          text                                        audit.source.id
//	sequence           number, 1 or more                           audit.sequence.number
//	schema_version *   text, see SchemaVersion                     audit.schema.version
//	observed_time      RFC 3339                                    (ObservedTimestamp)
//	action *           text                                        audit.action
//	outcome *          "success", "failure" or "unknown"           audit.outcome
//	actor *            {id *, type, name}                          audit.actor.id, audit.actor.type
//	targets            [{id *, type, name}, …]                     audit.target.id, audit.target.type
//	source             {address, user_agent}                       client.address, user_agent.original
//	message            text                                        (Body)
//	changes            [{path *, before *, after *}, …]
//	attributes         {…}
//	trace_id, span_id  32 and 16 lower-case hexadecimal digits     (TraceId, SpanId)
//
// Sumo Logic looks for a time at the front of a message and finds the 13 digits of timestamp, so it is the first key.
// They leave no room for instants before 2001-09-09T01:46:40Z and after 2286-11-20T17:46:39.999Z: these become the
// nearest one that fits, while time tells the truth within the years 0000 to 9999. Every RFC 3339 time is UTC and has
// nine decimals, so that times sort as text.
//
// Values of attributes and changes:
//
//   - Whole numbers beyond ±2^53 are strings, because most readers of JSON hold numbers as float64 and would round
//     them. So is a sequence that large. NaN and the infinities are the strings "NaN", "Infinity" and "-Infinity".
//   - A duration is a number of seconds with up to nine decimals, so that a SIEM can compare and sum it; Go's own text
//     ("1m30s") it could only search.
//   - A time is RFC 3339 as above, and bytes are standard Base64 with padding.
//   - Maps, structs and groups are objects, in the order of the event. nil is null.
//   - What a snapshot of an event cannot hold, such as a channel, becomes a string that says so.
//
// before and after are written even when null, for null means that the property was not there.
//
// In strings, controls (C0, DEL, C1), the line and paragraph separators U+2028 and U+2029, and the bidirectional
// formatting characters are escaped as \uXXXX or shorter: they are evidence and must arrive, and must neither break a
// line nor reorder a terminal. Invalid UTF-8 becomes U+FFFD.
package eventjson
