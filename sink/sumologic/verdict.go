package sumologic

import (
	"encoding/json"
	"errors"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/httpsend"
)

const (
	remedyURL   = "Copy the URL of the source from Sumo Logic again, whole, and enter it as the endpoint."
	remedyWait  = "Nothing needs to be done unless it lasts; then look at the status page of Sumo Logic."
	remedySize  = "If single events are refused, publish less with one event, or raise the limit of a proxy on the way."
	remedyEvent = "Look up the events that are refused; if all are, check the proxies on the way to Sumo Logic."
)

// answers is what Sumo Logic means by a status, from "Troubleshooting HTTP Sources" in its documentation, and what is to
// be done. Other statuses mean what they mean anywhere.
var answers = map[int]struct {
	verdict sink.Verdict
	text    string
	remedy  string
}{
	// One message, or how the request was framed. The stream finds out which.
	400: {sink.VerdictSplit, "Sumo Logic cannot read the request (400)", remedyEvent},
	// The code in the URL is the credential. After the URL was regenerated, this may last for some minutes.
	401: {
		sink.VerdictBlock, "Sumo Logic does not know the URL (401)",
		remedyURL + " A new URL may take some minutes to work.",
	},
	403: {sink.VerdictBlock, "Sumo Logic does not permit the request (403)", remedyURL},
	404: {sink.VerdictBlock, "there is no source at the URL (404)", remedyURL},
	405: {sink.VerdictBlock, "what is at the URL takes no events (405)", remedyURL},
	// The request took longer than 30 s to come in. Part of it may be stored already, so there may be repeats.
	408: {
		sink.VerdictRetry, "Sumo Logic waited too long for the request (408)",
		"Nothing needs to be done unless it lasts; then check how fast this server can send to Sumo Logic.",
	},
	413: {sink.VerdictSplit, "the request is too large (413)", remedySize},
	// Several times the account's daily average in one minute. What was refused is not kept there.
	429: {
		sink.VerdictRetry, "the account sends more than Sumo Logic takes in a minute (429)",
		"Nothing needs to be done unless it lasts; then send less from elsewhere, or ask Sumo Logic for a higher limit.",
	},
	// Any of them comes and goes, as Sumo Logic or the balancers before it are restarted.
	500: {sink.VerdictRetry, "Sumo Logic has a fault of its own (500)", remedyWait},
	502: {sink.VerdictRetry, "Sumo Logic cannot be reached behind its balancer (502)", remedyWait},
	503: {sink.VerdictRetry, "Sumo Logic cannot serve at the moment (503)", remedyWait},
	504: {sink.VerdictRetry, "Sumo Logic did not answer its balancer in time (504)", remedyWait},
}

// judge returns nil if a request was accepted, or the [*sink.Error] that the answer means. Bodies play no part: those of
// refusals may repeat what was sent, and a success is one even if Sumo Logic complains; see complaint.
func judge(r *httpsend.Response) error {
	err := httpsend.Classify(r)
	known, ok := answers[r.Status]
	if !ok {
		return err
	}
	if e, ok := errors.AsType[*sink.Error](err); ok {
		e.Verdict, e.Err, e.Remedy = known.verdict, errors.New(known.text), known.remedy
	}
	return err
}

// complaint returns the code of what Sumo Logic says it left out of an accepted request, or "". As a rule the body of an
// answer is empty.
func complaint(body []byte) string {
	var answer struct {
		Code string `json:"code"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return ""
	}
	return answer.Code
}
