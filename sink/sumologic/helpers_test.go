package sumologic_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/sumologic"
)

// code is the secret part of the URLs of the tests.
const code = "ZaVnC4dhaV1_c4n4ry-T0ken5f1d-0123456789=="

// fakeSource is a Sumo Logic source that notes what it gets and answers as told.
type fakeSource struct {
	url    string
	answer func(w http.ResponseWriter, body []byte)

	mu       sync.Mutex
	requests []*http.Request
	bodies   [][]byte // decompressed
}

func newFakeSource(tb testing.TB, answer func(w http.ResponseWriter, body []byte)) *fakeSource {
	tb.Helper()
	s := &fakeSource{answer: answer}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body io.Reader = r.Body
		if r.Header.Get("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(body)
			if !assert.NoError(tb, err) {
				return
			}
			body = z
		}
		plain, err := io.ReadAll(body)
		assert.NoError(tb, err)
		s.mu.Lock()
		s.requests, s.bodies = append(s.requests, r), append(s.bodies, plain)
		s.mu.Unlock()
		if s.answer != nil {
			s.answer(w, plain)
		}
	}))
	tb.Cleanup(srv.Close)
	s.url = srv.URL + "/receiver/v1/http/" + code
	return s
}

// open opens a sink that is closed with the test.
func open(tb testing.TB, c sumologic.Config) sink.Sink {
	tb.Helper()
	s, err := c.Open()
	require.NoError(tb, err)
	closer, ok := s.(io.Closer)
	require.True(tb, ok)
	tb.Cleanup(func() { assert.NoError(tb, closer.Close()) })
	return s
}

// asError returns the *sink.Error that err must be.
func asError(tb testing.TB, err error) *sink.Error {
	tb.Helper()
	e, ok := errors.AsType[*sink.Error](err)
	require.True(tb, ok, "%T: %v", err, err)
	return e
}

// event returns an event whose JSON is about n bytes longer than it must be.
func event(i, n int) sink.Event {
	at := time.Date(2026, 3, 4, 5, 6, 7, 89_000_000, time.UTC)
	return sink.Event{
		ID: fmt.Sprintf("id-%05d", i), Time: at, ObservedTime: at.Add(time.Second), Action: "project.update",
		Outcome: sink.OutcomeSuccess, Actor: sink.Actor{ID: "users-7", Type: sink.ActorUser}, Message: strings.Repeat("m", n),
		Sequence: uint64(i) + 1, StreamID: "stream-1",
	}
}

func events(count, n int) []sink.Event {
	all := make([]sink.Event, count)
	for i := range all {
		all[i] = event(i, n)
	}
	return all
}

func newLogger() (*slog.Logger, *bytes.Buffer) {
	var b bytes.Buffer
	return slog.New(slog.NewTextHandler(&b, nil)), &b
}

func endpoint(url string) sumologic.Config { return sumologic.Config{Endpoint: secret.New(url)} }
