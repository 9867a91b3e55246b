package splunk_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/splunk"
)

// hecServer is an HTTP Event Collector that reads requests as Splunk does, object by object, and keeps what it indexed.
// A zero one accepts everything.
type hecServer struct {
	// answer replaces the usual answer to the request of this number, from 0 on, when it returns true. Nothing is
	// indexed then.
	answer func(request int, w http.ResponseWriter) bool

	// refuse names the code by which an event is refused; 0 accepts it.
	refuse func(event map[string]any) int

	// maxBody refuses larger bodies as Splunk Cloud does; 0 means no limit.
	maxBody int

	// acks answers with an ackId.
	acks bool

	mu       sync.Mutex
	requests []*http.Request
	bodies   [][]byte
	indexed  []string // ids of events
}

// start serves until the test ends and returns the base URL.
func (s *hecServer) start(tb testing.TB) string {
	tb.Helper()
	server := httptest.NewServer(s)
	tb.Cleanup(server.Close)
	return server.URL
}

// ServeHTTP implements [http.Handler].
func (s *hecServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := readBody(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	number := len(s.requests)
	s.requests = append(s.requests, r)
	s.bodies = append(s.bodies, body)
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	case s.answer != nil && s.answer(number, w):
	case r.Header.Get("Authorization") != "Splunk "+token:
		reply(w, http.StatusForbidden, `{"text":"Invalid token","code":4}`)
	case s.maxBody > 0 && len(body) > s.maxBody:
		reply(w, http.StatusBadRequest, `{"text":"Invalid data format","code":6,"invalid-event-number":0}`)
	default:
		s.index(w, body)
	}
}

func readBody(r *http.Request) ([]byte, error) {
	if r.Header.Get("Content-Encoding") != "gzip" {
		return io.ReadAll(r.Body)
	}
	z, err := gzip.NewReader(r.Body)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// index reads concatenated objects. Those before the first bad one are indexed, nothing from there on is.
func (s *hecServer) index(w http.ResponseWriter, body []byte) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	for number := 0; ; number++ {
		var object map[string]any
		err := decoder.Decode(&object)
		if errors.Is(err, io.EOF) {
			break
		}
		code := 0
		if err != nil {
			code = 6
		} else if code = s.check(object); code == 0 {
			s.indexed = append(s.indexed, object["event"].(map[string]any)["id"].(string))
			continue
		}
		if code == 7 {
			number++ // Splunk names the object after the bad one.
		}
		reply(w, http.StatusBadRequest, fmt.Sprintf(`{"text":"refused","code":%d,"invalid-event-number":%d}`, code, number))
		return
	}
	if s.acks {
		reply(w, http.StatusOK, `{"text":"Success","code":0,"ackId":0}`)
		return
	}
	reply(w, http.StatusOK, `{"text":"Success","code":0}`)
}

// check returns the code by which an object is refused.
func (s *hecServer) check(object map[string]any) int {
	for key := range object {
		if !slices.Contains([]string{"time", "host", "source", "sourcetype", "index", "event"}, key) {
			return 6
		}
	}
	event, ok := object["event"].(map[string]any)
	if !ok {
		return 12
	}
	if _, ok := object["time"].(float64); !ok {
		return 6
	}
	if s.refuse == nil {
		return 0
	}
	return s.refuse(event)
}

func reply(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// open returns a sink for a server, and fails the test if that is not possible.
func open(tb testing.TB, cfg splunk.Config) sink.Sink {
	tb.Helper()
	if cfg.Token.IsZero() {
		cfg.Token = secret.New(token)
	}
	s, err := cfg.Open()
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = s.(io.Closer).Close() })
	return s
}

// events returns n events with the ids e0, e1 and so on. size bytes of text make each as long as wanted.
func events(n, size int) []sink.Event {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	batch := make([]sink.Event, n)
	for i := range batch {
		batch[i] = sink.Event{
			ID: fmt.Sprintf("e%d", i), Time: at, ObservedTime: at, Action: "user.sign_in", Outcome: sink.OutcomeSuccess,
			Actor: sink.Actor{ID: "users-1", Type: sink.ActorUser}, Sequence: uint64(i) + 1, StreamID: "s",
			Attributes: []slog.Attr{slog.String("padding", strings.Repeat("x", size))},
		}
	}
	return batch
}

// ids returns the ids that events gives to its events from..to-1.
func ids(from, to int) []string {
	var all []string
	for i := from; i < to; i++ {
		all = append(all, fmt.Sprintf("e%d", i))
	}
	return all
}
