package webhook_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/auditstream/auditstream/examples/webhook"
	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/sinktest"
)

// What must show nowhere: sinktest looks for both in everything that the driver prints.
const (
	token = "k3y-of-the-webhook+/"
	path  = "/hooks/tenant-4711"
)

func TestConformance(t *testing.T) {
	sinktest.TestSink(t, sinktest.Harness{
		Start:   start,
		Secrets: []string{token},
		Paths:   []string{path},
		Invalid: []sink.Destination{
			webhook.Config{},
			webhook.Config{Endpoint: "http://siem.example" + path, Token: secret.New(token)},
			webhook.Config{Endpoint: "https://siem.example" + path},
			webhook.Config{Endpoint: "https://siem.example/%zz", Token: secret.New(token)},
		},
	})
}

// start returns a destination whose server behaves as a part of the suite asks.
func start(tb testing.TB, behavior sinktest.Behavior) (sink.Destination, sinktest.Server) {
	tb.Helper()
	s := &server{behavior: behavior, ended: make(chan struct{})}
	srv := httptest.NewServer(s)
	tb.Cleanup(srv.Close)
	tb.Cleanup(func() { close(s.ended) })
	if behavior == sinktest.Refusing {
		srv.Listener.Close()
	}
	dst := webhook.Config{Endpoint: srv.URL + path, Token: secret.New(token), Network: sink.Network{AllowPlaintext: true}}
	return dst, sinktest.Server{IDs: s.taken, Requests: s.count}
}

type server struct {
	behavior sinktest.Behavior
	ended    chan struct{}

	mu       sync.Mutex
	ids      []string
	requests int
}

func (s *server) taken() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.ids)
}

func (s *server) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ids, poisoned := read(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	switch {
	case s.behavior == sinktest.Forbidding:
		http.Error(w, "wrong: "+r.Header.Get("Authorization"), http.StatusForbidden)
	case s.behavior == sinktest.Busy, s.behavior == sinktest.BusyLater && s.requests > 1:
		w.WriteHeader(http.StatusServiceUnavailable)
	case s.behavior == sinktest.Cutting:
		panic(http.ErrAbortHandler)
	case s.behavior == sinktest.Hanging:
		s.mu.Unlock()
		<-s.ended
		s.mu.Lock()
	case s.behavior == sinktest.Poisoned && poisoned:
		w.WriteHeader(http.StatusBadRequest)
	default:
		s.ids = append(s.ids, ids...)
	}
}

// read returns the IDs of the events in a request, and whether one of them is the poison.
func read(r *http.Request) (ids []string, poisoned bool) {
	for lines := bufio.NewScanner(r.Body); lines.Scan(); {
		var e struct{ ID, Action string }
		if err := json.Unmarshal([]byte(strings.TrimSpace(lines.Text())), &e); err != nil {
			return nil, true
		}
		ids = append(ids, e.ID)
		poisoned = poisoned || e.Action == sinktest.PoisonAction
	}
	return ids, poisoned
}
