package siemtest_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/siemtest"
)

// newAcking starts a server whose token has acknowledgement.
func newAcking(t *testing.T, cfg siemtest.SplunkConfig) (*siemtest.Splunk, *http.Client) {
	t.Helper()
	cfg.InMemory, cfg.Tokens = true, []siemtest.HECToken{{Value: "t", UseACK: true}}
	s := newSplunk(t, cfg)
	return s, newClient(t, s)
}

// ackPost asks for acknowledgements.
func ackPost(s *siemtest.Splunk, body string) request {
	r := hecPost(s, body)
	r.url = s.URL() + "/services/collector/ack"
	return r
}

func TestSplunkAcknowledgesWhenToldTo(t *testing.T) {
	t.Parallel()
	s, c := newAcking(t, siemtest.SplunkConfig{})
	var asked []siemtest.Ack
	s.AckIf(func(a siemtest.Ack) bool {
		asked = append(asked, a)
		return a.Asked == 2
	})
	before := time.Now()
	hecPost(s, hecEvent("a")).send(t, c)
	for _, want := range []string{"false", "false", "true", "false"} {
		assert.JSONEq(t, `{"acks":{"0":`+want+`}}`, ackPost(s, `{"acks":[0]}`).send(t, c).body)
	}
	require.Len(t, asked, 3, "nobody decides about what is not owed")
	assert.Equal(t, channel, asked[2].Channel)
	assert.Zero(t, asked[2].ID)
	assert.WithinRange(t, asked[2].Taken, before, time.Now())

	s.AckIf(nil)
	hecPost(s, hecEvent("b")).send(t, c)
	assert.JSONEq(t, `{"acks":{"1":true}}`, ackPost(s, `{"acks":[1]}`).send(t, c).body)
}

func TestSplunkLosesAcknowledgements(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		lose func(*siemtest.Splunk)
		next string
	}{
		"forgotten": {(*siemtest.Splunk).ForgetAcks, "1"},
		"restarted": {(*siemtest.Splunk).RestartIndexers, "0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, c := newAcking(t, siemtest.SplunkConfig{})
			hecPost(s, hecEvent("a")).send(t, c)
			test.lose(s)
			assert.JSONEq(t, `{"acks":{"0":false}}`, ackPost(s, `{"acks":[0]}`).send(t, c).body)
			assert.Contains(t, hecPost(s, hecEvent("b")).send(t, c).body, `"ackId":`+test.next)
			assert.Len(t, s.IDs(), 2)
		})
	}
}

func TestSplunkAcknowledgesAtTheIndexerOnly(t *testing.T) {
	t.Parallel()
	s, c := newAcking(t, siemtest.SplunkConfig{Indexers: 2})
	first, second := hecPost(s, hecEvent("a")).send(t, c), hecPost(s, hecEvent("b")).send(t, c)
	assert.Contains(t, first.body, `"ackId":0`)
	assert.Contains(t, second.body, `"ackId":0`, "of the other indexer")
	cookies := [2]string{}
	for i, r := range []response{first, second} {
		parsed, err := http.ParseSetCookie(r.header.Get("Set-Cookie"))
		require.NoError(t, err)
		cookies[i] = parsed.Name + "=" + parsed.Value
	}
	assert.NotEqual(t, cookies[0], cookies[1])

	event := hecPost(s, hecEvent("c"))
	event.header["Cookie"] = cookies[1]
	assert.Contains(t, event.send(t, c).body, `"ackId":1`)
	ask := ackPost(s, `{"acks":[0,1]}`)
	ask.header["Cookie"] = cookies[0]
	assert.JSONEq(t, `{"acks":{"0":true,"1":false}}`, ask.send(t, c).body)
	ask.header["Cookie"] = cookies[1]
	assert.JSONEq(t, `{"acks":{"0":true,"1":true}}`, ask.send(t, c).body)
}

func TestSplunkNotSticky(t *testing.T) {
	t.Parallel()
	s, c := newAcking(t, siemtest.SplunkConfig{Indexers: 2, NotSticky: true})
	var asked []int
	s.AckIf(func(a siemtest.Ack) bool {
		asked = append(asked, a.Indexer)
		return false
	})
	event, ask := hecPost(s, hecEvent("a")), ackPost(s, `{"acks":[0]}`)
	event.header["Cookie"], ask.header["Cookie"] = "siemtest-indexer=0", "siemtest-indexer=0"
	for _, r := range []request{event, event, ask, ask, ask} {
		assert.Equal(t, http.StatusOK, r.send(t, c).status)
	}
	assert.Equal(t, []int{0, 1, 0}, asked)
}

func TestSplunkChecksTheChannelOfAcknowledgements(t *testing.T) {
	t.Parallel()
	s, c := newAcking(t, siemtest.SplunkConfig{})
	ask := ackPost(s, `{"acks":[0]}`)
	ask.header["X-Splunk-Request-Channel"] = "mine"
	assert.Contains(t, ask.send(t, c).body, `"code":11`)
}

func TestSplunkIndexersAreChecked(t *testing.T) {
	t.Parallel()
	_, err := siemtest.NewSplunk(siemtest.SplunkConfig{Indexers: -1})
	var bad *sink.ConfigError
	require.ErrorAs(t, err, &bad)
	assert.Equal(t, "siemtest: SplunkConfig.Indexers", bad.Field)
}
