package siemtest_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/siemtest"
)

func newSumoLogic(t *testing.T, cfg siemtest.SumoLogicConfig) *siemtest.SumoLogic {
	t.Helper()
	s, err := siemtest.NewSumoLogic(cfg)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

func TestSumoLogicTakesMessages(t *testing.T) {
	t.Parallel()
	s := newSumoLogic(t, siemtest.SumoLogicConfig{})
	c := newClient(t, s)
	body := `{"timestamp":1700000000000,"id":"a","sequence":1,"action":"x"}` + "\r\n\n" + `{"id":"b","sequence":"18446744073709551615"}`
	for encoding, encoded := range map[string]string{"": body, "gzip": gzipped(t, body), "deflate": deflated(t, body)} {
		s.Clear()
		resp := request{method: http.MethodPost, url: s.URL(), body: encoded, header: map[string]string{
			"Content-Encoding": encoding, "X-Sumo-Category": "audit", "X-Sumo-Host": "h", "X-Sumo-Name": "n",
			"X-Sumo-Client": "c", "X-Sumo-Fields": "env=prod, team=blue",
		}}.send(t, c)
		assert.Equal(t, http.StatusOK, resp.status)
		assert.Empty(t, resp.body)
		assert.Equal(t, []string{"a", "b"}, s.IDs())
		assert.Equal(t, uint64(1<<64-1), s.Events()[1].Sequence)
		assert.Equal(t, map[string]any{
			"category": "audit", "host": "h", "name": "n", "client": "c",
			"fields": map[string]any{"env": "prod", "team": "blue"},
		}, s.Events()[0].Metadata)
	}
	req := s.Requests()[0]
	assert.Equal(t, "/receiver/v1/http/[REDACTED]", req.Path)
	assert.Equal(t, "audit", req.Header.Get("X-Sumo-Category"))
	assert.Equal(t, "/receiver/v1/http/"+s.Token(), req.URI.Reveal())
	assertHidden(t, fmt.Sprintf("%+v %#v", req, req), s.Token())
}

func TestSumoLogicSlicesLongMessages(t *testing.T) {
	t.Parallel()
	s := newSumoLogic(t, siemtest.SumoLogicConfig{InMemory: true})
	long := `{"id":"a","x":"` + strings.Repeat("y", 65536) + `"}`
	request{method: http.MethodPost, url: s.URL(), body: long + "\n" + `{"id":"b"}`}.send(t, newClient(t, s))
	got := s.Events()
	require.Len(t, got, 3)
	assert.Len(t, got[0].Raw, 65536)
	assert.Nil(t, got[0].Document)
	assert.Equal(t, long, string(got[0].Raw)+string(got[1].Raw))
	assert.Equal(t, "b", got[2].ID)
}

func TestSumoLogicRefusesBadRequests(t *testing.T) {
	t.Parallel()
	s := newSumoLogic(t, siemtest.SumoLogicConfig{InMemory: true, Code: "s3cr3tc0de=="})
	s.RejectIf(func(r siemtest.Received) bool { return r.ID == "poison" })
	tests := map[string]struct {
		method, url, body string
		header            map[string]string
		status            int
		taken             int
	}{
		"good":              {url: s.URL(), body: "text", status: 200, taken: 1},
		"code in header":    {url: s.BaseURL(), body: "text", header: map[string]string{"X-Sumo-Token": "s3cr3tc0de=="}, status: 200, taken: 1},
		"wrong code":        {url: s.BaseURL() + "/other", body: "text", status: 401},
		"code escaped":      {url: s.BaseURL() + "/s3cr3tc0de%3D%3D", body: "text", status: 401},
		"no code":           {url: s.BaseURL(), body: "text", status: 401},
		"other path":        {url: strings.TrimSuffix(s.BaseURL(), "/http") + "/otlp/s3cr3tc0de==", body: "text", status: 404},
		"query is ignored":  {url: s.URL() + "?a=b", body: "text", status: 200, taken: 1},
		"wrong method":      {method: http.MethodPut, url: s.URL(), body: "text", status: 405},
		"unknown encoding":  {url: s.URL(), body: "text", header: map[string]string{"Content-Encoding": "br"}, status: 400},
		"broken deflate":    {url: s.URL(), body: "text", header: map[string]string{"Content-Encoding": "deflate"}, status: 400},
		"too large":         {url: s.URL(), body: strings.Repeat("x\n", 9<<20), status: 413},
		"poison":            {url: s.URL(), body: `{"id":"a"}` + "\n" + `{"id":"poison"}`, status: 400},
		"field without =":   {url: s.URL(), body: "text", header: map[string]string{"X-Sumo-Fields": "a"}, status: 200, taken: 1},
		"field too long":    {url: s.URL(), body: "text", header: map[string]string{"X-Sumo-Fields": "a=" + strings.Repeat("v", 201)}, status: 200, taken: 1},
		"nothing in a body": {url: s.URL(), body: "", status: 200},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s.Clear()
			s.RejectIf(func(r siemtest.Received) bool { return r.ID == "poison" })
			r := request{method: test.method, url: test.url, body: test.body, header: test.header}
			if r.method == "" {
				r.method = http.MethodPost
			}
			resp := r.send(t, newClient(t, s))
			assert.Equal(t, test.status, resp.status)
			assert.Len(t, s.Events(), test.taken)
			if test.status >= 400 {
				assert.Contains(t, resp.body, `"errors":[`)
			}
			assertHidden(t, fmt.Sprintf("%+v", s.Requests()), "s3cr3tc0de")
		})
	}
}

func TestSumoLogicDropsFieldsOverTheLimit(t *testing.T) {
	t.Parallel()
	s := newSumoLogic(t, siemtest.SumoLogicConfig{InMemory: true})
	var pairs []string
	for i := range 31 {
		pairs = append(pairs, "k"+strconv.Itoa(i)+"=v")
	}
	resp := request{
		method: http.MethodPost, url: s.URL(), body: "text",
		header: map[string]string{"X-Sumo-Fields": strings.Join(pairs, ",")},
	}.send(t, newClient(t, s))
	assert.Equal(t, http.StatusOK, resp.status)
	assert.Contains(t, resp.body, "bad.http.header.fields")
	assert.Len(t, s.Events()[0].Metadata["fields"], 30)
}

func TestSumoLogicCodeChanges(t *testing.T) {
	t.Parallel()
	s := newSumoLogic(t, siemtest.SumoLogicConfig{InMemory: true})
	c := newClient(t, s)
	assert.Equal(t, siemtest.SumoLogicCode, s.Token())
	old := s.URL()
	s.SetToken("n3w")
	assert.Equal(t, http.StatusUnauthorized, request{method: http.MethodPost, url: old, body: "x"}.send(t, c).status)
	assert.Equal(t, http.StatusOK, request{method: http.MethodPost, url: s.URL(), body: "x"}.send(t, c).status)
}

func TestSumoLogicConfigIsChecked(t *testing.T) {
	t.Parallel()
	_, err := siemtest.NewSumoLogic(siemtest.SumoLogicConfig{Code: "s3cret/"})
	var bad *sink.ConfigError
	require.ErrorAs(t, err, &bad)
	assertHidden(t, err.Error(), "s3cret")
}
