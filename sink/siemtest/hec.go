package siemtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
)

// hecAnswer is the body of an answer of the HTTP Event Collector.
type hecAnswer struct {
	Text    string `json:"text"`
	Code    int    `json:"code"`
	Invalid *int   `json:"invalid-event-number,omitempty"`
	AckID   *int   `json:"ackId,omitempty"`
}

// hecCode is an HTTP status and a text.
type hecCode struct {
	status int
	text   string
}

// hecCodes are the codes of the HTTP Event Collector, from Splunk's "Troubleshoot HTTP Event Collector" and, for those
// after 22, from what Splunk Enterprise 10 and Splunk Cloud were seen to answer.
var hecCodes = []hecCode{
	0:  {200, "Success"},
	1:  {403, "Token disabled"},
	2:  {401, "Token is required"},
	3:  {401, "Invalid authorization"},
	4:  {403, "Invalid token"},
	5:  {400, "No data"},
	6:  {400, "Invalid data format"},
	7:  {400, "Incorrect index"},
	8:  {500, "Internal server error"},
	9:  {503, "Server is busy"},
	10: {400, "Data channel is missing"},
	11: {400, "Invalid data channel"},
	12: {400, "Event field is required"},
	13: {400, "Event field cannot be blank"},
	14: {400, "ACK is disabled"},
	15: {400, "Error in handling indexed fields"},
	16: {400, "Query string authorization is not enabled"},
	17: {200, "HEC is healthy"},
	18: {503, "HEC is unhealthy, queues are full"},
	19: {503, "HEC is unhealthy, ack service unavailable"},
	20: {503, "HEC is unhealthy, queues are full, ack service unavailable"},
	21: {400, "Invalid token"},
	22: {400, "Token disabled"},
	23: {503, "Server is shutting down"},
	24: {200, "HEC queue is approaching its capacity limit"},
	25: {200, "HEC ACK is approaching its capacity limit"},
	26: {429, "HEC queue is at capacity"},
	27: {429, "HEC ACK channel is at capacity"},
	28: {400, "Data channel is missing. If you have multiple indexers, sticky session load balancers must be provisioned"},
}

// HEC returns the answer of an HTTP Event Collector with one of its codes, 0 to 28, and the HTTP status that belongs to
// it: HEC(9) is "Server is busy". With a code that says that events were taken (0, 24, 25), set Accept to have them
// taken. Any other code is answered with the status 500.
func HEC(code int) Answer { return hec(hecAnswer{Code: code}) }

// HECInvalid is like [HEC], and names an event by its number in the request.
func HECInvalid(code, number int) Answer { return hec(hecAnswer{Code: code, Invalid: &number}) }

func hec(body hecAnswer) Answer {
	c := hecCode{http.StatusInternalServerError, "Unknown"}
	if body.Code >= 0 && body.Code < len(hecCodes) {
		c = hecCodes[body.Code]
	}
	body.Text = c.text
	text, err := json.Marshal(body)
	if err != nil {
		panic(err) // A struct of numbers and a string can be marshalled.
	}
	return Answer{Status: c.status, Header: jsonHeader(), Body: string(text)}
}

// hecNotFound is the answer to a path that is not there, and to a method that it does not take.
func hecNotFound(status int) Answer {
	return Answer{
		Status: status, Header: jsonHeader(),
		Body: `{"text":"The requested URL was not found on this server.","code":404}`,
	}
}

// hecEnvelope is one object of a body. Splunk knows no other keys.
type hecEnvelope struct {
	event  json.RawMessage
	index  string
	fields map[string]any
	meta   map[string]any // the keys around the event, as they came
}

var hecKeys = []string{"time", "host", "source", "sourcetype", "index", "fields", "event"}

// errUnknownKey is the fault of an object with a key that Splunk does not know: it and what follows are lost, silently.
var errUnknownKey = errors.New("unknown key")

// hecFault is the code by which an object is refused.
type hecFault int

// Error implements error.
func (f hecFault) Error() string { return fmt.Sprintf("code %d", int(f)) }

