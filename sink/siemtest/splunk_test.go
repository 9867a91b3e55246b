package siemtest_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/siemtest"
)

const channel = "0f0e0d0c-0b0a-4908-8706-050403020100"

func newSplunk(t *testing.T, cfg siemtest.SplunkConfig) *siemtest.Splunk {
	t.Helper()
	s, err := siemtest.NewSplunk(cfg)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

// hecPost returns a request with events, as a good client sends it.
func hecPost(s *siemtest.Splunk, body string) request {
	return request{
		method: http.MethodPost, url: s.URL() + "/services/collector/event", body: body,
		header: map[string]string{"Authorization": "Splunk " + s.Token(), "X-Splunk-Request-Channel": channel},
	}
}

// hecEvent returns one object of a body.
func hecEvent(id string) string {
	return `{"time":1700000000.123,"host":"h","source":"s","sourcetype":"st","index":"main","fields":{"a":"b"},` +
		`"event":{"id":"` + id + `","stream_id":"st1","sequence":9,"action":"project.delete"}}` + "\n"
}

func TestSplunkTakesEvents(t *testing.T) {
	t.Parallel()
	for name, encode := range map[string]func(*testing.T, string) string{"": nil, "gzip": gzipped} {
		t.Run("encoding "+name, func(t *testing.T) {
			t.Parallel()
			s := newSplunk(t, siemtest.SplunkConfig{})
			r := hecPost(s, hecEvent("e1")+hecEvent("e2"))
			plain := len(r.body)
			if encode != nil {
				r.body = encode(t, r.body)
				r.header["Content-Encoding"] = name
			}
			resp := r.send(t, newClient(t, s))
			assert.Equal(t, http.StatusOK, resp.status)
			assert.JSONEq(t, `{"text":"Success","code":0}`, resp.body)
			assert.Equal(t, []string{"e1", "e2"}, s.IDs())

			got := s.Events()[1]
			assert.Equal(t, "e2", got.ID)
			assert.Equal(t, uint64(9), got.Sequence)
			assert.Equal(t, "st1", got.StreamID)
			assert.Equal(t, "project.delete", got.Action)
			assert.JSONEq(t, `{"id":"e2","stream_id":"st1","sequence":9,"action":"project.delete"}`, string(got.Raw))
			assert.Equal(t, "project.delete", got.Document["action"])
			assert.Equal(t, map[string]any{
				"time": json.Number("1700000000.123"), "host": "h", "source": "s", "sourcetype": "st", "index": "main",
				"fields": map[string]any{"a": "b"},
			}, got.Metadata)
			assert.Equal(t, "#9 project.delete e2", got.String())

			requests := s.Requests()
			require.Len(t, requests, 1)
			assert.Equal(t, 2, requests[0].Events)
			assert.Equal(t, http.StatusOK, requests[0].Status)
			assert.Equal(t, plain, requests[0].Bytes)
			assert.Equal(t, len(r.body), requests[0].WireBytes)
			assert.Equal(t, "/services/collector/event", requests[0].Path)
			assert.Equal(t, "Splunk "+s.Token(), requests[0].Sent("Authorization"))
			assertHidden(t, fmt.Sprintf("%+v %#v", requests, requests), s.Token())
		})
	}
}

func TestSplunkReadsObjectByObject(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		body    string
		status  int
		code    int
		invalid int // -1: not in the answer
		indexed []string
	}{
		"no data":            {"", 400, 5, -1, nil},
		"only white space":   {" \n", 400, 5, -1, nil},
		"broken JSON":        {hecEvent("a") + `{"event":`, 400, 6, 1, []string{"a"}},
		"stray brace":        {hecEvent("a") + `}` + hecEvent("b"), 400, 6, 1, []string{"a"}},
		"array":              {`[{"event":"x"}]`, 400, 6, 0, nil},
		"not an object":      {hecEvent("a") + `null`, 400, 6, 1, []string{"a"}},
		"no event":           {hecEvent("a") + `{"host":"h"}` + hecEvent("c"), 400, 12, 1, []string{"a"}},
		"event null":         {`{"event":null}`, 400, 13, 0, nil},
		"event blank":        {hecEvent("a") + hecEvent("b") + `{"event":""}`, 400, 13, 2, []string{"a", "b"}},
		"wrong index":        {hecEvent("a") + `{"index":"secret","event":"x"}` + hecEvent("c"), 400, 7, 2, []string{"a"}},
		"nested fields":      {hecEvent("a") + `{"fields":{"a":{"b":1}},"event":"x"}`, 400, 15, 1, []string{"a"}},
		"array in array":     {`{"fields":{"a":[["b"]]},"event":"x"}`, 400, 15, 0, nil},
		"fields not object":  {`{"fields":[],"event":"x"}`, 400, 15, 0, nil},
		"host not text":      {`{"host":1,"event":"x"}`, 400, 6, 0, nil},
		"time not a number":  {`{"time":"soon","event":"x"}`, 400, 6, 0, nil},
		"time as text":       {`{"time":"1700000000.5","event":{"id":"a"}}`, 200, 0, -1, []string{"a"}},
		"unknown key":        {hecEvent("a") + `{"evnt":"x","event":"x"}` + hecEvent("c"), 200, 0, -1, []string{"a"}},
		"unknown key alone":  {`{"evnt":"x","event":"x"}`, 400, 5, -1, nil},
		"fields alone":       {hecEvent("a") + `{"fields":{"a":"b"}}` + hecEvent("c"), 200, 0, -1, []string{"a", "c"}},
		"flat array":         {`{"fields":{"a":["b",true,null]},"event":{"id":"a"}}`, 200, 0, -1, []string{"a"}},
		"text as event":      {`{"event":"just text"}`, 200, 0, -1, []string{""}},
		"poison":             {hecEvent("a") + hecEvent("poison") + hecEvent("c"), 400, 6, 1, []string{"a"}},
		"event over 5 MB":    {hecEvent("a") + `{"event":"` + strings.Repeat("x", 5<<20) + `"}`, 400, 6, 1, []string{"a"}},
		"everything is fine": {hecEvent("a"), 200, 0, -1, []string{"a"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSplunk(t, siemtest.SplunkConfig{
				InMemory: true, Tokens: []siemtest.HECToken{{Value: "t0k3n", Indexes: []string{"main"}}},
			})
			s.RejectIf(func(r siemtest.Received) bool { return r.ID == "poison" })
			resp := hecPost(s, test.body).send(t, newClient(t, s))
			assert.Equal(t, test.status, resp.status)
			var body struct {
				Code    int  `json:"code"`
				Invalid *int `json:"invalid-event-number"`
			}
			require.NoError(t, json.Unmarshal([]byte(resp.body), &body))
			assert.Equal(t, test.code, body.Code)
			if test.invalid < 0 {
				assert.Nil(t, body.Invalid)
			} else if assert.NotNil(t, body.Invalid) {
				assert.Equal(t, test.invalid, *body.Invalid)
			}
			assert.Equal(t, test.indexed, append([]string(nil), s.IDs()...))
		})
	}
}

