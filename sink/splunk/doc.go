// Package splunk delivers audit events to the HTTP Event Collector (HEC) of Splunk Enterprise and Splunk Cloud.
//
// # What Splunk gets
//
// Every event is one object of the collector's event endpoint: its time, to the nanosecond, the metadata of [Config],
// and as "event" the JSON object that docs/event.schema.json describes, so that a search says
//
//	sourcetype="acme:audit" action="project.delete" actor.id="users-7" outcome=success
//
// Requests hold at most 1,000,000 bytes before compression, so a large batch takes several. Each has the header
// X-Splunk-Request-Channel with a GUID that the sink has made up, which tokens with indexer acknowledgement insist on and
// others ignore. An event counts as delivered when Splunk answers 200, unless [Config.Acknowledge] is set. Without it, an
// answer that shows that the token has acknowledgement gives one warning to [Config.Logger].
//
// Delivery is at least once. Copies of an event carry the same id, so "| dedup id" drops repeats.
//
// Up to 32 batches can be under way at once, if the Stream's Config.InFlight allows for it. They reach the index in any
// order then; "| sort 0 stream_id sequence" restores it.
//
// # What becomes of an event
//
// An answer is judged by its HTTP status first, then by the collector's code.
//
//	200 and the like                          delivered, with codes 24 and 25 (nearly full) too
//	200, and the body is not the collector's  kept, blocked: a login page or a proxy answered
//	400 code 6, 12, 13, 15                    those before invalid-event-number delivered, that one rejected, the rest
//	                                          offered again
//	400 code 7                                those before the bad one delivered, the rest kept, blocked: the index is
//	                                          the same for all events, so none of them is at fault
//	400 code 5, and without a code; 413, 422  kept, offered again in halves until the one at fault is alone
//	other codes with 400, 401, 403            kept, blocked: the token, the channel or the URL needs a hand
//	404, 405, 407, 415, every redirect        kept, blocked
//	408, 425, 429, every 5xx, no answer       kept, tried again later
//
// An event that takes more than 1,000,000 bytes by itself is rejected without being sent.
//
// # Indexer acknowledgement
//
// A 200 says that the collector has the events in memory. With [Config.Acknowledge] they count as delivered only when
// Splunk says that its indexers have stored them, in as many copies as it is set to keep: what an indexer loses in a
// crash is sent again. It is for whoever may not lose an event to that, and this is what it costs:
//
//   - Time. A batch takes from a second to some 10 s until it is delivered, and up to 2 min at an indexer with little to
//     do; so long, its events stay in the queue, and pending. One batch at a time is slow therefore. Set the Stream's
//     Config.InFlight to 8 or more, and let QueueEvents have room for a minute of events.
//   - Order. With several batches in flight there is none. A batch whose acknowledgement fails to come is sent again 5 min
//     later, behind what was published meanwhile.
//   - Repeats. Acknowledgements get lost: by a restart of an indexer, by a balancer that changes its mind, by a connection
//     that breaks when Splunk says "yes", which it does once. The events are sent again then, are there twice for the
//     most part, and are counted as in doubt.
//   - Requests. While anything is outstanding, the sink asks for all of it together: 1 s after a batch, then after 2, 4 and
//     8 s, then every 10 s.
//
// What it needs: a token with "Enable indexer acknowledgement"; a load balancer in front of several indexers that keeps
// sessions on one of them by a cookie (each sink keeps cookies of its own, up to 16, brings them back to the endpoint's
// host only, and never shows them); and proxies that let /services/collector/ack pass.
//
// What becomes of an event when
//
//	its acknowledgement comes                 delivered
//	it does not come within 5 min             kept, in doubt, sent again; see [Config.AcknowledgeTimeout]
//	an answer breaks off before its number    kept, in doubt, sent again
//	a number of an acknowledgement is given   an indexer was restarted, or there are several: whatever is outstanding on
//	twice, or numbers begin anew              the channel, kept, in doubt, sent again after the 5 min, on a new channel
//	the question is answered 5xx, 429, or     kept, asked again
//	not at all
//	the question is refused three times       kept, in doubt, blocked: the token, the channel or a proxy needs a hand
//	the token turns out to have no            delivered with the 200, from then on until the destination is configured
//	acknowledgement (code 14, or no ackId)    anew, with one warning to [Config.Logger]
//	the stream is deleted, edited, shut down  not waited for any longer
//
// A test of the destination waits for the acknowledgement of its event, too.
//
// # Settings in Splunk
//
// Create a token under Settings > Data inputs > HTTP Event Collector. Leave "Enable indexer acknowledgement" off unless
// [Config.Acknowledge] is set, and allow the index that [Config.Index] names. Whatever of Index, Source, SourceType and
// Host is left empty in Config follows the token's own settings, or Splunk's defaults.
//
// Splunk cuts events after 10,000 bytes unless the source type says otherwise, which leaves a JSON object that cannot
// be read. So give the events a source type of their own, named after the product, with this in the props.conf of the
// indexers or heavy forwarders that the collector runs on, and of the search heads:
//
//	[acme:audit]
//	TRUNCATE = 1000000
//	KV_MODE = json
//	SHOULD_LINEMERGE = false
//
// TIME_PREFIX and TIME_FORMAT play no part, because every event comes with its time. The first event of a sink that is
// longer than 10,000 bytes gives a warning to [Config.Logger].
//
// An alert on a hole in the sequence of a stream finds what somebody deleted from the index or kept from it:
//
//	sourcetype="acme:audit" | dedup id | sort 0 stream_id sequence
//	| streamstats current=f last(sequence) as previous by stream_id | where sequence > previous + 1
package splunk
