package server

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	collogpb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	"google.golang.org/protobuf/proto"

	"github.com/auditstream/auditstream/bench/internal/corpus"
)

// Form is how a body holds events.
type Form int

// The forms.
const (
	FormJSON Form = iota // JSON objects, one after the other: Splunk and Sumo Logic
	FormOTLP             // an OTLP request
)

// form returns what a request for a path holds.
func form(path string) Form {
	if strings.HasSuffix(path, "/v1/logs") {
		return FormOTLP
	}
	return FormJSON
}

// A checker looks for every event of a corpus in what comes in, with every value that makes it up.
type checker struct {
	mu     sync.Mutex
	corpus *corpus.Corpus
	index  map[string]int // by ID
	seen   []int
	found  Check
}

// Check is what a checker has found.
type Check struct {
	Events   int    `json:"events"`            // records that are an event of the corpus
	Missing  int    `json:"missing"`           // events that did not come
	Repeated int    `json:"repeated"`          // copies beyond the first
	Broken   int    `json:"broken"`            // bodies that could not be read, and records that lack a value
	Problem  string `json:"problem,omitempty"` // the first of these
}

func newChecker(path string) (*checker, error) {
	events, err := corpus.Open(path)
	if err != nil {
		return nil, err
	}
	c := &checker{corpus: events, index: make(map[string]int, events.Len()), seen: make([]int, events.Len())}
	var e corpus.Event
	for i := range events.Len() {
		events.Read(i, &e)
		c.index[e.ID] = i
	}
	return c, nil
}

func (c *checker) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.seen)
	c.found = Check{}
}

func (c *checker) result() *Check {
	c.mu.Lock()
	defer c.mu.Unlock()
	result := c.found
	for _, n := range c.seen {
		switch {
		case n == 0:
			result.Missing++
		case n > 1:
			result.Repeated += n - 1
		}
	}
	return &result
}

// check reads a body.
func (c *checker) check(f Form, body []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.read(f, body); err != nil {
		c.broken("a body that cannot be read: " + err.Error())
	}
}

func (c *checker) read(f Form, body []byte) error {
	body, err := inflate(body)
	if err != nil {
		return err
	}
	if f == FormOTLP {
		return c.otlp(body)
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	for {
		var object any
		if err := decoder.Decode(&object); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		c.record(jsonLeaves(object, nil))
	}
}

// inflate returns the bytes behind gzip, which no other form of body looks like.
func inflate(body []byte) ([]byte, error) {
	if !bytes.HasPrefix(body, []byte{0x1f, 0x8b}) {
		return body, nil
	}
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

func (c *checker) otlp(body []byte) error {
	var request collogpb.ExportLogsServiceRequest
	if err := proto.Unmarshal(body, &request); err != nil {
		return err
	}
	for _, resource := range request.ResourceLogs {
		for _, scope := range resource.ScopeLogs {
			for _, record := range scope.LogRecords {
				leaves := []string{record.EventName}
				leaves = otlpLeaves(record.Body, leaves)
				for _, a := range record.Attributes {
					leaves = otlpLeaves(a.Value, leaves)
				}
				c.record(leaves)
			}
		}
	}
	return nil
}

// record looks for the event that a record is made of, and for what is missing in it.
func (c *checker) record(leaves []string) {
	at := -1
	have := make(map[string]bool, len(leaves))
	for _, leaf := range leaves {
		have[leaf] = true
		if i, ok := c.index[leaf]; ok {
			at = i
		}
	}
	if at < 0 {
		c.broken("a record that is none of the events")
		return
	}
	c.found.Events++
	c.seen[at]++
	var e corpus.Event
	c.corpus.Read(at, &e)
	for name, value := range values(&e) {
		if !have[value] {
			c.broken(fmt.Sprintf("event %d without its %s, %q", at, name, value))
			return
		}
	}
}

func (c *checker) broken(problem string) {
	c.found.Broken++
	if c.found.Problem == "" {
		c.found.Problem = problem
	}
}

// values are what every contender has to carry of an event, apart from its time, which each form writes in a way of its
// own.
func values(e *corpus.Event) map[string]string {
	v := map[string]string{
		"ID": e.ID, "action": e.Action, "outcome": e.Outcome, "actor's ID": e.ActorID, "actor's type": e.ActorType,
		"actor's name": e.ActorName, "target's ID": e.TargetID, "target's type": e.TargetType,
		"target's name": e.TargetName, "address": e.Address, "user agent": e.UserAgent, "message": e.Message,
	}
	for i := range e.Attributes {
		v[e.Attributes[i].Key] = text(&e.Attributes[i])
	}
	return v
}

func text(a *corpus.Attribute) string {
	switch a.Kind {
	case corpus.Text:
		return a.Text
	case corpus.Flag:
		return strconv.FormatBool(a.IsSet())
	default:
		return strconv.FormatInt(a.Number, 10)
	}
}

// jsonLeaves appends the values at the ends of v, as text.
func jsonLeaves(v any, leaves []string) []string {
	switch v := v.(type) {
	case map[string]any:
		for _, inner := range v {
			leaves = jsonLeaves(inner, leaves)
		}
	case []any:
		for _, inner := range v {
			leaves = jsonLeaves(inner, leaves)
		}
	case string:
		leaves = append(leaves, v)
	default:
		leaves = append(leaves, fmt.Sprint(v))
	}
	return leaves
}

func otlpLeaves(v *commonpb.AnyValue, leaves []string) []string {
	switch v := v.GetValue().(type) {
	case *commonpb.AnyValue_StringValue:
		leaves = append(leaves, v.StringValue)
	case *commonpb.AnyValue_IntValue:
		leaves = append(leaves, strconv.FormatInt(v.IntValue, 10))
	case *commonpb.AnyValue_BoolValue:
		leaves = append(leaves, strconv.FormatBool(v.BoolValue))
	case *commonpb.AnyValue_KvlistValue:
		for _, inner := range v.KvlistValue.Values {
			leaves = otlpLeaves(inner.Value, leaves)
		}
	case *commonpb.AnyValue_ArrayValue:
		for _, inner := range v.ArrayValue.Values {
			leaves = otlpLeaves(inner, leaves)
		}
	}
	return leaves
}
