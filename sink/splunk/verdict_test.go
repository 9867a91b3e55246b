package splunk

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/httpsend"
)

// want is what judge is to say.
type want struct {
	n       int
	nothing bool // no error
	verdict sink.Verdict
	index   []int
	code    string
}

var (
	accepted = want{n: 5, nothing: true}
	retried  = want{verdict: sink.VerdictRetry}
	blocked  = want{verdict: sink.VerdictBlock}
	splits   = want{verdict: sink.VerdictSplit}
)

func rejected(i int) want { return want{n: i + 1, verdict: sink.VerdictReject, index: []int{i}} }

func (w want) by(code string) want {
	w.code = code
	return w
}

func (w want) after(n int) want {
	w.n = n
	return w
}

// body writes an answer of HEC; number none is left out.
func body(code, number int) string {
	if number == none {
		return fmt.Sprintf(`{"text":"Text of Splunk","code":%d}`, code)
	}
	return fmt.Sprintf(`{"text":"Text of Splunk","code":%d,"invalid-event-number":%d}`, code, number)
}

// TestJudgeEveryCode has every code of the HTTP Event Collector with the HTTP status that it comes with, for a request
// of 5 events.
func TestJudgeEveryCode(t *testing.T) {
	tests := []struct {
		code, status, number int
		want                 want
	}{
		{0, 200, none, accepted},
		{1, 403, none, blocked},
		{2, 401, none, blocked},
		{3, 401, none, blocked},
		{4, 403, none, blocked},
		{5, 400, none, splits},
		{6, 400, 0, rejected(0)},
		{6, 400, 2, rejected(2)},
		{6, 400, 4, rejected(4)},
		{6, 400, 5, splits},
		{6, 400, none, splits},
		{7, 400, none, blocked},
		{7, 400, 0, blocked},
		{7, 400, 1, blocked},
		{7, 400, 2, blocked.after(1)},
		{7, 400, 5, blocked.after(4)},
		{7, 400, 6, blocked},
		{8, 500, none, retried},
		{9, 503, none, retried},
		{9, 503, 3, retried},
		{10, 400, none, blocked},
		{11, 400, none, blocked},
		{12, 400, 1, rejected(1)},
		{12, 400, none, splits},
		{13, 400, 1, rejected(1)},
		{13, 400, 99, splits},
		{14, 400, none, blocked},
		{15, 400, 3, rejected(3)},
		{15, 400, none, splits},
		{16, 400, none, blocked},
		{17, 200, none, accepted},
		{18, 503, none, retried},
		{19, 503, none, retried},
		{20, 503, none, retried},
		{21, 400, none, blocked},
		{22, 400, none, blocked},
		{23, 503, none, retried},
		{24, 200, none, accepted},
		{25, 200, none, accepted},
		{26, 429, none, retried},
		{27, 429, none, retried},
		{28, 400, none, blocked},
	}
	seen := map[int]bool{}
	for _, test := range tests {
		seen[test.code] = true
		t.Run(fmt.Sprintf("code %d number %d", test.code, test.number), func(t *testing.T) {
			check(t, test.want.by(fmt.Sprintf("HEC %d", test.code)), request{events: 5, bytes: 5_000},
				httpsend.Response{Status: test.status, Body: []byte(body(test.code, test.number))})
		})
	}
	for code := range codes {
		assert.True(t, seen[code], "code %d has no test", code)
	}
}

// check calls judge and compares what it says, and holds the promises that are the same for every failure.
func check(t *testing.T, want want, q request, r httpsend.Response) {
	t.Helper()
	n, err := judge(q, &r, readAnswer(r.Body))
	assert.Equal(t, want.n, n)
	if want.nothing {
		assert.Nil(t, err)
		return
	}
	require.NotNil(t, err)
	assert.Equal(t, want.verdict, err.Verdict)
	assert.Equal(t, want.index, err.Index)
	assert.Equal(t, len(want.index), err.Count)
	assert.Equal(t, want.code, err.Code)
	assert.NotEmpty(t, err.Remedy)
	assert.True(t, strings.HasSuffix(err.Remedy, "."), "the remedy is a sentence")
	assert.True(t, strings.HasPrefix(err.Error(), "splunk: "), err.Error())
	assert.Contains(t, err.Error(), fmt.Sprintf("answered %d", r.Status))
	assert.NotContains(t, err.Error(), "Text of Splunk")
	assert.NotContains(t, err.Remedy, "Text of Splunk")
}

