package splunk_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/splunk"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// asError returns the *sink.Error within err.
func asError(t *testing.T, err error) *sink.Error {
	t.Helper()
	e, ok := errors.AsType[*sink.Error](err)
	require.True(t, ok, "%v", err)
	return e
}

func TestDeliver(t *testing.T) {
	for _, compression := range []splunk.Compression{"", splunk.Gzip, splunk.None} {
		t.Run(string(compression), func(t *testing.T) {
			server := &hecServer{}
			s := open(t, splunk.Config{
				Endpoint: server.start(t), Compression: compression, Token: secret.New(" SPLUNK  " + token + " "),
				Headers: sink.Headers{"X-Proxy-Key": `#{Secret | Truncate 4 ""}`},
			})
			for range 2 {
				n, err := s.Deliver(t.Context(), events(3, 10))
				require.NoError(t, err)
				assert.Equal(t, 3, n)
			}
			assert.Equal(t, append(ids(0, 3), ids(0, 3)...), server.indexed)
			var channels []string
			for _, r := range server.requests {
				assert.Equal(t, http.MethodPost, r.Method)
				assert.Equal(t, "/services/collector/event", r.URL.String())
				assert.Equal(t, "application/json", r.Header.Get("Content-Type"))
				assert.Equal(t, "Splunk "+token, r.Header.Get("Authorization"))
				assert.Equal(t, token[:4], r.Header.Get("X-Proxy-Key"))
				assert.Equal(t, compression != splunk.None, r.Header.Get("Content-Encoding") == "gzip")
				channels = append(channels, r.Header.Get("X-Splunk-Request-Channel"))
			}
			assert.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, channels[0])
			assert.Equal(t, channels[0], channels[1], "one channel for a sink")
		})
	}
}

func TestEachSinkHasItsChannel(t *testing.T) {
	server := &hecServer{}
	url := server.start(t)
	for range 2 {
		_, err := open(t, splunk.Config{Endpoint: url}).Deliver(t.Context(), events(1, 0))
		require.NoError(t, err)
	}
	assert.NotEqual(t, server.requests[0].Header.Get("X-Splunk-Request-Channel"),
		server.requests[1].Header.Get("X-Splunk-Request-Channel"))
}

func TestGoldenRequests(t *testing.T) {
	at := func(nanos int) sink.Event {
		e := events(1, 3)[0]
		e.Time = e.Time.Add(time.Duration(nanos))
		return e
	}
	past, future := at(0), at(0)
	past.Time = time.Date(1901, 2, 3, 4, 5, 6, 7, time.UTC)
	future.Time = time.Date(9999, 12, 31, 23, 59, 59, 7, time.UTC)
	times := []sink.Event{at(0), at(1), at(500_000_000), at(123_456_789), at(120), past, future}
	for name, test := range map[string]struct {
		cfg   splunk.Config
		batch []sink.Event
	}{
		"least": {splunk.Config{}, events(2, 3)},
		"metadata": {
			splunk.Config{Index: "audit", Source: `acme "server"`, SourceType: "acme:audit", Host: "server-1\u202e"},
			events(2, 3),
		},
		"times": {splunk.Config{}, times},
	} {
		t.Run(name, func(t *testing.T) {
			server := &hecServer{}
			test.cfg.Endpoint = server.start(t)
			_, err := open(t, test.cfg).Deliver(t.Context(), test.batch)
			require.NoError(t, err)
			file := filepath.Join("testdata", name+".txt")
			if *update {
				require.NoError(t, os.WriteFile(file, server.bodies[0], 0o600))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err, "run the test with -update to write it")
			assert.Equal(t, string(want), string(server.bodies[0]))
		})
	}
}

// TestRequestsStayBelowTheLimit sends a batch of several requests' size.
func TestRequestsStayBelowTheLimit(t *testing.T) {
	server := &hecServer{}
	s := open(t, splunk.Config{Endpoint: server.start(t), Compression: splunk.None})
	n, err := s.Deliver(t.Context(), events(50, 60_000))
	require.NoError(t, err)
	assert.Equal(t, 50, n)
	assert.Equal(t, ids(0, 50), server.indexed)
	assert.Len(t, server.requests, 4)
	for _, body := range server.bodies {
		assert.LessOrEqual(t, len(body), 1_000_000)
	}
	assert.Greater(t, len(server.bodies[0]), 930_000, "requests are filled")
}

