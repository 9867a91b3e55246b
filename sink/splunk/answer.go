package splunk

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// none stands for a number that an answer does not have.
const none = -1

// answer is what HEC says in the body of a response: {"text":"Invalid data format","code":6,"invalid-event-number":1}.
// The text is Splunk's, in words that change with versions and proxies, and is not looked at.
type answer struct {
	// code is HEC's own code, or none when the body is not HEC's.
	code int

	// number counts from 0 and names an event of the request, or is none. What it says about that event depends on
	// the code.
	number int

	// ack is the number of the acknowledgement that Splunk owes for the events it took, or none. It comes if the token
	// has indexer acknowledgement switched on.
	ack ackID
}

// readAnswer reads the body of a response, whatever its Content-Type says: some servers that speak HEC send
// text/plain. It takes any bytes.
func readAnswer(body []byte) answer {
	var fields struct {
		Code   json.RawMessage `json:"code"`
		Number json.RawMessage `json:"invalid-event-number"`
		AckID  json.RawMessage `json:"ackId"`
	}
	a := answer{code: none, number: none, ack: none}
	// Only an object decodes into a struct, but null does so too, and changes nothing.
	if json.Unmarshal(body, &fields) != nil {
		return a
	}
	a.code = natural(fields.Code)
	if a.code == none {
		return a
	}
	a.number = natural(fields.Number)
	a.ack = readID(bytes.Trim(fields.AckID, `"`))
	return a
}

// natural returns the whole number, 0 or more, that raw consists of, or none.
func natural(raw json.RawMessage) int {
	n, err := strconv.ParseUint(string(bytes.TrimSpace(raw)), 10, 31)
	if err != nil {
		return none
	}
	return int(n)
}

// readID returns the number of an acknowledgement that text consists of, or none.
func readID[T ~string | ~[]byte](text T) ackID {
	n, err := strconv.ParseUint(string(text), 10, 63)
	if err != nil {
		return none
	}
	return ackID(n)
}

// readAcks reads which acknowledgements are in from an answer such as {"acks":{"0":true,"1":false}}. False means that
// an acknowledgement is not in yet, was lost, or was never promised. It returns false if the body is something else.
func readAcks(body []byte) (confirmed []ackID, ok bool) {
	var fields struct {
		Acks map[string]bool `json:"acks"`
	}
	if json.Unmarshal(body, &fields) != nil || fields.Acks == nil {
		return nil, false
	}
	for text, in := range fields.Acks {
		if id := readID(text); in && id != none {
			confirmed = append(confirmed, id)
		}
	}
	return confirmed, true
}
