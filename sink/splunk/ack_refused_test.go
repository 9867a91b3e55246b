package splunk_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/siemtest"
)

// TestAcknowledgeRefused has Splunk take events, and refuse to talk of their acknowledgement.
func TestAcknowledgeRefused(t *testing.T) {
	for name, test := range map[string]struct {
		answer siemtest.Answer
		want   string // in the error
		remedy string
	}{
		"token disabled":  {siemtest.HEC(1), "answered 403 Forbidden, HEC code 1: the token is disabled", "Enable the token"},
		"invalid token":   {siemtest.HEC(4), "answered 403 Forbidden, HEC code 4", "Check Token"},
		"no channel":      {siemtest.HEC(10), "HEC code 10: the data channel is missing", "a proxy"},
		"invalid channel": {siemtest.HEC(11), "HEC code 11: the data channel is invalid", "a proxy"},
		"not sticky":      {siemtest.HEC(28), "HEC code 28", "keep sessions on one indexer"},
		"not found":       {siemtest.Status(http.StatusNotFound, ""), "answered 404 Not Found", "Check Endpoint"},
		"bad request":     {siemtest.Status(http.StatusBadRequest, ""), "answered 400 Bad Request", "a proxy"},
		"login page":      {siemtest.LoginPage(), "answered 200 OK, but not in the words", "a proxy"},
		"other words":     {siemtest.HEC(0), "answered 200 OK, but not in the words", "a proxy"},
		"nothing":         {siemtest.Status(http.StatusNoContent, ""), "answered 204 No Content, but not in the words", "a proxy"},
		"redirect":        {siemtest.Redirect(http.StatusFound, "https://other.example/x"), "other.example", "redirects are not followed"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAcking(t, siemtest.SplunkConfig{}, nil)
				a.failAcks(&test.answer)
				results := a.begin(t.Context(), events(2, 10))
				other := a.deliver(t.Context(), events(2, 10))
				for i, r := range []result{<-results, other} {
					e := asError(t, r.err)
					assert.Equal(t, sink.VerdictBlock, e.Verdict)
					assert.ErrorContains(t, e, "splunk: asked for acknowledgements, and ")
					assert.ErrorContains(t, e, test.want)
					assert.Contains(t, e.Remedy, test.remedy)
					assert.False(t, e.NotTaken, "the events are in doubt")
					assert.Zero(t, r.n)
					assert.Equal(t, 7*time.Second, r.took, "result %d", i)
				}
				assert.Len(t, a.asked(), 3, "a refusal is believed the third time")

				a.Fail(nil)
				assert.Equal(t, result{2, nil, time.Second}, a.deliver(t.Context(), events(2, 10)))
			})
		})
	}
}

// TestAcknowledgeSeveralChannels has something outstanding on two channels: both are asked for, and a refusal of one is
// believed, whatever becomes of the other.
func TestAcknowledgeSeveralChannels(t *testing.T) {
	begin := func(t *testing.T) (a *acking, first, second <-chan result) {
		t.Helper()
		a = newAcking(t, siemtest.SplunkConfig{}, nil)
		first = a.begin(t.Context(), events(1, 10))
		a.Respond(siemtest.Drop())
		require.Error(t, a.deliver(t.Context(), events(1, 10)).err)
		second = a.begin(t.Context(), events(2, 10))
		return a, first, second
	}
	t.Run("acknowledged", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a, first, second := begin(t)
			assert.Equal(t, result{1, nil, time.Second}, <-first)
			assert.Equal(t, result{2, nil, time.Second}, <-second)
			assert.Len(t, a.asked(), 2)
		})
	})
	for name, answers := range map[string][2]siemtest.Answer{
		"the first refused":  {siemtest.HEC(4), siemtest.HEC(9)},
		"the second refused": {siemtest.HEC(9), siemtest.HEC(4)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, first, second := begin(t)
				channel := a.sent(eventPath)[0].Sent("X-Splunk-Request-Channel")
				a.Fail(func(r siemtest.Request) *siemtest.Answer {
					if r.Sent("X-Splunk-Request-Channel") == channel {
						return &answers[0]
					}
					return &answers[1]
				})
				for _, r := range []result{<-first, <-second} {
					assert.Equal(t, 7*time.Second, r.took)
					assert.Equal(t, sink.VerdictBlock, asError(t, r.err).Verdict)
					assert.Equal(t, "HEC 4", asError(t, r.err).Code)
				}
			})
		})
	}
}

