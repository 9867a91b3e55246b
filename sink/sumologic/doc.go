// Package sumologic delivers audit events to an HTTP Logs and Metrics Source of Sumo Logic.
//
// # What Sumo Logic gets
//
// Every event is one message: the JSON object that docs/event.schema.json describes, on a line of its own. It begins with
// "timestamp" and the event's time in milliseconds, which Sumo Logic takes for the message time; "time" has it to the
// nanosecond. A request holds at most 1,000,000 bytes of messages before compression, so a large batch takes several,
// one after the other: a source is not made for many connections.
//
// Delivery is at least once. Copies of an event carry the same id, so "| dedup 1 by id" drops repeats:
//
//	_sourceCategory=acme/audit | json auto | where action = "project.delete" | dedup 1 by id
//
// # What becomes of an event
//
//	200, 204 and the like                    delivered; if Sumo Logic says that it dropped some metadata, as fields that
//	                                         the account does not know, there is one warning to [Config.Logger]
//	200, and the body is a web page          kept, blocked: a proxy's sign-in page answered
//	400, 413, 422                            kept, offered again in halves until the one at fault is alone
//	401, 403, 404, 405, every redirect       kept, blocked: the URL needs a hand
//	408, 425, 429, every 5xx, no answer      kept, tried again later
//
// An event of 65,536 bytes or more is rejected without being sent: Sumo Logic would cut it into pieces that are no JSON.
// What Sumo Logic drops after it has answered 200, for an ingest budget or a processing rule, nobody is told of.
//
// # Settings in Sumo Logic
//
// Add an HTTP Logs and Metrics Source to a hosted collector, and copy its URL into [Config.Endpoint]: the whole URL, for
// its last part is the credential. When the URL is regenerated, the old one ends at once, and the new one may answer 401
// for some minutes. In the source's advanced options:
//
//   - Untick "Enable Multiline Processing", which is on by default and may join or cut messages. Leave "Enable One
//     Message Per Request" off, too.
//   - Leave "Extract timestamp information from log file entries" on. Events that waited for long keep their time only if
//     it is found by a format of your own: choose "Specify a format" with the format epoch and the timestamp locator
//     \"timestamp\":(\d{13}). Otherwise Sumo Logic replaces times that are far from those of other messages.
//   - Under Fields, add the names of [Config.Fields] to the account's fields. Others are dropped.
package sumologic