// sized returns an event that takes exactly n bytes of a request, line feed included.
func sized(t *testing.T, i, n int) sink.Event {
	t.Helper()
	server := &hecServer{}
	_, err := open(t, splunk.Config{Endpoint: server.start(t)}).Deliver(t.Context(), events(i+1, 0)[i:])
	require.NoError(t, err)
	return events(i+1, n-len(server.bodies[0]))[i]
}

func TestRequestsAreFilledToTheLastByte(t *testing.T) {
	server := &hecServer{}
	s := open(t, splunk.Config{Endpoint: server.start(t)})
	for more, want := range [][]int{{1_000_000}, {500_000, 500_001}} {
		server.bodies = nil
		n, err := s.Deliver(t.Context(), []sink.Event{sized(t, 0, 500_000), sized(t, 1, 500_000+more)})
		require.NoError(t, err)
		assert.Equal(t, 2, n)
		require.Len(t, server.bodies, len(want))
		for i := range want {
			assert.Len(t, server.bodies[i], want[i])
		}
	}
	for size, sent := range map[int]int{1_000_000: 1, 1_000_001: 0} {
		server.bodies = nil
		n, err := s.Deliver(t.Context(), []sink.Event{sized(t, 0, size)})
		assert.Equal(t, 1, n)
		assert.Len(t, server.bodies, sent)
		assert.Equal(t, sent == 0, err != nil)
	}
}

// TestPrefixOfSeveralRequests has the second request of a batch fail.
func TestPrefixOfSeveralRequests(t *testing.T) {
	const perRequest = 16
	for name, test := range map[string]struct {
		status  int
		body    string
		n       int
		verdict sink.Verdict
		index   []int
	}{
		"busy":        {503, `{"text":"Server is busy","code":9,"invalid-event-number":3}`, perRequest, sink.VerdictRetry, nil},
		"forbidden":   {403, `{"text":"Invalid token","code":4}`, perRequest, sink.VerdictBlock, nil},
		"too large":   {413, "", perRequest, sink.VerdictSplit, nil},
		"bad event":   {400, `{"code":6,"invalid-event-number":2}`, perRequest + 3, sink.VerdictReject, []int{perRequest + 2}},
		"bad index":   {400, `{"code":7,"invalid-event-number":3}`, perRequest + 2, sink.VerdictBlock, nil},
		"not said":    {400, `{"code":6,"invalid-event-number":16}`, perRequest, sink.VerdictSplit, nil},
		"login page":  {200, "<html>", perRequest, sink.VerdictBlock, nil},
		"looks large": {400, `{"code":6,"invalid-event-number":0}`, perRequest, sink.VerdictSplit, nil},
	} {
		t.Run(name, func(t *testing.T) {
			server := &hecServer{answer: func(request int, w http.ResponseWriter) bool {
				if request == 1 {
					reply(w, test.status, test.body)
				}
				return request == 1
			}}
			n, err := open(t, splunk.Config{Endpoint: server.start(t)}).Deliver(t.Context(), events(50, 60_000))
			e := asError(t, err)
			assert.Equal(t, test.n, n)
			assert.Equal(t, test.verdict, e.Verdict)
			assert.Equal(t, test.index, e.Index)
			assert.Len(t, server.requests, 2, "nothing is sent after a failure")
			assert.Len(t, server.indexed, perRequest)
		})
	}
}

func TestEventTooLargeIsNotSent(t *testing.T) {
	batch := events(5, 10)
	batch[3] = events(4, 1_000_000)[3]
	server := &hecServer{}
	s := open(t, splunk.Config{Endpoint: server.start(t)})
	n, err := s.Deliver(t.Context(), batch)
	e := asError(t, err)
	assert.Equal(t, 4, n)
	assert.Equal(t, sink.VerdictReject, e.Verdict)
	assert.Equal(t, []int{3}, e.Index)
	assert.Regexp(t, `takes 10\d{5} bytes, and a request holds 1000000`, e.Error())
	assert.NotEmpty(t, e.Remedy)
	assert.Equal(t, ids(0, 3), server.indexed)

	n, err = s.Deliver(t.Context(), batch[3:4])
	assert.Equal(t, 1, n)
	assert.Equal(t, []int{0}, asError(t, err).Index)
	assert.Len(t, server.requests, 1, "the event was not sent")
}