func TestSplunkLosesIntegersInFields(t *testing.T) {
	t.Parallel()
	s := newSplunk(t, siemtest.SplunkConfig{InMemory: true})
	hecPost(s, `{"fields":{"i":1,"f":1.5,"s":"x"},"event":"e"}`).send(t, newClient(t, s))
	require.Len(t, s.Events(), 1)
	assert.Equal(t, map[string]any{"f": json.Number("1.5"), "s": "x"}, s.Events()[0].Metadata["fields"])
	assert.Nil(t, s.Events()[0].Document)
	assert.Equal(t, `"e"`, string(s.Events()[0].Raw))
}

func TestSplunkRefusesBadRequests(t *testing.T) {
	t.Parallel()
	s := newSplunk(t, siemtest.SplunkConfig{Tokens: []siemtest.HECToken{
		{Value: "good"},
		{Value: "off", Disabled: true},
		{Value: "ack", UseACK: true},
	}})
	c := newClient(t, s)
	basic := func(userinfo string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(userinfo))
	}
	tests := map[string]struct {
		method, path, auth, channel string
		header                      map[string]string
		status, code                int
	}{
		"no token":              {status: 401, code: 2},
		"no scheme":             {auth: "good", status: 401, code: 3},
		"bearer":                {auth: "Bearer good", status: 401, code: 3},
		"unknown token":         {auth: "Splunk bad", status: 403, code: 4},
		"disabled token":        {auth: "Splunk off", status: 403, code: 1},
		"basic":                 {auth: basic("x:good"), status: 200, code: 0},
		"basic, no colon":       {auth: basic("good"), status: 401, code: 3},
		"basic, not Base64":     {auth: "Basic ?", status: 401, code: 3},
		"token in query":        {path: "/services/collector?token=good", auth: "Splunk good", status: 400, code: 16},
		"no channel":            {auth: "Splunk good", status: 200, code: 0},
		"no channel, but acks":  {auth: "Splunk ack", status: 400, code: 10},
		"channel is no GUID":    {auth: "Splunk good", channel: "one", status: 400, code: 11},
		"channel of odd form":   {auth: "Splunk good", channel: strings.Repeat("a", 36), status: 400, code: 11},
		"channel of odd digits": {auth: "Splunk good", channel: strings.Replace(channel, "0f", "xx", 1), status: 400, code: 11},
		"channel in query":      {path: "/services/collector?channel=" + channel, auth: "Splunk ack", status: 200, code: 0},
		"unknown path":          {path: "/services/collectors", auth: "Splunk good", status: 404, code: 404},
		"wrong method":          {method: http.MethodGet, auth: "Splunk good", status: 405, code: 404},
		"health":                {method: http.MethodGet, path: "/services/collector/health", status: 200, code: 17},
		"health, wrong method":  {path: "/services/collector/health/1.0", status: 405, code: 404},
		"other event path":      {path: "/services/collector/event/1.0", auth: "Splunk good", status: 200, code: 0},
		"broken gzip":           {auth: "Splunk good", header: map[string]string{"Content-Encoding": "gzip"}, status: 400, code: 6},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := request{method: test.method, url: s.URL() + test.path, body: `{"event":"e"}`, header: map[string]string{}}
			if test.method == "" {
				r.method = http.MethodPost
			}
			if test.path == "" {
				r.url = s.URL() + "/services/collector"
			}
			if test.auth != "" {
				r.header["Authorization"] = test.auth
			}
			if test.channel != "" {
				r.header["X-Splunk-Request-Channel"] = test.channel
			}
			maps.Copy(r.header, test.header)
			resp := r.send(t, c)
			assert.Equal(t, test.status, resp.status)
			var body struct{ Code int }
			require.NoError(t, json.Unmarshal([]byte(resp.body), &body), resp.body)
			assert.Equal(t, test.code, body.Code)
		})
	}
	assertHidden(t, fmt.Sprintf("%+v", s.Requests()), "good")
}

