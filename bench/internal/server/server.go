// Package server takes what the contenders ship, throws it away and counts it. It speaks as much of each protocol as
// they need to hear that all is well, and looks into what it gets only when it is told to check it.
package server

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
)

// Options say how a server behaves.
type Options struct {
	// Corpus is the file of events to check for. Without one nothing is checked.
	Corpus string `json:"corpus,omitempty"`

	// Delay is how long every request takes.
	Delay time.Duration `json:"delay,omitempty"`

	// Keep is called with the body of each request, which is its own to keep. Without it bodies are discarded.
	Keep func(body []byte) `json:"-"`
}

// Addresses are where a server listens.
type Addresses struct {
	HTTP    string `json:"http"`    // "http://127.0.0.1:…": Splunk, Sumo Logic, OTLP over HTTP
	GRPC    string `json:"grpc"`    // "http://127.0.0.1:…": OTLP over gRPC
	Control string `json:"control"` // "http://127.0.0.1:…": see Server.control
}

// Server is a running server.
type Server struct {
	Addresses

	options Options
	checker *checker
	dead    atomic.Bool

	requests atomic.Int64
	bytes    atomic.Int64
	refused  atomic.Int64

	mu       sync.Mutex
	arrivals []time.Time

	close []func()
}

// Start returns a server that listens on free ports of the loopback interface.
func Start(options Options) (*Server, error) {
	s := &Server{options: options}
	if options.Corpus != "" {
		checker, err := newChecker(options.Corpus)
		if err != nil {
			return nil, err
		}
		s.checker = checker
	}
	web, err := s.serveHTTP(http.HandlerFunc(s.take))
	if err != nil {
		return nil, err
	}
	control, err := s.serveHTTP(s.control())
	if err != nil {
		return nil, err
	}
	rpc, err := s.serveGRPC()
	if err != nil {
		return nil, err
	}
	s.Addresses = Addresses{HTTP: web, GRPC: rpc, Control: control}
	return s, nil
}

// Close ends the server.
func (s *Server) Close() {
	for _, f := range s.close {
		f()
	}
}

func listen() (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
}

func (s *Server) serveHTTP(handler http.Handler) (address string, err error) {
	l, err := listen()
	if err != nil {
		return "", err
	}
	web := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	s.close = append(s.close, func() { _ = web.Close() })
	go func() { _ = web.Serve(l) }()
	return "http://" + l.Addr().String(), nil
}

func (s *Server) serveGRPC() (address string, err error) {
	l, err := listen()
	if err != nil {
		return "", err
	}
	rpc := grpc.NewServer(grpc.ForceServerCodecV2(Codec{}), grpc.MaxRecvMsgSize(64<<20))
	rpc.RegisterService(&logsService, s)
	s.close = append(s.close, rpc.Stop)
	go func() { _ = rpc.Serve(l) }()
	return "http://" + l.Addr().String(), nil
}

// take answers a request of Splunk, Sumo Logic or OTLP over HTTP.
func (s *Server) take(w http.ResponseWriter, r *http.Request) {
	var n int64
	var body []byte
	var err error
	if s.options.Keep == nil && s.checker == nil {
		n, err = io.Copy(io.Discard, r.Body)
	} else {
		body, err = io.ReadAll(r.Body)
		n = int64(len(body))
	}
	if err != nil {
		return // the connection broke; whoever sent it will know
	}
	if !s.account(r.Context(), form(r.URL.Path), n, body) {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if strings.HasPrefix(r.URL.Path, "/services/collector") {
		_, _ = io.WriteString(w, `{"text":"Success","code":0}`)
	}
}

// account counts a request. It returns false if the destination is dead.
func (s *Server) account(ctx context.Context, f Form, n int64, body []byte) bool {
	if s.dead.Load() {
		s.refused.Add(1)
		return false
	}
	if s.options.Delay > 0 {
		wait(ctx, s.options.Delay)
	}
	s.requests.Add(1)
	s.bytes.Add(n)
	s.mu.Lock()
	if len(s.arrivals) < maxArrivals {
		s.arrivals = append(s.arrivals, time.Now())
	}
	s.mu.Unlock()
	if s.options.Keep != nil {
		s.options.Keep(body)
	}
	if s.checker != nil {
		s.checker.check(f, body)
	}
	return true
}

// maxArrivals bounds what the server remembers; only the test of an idle stream asks for it.
const maxArrivals = 4096

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Stats are what a server has counted since the last reset.
type Stats struct {
	Requests int64       `json:"requests"`
	Bytes    int64       `json:"bytes"`   // of bodies, as they came
	Refused  int64       `json:"refused"` // requests while dead
	Arrivals []time.Time `json:"arrivals,omitempty"`
	Check    *Check      `json:"check,omitempty"`
}

// control serves the orders of whoever started the server: /reset, /stats, /arrivals, /dead and /alive.
func (s *Server) control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/dead", func(http.ResponseWriter, *http.Request) { s.dead.Store(true) })
	mux.HandleFunc("/alive", func(http.ResponseWriter, *http.Request) { s.dead.Store(false) })
	mux.HandleFunc("/reset", func(http.ResponseWriter, *http.Request) { s.reset() })
	mux.HandleFunc("/stats", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(s.stats(false))
	})
	mux.HandleFunc("/arrivals", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(s.stats(true))
	})
	return mux
}

func (s *Server) reset() {
	s.mu.Lock()
	s.arrivals = nil
	s.mu.Unlock()
	s.requests.Store(0)
	s.bytes.Store(0)
	s.refused.Store(0)
	if s.checker != nil {
		s.checker.reset()
	}
}

func (s *Server) stats(arrivals bool) Stats {
	stats := Stats{Requests: s.requests.Load(), Bytes: s.bytes.Load(), Refused: s.refused.Load()}
	if arrivals {
		s.mu.Lock()
		stats.Arrivals = append(stats.Arrivals, s.arrivals...)
		s.mu.Unlock()
	}
	if s.checker != nil {
		stats.Check = s.checker.result()
	}
	return stats
}

// Order sends an order to the control address of a server.
func Order(ctx context.Context, client *http.Client, control, order string) (stats Stats, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, control+"/"+order, http.NoBody)
	if err != nil {
		return stats, err
	}
	res, err := client.Do(req)
	if err != nil {
		return stats, err
	}
	defer res.Body.Close()
	err = json.NewDecoder(res.Body).Decode(&stats)
	if errors.Is(err, io.EOF) {
		err = nil // an order without an answer
	}
	return stats, err
}