func TestLoginPageKeepsEvents(t *testing.T) {
	server := &hecServer{answer: func(_ int, w http.ResponseWriter) bool {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<!doctype html><title>Sign in</title>"))
		return true
	}}
	n, err := open(t, splunk.Config{Endpoint: server.start(t)}).Deliver(t.Context(), events(5, 10))
	assert.Zero(t, n)
	e := asError(t, err)
	assert.Equal(t, sink.VerdictBlock, e.Verdict)
	assert.Contains(t, e.Remedy, "Check Endpoint")
}

func TestSuccessWithoutBody(t *testing.T) {
	for name, answer := range map[string]func(http.ResponseWriter){
		"empty": func(w http.ResponseWriter) { w.WriteHeader(http.StatusOK) },
		"breaks off": func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "27")
			_, _ = w.Write([]byte(`{"text":"Succ`))
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := &hecServer{answer: func(_ int, w http.ResponseWriter) bool {
				answer(w)
				return true
			}}
			n, err := open(t, splunk.Config{Endpoint: server.start(t)}).Deliver(t.Context(), events(5, 10))
			require.NoError(t, err)
			assert.Equal(t, 5, n)
		})
	}
}

func TestRetryAfter(t *testing.T) {
	server := &hecServer{answer: func(_ int, w http.ResponseWriter) bool {
		w.Header().Set("Retry-After", "17")
		reply(w, http.StatusTooManyRequests, `{"text":"HEC queue is at capacity","code":26}`)
		return true
	}}
	_, err := open(t, splunk.Config{Endpoint: server.start(t)}).Deliver(t.Context(), events(1, 0))
	e := asError(t, err)
	assert.Equal(t, 17*time.Second, e.After)
	assert.Equal(t, sink.VerdictRetry, e.Verdict)
}

func TestRedirectIsNotFollowed(t *testing.T) {
	var followed bool
	other := (&hecServer{answer: func(int, http.ResponseWriter) bool {
		followed = true
		return true
	}}).start(t)
	server := &hecServer{answer: func(_ int, w http.ResponseWriter) bool {
		w.Header().Set("Location", other+"/?token="+token)
		w.WriteHeader(http.StatusTemporaryRedirect)
		return true
	}}
	_, err := open(t, splunk.Config{Endpoint: server.start(t)}).Deliver(t.Context(), events(1, 0))
	assert.Equal(t, sink.VerdictBlock, asError(t, err).Verdict)
	assert.False(t, followed)
	assert.NotContains(t, err.Error(), token)
}

func TestContext(t *testing.T) {
	server := &hecServer{}
	s := open(t, splunk.Config{Endpoint: server.start(t)})
	ctx, cancel := context.WithCancel(t.Context())
	server.answer = func(request int, _ http.ResponseWriter) bool {
		if request == 1 {
			cancel()
		}
		return false
	}
	n, err := s.Deliver(ctx, events(50, 60_000))
	require.ErrorIs(t, err, context.Canceled)
	assert.GreaterOrEqual(t, n, 16, "the first request was answered")
	assert.Less(t, n, 50)
}

func TestCloudHint(t *testing.T) {
	for name, test := range map[string]struct {
		endpoint string
		hinted   bool
	}{
		"stack on 443":  {"https://acme.splunkcloud.com", true},
		"right address": {"https://http-inputs-acme.splunkcloud.com", false},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := splunk.Config{Endpoint: test.endpoint}
			cfg.Network.DialContext = unreachable
			_, err := open(t, cfg).Deliver(t.Context(), events(1, 0))
			e := asError(t, err)
			assert.Equal(t, sink.VerdictRetry, e.Verdict)
			assert.Equal(t, test.hinted, strings.Contains(e.Remedy, "https://http-inputs-acme.splunkcloud.com"), e.Remedy)
		})
	}
}