func TestJudgeWithoutCode(t *testing.T) {
	const page = "<!doctype html><title>Text of Splunk</title>"
	for name, test := range map[string]struct {
		status int
		body   string
		want   want
	}{
		"redirect":                  {302, "", blocked.by("302")},
		"redirect with a code":      {307, body(0, none), blocked.by("307")},
		"not modified":              {304, "", blocked.by("304")},
		"400 of a proxy":            {400, page, splits.by("400")},
		"400 with a foreign code":   {400, body(1234, none), splits.by("400")},
		"400 with the code of 200":  {400, body(24, none), splits.by("400")},
		"401 of a proxy":            {401, page, blocked.by("401")},
		"402":                       {402, "", blocked.by("402")},
		"403 of a firewall":         {403, page, blocked.by("403")},
		"404 of Splunk":             {404, body(404, none), blocked.by("404")},
		"405":                       {405, body(404, none), blocked.by("405")},
		"407":                       {407, "", blocked.by("407")},
		"408":                       {408, "", retried.by("408")},
		"410":                       {410, "", blocked.by("410")},
		"413":                       {413, page, splits.by("413")},
		"413 that names an event":   {413, body(6, 0), splits.by("413")},
		"415":                       {415, page, blocked.by("415")},
		"418":                       {418, "", blocked.by("418")},
		"422":                       {422, "", splits.by("422")},
		"425":                       {425, "", retried.by("425")},
		"429 of a proxy":            {429, page, retried.by("429")},
		"429 with the code of busy": {429, body(9, none), retried.by("HEC 9")},
		"500 of a proxy":            {500, page, retried.by("500")},
		"502":                       {502, page, retried.by("502")},
		"503 with a blocking code":  {503, body(4, none), retried.by("503")},
		"503 that names an event":   {503, body(6, 1), retried.by("503")},
		"403 that names an event":   {403, body(6, 1), blocked.by("403")},
		"403 with a bad index":      {403, body(7, 2), blocked.by("403")},
		"422 that names an event":   {422, body(6, 1), rejected(1).by("HEC 6")},
		"504":                       {504, page, retried.by("504")},
		"599":                       {599, "", retried.by("599")},
		"no status":                 {0, "", retried.by("0")},
		"400 with the code of busy": {400, body(9, none), retried.by("HEC 9")},
		"401 with the code of 403":  {401, body(4, none), blocked.by("HEC 4")},
	} {
		t.Run(name, func(t *testing.T) {
			check(t, test.want, request{events: 5, bytes: 5_000}, httpsend.Response{Status: test.status, Body: []byte(test.body)})
		})
	}
}

