package splunk

// kind is what an answer means for the events of a request.
type kind uint8

const (
	byStatus kind = iota // the code says no more than the HTTP status does
	taken                // all are accepted
	retry                // none is accepted, and it will pass
	block                // none is accepted, and somebody has to act
	split                // none is accepted, and it is not known which one is at fault
	oneEvent             // those before the number are accepted, the one it names is refused
	badIndex             // those before the number, less one, are accepted, and somebody has to act
)

// meaning is what an answer means, in our words and never in Splunk's or a proxy's.
type meaning struct {
	kind   kind
	text   string
	remedy string // for the administrator
}

const (
	// settingsPage is where Splunk keeps its tokens.
	settingsPage = "Settings > Data inputs > HTTP Event Collector"

	remedyWait = "Nothing, if it passes; otherwise Splunk's own administrator has to look at its queues and disks."
	remedyBody = "Nothing for a single event; if it goes on, look for a proxy between here and Splunk that alters requests."
)

// codes has the codes of the HTTP Event Collector, by number. 0 to 25 are from Splunk's "Troubleshoot HTTP Event
// Collector", 26 to 28 from what current versions answer. Comments give the HTTP status that each comes with.
//
// What is no event's fault is block and not split: the token, the channel and the index are the same for all.
var codes = [...]meaning{
	0: {taken, "success", ""}, // 200
	1: {block, "the token is disabled", // 403
		"Enable the token in Splunk under " + settingsPage + ", or set another one."},
	2: {block, "no token arrived", // 401
		"Look for a proxy between here and Splunk that removes the header Authorization."},
	3: {block, "the authorization is not understood", // 401
		"Look for a proxy between here and Splunk that rewrites the header Authorization, and check Token for stray text."},
	4: {block, "the token is invalid", // 403
		"Check Token against Splunk's list under " + settingsPage + ": it may be mistyped, deleted, or of another Splunk."},
	5: {split, "the request held no data", // 400; no request of ours is empty
		remedyBody},
	6: {oneEvent, "the data format of an event is invalid", // 400
		remedyBody},
	7: {badIndex, "the index is incorrect", // 400; index is one for all events
		"Check that Index exists in Splunk and that the token's allowed indexes, under " + settingsPage + ", include it; " +
			"without Index, check the token's default index."},
	8: {retry, "internal server error", // 500
		remedyWait},
	9: {retry, "the server is busy", // 503; an invalid-event-number with it is not to be trusted
		remedyWait},
	10: {block, "the data channel is missing", // 400; every request of ours has one
		"Look for a proxy between here and Splunk that removes the header " + channelHeader + "."},
	11: {block, "the data channel is invalid", // 400; ours is a GUID
		"Look for a proxy between here and Splunk that rewrites the header " + channelHeader + "."},
	12: {oneEvent, "an event has no field event", // 400
		remedyBody},
	13: {oneEvent, "the field event of an event is blank", // 400
		remedyBody},
	14: {block, "indexer acknowledgement is disabled", // 400; belongs to /ack, where it is no failure
		"Check that Endpoint leads to the HTTP Event Collector, and that no proxy sends requests to its /ack."},
	15: {oneEvent, "the indexed fields of an event cannot be handled", // 400
		remedyBody},
	16: {block, "a token in the query is not enabled", // 400; ours has no query
		"Look for a proxy between here and Splunk that adds a token to the URL."},
	17: {byStatus, "the collector is healthy", ""}, // 200, of /health
	18: {retry, "the collector is unhealthy, its queues are full", // 503
		remedyWait},
	19: {retry, "the collector is unhealthy, its acknowledgement service is unavailable", // 503
		remedyWait},
	20: {retry, "the collector is unhealthy, its queues are full and its acknowledgement service is unavailable", // 503
		remedyWait},
	21: {block, "the token is invalid", // 400, of /health
		"Check Token against Splunk's list under " + settingsPage + "."},
	22: {block, "the token is disabled", // 400, of /health
		"Enable the token in Splunk under " + settingsPage + ", or set another one."},
	23: {retry, "the server is shutting down", // 503
		remedyWait},
	24: {taken, "accepted, but the queue is nearly full", ""},              // 200
	25: {taken, "accepted, but acknowledgement is nearly at capacity", ""}, // 200
	26: {retry, "the queue is full", // 429
		remedyWait},
	27: {retry, "the acknowledgement channel is full", // 429
		"Set Acknowledge, or switch off indexer acknowledgement for the token in Splunk, under " + settingsPage +
			"; other senders with this token may not ask for theirs."},
	28: {block, "the data channel is missing, or requests reach several indexers in turn", // 400
		"Have the load balancer in front of Splunk keep sessions on one indexer, by a cookie, and set Acknowledge; or " +
			"switch off indexer acknowledgement for the token. Look for a proxy that removes the header " + channelHeader + "."},
}