// TestAcknowledgeTrouble has questions for acknowledgements fail for a while.
func TestAcknowledgeTrouble(t *testing.T) {
	busy := siemtest.HEC(9)
	busy.RetryAfter = time.Minute
	for name, test := range map[string]struct {
		answer siemtest.Answer
		times  int
		took   time.Duration
	}{
		"unavailable":       {siemtest.HEC(19), 4, 25 * time.Second},
		"server error":      {siemtest.Status(http.StatusInternalServerError, ""), 4, 25 * time.Second},
		"too many requests": {siemtest.HEC(26), 1, 3 * time.Second},
		"retry after":       {busy, 1, 61 * time.Second},
		"refused twice":     {siemtest.HEC(4), 2, 7 * time.Second},
		"no answer":         {siemtest.Drop(), 3, 15 * time.Second},
		"a hang":            {siemtest.Hang(), 1, 33 * time.Second},
		"half an answer":    {siemtest.Cut(http.StatusOK, `{"acks":`), 2, 7 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAcking(t, siemtest.SplunkConfig{}, nil)
				var answers []siemtest.Answer
				for range test.times {
					answers = append(answers, test.answer)
				}
				results := a.begin(t.Context(), events(2, 10))
				a.Respond(answers...)
				assert.Equal(t, result{2, nil, test.took}, <-results)
			})
		})
	}
}

// TestAcknowledgeRetryAfter holds that a new batch does not shorten the time for which Splunk wants to be left alone.
func TestAcknowledgeRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAcking(t, siemtest.SplunkConfig{}, nil)
		results := a.begin(t.Context(), events(2, 10))
		a.Respond(siemtest.Throttle(time.Minute))
		time.Sleep(31 * time.Second)
		assert.Equal(t, result{2, nil, 30 * time.Second}, a.deliver(t.Context(), events(2, 10)))
		assert.Equal(t, result{2, nil, 61 * time.Second}, <-results)
	})
}

// TestAcknowledgeTroubleIsTold holds that an attempt that timed out says why acknowledgements could not be had.
func TestAcknowledgeTroubleIsTold(t *testing.T) {
	hang := siemtest.Hang()
	busy := siemtest.HEC(9)
	for want, answer := range map[string]*siemtest.Answer{
		"there was no answer within 30s":                     &hang,
		"answered 503 Service Unavailable, HEC code 9: the ": &busy,
	} {
		synctest.Test(t, func(t *testing.T) {
			a := newAcking(t, siemtest.SplunkConfig{}, nil)
			a.failAcks(answer)
			text := requireLate(t, a.deliver(t.Context(), events(2, 10)), 0)
			assert.Contains(t, text, "in time: asked for acknowledgements, and "+want)
		})
	}
}

// TestAcknowledgeDisabled opens a sink for a token without acknowledgement.
func TestAcknowledgeDisabled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAcking(t, siemtest.SplunkConfig{Tokens: []siemtest.HECToken{{Value: token}}}, nil)
		for range 3 {
			assert.Equal(t, result{2, nil, 0}, a.deliver(t.Context(), events(2, 10)))
		}
		assert.Empty(t, a.asked())
		assert.Equal(t, 1, a.count("the token has no indexer acknowledgement"), "the warning comes once")

		a.SetTokens(siemtest.HECToken{Value: token, UseACK: true})
		a.AckIf(never)
		assert.Equal(t, result{2, nil, 0}, a.deliver(t.Context(), events(2, 10)), "it stays so until the sink is opened anew")
		assert.Equal(t, 1, a.count("\n"), "and that is no news")
		assert.NotContains(t, a.log.String(), token)
	})
}

// TestAcknowledgeIsSwitchedOff has the administrator of Splunk switch acknowledgement off while some are outstanding.
func TestAcknowledgeIsSwitchedOff(t *testing.T) {
	t.Run("a question shows it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a := newAcking(t, siemtest.SplunkConfig{}, nil)
			a.AckIf(never)
			first, second := a.begin(t.Context(), several(2)), a.begin(t.Context(), events(2, 10))
			time.Sleep(5 * time.Second)
			a.SetToken(token)
			assert.Equal(t, result{2, nil, 7 * time.Second}, <-first)
			assert.Equal(t, result{2, nil, 7 * time.Second}, <-second)
			assert.Equal(t, 1, a.count("the token has no indexer acknowledgement"))
		})
	})
	t.Run("events show it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a := newAcking(t, siemtest.SplunkConfig{}, nil)
			a.AckIf(never)
			first := a.begin(t.Context(), events(2, 10))
			a.SetToken(token)
			assert.Equal(t, result{2, nil, 0}, a.deliver(t.Context(), events(2, 10)))
			assert.Equal(t, result{2, nil, time.Second}, <-first)
			assert.Equal(t, 1, a.count("the token has no indexer acknowledgement"))
		})
	})
}