func TestJudgeSuccess(t *testing.T) {
	for name, test := range map[string]struct {
		r    httpsend.Response
		want want
	}{
		"success":                    {httpsend.Response{Status: 200, Body: []byte(`{"text":"Success","code":0}`)}, accepted},
		"created":                    {httpsend.Response{Status: 201, Body: []byte(`{"text":"Success","code":0}`)}, accepted},
		"no content":                 {httpsend.Response{Status: 204}, accepted},
		"with an ackId":              {httpsend.Response{Status: 200, Body: []byte(`{"text":"Success","code":0,"ackId":0}`)}, accepted},
		"white space around":         {httpsend.Response{Status: 200, Body: []byte("\r\n {\"code\": 0 }\r\n")}, accepted},
		"unknown code":               {httpsend.Response{Status: 200, Body: []byte(`{"code":77}`)}, accepted},
		"code of a failure":          {httpsend.Response{Status: 200, Body: []byte(`{"code":6,"invalid-event-number":1}`)}, accepted},
		"no body":                    {httpsend.Response{Status: 200}, accepted},
		"white space only":           {httpsend.Response{Status: 200, Body: []byte("\r\n")}, accepted},
		"broke off":                  {httpsend.Response{Status: 200, Body: []byte(`{"text":"Succ`), BodyErr: io.ErrUnexpectedEOF}, accepted},
		"longer than what is read":   {httpsend.Response{Status: 200, Body: []byte(`{"text":"`), BodyErr: httpsend.ErrBodyTooLarge}, blocked.by("200")},
		"broke off before the body":  {httpsend.Response{Status: 200, BodyErr: io.ErrUnexpectedEOF}, accepted},
		"login page":                 {httpsend.Response{Status: 200, Body: []byte("<html>Sign in</html>")}, blocked.by("200")},
		"text":                       {httpsend.Response{Status: 200, Body: []byte("OK")}, blocked.by("200")},
		"another API":                {httpsend.Response{Status: 200, Body: []byte(`{"status":"ok"}`)}, blocked.by("200")},
		"array":                      {httpsend.Response{Status: 200, Body: []byte(`[0]`)}, blocked.by("200")},
		"null":                       {httpsend.Response{Status: 200, Body: []byte(`null`)}, blocked.by("200")},
		"code is text":               {httpsend.Response{Status: 200, Body: []byte(`{"code":"0"}`)}, blocked.by("200")},
		"code is null":               {httpsend.Response{Status: 200, Body: []byte(`{"code":null}`)}, blocked.by("200")},
		"code is a fraction":         {httpsend.Response{Status: 200, Body: []byte(`{"code":0.5}`)}, blocked.by("200")},
		"whole body, half an object": {httpsend.Response{Status: 200, Body: []byte(`{"code":0`)}, blocked.by("200")},
		"an object and something on": {httpsend.Response{Status: 200, Body: []byte(`{"code":0}<html>`)}, blocked.by("200")},
		"invalid UTF-8 in the text":  {httpsend.Response{Status: 200, Body: []byte("{\"text\":\"\xff\",\"code\":0}")}, accepted},
		"unknown keys around":        {httpsend.Response{Status: 200, Body: []byte(`{"extra":{"code":4},"code":0}`)}, accepted},
	} {
		t.Run(name, func(t *testing.T) {
			check(t, test.want, request{events: 5, bytes: 5_000}, test.r)
		})
	}
}

// TestJudgeOversizeLookalike has the answer of Splunk Cloud to a body over its cap: the first event is said to be bad.
func TestJudgeOversizeLookalike(t *testing.T) {
	for name, test := range map[string]struct {
		q    request
		body string
		want want
	}{
		"many large":           {request{events: 500, bytes: 900_000}, body(6, 0), splits},
		"two, just large":      {request{events: 2, bytes: lookalike}, body(6, 0), splits},
		"two, not quite large": {request{events: 2, bytes: lookalike - 1}, body(6, 0), rejected(0)},
		"one alone":            {request{events: 1, bytes: 900_000}, body(6, 0), rejected(0)},
		"a later one is named": {request{events: 500, bytes: 900_000}, body(6, 1), rejected(1)},
	} {
		t.Run(name, func(t *testing.T) {
			check(t, test.want.by("HEC 6"), test.q, httpsend.Response{Status: 400, Body: []byte(test.body)})
		})
	}
	check(t, rejected(0).by("HEC 13"), request{events: 500, bytes: 900_000}, httpsend.Response{Status: 400, Body: []byte(body(13, 0))})
}

func TestJudgeKeepsRetryAfter(t *testing.T) {
	for _, text := range []string{"", body(9, none)} {
		r := &httpsend.Response{Status: http.StatusServiceUnavailable, RetryAfter: time.Minute, Body: []byte(text)}
		_, err := judge(request{events: 1}, r, readAnswer(r.Body))
		require.NotNil(t, err)
		assert.Equal(t, time.Minute, err.After)
	}
}

