package sumologic_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/eventjson"
	"github.com/auditstream/auditstream/sink/sumologic"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// TestGolden compares whole requests with files: the headers of ours, an empty line, and the body.
func TestGolden(t *testing.T) {
	odd := event(1, 0)
	odd.Message = "two\nlines, a return\r, a tab\t, quotes \" and \u2028 separators"
	odd.Attributes = []slog.Attr{slog.String("key\n", "\x00"), slog.Any("list", []any{nil, int64(1) << 60})}
	for name, test := range map[string]struct {
		config sumologic.Config
		batch  []sink.Event
	}{
		"least": {config: sumologic.Config{}, batch: []sink.Event{event(0, 0)}},
		"metadata": {
			config: sumologic.Config{
				Category: "acme/audit", Name: "deploy server", Host: "deploy-1.acme.example",
				Fields: map[string]string{"tenant": "acme", "env": "prod eu", "a:b": "c/d"},
			},
			batch: []sink.Event{event(0, 0)},
		},
		"lines": {config: sumologic.Config{}, batch: []sink.Event{event(0, 1), odd, event(2, 3)}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, compression := range []sumologic.Compression{"", sumologic.Gzip, sumologic.None} {
				s := newFakeSource(t, nil)
				test.config.Endpoint, test.config.Compression = secret.New(s.url), compression
				n, err := open(t, test.config).Deliver(t.Context(), slices.Clone(test.batch))
				require.NoError(t, err)
				assert.Equal(t, len(test.batch), n)
				require.Len(t, s.requests, 1)
				r := s.requests[0]
				assert.Equal(t, "POST /receiver/v1/http/"+code, r.Method+" "+r.RequestURI)
				assert.Equal(t, compression != sumologic.None, r.Header.Get("Content-Encoding") == "gzip")
				r.Header.Del("Content-Encoding")
				r.Header.Del("Content-Length")

				var got bytes.Buffer
				for _, name := range slices.Sorted(maps.Keys(r.Header)) {
					fmt.Fprintf(&got, "%s: %s\n", name, strings.Join(r.Header[name], "; "))
				}
				got.WriteString("\n" + string(s.bodies[0]))
				file := filepath.Join("testdata", name+".txt")
				if *update {
					require.NoError(t, os.WriteFile(file, got.Bytes(), 0o600))
				}
				want, err := os.ReadFile(file)
				require.NoError(t, err)
				assert.Equal(t, string(want), got.String())
			}
		})
	}
}

// The URL is the credential, so not a byte of it may change on its way.
func TestTheURLArrivesByteForByte(t *testing.T) {
	s := newFakeSource(t, nil)
	base := strings.TrimSuffix(s.url, code)
	for _, path := range []string{"a==", "a%3D%3d", "a/b;c=d", "%41%42", "a?x=1&y=%20", "a//b/", "~a-b_c.d!$&'()*+,:@"} {
		for _, c := range []sumologic.Config{
			endpoint(base + path),
			{Endpoint: secret.New(base + "#{Secret}"), Secret: secret.New(path)},
		} {
			if strings.Contains(path, "?") && !c.Secret.IsZero() {
				continue // A token may not add a query.
			}
			_, err := open(t, c).Deliver(t.Context(), events(1, 0))
			require.NoError(t, err)
			assert.Equal(t, "/receiver/v1/http/"+path, s.requests[len(s.requests)-1].RequestURI)
		}
	}
}

func TestRequestsHoldAtMostAMegabyte(t *testing.T) {
	s := newFakeSource(t, nil)
	batch := events(100, 30_000)
	n, err := open(t, endpoint(s.url)).Deliver(t.Context(), batch)
	require.NoError(t, err)
	assert.Equal(t, 100, n)
	var all []byte
	for _, b := range s.bodies {
		assert.LessOrEqual(t, len(b), 1_000_000)
		all = append(all, b...)
	}
	assert.Len(t, s.bodies, 4, "and are filled")
	var want []byte
	for i := range batch {
		want = append(eventjson.Append(want, &batch[i]), '\n')
	}
	assert.Equal(t, string(want), string(all))
}

// sized returns an event whose JSON is exactly n bytes long.
func sized(i, n int) sink.Event {
	e := event(i, 1)
	least := len(eventjson.Append(nil, &e))
	return event(i, n-least+1)
}

func TestARequestIsFilledToTheLastByte(t *testing.T) {
	s := newFakeSource(t, nil)
	k := open(t, endpoint(s.url))
	batch := make([]sink.Event, 0, 20)
	for i := range 20 {
		batch = append(batch, sized(i, 50_000-1)) // and a line feed
	}
	n, err := k.Deliver(t.Context(), batch)
	require.NoError(t, err)
	assert.Equal(t, 20, n)
	require.Len(t, s.bodies, 1)
	assert.Len(t, s.bodies[0], 1_000_000)

	batch[19] = sized(19, 50_000)
	n, err = k.Deliver(t.Context(), batch)
	require.NoError(t, err)
	assert.Equal(t, 20, n)
	require.Len(t, s.bodies, 3)
	assert.Len(t, s.bodies[1], 950_000)
}