// index reads a body object by object, and answers as Splunk was measured to: what stands before the first bad object is
// indexed, nothing from there on is, and the answer names the bad one, except that code 7 names the one after it.
func (s *Splunk) index(in *incoming, to hecTarget) (Answer, []Received) {
	if a := s.unreadable(in); a != nil {
		return *a, nil
	}
	var taken []Received
	objects := json.NewDecoder(bytes.NewReader(in.body))
	var fault error
	number := 0
	for ; ; number++ {
		var object json.RawMessage
		err := objects.Decode(&object)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			fault = hecFault(6)
			break
		}
		var r *Received
		if r, fault = s.readObject(object, to.token); fault != nil {
			break
		}
		if r != nil {
			taken = append(taken, *r)
		}
	}
	body := hecAnswer{AckID: s.acknowledgeable(to, len(taken))}
	var code hecFault
	switch {
	case errors.As(fault, &code) && code == 7:
		number++
		fallthrough
	case errors.As(fault, &code):
		body.Code, body.Invalid = int(code), &number
	case len(taken) == 0:
		body.Code = 5
	}
	return hec(body), taken
}

// unreadable returns the answer to a body that cannot be read at all.
func (s *Splunk) unreadable(in *incoming) *Answer {
	var a Answer
	switch {
	case errors.Is(in.bodyErr, errTooLarge) && s.cfg.Cloud:
		a = HECInvalid(6, 0)
	case errors.Is(in.bodyErr, errTooLarge):
		a = Answer{
			Status: http.StatusRequestEntityTooLarge, Header: htmlHeader(),
			Body: fmt.Sprintf("<!doctype html><html><head><title>413 Content-Length too large</title></head>"+
				"<body><p>The maximum is %d.</p></body></html>", s.cfg.MaxContentLength),
		}
	case errors.Is(in.bodyErr, errEncoding), in.Header.Get("Content-Encoding") == "deflate":
		a = Answer{
			Status: http.StatusUnsupportedMediaType, Header: htmlHeader(),
			Body: "<!doctype html><html><head><title>415 Unsupported Media Type</title></head><body></body></html>",
		}
	case in.bodyErr != nil:
		a = HEC(6) // Not known what Splunk says to broken gzip.
	default:
		return nil
	}
	return &a
}

// readObject reads one object of a body. It returns nil and nil for one that Splunk skips in silence.
func (s *Splunk) readObject(object json.RawMessage, token HECToken) (*Received, error) {
	var keys map[string]json.RawMessage
	// An array of objects works in some versions of Splunk and is documented in none, so it is refused.
	if json.Unmarshal(object, &keys) != nil || keys == nil || len(object) > splunkMaxEvent {
		return nil, hecFault(6)
	}
	for key := range keys {
		if !slices.Contains(hecKeys, key) {
			return nil, errUnknownKey
		}
	}
	env, err := readEnvelope(keys)
	if err != nil {
		return nil, err
	}
	switch {
	case env.event == nil && env.fields != nil:
		return nil, nil
	case env.event == nil:
		return nil, hecFault(12)
	case string(env.event) == "null" || string(env.event) == `""`:
		// Both are refused; that the code for null is this one is a guess.
		return nil, hecFault(13)
	case env.index != "" && token.Indexes != nil && !slices.Contains(token.Indexes, env.index):
		return nil, hecFault(7)
	}
	r := received(decodeObject(env.event), env.meta, jsonNames)
	r.Raw = bytes.Clone(env.event)
	if s.refuses(r) {
		return nil, hecFault(6)
	}
	return &r, nil
}

// readEnvelope checks what stands around an event.
func readEnvelope(keys map[string]json.RawMessage) (hecEnvelope, error) {
	env := hecEnvelope{event: keys["event"], meta: make(map[string]any)}
	for key, raw := range keys {
		if key == "event" {
			continue
		}
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		var v any
		if err := d.Decode(&v); err != nil {
			return env, hecFault(6)
		}
		env.meta[key] = v
		if text, ok := v.(string); !ok && key != "time" && key != "fields" {
			return env, hecFault(6)
		} else if key == "index" {
			env.index = text
		}
	}
	if t, ok := env.meta["time"]; ok {
		if _, err := json.Number(fmt.Sprint(t)).Float64(); err != nil {
			return env, hecFault(6)
		}
	}
	fields, ok := env.meta["fields"]
	if !ok {
		return env, nil
	}
	if env.fields, ok = fields.(map[string]any); !ok || slices.ContainsFunc(slices.Collect(maps.Values(env.fields)), nested) {
		return env, hecFault(15)
	}
	// Splunk loses integers in fields without a word.
	maps.DeleteFunc(env.fields, func(_ string, v any) bool {
		n, isNumber := v.(json.Number)
		_, err := n.Int64()
		return isNumber && err == nil
	})
	return env, nil
}

// nested reports whether an indexed field is of a form that Splunk refuses: an object, or an array that is not flat.
func nested(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		return true
	case []any:
		return slices.ContainsFunc(v, func(e any) bool {
			switch e.(type) {
			case map[string]any, []any:
				return true
			}
			return false
		})
	}
	return false
}
