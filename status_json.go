package auditstream

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/auditstream/auditstream/sink"
)

// statusJSON is the form of a Status for programs: docs/status.schema.json. Every key is always there; what there is none
// of is null. Keys are in camel case, as in the JSON forms of configurations and secrets, beside which a settings page
// shows it.
type statusJSON struct {
	State          State      `json:"state"`
	StateSince     *time.Time `json:"stateSince"`
	Condition      Condition  `json:"condition"`
	ConditionSince *time.Time `json:"conditionSince"`
	Destination    string     `json:"destination"`
	LastError      *errorJSON `json:"lastError"`
	LastErrorTime  *time.Time `json:"lastErrorTime"`
	LastDelivery   *time.Time `json:"lastDelivery"`
	NextAttempt    *time.Time `json:"nextAttempt"`
	Queue          queueJSON  `json:"queue"`
	Totals         Totals     `json:"totals"`
}

type queueJSON struct {
	Events int        `json:"events"`
	Bytes  int        `json:"bytes"`
	Oldest *time.Time `json:"oldest"`
}

// errorJSON is an error as an administrator should read it.
type errorJSON struct {
	Message string `json:"message"`
	Code    string `json:"code"`
	Verdict string `json:"verdict"`
	Remedy  string `json:"remedy"`
}

// MarshalJSON returns the status for a program or a settings page, in a form that stays: docs/status.schema.json describes
// it, and keys may be added. Times are in UTC; what there is none of is null. LastError becomes an object of what happened,
// the destination's code for it (empty if it has none), whether the stream tries again ("retry") or waits for somebody to
// act ("block"), and the remedy, which there always is. There is no way back from JSON: an error is more than its text.
func (s Status) MarshalJSON() ([]byte, error) {
	return json.Marshal(statusJSON{
		State:          s.State,
		StateSince:     utc(s.StateSince),
		Condition:      s.Condition,
		ConditionSince: utc(s.ConditionSince),
		Destination:    s.Destination,
		LastError:      newErrorJSON(s.LastError),
		LastErrorTime:  utc(s.LastErrorTime),
		LastDelivery:   utc(s.LastDelivery),
		NextAttempt:    utc(s.NextAttempt),
		Queue:          queueJSON{Events: s.Queue.Events, Bytes: s.Queue.Bytes, Oldest: utc(s.Queue.Oldest)},
		Totals:         s.Totals,
	})
}

// utc returns a time to show, or nil for one that is not set.
func utc(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// newErrorJSON describes err, or returns nil if there is none. A driver's error whose methods panic does not end whoever
// shows a status.
func newErrorJSON(err error) (e *errorJSON) {
	if err == nil {
		return nil
	}
	defer func() {
		if p := recover(); p != nil {
			e = &errorJSON{Message: newPanicError(p).Error(), Verdict: sink.VerdictRetry.String(), Remedy: remedyDriver}
		}
	}()
	e = &errorJSON{Message: err.Error(), Verdict: sink.VerdictRetry.String(), Remedy: remedyOf(err)}
	if said, ok := errors.AsType[*sink.Error](err); ok && said != nil {
		e.Code = said.Code
		if said.Verdict == sink.VerdictBlock {
			e.Verdict = sink.VerdictBlock.String()
		}
	}
	return e
}