func TestAnEventTooLongForAMessageIsRejected(t *testing.T) {
	s := newFakeSource(t, nil)
	k := open(t, endpoint(s.url))
	for name, test := range map[string]struct {
		batch []sink.Event
		n     int // -1: all of them
		sent  int
	}{
		"the longest":  {[]sink.Event{sized(0, 65_535)}, -1, 1},
		"a byte more":  {[]sink.Event{sized(0, 65_536)}, 1, 0},
		"in between":   {[]sink.Event{event(0, 0), event(1, 0), sized(2, 65_536), event(3, 0)}, 3, 2},
		"more than 1M": {[]sink.Event{event(0, 0), sized(1, 2_000_000), event(2, 0)}, 2, 1},
		"at the end":   {[]sink.Event{event(0, 0), sized(1, 65_536)}, 2, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s.bodies = nil
			n, err := k.Deliver(t.Context(), test.batch)
			assert.Equal(t, test.sent, bytes.Count(bytes.Join(s.bodies, nil), []byte("\n")))
			if test.n < 0 {
				require.NoError(t, err)
				assert.Equal(t, len(test.batch), n)
				return
			}
			e := asError(t, err)
			assert.Equal(t, test.n, n)
			assert.Equal(t, sink.VerdictReject, e.Verdict)
			assert.Equal(t, []int{n - 1}, e.Index)
			assert.Contains(t, e.Error(), "a message holds at most 65535")
			assert.NotEmpty(t, e.Remedy)
		})
	}
}

func TestDeliverStopsAtTheFirstFailure(t *testing.T) {
	requests := 0
	s := newFakeSource(t, func(w http.ResponseWriter, _ []byte) {
		if requests++; requests == 2 {
			w.Header().Set("Retry-After", "9")
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	n, err := open(t, endpoint(s.url)).Deliver(t.Context(), events(100, 30_000))
	assert.Equal(t, sink.VerdictRetry, asError(t, err).Verdict)
	assert.Equal(t, bytes.Count(s.bodies[0], []byte("\n")), n)
	assert.Len(t, s.bodies, 2)
}

func TestTheEndOfTheContextIsReturned(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := newFakeSource(t, func(http.ResponseWriter, []byte) { cancel() })
	s.answer = func(w http.ResponseWriter, _ []byte) {
		if len(s.bodies) == 2 {
			cancel()
			<-ctx.Done()
			panic(http.ErrAbortHandler)
		}
	}
	n, err := open(t, endpoint(s.url)).Deliver(ctx, events(100, 30_000))
	assert.Equal(t, bytes.Count(s.bodies[0], []byte("\n")), n)
	assert.Equal(t, context.Canceled, err)
}

func TestComplaintsAreLoggedOnce(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		body   string
		warns  bool
	}{
		"fields dropped": {200, `{"status":200,"id":"X","code":"bad.http.header.fields","message":"` + code + `"}`, true},
		"empty":          {200, "", false},
		"no content":     {204, "", false},
		"no code":        {200, `{"status":200,"id":"X"}`, false},
		"not JSON":       {200, "OK", false},
		"array":          {200, `["code"]`, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newFakeSource(t, func(w http.ResponseWriter, _ []byte) {
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
			})
			c := endpoint(s.url)
			log, text := newLogger()
			c.Logger = log
			k := open(t, c)
			for range 3 {
				n, err := k.Deliver(t.Context(), events(2, 0))
				require.NoError(t, err, "the events are taken")
				assert.Equal(t, 2, n)
			}
			want := 0
			if test.warns {
				want = 1
				assert.Contains(t, text.String(), `bad.http.header.fields`)
				assert.Contains(t, text.String(), "level=WARN")
			}
			assert.Equal(t, want, strings.Count(text.String(), "\n"))
			assert.NotContains(t, text.String(), code)
		})
	}
}

func TestDeliverAfterALargeBatchKeepsLittle(t *testing.T) {
	s := newFakeSource(t, nil)
	k := open(t, endpoint(s.url))
	for _, batch := range [][]sink.Event{events(60, 30_000), {sized(0, 5_000_000)}, events(1, 0)} {
		_, err := k.Deliver(t.Context(), batch)
		if err != nil {
			require.True(t, errors.As(err, new(*sink.Error)))
		}
	}
	assert.Equal(t, 1, bytes.Count(s.bodies[len(s.bodies)-1], []byte("\n")), "nothing of an earlier batch is sent")
}
