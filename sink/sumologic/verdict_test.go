package sumologic_test

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/sink"
)

func TestVerdicts(t *testing.T) {
	const retry, block, split = sink.VerdictRetry, sink.VerdictBlock, sink.VerdictSplit
	for status, want := range map[int]struct {
		verdict sink.Verdict
		text    string
		remedy  string // part of it
	}{
		302: {block, `sumologic: the destination answered 302 Found and named the host "other.example"`, "redirects are not followed"},
		400: {split, "sumologic: Sumo Logic cannot read the request (400)", "events that are refused"},
		401: {block, "sumologic: Sumo Logic does not know the URL (401)", "some minutes"},
		403: {block, "sumologic: Sumo Logic does not permit the request (403)", "Copy the URL"},
		404: {block, "sumologic: there is no source at the URL (404)", "Copy the URL"},
		405: {block, "sumologic: what is at the URL takes no events (405)", "Copy the URL"},
		407: {block, "sumologic: the destination answered 407 Proxy Authentication Required", "proxy"},
		408: {retry, "sumologic: Sumo Logic waited too long for the request (408)", "how fast"},
		410: {block, "sumologic: the destination answered 410 Gone", "URL"},
		413: {split, "sumologic: the request is too large (413)", "publish less"},
		415: {block, "sumologic: the destination answered 415 Unsupported Media Type", "none"},
		422: {split, "sumologic: the destination answered 422 Unprocessable Entity", "log"},
		425: {retry, "sumologic: the destination answered 425 Too Early", "Nothing"},
		429: {retry, "sumologic: the account sends more than Sumo Logic takes in a minute (429)", "higher limit"},
		500: {retry, "sumologic: Sumo Logic has a fault of its own (500)", "Nothing"},
		502: {retry, "sumologic: Sumo Logic cannot be reached behind its balancer (502)", "Nothing"},
		503: {retry, "sumologic: Sumo Logic cannot serve at the moment (503)", "Nothing"},
		504: {retry, "sumologic: Sumo Logic did not answer its balancer in time (504)", "Nothing"},
		599: {retry, "sumologic: the destination answered 599", "Nothing"},
	} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			s := newFakeSource(t, func(w http.ResponseWriter, _ []byte) {
				w.Header().Set("Retry-After", "9")
				w.Header().Set("Location", "https://other.example/"+code)
				w.WriteHeader(status)
				_, _ = io.WriteString(w, `{"status":`+strconv.Itoa(status)+`,"errors":[{"code":"`+code+`","message":"`+code+`"}]}`)
			})
			n, err := open(t, endpoint(s.url)).Deliver(t.Context(), events(3, 0))
			assert.Zero(t, n)
			e := asError(t, err)
			assert.Equal(t, want.verdict, e.Verdict)
			assert.EqualError(t, e, want.text)
			assert.Equal(t, strconv.Itoa(status), e.Code)
			assert.Contains(t, e.Remedy, want.remedy)
			assert.Equal(t, 9*time.Second, e.After)
			assert.Len(t, s.requests, 1, "one attempt")
		})
	}
}

func TestAccepted(t *testing.T) {
	for status, body := range map[int]string{
		200: "", 201: "OK", 202: `{"status":400,"code":"x"}`, 204: "", 299: strings.Repeat("x", 100_000),
	} {
		s := newFakeSource(t, func(w http.ResponseWriter, _ []byte) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		})
		n, err := open(t, endpoint(s.url)).Deliver(t.Context(), events(3, 0))
		require.NoError(t, err, status)
		assert.Equal(t, 3, n)
	}
}

func TestALoginPageBlocks(t *testing.T) {
	s := newFakeSource(t, func(w http.ResponseWriter, _ []byte) {
		_, _ = io.WriteString(w, "<!DOCTYPE html><title>Sign in</title>")
	})
	n, err := open(t, endpoint(s.url)).Deliver(t.Context(), events(3, 0))
	assert.Zero(t, n)
	assert.Equal(t, sink.VerdictBlock, asError(t, err).Verdict)
	assert.Contains(t, err.Error(), "sign-in page")
}

func TestNoAnswer(t *testing.T) {
	c := endpoint("https://siem.invalid/receiver/v1/http/" + code)
	c.Network.DialContext = refuse
	n, err := open(t, c).Deliver(t.Context(), events(1, 0))
	assert.Zero(t, n)
	e := asError(t, err)
	assert.Equal(t, sink.VerdictRetry, e.Verdict)
	assert.EqualError(t, e, "sumologic: cannot connect to siem.invalid:443: no route to [REDACTED]")
	assert.NotEmpty(t, e.Remedy)
}