func TestSplunkAnswersOptions(t *testing.T) {
	t.Parallel()
	s := newSplunk(t, siemtest.SplunkConfig{InMemory: true})
	c := newClient(t, s)
	for path, allow := range map[string]string{"/event/1.0": "POST,OPTIONS", "/health": "GET,HEAD,OPTIONS"} {
		resp := request{method: http.MethodOptions, url: s.URL() + "/services/collector" + path}.send(t, c)
		assert.Equal(t, http.StatusOK, resp.status)
		assert.Equal(t, allow, resp.header.Get("Allow"))
		assert.Empty(t, resp.body)
	}
}

func TestSplunkRefusesEncodingsInHTML(t *testing.T) {
	t.Parallel()
	s := newSplunk(t, siemtest.SplunkConfig{InMemory: true})
	for encoding, body := range map[string]string{"deflate": deflated(t, `{"event":"e"}`), "zstd": "?"} {
		r := hecPost(s, body)
		r.header["Content-Encoding"] = encoding
		resp := r.send(t, newClient(t, s))
		assert.Equal(t, http.StatusUnsupportedMediaType, resp.status)
		assert.Contains(t, resp.body, "<html>")
	}
	assert.Empty(t, s.Events())
}

func TestSplunkCapsSize(t *testing.T) {
	t.Parallel()
	body := strings.Repeat(hecEvent("a"), 100)
	t.Run("Enterprise", func(t *testing.T) {
		t.Parallel()
		s := newSplunk(t, siemtest.SplunkConfig{MaxContentLength: 1000})
		resp := hecPost(s, body).send(t, newClient(t, s))
		assert.Equal(t, http.StatusRequestEntityTooLarge, resp.status)
		assert.Empty(t, s.Events())
		assert.Equal(t, len(body), s.Requests()[0].WireBytes)
	})
	t.Run("Enterprise, gzip", func(t *testing.T) {
		t.Parallel()
		s := newSplunk(t, siemtest.SplunkConfig{MaxContentLength: 1000})
		r := hecPost(s, gzipped(t, body))
		r.header["Content-Encoding"] = "gzip"
		require.Less(t, len(r.body), 1000)
		assert.Equal(t, http.StatusRequestEntityTooLarge, r.send(t, newClient(t, s)).status)
	})
	t.Run("Cloud", func(t *testing.T) {
		t.Parallel()
		s := newSplunk(t, siemtest.SplunkConfig{Cloud: true, InMemory: true})
		resp := hecPost(s, strings.Repeat(" ", 5_242_880)+hecEvent("a")).send(t, newClient(t, s))
		assert.Equal(t, http.StatusBadRequest, resp.status)
		assert.JSONEq(t, `{"text":"Invalid data format","code":6,"invalid-event-number":0}`, resp.body)
		assert.Empty(t, s.Events())
	})
}

