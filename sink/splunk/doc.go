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
// X-Splunk-Request-Channel with a GUID of its sink, which tokens with indexer acknowledgement insist on and others
// ignore. Acknowledgements are not awaited: an event counts as delivered when Splunk answers 200. An answer that shows
// that the token has useACK gives one warning to [Config.Logger].
//
// Delivery is at least once. Copies of an event carry the same id, so "| dedup id" drops repeats.
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
// # Settings in Splunk
//
// Create a token under Settings > Data inputs > HTTP Event Collector. Leave "Enable indexer acknowledgement" off, and
// allow the index that [Config.Index] names. Whatever of Index, Source, SourceType and Host is left empty in Config
// follows the token's own settings, or Splunk's defaults.
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