// TestFirstRequestGoesAlone holds that the cookie of a balancer is there before there are several requests.
func TestFirstRequestGoesAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAcking(t, siemtest.SplunkConfig{}, nil)
		begin := func() (waiting []<-chan result) {
			for range 8 {
				waiting = append(waiting, a.begin(t.Context(), events(2, 10)))
			}
			return waiting
		}
		a.Respond(siemtest.Hang())
		waiting := begin()
		assert.Len(t, a.Requests(), 1)
		require.ErrorContains(t, (<-waiting[0]).err, "no answer within 1m0s")
		for _, results := range waiting[1:] {
			r := <-results
			e := asError(t, r.err)
			assert.Equal(t, sink.VerdictRetry, e.Verdict)
			assert.True(t, e.NotTaken, "nothing was sent")
			assert.Zero(t, r.n)
			assert.Equal(t, time.Minute, r.took)
		}
		assert.Len(t, a.Requests(), 1)

		a.Respond(siemtest.Hang())
		ctx, cancel := context.WithCancel(t.Context())
		first, second := a.begin(t.Context(), events(2, 10)), a.begin(ctx, events(2, 10))
		cancel()
		require.ErrorIs(t, (<-second).err, context.Canceled)
		require.Error(t, (<-first).err)

		for _, results := range begin() {
			assert.Equal(t, result{2, nil, time.Second}, <-results)
		}
	})
}

// TestStickySessions has three indexers behind a balancer, which only tell the truth about their own acknowledgements.
func TestStickySessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAcking(t, siemtest.SplunkConfig{Indexers: 3}, nil)
		a.AckIf(func(ack siemtest.Ack) bool { return time.Since(ack.Taken) >= 2*time.Second })
		for range 3 {
			var waiting []<-chan result
			for range 8 {
				waiting = append(waiting, a.begin(t.Context(), events(2, 10)))
			}
			for _, results := range waiting {
				assert.Equal(t, result{2, nil, 3 * time.Second}, <-results)
			}
			time.Sleep(10 * time.Minute)
		}
		requests := a.Requests()
		cookie := requests[1].Sent("Cookie")
		require.NotEmpty(t, cookie)
		for i, r := range requests {
			assert.Equal(t, i > 0, r.Sent("Cookie") == cookie, "request %d", i)
		}
	})
}

// TestCookiesAreOfOneSink holds that another sink, such as that of a test of the destination, has its own session.
func TestCookiesAreOfOneSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAcking(t, siemtest.SplunkConfig{Indexers: 2}, nil)
		require.NoError(t, a.deliver(t.Context(), events(2, 10)).err)
		own := a.Requests()[1].Sent("Cookie")
		b := &acking{Splunk: a.Splunk, sink: a.open(t, true)}
		require.NoError(t, b.deliver(t.Context(), events(2, 10)).err)
		requests := a.Requests()[2:]
		assert.Empty(t, requests[0].Sent("Cookie"))
		assert.NotEmpty(t, requests[1].Sent("Cookie"))
		assert.NotEqual(t, own, requests[1].Sent("Cookie"))
	})
}

// TestNoCookiesWithoutAcknowledge holds that a sink that awaits nothing lets the balancer choose each time.
func TestNoCookiesWithoutAcknowledge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAcking(t, siemtest.SplunkConfig{Indexers: 2}, nil)
		s := a.open(t, false)
		for range 3 {
			n, err := s.Deliver(t.Context(), events(2, 10))
			require.NoError(t, err)
			assert.Equal(t, 2, n)
		}
		for _, r := range a.Requests() {
			assert.Equal(t, eventPath, r.Path)
			assert.Empty(t, r.Sent("Cookie"))
		}
		assert.Equal(t, 1, a.count("which is not awaited; set Acknowledge"))
	})
}

// TestNotSticky has two indexers behind a balancer that ignores its own cookies. The second of them loses what it takes.
func TestNotSticky(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAcking(t, siemtest.SplunkConfig{Indexers: 2, NotSticky: true}, nil)
		stored := false
		a.AckIf(func(ack siemtest.Ack) bool { return stored && ack.Indexer == 0 })
		requireLate(t, a.deliver(t.Context(), events(2, 10)), 0)
		stored = true
		if len(a.Requests())%2 == 0 {
			// The next request, too, would get to the first indexer. Any other will do to change that.
			_, err := a.open(t, false).Deliver(t.Context(), events(1, 10))
			require.NoError(t, err)
		}
		// The second indexer gives this request the number of the one before, which the first has stored meanwhile.
		requireLate(t, a.deliver(t.Context(), events(2, 10)), 0)

		var waiting []<-chan result
		for range 8 {
			waiting = append(waiting, a.begin(t.Context(), events(2, 10)))
		}
		for _, results := range waiting {
			assert.Contains(t, requireLate(t, <-results, 0), "given twice")
		}
	})
}
