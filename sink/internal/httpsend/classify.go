package httpsend

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/auditstream/auditstream/sink"
)

// Classify returns nil if the status of an answer means that everything was accepted, or the [*sink.Error] that the
// status stands for at any destination. Drivers call it for what their own tables do not name.
func Classify(r *Response) error {
	if e := classify(r); e != nil {
		return e
	}
	return nil
}

func classify(r *Response) *sink.Error {
	e := &sink.Error{Code: strconv.Itoa(r.Status), After: r.RetryAfter}
	e.Err = errors.New("the destination answered " + statusText(r.Status))
	e.NotTaken = SaysNo(r)
	switch s := r.Status; {
	case s >= 200 && s <= 299:
		return classifySuccess(r, e)
	case s >= 300 && s <= 399:
		return classifyRedirect(r, e)
	case s >= 400 && s <= 499:
		classifyRefusal(s, e)
	case s >= 500 && s <= 599:
		// Destinations and the proxies before them use every 5xx for troubles that pass.
		e.Verdict = sink.VerdictRetry
		e.Remedy = "Nothing needs to be done here: the destination, or a proxy before it, has a fault of its own."
	default:
		// Not an answer that HTTP knows; somebody between us and the destination is confused.
		e.Verdict = sink.VerdictRetry
		e.Remedy = "Check that the endpoint is the destination's and that no proxy answers in its place."
	}
	return e
}

// SaysNo reports whether an answer says that nothing of the request was taken. Its being a failure is not enough: a
// proxy answers one when the server behind it has taken a request and then crashed, or is slow.
func SaysNo(r *Response) bool {
	switch s := r.Status; s {
	case http.StatusSeeOther: // the answer to a request that was carried out
		return false
	case http.StatusRequestTimeout: // of the server to the proxy, as some mean it; Sumo Logic may have stored a part
		return false
	case http.StatusServiceUnavailable:
		// Envoy's word for a connection that broke in the midst of a request, too. Who names a time has decided not to
		// take it.
		return r.RetryAfter > 0
	default:
		return 300 <= s && s <= 499
	}
}

// classifySuccess believes a success whatever its body, and whether or not it could be read: the status is the answer.
// Only a page for people shows that it is somebody else's.
func classifySuccess(r *Response, e *sink.Error) *sink.Error {
	if r.BrokeOff() || !IsHTML(r.Body) {
		return nil
	}
	e.Verdict = sink.VerdictBlock
	e.Err = errors.New("a web page came back with status " + statusText(r.Status) +
		": a sign-in page, or a server that takes no events")
	e.Remedy = "Check the URL, and that no proxy asks for a sign-in on the way to the destination."
	return e
}

// classifyRedirect never follows: the events and the token belong to the configured host and to no other.
func classifyRedirect(r *Response, e *sink.Error) *sink.Error {
	e.Verdict = sink.VerdictBlock
	e.Remedy = "Enter the URL that the destination really has; redirects are not followed."
	if r.LocationHost != "" {
		e.Err = errors.New("the destination answered " + statusText(r.Status) + " and named the host " + r.LocationHost)
	}
	return e
}

func classifyRefusal(status int, e *sink.Error) {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		// The same request may succeed later.
		e.Verdict = sink.VerdictRetry
		e.Remedy = "Nothing needs to be done unless it lasts; then ask for a higher limit at the destination."
	case http.StatusRequestEntityTooLarge:
		// Too large together, not each by itself.
		e.Verdict = sink.VerdictSplit
		e.Remedy = "Raise the size limit of the destination, or of a proxy before it, if single events are refused."
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		// Some event in it, perhaps; the stream finds out which.
		e.Verdict = sink.VerdictSplit
		e.Remedy = "Look into the destination's own log for the reason."
	default:
		// Wrong token, wrong URL, wrong method, wrong proxy: it stays so until somebody acts.
		e.Verdict = sink.VerdictBlock
		e.Remedy = refusalRemedy(status)
	}
}

func refusalRemedy(status int) string {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return "Check the token or password, and that it may write there; enter a new one if it was revoked."
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone:
		return "Check the URL, its path in particular."
	case http.StatusProxyAuthRequired:
		return "Check the user name and password of the proxy in the server's network settings."
	case http.StatusUnsupportedMediaType:
		return `Check the URL and the protocol; if they are right, set Compression to "none".`
	}
	return "Check the URL and the settings of the destination."
}

func statusText(status int) string {
	if text := http.StatusText(status); text != "" {
		return strconv.Itoa(status) + " " + text
	}
	return strconv.Itoa(status)
}
