package siemtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	logspb "go.opentelemetry.io/proto/otlp/logs/v1"

	"github.com/auditstream/auditstream/secret"
)

// Received is one event as a server took it. Copies of one event that arrived twice are two of them.
type Received struct {
	// ID, Sequence, StreamID and Action are found in Document under the names that this module's drivers give them.
	// They are zero in a document of another form.
	ID       string
	Sequence uint64
	StreamID string
	Action   string

	// Document is the decoded event. From JSON it is the object, its numbers [json.Number]; nil when the message was
	// not a JSON object. From OTLP it holds the attributes of the log record by name, as string, bool,
	// int64, float64, []byte, []any, map[string]any or nil.
	Document map[string]any

	// Raw is the event as it came: the JSON text of the event or message. It is nil for OTLP, see Record.
	Raw []byte

	// Record is the log record as it came over OTLP, and nil otherwise.
	Record *logspb.LogRecord

	// Metadata is what came around the event. For Splunk it holds the keys of the envelope but "event"; for Sumo Logic
	// "category", "host", "name", "client" and "fields"; for OTLP "resource", "scope" and the fields of the log record
	// that are not attributes: "eventName", "body", "time", "observedTime", "traceId", "spanId" and, when set,
	// "severityNumber" and "severityText".
	Metadata map[string]any

	// Request is the index, in what Requests returns, of the request that carried the event.
	Request int
}

// String returns the sequence number, the action and the ID, for test failures and demonstrations.
func (r Received) String() string {
	return "#" + strconv.FormatUint(r.Sequence, 10) + " " + r.Action + " " + r.ID
}

// Request is one request as a server saw it. No printed form of it holds a credential: Path and Header are redacted, and
// what was really sent is behind URI and Sent.
type Request struct {
	// Protocol is "HTTP/1.1", "HTTP/2.0" or "gRPC".
	Protocol string

	// Method is the HTTP method; for gRPC "POST".
	Method string

	// Path is the path of the URL if it is one that the protocol itself defines, with "[REDACTED]" in place of a
	// credential, and "[REDACTED]" as a whole otherwise.
	Path string

	// URI is the path and query as they were sent.
	URI secret.Value

	// Header has the values of harmless headers and "[REDACTED]" for all others. For gRPC it is the metadata.
	Header http.Header

	// WireBytes is the size of the body as it was sent, Bytes that of the decoded body.
	WireBytes, Bytes int

	// Events is how many events the server took from the request.
	Events int

	// Status is the HTTP status of the answer, for gRPC the code, and 0 if there was none or only a part of one. Note
	// that 0 is also the gRPC code for success.
	Status int

	// Time is when the request had been read.
	Time time.Time

	sent func(name string) string
}

// Sent returns the first value of the header, or of the gRPC metadata, as it was sent, credentials included.
func (r Request) Sent(name string) string {
	if r.sent == nil {
		return ""
	}
	return r.sent(name)
}

// redacted stands for what may be a credential.
const redacted = "[REDACTED]"

// harmless are the headers whose values no client uses for credentials.
var harmless = map[string]bool{
	"Accept": true, "Accept-Encoding": true, "Connection": true, "Content-Encoding": true, "Content-Length": true,
	"Content-Type": true, "Grpc-Accept-Encoding": true, "Grpc-Encoding": true, "Te": true, "User-Agent": true,
	"X-Splunk-Request-Channel": true, "X-Sumo-Category": true, "X-Sumo-Client": true, "X-Sumo-Fields": true,
	"X-Sumo-Host": true, "X-Sumo-Name": true,
}

// redactHeader returns h with only the harmless values left.
func redactHeader(h http.Header) http.Header {
	out := make(http.Header, len(h))
	for name, values := range h {
		name = http.CanonicalHeaderKey(name)
		for _, v := range values {
			if !harmless[name] {
				v = redacted
			}
			out[name] = append(out[name], v)
		}
	}
	return out
}

// names are the keys under which an encoding has what Received repeats.
type names struct{ id, sequence, stream, action string }

var (
	jsonNames = names{id: "id", sequence: "sequence", stream: "stream_id", action: "action"}
	otlpNames = names{
		id: "audit.record.id", sequence: "audit.sequence.number", stream: "audit.source.id", action: "audit.action",
	}
)

// received builds a Received from a document and its metadata.
func received(doc, metadata map[string]any, n names) Received {
	r := Received{Document: doc, Metadata: metadata}
	r.ID, _ = doc[n.id].(string)
	r.StreamID, _ = doc[n.stream].(string)
	r.Action, _ = doc[n.action].(string)
	r.Sequence = toSequence(doc[n.sequence])
	return r
}

// toSequence reads a sequence number in any of the forms that encodings give it.
func toSequence(v any) uint64 {
	switch v := v.(type) {
	case int64:
		return max(0, uint64(v)) //nolint:gosec // A negative number is a fault that the test will see.
	case json.Number, string:
		n, err := strconv.ParseUint(fmt.Sprint(v), 10, 64)
		if err == nil {
			return n
		}
	}
	return 0
}

// decodeObject decodes text that is exactly one JSON object, and returns nil for anything else.
func decodeObject(text []byte) map[string]any {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var doc map[string]any
	if d.Decode(&doc) != nil || d.More() {
		return nil
	}
	return doc
}