func TestReadAnswer(t *testing.T) {
	nothing := answer{code: none, number: none, ack: none}
	for name, test := range map[string]struct {
		body string
		want answer
	}{
		"nothing":              {"", nothing},
		"html":                 {"<html>", nothing},
		"number":               {body(6, 3), answer{code: 6, number: 3, ack: none}},
		"number is text":       {`{"code":6,"invalid-event-number":"3"}`, answer{code: 6, number: none, ack: none}},
		"number is negative":   {`{"code":6,"invalid-event-number":-1}`, answer{code: 6, number: none, ack: none}},
		"number is huge":       {`{"code":6,"invalid-event-number":99999999999999999999}`, answer{code: 6, number: none, ack: none}},
		"number is a fraction": {`{"code":6,"invalid-event-number":1.0}`, answer{code: 6, number: none, ack: none}},
		"code is huge":         {`{"code":99999999999}`, nothing},
		"code is negative":     {`{"code":-1}`, nothing},
		"ackId":                {`{"code":0,"ackId":0}`, answer{code: 0, number: none, ack: 0}},
		"ackId is null":        {`{"code":0,"ackId":null}`, answer{code: 0, number: none, ack: none}},
		"ackId of 2^31":        {`{"code":0,"ackId":2147483648}`, answer{code: 0, number: none, ack: 1 << 31}},
		"ackId is text":        {`{"code":0,"ackId":"7"}`, answer{code: 0, number: none, ack: 7}},
		"ackId is negative":    {`{"code":0,"ackId":-1}`, answer{code: 0, number: none, ack: none}},
		"ackId is huge":        {`{"code":0,"ackId":9223372036854775808}`, answer{code: 0, number: none, ack: none}},
		"without a code":       {`{"invalid-event-number":3,"ackId":1}`, nothing},
		"deeply nested":        {strings.Repeat("[", 30_000), nothing},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, readAnswer([]byte(test.body)))
		})
	}
}

func TestReadAcks(t *testing.T) {
	for name, test := range map[string]struct {
		body string
		want []ackID
		ok   bool
	}{
		"some":          {`{"acks":{"0":true,"1":false,"12":true}}`, []ackID{0, 12}, true},
		"none":          {`{"acks":{}}`, nil, true},
		"strange names": {`{"acks":{"-1":true,"x":true,"":true,"1.0":true}}`, nil, true},
		"no object":     {`{"acks":[0]}`, nil, false},
		"no booleans":   {`{"acks":{"0":"true"}}`, nil, false},
		"null":          {`{"acks":null}`, nil, false},
		"another":       {`{"text":"Success","code":0}`, nil, false},
		"html":          {"<html>", nil, false},
		"nothing":       {"", nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := readAcks([]byte(test.body))
			slices.Sort(got)
			assert.Equal(t, test.want, got)
			assert.Equal(t, test.ok, ok)
		})
	}
}

// FuzzReadAnswer checks that no response makes judge panic or break its promises.
func FuzzReadAnswer(f *testing.F) {
	for code := range codes {
		f.Add(400, []byte(body(code, 1)), false, 3, 100)
	}
	f.Add(200, []byte(`{"text":"Success","code":0,"ackId":7}`), false, 1, 1)
	f.Add(200, []byte("<html>"), true, 1, 1_000_000)
	f.Fuzz(func(t *testing.T, status int, body []byte, broke bool, events, size int) {
		q := request{events: 1 + max(events, 0)%10_000, bytes: size}
		r := &httpsend.Response{Status: status, Body: body}
		if broke {
			r.BodyErr = io.ErrUnexpectedEOF
		}
		n, err := judge(q, r, readAnswer(r.Body))
		if err == nil {
			require.Equal(t, q.events, n)
			require.Equal(t, 2, status/100)
			return
		}
		require.GreaterOrEqual(t, n, 0)
		require.LessOrEqual(t, n, q.events)
		require.NotEmpty(t, err.Code)
		require.NotEmpty(t, err.Remedy)
		if err.Verdict == sink.VerdictReject {
			require.Equal(t, []int{n - 1}, err.Index)
		} else if err.Verdict != sink.VerdictBlock {
			require.Zero(t, n)
		}
		require.Less(t, len(err.Error()), 300)
	})
}
