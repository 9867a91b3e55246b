package splunk

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/httpsend"
)

// lookalike is the size in bytes from which a request that is refused for its first event may have been refused for its
// size. Splunk Cloud answers a body over its cap, of 5 to 6 MB when it was measured, with 400 code 6 and the number 0
// instead of 413. Ours stay below that, but not below every cap that somebody may set. To split costs a few requests
// more, for with the number 0 nothing has been accepted; to believe the number would reject a good event. Below this
// size no cap is known, and the number is believed.
const lookalike = 32 << 10

// request is what an answer is judged by.
type request struct {
	events int // how many it carried
	bytes  int // its body before compression
}

// judge tells what a response means, whose body reads as a: how many of the request's events, from the first one on,
// are answered for, and what becomes of the rest. The index of a rejected event is that in the request.
//
// The HTTP status goes first. A 2xx with any code is an acceptance, whatever the code warns of; to resend then would
// double every event.
func judge(q request, r *httpsend.Response, a answer) (int, *sink.Error) {
	if 200 <= r.Status && r.Status <= 299 {
		if e := judgeSuccess(r, a); e != nil {
			return 0, e
		}
		return q.events, nil
	}
	e, _ := errors.AsType[*sink.Error](httpsend.Classify(r))
	m, known := meaningOf(r.Status, a.code, e.Verdict)
	if !known {
		e.Err = fmt.Errorf("splunk: %w", e.Err)
		if remedy := remedyFor(r.Status); remedy != "" {
			e.Remedy = remedy
		}
		return 0, e
	}
	e = &sink.Error{
		Err:      errors.New("splunk: " + describe(r.Status, a.code) + ": " + m.text),
		After:    r.RetryAfter,
		Code:     "HEC " + strconv.Itoa(a.code),
		Remedy:   m.remedy,
		NotTaken: e.NotTaken,
	}
	switch m.kind {
	case byStatus, taken, retry:
		e.Verdict = sink.VerdictRetry
		// Splunk indexes one event after the other. How far it was when it found itself busy, it does not say for certain.
		e.NotTaken = false
	case block:
		e.Verdict = sink.VerdictBlock
	case split:
		e.Verdict = sink.VerdictSplit
	case oneEvent:
		return judgeOne(q, a, e)
	case badIndex:
		e.Verdict = sink.VerdictBlock
		// Splunk numbers the object after the one that it refused: with the number 2 the refused one is object 1,
		// and object 0 has been indexed.
		if 1 <= a.number && a.number <= q.events {
			return a.number - 1, e
		}
		e.NotTaken = false // of the events before the one that it does not name
	}
	return 0, e
}

// judgeSuccess judges a 2xx. Nobody but HEC answers with a code, so a whole body without one is somebody else's: a
// login page, another API. A body that is not there or broke off leaves the status as the answer.
func judgeSuccess(r *httpsend.Response, a answer) *sink.Error {
	if a.code != none || r.BrokeOff() || len(bytes.TrimSpace(r.Body)) == 0 {
		return nil
	}
	return &sink.Error{
		Verdict: sink.VerdictBlock,
		Err:     errors.New("splunk: " + describe(r.Status, none) + ", but not in the words of an HTTP Event Collector"),
		Code:    strconv.Itoa(r.Status),
		Remedy: "Check Endpoint: a proxy, a login page or Splunk's web interface answers there. " +
			"The collector usually has port 8088, and 443 on Splunk Cloud.",
	}
}

// judgeOne tells what an answer means that names one event: Splunk has indexed those before it and nothing from it on.
func judgeOne(q request, a answer, e *sink.Error) (int, *sink.Error) {
	switch {
	case a.number < 0 || a.number >= q.events:
		e.Verdict = sink.VerdictSplit
		e.NotTaken = false // those before it have been indexed
		e.Err = fmt.Errorf("%w, and the answer does not say which", e.Err)
		return 0, e
	case a.code == 6 && a.number == 0 && q.events > 1 && q.bytes >= lookalike:
		e.Verdict = sink.VerdictSplit
		e.Err = fmt.Errorf("%w, or the request of %d bytes is too large", e.Err, q.bytes)
		return 0, e
	}
	e.Verdict = sink.VerdictReject
	e.Index, e.Count = []int{a.number}, 1
	return a.number + 1, e
}

// meaningOf returns what a code means with the status of a failure, and false where the status is all there is to go
// by. byStatus is the verdict of the status.
func meaningOf(status, code int, byStatusVerdict sink.Verdict) (meaning, bool) {
	if code < 0 || code >= len(codes) || status < 400 || status == http.StatusRequestEntityTooLarge {
		return meaning{}, false
	}
	m := codes[code]
	switch m.kind {
	case byStatus, taken:
		return meaning{}, false
	case retry:
		return m, true
	case block:
		// A status that says it will pass is believed, whoever wrote the body.
		return m, byStatusVerdict != sink.VerdictRetry
	case split, oneEvent, badIndex:
		// What is about events comes with 400. With a status that is about access it is not to be trusted.
		return m, byStatusVerdict == sink.VerdictSplit
	}
	return meaning{}, false
}

// remedyFor returns what an administrator of Splunk does about a status that came without a code, mostly from a proxy,
// or "" if Splunk has nothing of its own to add.
func remedyFor(status int) string {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return "Check Token, and whether a proxy in front of Splunk wants a header of its own or refuses this server's address."
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone:
		return "Check Endpoint: its host, its port (usually 8088, and 443 on Splunk Cloud), and whatever stands before " +
			collectorPath + ". Check in Splunk that the collector is enabled, under " + settingsPage + " > Global Settings."
	case http.StatusRequestEntityTooLarge:
		return "Nothing: smaller requests follow. If single events are refused, raise max_content_length in Splunk's " +
			"limits.conf, or the limit of the proxy in front of it."
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return remedyBody
	case http.StatusUnsupportedMediaType:
		return `Set Compression to "none": Splunk, or a proxy in front of it, does not take compressed requests.`
	}
	return ""
}

// describe says what was answered: "answered 403 Forbidden, HEC code 4".
func describe(status, code int) string {
	text := "answered " + strconv.Itoa(status)
	if name := http.StatusText(status); name != "" {
		text += " " + name
	}
	if code != none {
		text += ", HEC code " + strconv.Itoa(code)
	}
	return text
}
