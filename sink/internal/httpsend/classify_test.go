package httpsend_test

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/httpsend"
)

func TestClassify(t *testing.T) {
	tests := map[string]struct {
		r       httpsend.Response
		verdict sink.Verdict
		text    string
		code    string
	}{
		"sign-in page":              {httpsend.Response{Status: 200, Body: []byte("<html>Sign in")}, sink.VerdictBlock, "a web page came back with status 200 OK: a sign-in page, or a server that takes no events", "200"},
		"long page":                 {httpsend.Response{Status: 203, Body: []byte("<html>"), BodyErr: httpsend.ErrBodyTooLarge}, sink.VerdictBlock, "a web page came back with status 203 Non-Authoritative Information: a sign-in page, or a server that takes no events", "203"},
		"moved":                     {httpsend.Response{Status: 301, LocationHost: `"other.example"`}, sink.VerdictBlock, `the destination answered 301 Moved Permanently and named the host "other.example"`, "301"},
		"found":                     {httpsend.Response{Status: 302}, sink.VerdictBlock, "the destination answered 302 Found", "302"},
		"not modified":              {httpsend.Response{Status: 304}, sink.VerdictBlock, "the destination answered 304 Not Modified", "304"},
		"permanent redirect":        {httpsend.Response{Status: 308}, sink.VerdictBlock, "the destination answered 308 Permanent Redirect", "308"},
		"unknown 3xx":               {httpsend.Response{Status: 399}, sink.VerdictBlock, "the destination answered 399", "399"},
		"bad request":               {httpsend.Response{Status: 400}, sink.VerdictSplit, "the destination answered 400 Bad Request", "400"},
		"unauthorized":              {httpsend.Response{Status: 401}, sink.VerdictBlock, "the destination answered 401 Unauthorized", "401"},
		"forbidden":                 {httpsend.Response{Status: 403}, sink.VerdictBlock, "the destination answered 403 Forbidden", "403"},
		"not found":                 {httpsend.Response{Status: 404}, sink.VerdictBlock, "the destination answered 404 Not Found", "404"},
		"method":                    {httpsend.Response{Status: 405}, sink.VerdictBlock, "the destination answered 405 Method Not Allowed", "405"},
		"proxy":                     {httpsend.Response{Status: 407}, sink.VerdictBlock, "the destination answered 407 Proxy Authentication Required", "407"},
		"request time-out":          {httpsend.Response{Status: 408}, sink.VerdictRetry, "the destination answered 408 Request Timeout", "408"},
		"gone":                      {httpsend.Response{Status: 410}, sink.VerdictBlock, "the destination answered 410 Gone", "410"},
		"too large":                 {httpsend.Response{Status: 413}, sink.VerdictSplit, "the destination answered 413 Request Entity Too Large", "413"},
		"media type":                {httpsend.Response{Status: 415}, sink.VerdictBlock, "the destination answered 415 Unsupported Media Type", "415"},
		"teapot":                    {httpsend.Response{Status: 418}, sink.VerdictBlock, "the destination answered 418 I'm a teapot", "418"},
		"unprocessable":             {httpsend.Response{Status: 422}, sink.VerdictSplit, "the destination answered 422 Unprocessable Entity", "422"},
		"too early":                 {httpsend.Response{Status: 425}, sink.VerdictRetry, "the destination answered 425 Too Early", "425"},
		"too many":                  {httpsend.Response{Status: 429}, sink.VerdictRetry, "the destination answered 429 Too Many Requests", "429"},
		"unknown 4xx":               {httpsend.Response{Status: 499}, sink.VerdictBlock, "the destination answered 499", "499"},
		"internal":                  {httpsend.Response{Status: 500}, sink.VerdictRetry, "the destination answered 500 Internal Server Error", "500"},
		"not implemented":           {httpsend.Response{Status: 501}, sink.VerdictRetry, "the destination answered 501 Not Implemented", "501"},
		"gateway":                   {httpsend.Response{Status: 502}, sink.VerdictRetry, "the destination answered 502 Bad Gateway", "502"},
		"unavailable":               {httpsend.Response{Status: 503}, sink.VerdictRetry, "the destination answered 503 Service Unavailable", "503"},
		"unknown 5xx":               {httpsend.Response{Status: 599}, sink.VerdictRetry, "the destination answered 599", "599"},
		"switching protocols":       {httpsend.Response{Status: 101}, sink.VerdictRetry, "the destination answered 101 Switching Protocols", "101"},
		"zero":                      {httpsend.Response{Status: 0}, sink.VerdictRetry, "the destination answered 0", "0"},
		"beyond":                    {httpsend.Response{Status: 600}, sink.VerdictRetry, "the destination answered 600", "600"},
		"three digits at the most":  {httpsend.Response{Status: 999}, sink.VerdictRetry, "the destination answered 999", "999"},
		"a page that says not here": {httpsend.Response{Status: 404, Body: []byte("<html>")}, sink.VerdictBlock, "the destination answered 404 Not Found", "404"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.r.RetryAfter = 7 * time.Second
			e, ok := errors.AsType[*sink.Error](httpsend.Classify(&test.r))
			require.True(t, ok)
			assert.Equal(t, test.verdict, e.Verdict)
			assert.EqualError(t, e, test.text)
			assert.Equal(t, test.code, e.Code)
			assert.Equal(t, 7*time.Second, e.After)
			assert.NotEmpty(t, e.Remedy)
		})
	}
}

func TestClassifyAccepts(t *testing.T) {
	for name, r := range map[string]httpsend.Response{
		"empty":                   {Status: 200},
		"no content":              {Status: 204},
		"JSON":                    {Status: 200, Body: []byte(`{"ok":true}`)},
		"text that quotes a page": {Status: 202, Body: []byte("ok <html>")},
		"broken off":              {Status: 200, Body: []byte("{"), BodyErr: io.ErrUnexpectedEOF},
		"a page, broken off":      {Status: 200, Body: []byte("<html>"), BodyErr: io.ErrUnexpectedEOF},
		"long":                    {Status: 299, Body: []byte("x"), BodyErr: httpsend.ErrBodyTooLarge},
	} {
		t.Run(name, func(t *testing.T) { assert.NoError(t, httpsend.Classify(&r)) })
	}
}