func TestSplunkAcknowledges(t *testing.T) {
	t.Parallel()
	s := newSplunk(t, siemtest.SplunkConfig{InMemory: true, Tokens: []siemtest.HECToken{{Value: "t", UseACK: true}}})
	c := newClient(t, s)
	assert.JSONEq(t, `{"text":"Success","code":0,"ackId":0}`, hecPost(s, hecEvent("a")).send(t, c).body)
	assert.JSONEq(t, `{"text":"Invalid data format","code":6,"invalid-event-number":1,"ackId":1}`,
		hecPost(s, hecEvent("b")+"?").send(t, c).body)
	assert.JSONEq(t, `{"text":"No data","code":5}`, hecPost(s, "").send(t, c).body)

	ack := hecPost(s, `{"acks":[0,1,2]}`)
	ack.url = s.URL() + "/services/collector/ack"
	assert.JSONEq(t, `{"acks":{"0":true,"1":true,"2":false}}`, ack.send(t, c).body)
	assert.JSONEq(t, `{"acks":{"0":false,"1":false,"2":false}}`, ack.send(t, c).body, "true only once")
	ack.body = "?"
	assert.Contains(t, ack.send(t, c).body, `"code":6`)
	delete(ack.header, "X-Splunk-Request-Channel")
	assert.Contains(t, ack.send(t, c).body, `"code":10`)
	s.SetToken("t")
	assert.Contains(t, ack.send(t, c).body, `"code":14`)
}

func TestSplunkTokensChangeAtRunTime(t *testing.T) {
	t.Parallel()
	s := newSplunk(t, siemtest.SplunkConfig{InMemory: true})
	c := newClient(t, s)
	assert.Equal(t, siemtest.SplunkToken, s.Token())
	old := hecPost(s, hecEvent("a"))
	assert.Equal(t, http.StatusOK, old.send(t, c).status)
	s.SetToken("n3w")
	assert.Equal(t, "n3w", s.Token())
	assert.Equal(t, http.StatusForbidden, old.send(t, c).status)
	assert.Equal(t, http.StatusOK, hecPost(s, hecEvent("b")).send(t, c).status)
	s.SetTokens()
	assert.Empty(t, s.Token())
	assert.Equal(t, http.StatusForbidden, old.send(t, c).status)
}

func TestSplunkConfigIsChecked(t *testing.T) {
	t.Parallel()
	_, err := siemtest.NewSplunk(siemtest.SplunkConfig{MaxContentLength: -1})
	var bad *sink.ConfigError
	require.ErrorAs(t, err, &bad)
	assert.Equal(t, "siemtest: SplunkConfig.MaxContentLength", bad.Field)
	assert.Equal(t, "-1", bad.Value)
}

func TestHECTokenIsNotPrinted(t *testing.T) {
	t.Parallel()
	token := siemtest.HECToken{Value: "t0k3n", UseACK: true, Indexes: []string{"main"}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		assert.Equal(t, `{[REDACTED] disabled:false useACK:true indexes:["main"]}`, fmt.Sprintf(verb, token))
	}
}

func TestHECAnswersEveryCode(t *testing.T) {
	t.Parallel()
	s := newSplunk(t, siemtest.SplunkConfig{InMemory: true})
	c := newClient(t, s)
	for code := range 29 {
		s.Respond(siemtest.HEC(code))
		resp := hecPost(s, hecEvent("a")).send(t, c)
		assert.Contains(t, resp.body, `"code":`+strconv.Itoa(code)+"}")
		assert.NotContains(t, resp.body, "Unknown")
		assert.Equal(t, code == 0 || code == 17 || code == 24 || code == 25, resp.status == http.StatusOK, "code %d", code)
	}
	s.Respond(siemtest.HECInvalid(9, 3), siemtest.HEC(99), siemtest.HEC(-1))
	assert.JSONEq(t, `{"text":"Server is busy","code":9,"invalid-event-number":3}`, hecPost(s, "").send(t, c).body)
	assert.Equal(t, http.StatusInternalServerError, hecPost(s, "").send(t, c).status)
	assert.Equal(t, http.StatusInternalServerError, hecPost(s, "").send(t, c).status)
	assert.Empty(t, s.Events(), "scripted answers take nothing")
}