// TestCloudHintAtTheWebInterface has the web interface of a Splunk Cloud stack answer that there is no such page.
func TestCloudHintAtTheWebInterface(t *testing.T) {
	web := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(web.Close)
	sum := sha256.Sum256(web.Certificate().Raw)
	cfg := splunk.Config{Endpoint: "https://acme.splunkcloud.com"}
	cfg.TLS.PinSHA256 = hex.EncodeToString(sum[:])
	cfg.Network.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, web.Listener.Addr().String())
	}
	_, err := open(t, cfg).Deliver(t.Context(), events(1, 0))
	e := asError(t, err)
	assert.Equal(t, sink.VerdictBlock, e.Verdict)
	assert.Equal(t, "404", e.Code)
	assert.Contains(t, e.Remedy, "Check Endpoint")
	assert.Contains(t, e.Remedy, "https://http-inputs-acme.splunkcloud.com")
}

// TestWarnings holds that each is given once, and that nothing of an event or a secret is in it.
func TestWarnings(t *testing.T) {
	var log bytes.Buffer
	server := &hecServer{acks: true}
	s := open(t, splunk.Config{
		Endpoint: server.start(t), Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	for range 3 {
		n, err := s.Deliver(t.Context(), events(2, 10_000))
		require.NoError(t, err)
		assert.Equal(t, 2, n)
	}
	assert.Equal(t, 1, strings.Count(log.String(), "useACK"))
	assert.Equal(t, 1, strings.Count(log.String(), "TRUNCATE"))
	assert.Equal(t, 2, strings.Count(log.String(), "\n"))
	assert.Contains(t, log.String(), `destination="splunk http://127.0.0.1:`)
	assert.NotContains(t, log.String(), token)
	assert.NotContains(t, log.String(), "xxx")
}

func TestNoWarningWithoutReason(t *testing.T) {
	var log bytes.Buffer
	server := &hecServer{}
	s := open(t, splunk.Config{Endpoint: server.start(t), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	_, err := s.Deliver(t.Context(), events(2, 9_000))
	require.NoError(t, err)
	assert.Empty(t, log.String())
}

// TestFullChannelIsReplaced has Splunk run out of room for acknowledgements that nobody asks for.
func TestFullChannelIsReplaced(t *testing.T) {
	for code, status := range map[int]int{25: 200, 27: 429} {
		server := &hecServer{answer: func(request int, w http.ResponseWriter) bool {
			if request == 0 {
				reply(w, status, fmt.Sprintf(`{"text":"capacity","code":%d}`, code))
			}
			return request == 0
		}}
		s := open(t, splunk.Config{Endpoint: server.start(t)})
		n, _ := s.Deliver(t.Context(), events(1, 0))
		assert.Equal(t, status == 200, n == 1)
		for range 2 {
			_, err := s.Deliver(t.Context(), events(1, 0))
			require.NoError(t, err)
		}
		channels := map[string]bool{}
		for _, r := range server.requests {
			channels[r.Header.Get("X-Splunk-Request-Channel")] = true
		}
		assert.Len(t, channels, 2, "one before, one after")
	}
}

// TestUnencodableTimes holds that no time makes a request that is not JSON.
func TestUnencodableTimes(t *testing.T) {
	server := &hecServer{}
	s := open(t, splunk.Config{Endpoint: server.start(t)})
	batch := events(6, 0)
	batch[0].Time = time.Time{}
	batch[1].Time = time.Unix(math.MaxInt64, 0)
	batch[2].Time = time.Unix(math.MinInt64, 999_999_999)
	batch[3].Time = time.Unix(0, 1)
	batch[4].Time = time.Unix(9_999_999_999, 999_999_999)
	batch[5].Time = time.Unix(10_000_000_000, 1)
	n, err := s.Deliver(t.Context(), batch)
	require.NoError(t, err)
	assert.Equal(t, 6, n)
	for i, line := range bytes.Split(bytes.TrimSpace(server.bodies[0]), []byte("\n")) {
		want := []string{
			`{"time":0,`, `{"time":9999999999,`, `{"time":0,`, `{"time":0.000000001,`, `{"time":9999999999.999999999,`,
			`{"time":9999999999,`, // one second more has 11 digits, and would be read as milliseconds
		}[i]
		assert.Contains(t, string(line), want)
	}
}
