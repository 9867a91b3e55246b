package splunk_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/splunk"
)

// TestSecretsStayInside drives the driver through its failures and looks for the token in everything that comes out.
func TestSecretsStayInside(t *testing.T) {
	const key = "pr0xy-k3y-0123456789"
	forms := regexp.MustCompile("(?i)" + strings.Join([]string{
		token, token[:8], token[10:], "MGExYjJjM2Q", "U3BsdW5rIDBhMW", regexp.QuoteMeta(key), "cHIweHktazN5",
	}, "|"))
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	look := func(t *testing.T, s sink.Sink, err error) {
		t.Helper()
		assert.Error(t, err)
		for current := err; current != nil; current = errors.Unwrap(current) {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
				assert.NotRegexp(t, forms, fmt.Sprintf(verb, current))
			}
		}
		if e, ok := errors.AsType[*sink.Error](err); ok {
			assert.NotRegexp(t, forms, e.Code+e.Remedy)
		}
		logger.Error("failed", "err", err, "sink", s)
		assert.NotRegexp(t, forms, fmt.Sprintf("%v %+v %#v", s, s, s))
	}
	echo := fmt.Sprintf(`Splunk %s %s`, token, key)
	for _, status := range []int{200, 302, 400, 401, 403, 404, 407, 413, 415, 429, 500, 503} {
		for _, body := range []string{echo, `{"code":6,"invalid-event-number":0,"text":"` + echo + `"}`, `{"code":4,"text":"` + echo + `"}`} {
			server := &hecServer{answer: func(_ int, w http.ResponseWriter) bool {
				w.Header().Set("Location", "https://"+token+".example/"+key)
				w.Header().Set("Retry-After", token)
				reply(w, status, body)
				return true
			}}
			s := open(t, splunk.Config{
				Endpoint: server.start(t), Headers: sink.Headers{"X-Key": key}, Logger: logger,
			})
			_, err := s.Deliver(t.Context(), events(1, 0))
			if status == 200 && body != echo {
				continue // taken
			}
			look(t, s, err)
		}
	}
	for _, dialErr := range []error{errors.New("no route for " + echo), &os.PathError{Op: "dial", Path: echo, Err: os.ErrPermission}} {
		cfg := splunk.Config{Endpoint: "https://splunk.example:8088", Headers: sink.Headers{"X-Key": key}}
		cfg.Network.DialContext = refusing(dialErr)
		s := open(t, cfg)
		_, err := s.Deliver(t.Context(), events(1, 0))
		look(t, s, err)
	}
	assert.NotRegexp(t, forms, log.String())
}
