package splunk_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/siemtest"
	"github.com/auditstream/auditstream/sink/splunk"
)

const (
	eventPath = "/services/collector/event"
	ackPath   = "/services/collector/ack"
)

// acking is a sink that waits for acknowledgements, and the server that gives them, in a bubble.
type acking struct {
	*siemtest.Splunk

	sink  sink.Sink
	cfg   splunk.Config
	start time.Time
	log   bytes.Buffer
}

// newAcking starts a server in memory whose token has acknowledgement, and opens a sink for it.
func newAcking(t *testing.T, server siemtest.SplunkConfig, change func(*splunk.Config)) *acking {
	t.Helper()
	server.InMemory = true
	if server.Tokens == nil {
		server.Tokens = []siemtest.HECToken{{Value: token, UseACK: true}}
	}
	s, err := siemtest.NewSplunk(server)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	a := &acking{Splunk: s, start: time.Now()}
	a.cfg = splunk.Config{
		Endpoint: s.URL(), Token: secret.New(token), Acknowledge: true, Logger: slog.New(slog.NewTextHandler(&a.log, nil)),
	}
	a.cfg.Network.DialContext = s.DialContext
	if change != nil {
		change(&a.cfg)
	}
	a.sink = a.open(t, true)
	return a
}

// open opens another sink of the same destination.
func (a *acking) open(t *testing.T, acknowledge bool) sink.Sink {
	t.Helper()
	cfg := a.cfg
	cfg.Acknowledge = acknowledge
	return open(t, cfg)
}

// result is what Deliver returned, and when.
type result struct {
	n    int
	err  error
	took time.Duration
}

// deliver makes one attempt, as long as a Stream would let it take.
func (a *acking) deliver(ctx context.Context, batch []sink.Event) result {
	timeout := a.sink.(interface{ AttemptTimeout() time.Duration }).AttemptTimeout()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	start := time.Now()
	n, err := a.sink.Deliver(ctx, batch)
	return result{n, err, time.Since(start).Round(time.Millisecond)}
}

// begin is deliver in a goroutine of its own, which has come to wait when begin returns.
func (a *acking) begin(ctx context.Context, batch []sink.Event) <-chan result {
	results := make(chan result, 1)
	go func() { results <- a.deliver(ctx, batch) }()
	synctest.Wait()
	return results
}

// sent returns the requests to a path.
func (a *acking) sent(path string) []siemtest.Request {
	var all []siemtest.Request
	for _, r := range a.Requests() {
		if r.Path == path {
			all = append(all, r)
		}
	}
	return all
}

// asked returns when acknowledgements were asked for, counted from the start.
func (a *acking) asked() []time.Duration {
	var all []time.Duration
	for _, r := range a.sent(ackPath) {
		all = append(all, r.Time.Sub(a.start).Round(time.Millisecond))
	}
	return all
}

// several returns n events, each of which takes a request by itself.
func several(n int) []sink.Event { return events(n, 510_000) }

// never is the script of a server that acknowledges nothing.
func never(siemtest.Ack) bool { return false }

// failAcks lets every request for acknowledgements be answered by a script, and leaves those with events alone.
func (a *acking) failAcks(answer *siemtest.Answer) {
	a.Fail(func(r siemtest.Request) *siemtest.Answer {
		if r.Path == ackPath {
			return answer
		}
		return nil
	})
}

// requireLate requires that an attempt ended because acknowledgements did not come, and returns what is said about it.
func requireLate(t *testing.T, r result, n int) string {
	t.Helper()
	e := asError(t, r.err)
	require.Equal(t, sink.VerdictRetry, e.Verdict)
	require.ErrorContains(t, e, "not acknowledged in time")
	require.False(t, e.NotTaken, "the events are in doubt")
	require.NotEmpty(t, e.Remedy)
	require.Equal(t, n, r.n)
	return e.Error()
}

func TestAcknowledge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAcking(t, siemtest.SplunkConfig{}, nil)
		assert.Equal(t, 32, a.sink.(interface{ MaxInFlight() int }).MaxInFlight())
		assert.Equal(t, result{3, nil, time.Second}, a.deliver(t.Context(), events(3, 10)))
		assert.Equal(t, ids(0, 3), a.IDs())
		requests := a.Requests()
		require.Len(t, requests, 2)
		event, ack := requests[0], requests[1]
		assert.Equal(t, eventPath, event.Path)
		assert.Equal(t, ackPath, ack.Path)
		assert.Equal(t, http.MethodPost, ack.Method)
		assert.NotEmpty(t, event.Sent("X-Splunk-Request-Channel"))
		assert.Equal(t, event.Sent("X-Splunk-Request-Channel"), ack.Sent("X-Splunk-Request-Channel"))
		assert.Equal(t, "Splunk "+token, ack.Sent("Authorization"))
		assert.Equal(t, "application/json", ack.Sent("Content-Type"))
		assert.Equal(t, "gzip", event.Sent("Content-Encoding"))
		assert.Empty(t, ack.Sent("Content-Encoding"))

		time.Sleep(time.Hour)
		assert.Len(t, a.Requests(), 2, "nobody asks when nothing is outstanding")
		assert.Equal(t, result{3, nil, time.Second}, a.deliver(t.Context(), events(3, 10)))
		assert.Empty(t, a.log.String())
	})
}

// TestAcknowledgeAsks holds when acknowledgements are asked for that do not come, and what becomes of the events.
func TestAcknowledgeAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAcking(t, siemtest.SplunkConfig{}, nil)
		a.AckIf(never)
		r := a.deliver(t.Context(), events(2, 10))
		text := requireLate(t, r, 0)
		assert.Equal(t, "splunk: of 1 requests, 1 were taken and not acknowledged in time", text)
		assert.Equal(t, 5*time.Minute, r.took)
		want := []time.Duration{time.Second, 3 * time.Second, 7 * time.Second}
		for at := 15 * time.Second; at < 5*time.Minute; at += 10 * time.Second {
			want = append(want, at)
		}
		assert.Equal(t, want, a.asked())

		time.Sleep(time.Hour)
		assert.Len(t, a.asked(), len(want), "nobody asks when nobody waits")
		a.AckIf(nil)
		assert.Equal(t, result{2, nil, time.Second}, a.deliver(t.Context(), events(2, 10)))
		assert.Equal(t, append(ids(0, 2), ids(0, 2)...), a.IDs(), "the same events come again")
		sent := a.sent(eventPath)
		assert.NotEqual(t, sent[0].Sent("X-Splunk-Request-Channel"), sent[1].Sent("X-Splunk-Request-Channel"),
			"the old number is still known at the indexer, and is not mistaken for a new one")
	})
}

func TestAcknowledgeTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAcking(t, siemtest.SplunkConfig{}, func(c *splunk.Config) { c.AcknowledgeTimeout = 20 * time.Minute })
		a.AckIf(func(ack siemtest.Ack) bool { return time.Since(ack.Taken) >= 15*time.Minute })
		r := a.deliver(t.Context(), events(2, 10))
		require.NoError(t, r.err)
		assert.Equal(t, 15*time.Minute+5*time.Second, r.took)
	})
}

// TestAcknowledgeTogether holds that one question asks for everything.
func TestAcknowledgeTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAcking(t, siemtest.SplunkConfig{}, nil)
		a.AckIf(func(ack siemtest.Ack) bool { return time.Since(ack.Taken) >= 5*time.Second })
		var waiting []<-chan result
		for range 8 {
			waiting = append(waiting, a.begin(t.Context(), several(2)))
		}
		for _, results := range waiting {
			assert.Equal(t, result{2, nil, 7 * time.Second}, <-results)
		}
		assert.Len(t, a.sent(eventPath), 8*2)
		assert.Equal(t, []time.Duration{time.Second, 3 * time.Second, 7 * time.Second}, a.asked())
	})
}

// TestAcknowledgeLateComer holds that a slow acknowledgement does not slow down those that come after it.
func TestAcknowledgeLateComer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAcking(t, siemtest.SplunkConfig{}, nil)
		a.AckIf(func(ack siemtest.Ack) bool { return ack.ID > 0 })
		slow := a.begin(t.Context(), events(1, 10))
		time.Sleep(2 * time.Minute)
		assert.Equal(t, result{3, nil, time.Second}, a.deliver(t.Context(), events(3, 10)))
		requireLate(t, <-slow, 0)
	})
}

// TestAcknowledgeProgress holds that questions come faster again when they are answered.
func TestAcknowledgeProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAcking(t, siemtest.SplunkConfig{}, nil)
		a.AckIf(func(ack siemtest.Ack) bool { return time.Since(ack.Taken) >= time.Duration(6+2*ack.ID)*time.Second })
		first, second := a.begin(t.Context(), events(1, 10)), a.begin(t.Context(), events(1, 10))
		assert.Equal(t, result{1, nil, 7 * time.Second}, <-first)
		assert.Equal(t, result{1, nil, 8 * time.Second}, <-second)
	})
}

// TestAcknowledgePrefix has some requests of a batch never acknowledged.
func TestAcknowledgePrefix(t *testing.T) {
	for name, test := range map[string]struct {
		missing []int
		n       int
	}{
		"first":           {[]int{0}, 0},
		"second":          {[]int{1}, 1},
		"last":            {[]int{2}, 2},
		"first and third": {[]int{0, 2}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAcking(t, siemtest.SplunkConfig{}, nil)
				a.AckIf(func(ack siemtest.Ack) bool {
					return !slices.Contains(test.missing, ack.ID)
				})
				requireLate(t, a.deliver(t.Context(), several(3)), test.n)
			})
		})
	}
}

// TestAcknowledgeLost has the indexer lose what it owes, in ways that answers show and in ways that they do not.
func TestAcknowledgeLost(t *testing.T) {
	for name, test := range map[string]struct {
		lose  func(*siemtest.Splunk)
		twice bool
	}{
		"forgotten": {(*siemtest.Splunk).ForgetAcks, false},
		"restarted": {(*siemtest.Splunk).RestartIndexers, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAcking(t, siemtest.SplunkConfig{}, nil)
				a.AckIf(never)
				first := a.begin(t.Context(), events(2, 10))
				time.Sleep(time.Minute)
				test.lose(a.Splunk)
				a.AckIf(nil)
				r := a.deliver(t.Context(), events(4, 10)[2:])
				if !test.twice {
					assert.Equal(t, result{2, nil, time.Second}, r)
					requireLate(t, <-first, 0)
					return
				}
				// Which indexer the number 0 belongs to cannot be told any more, for either of them.
				assert.Contains(t, requireLate(t, r, 0), "given twice")
				asked := len(a.asked())
				assert.Contains(t, requireLate(t, <-first, 0), "given twice")
				assert.Len(t, a.asked(), asked, "a number that may be of another request is not asked for")
				assert.Equal(t, result{4, nil, time.Second}, a.deliver(t.Context(), events(4, 10)))
				assert.Equal(t, append(ids(0, 4), ids(0, 4)...), a.IDs())
			})
		})
	}
}

// TestAcknowledgeAfterRestart holds that a restart of the indexer changes nothing while nothing is outstanding.
func TestAcknowledgeAfterRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAcking(t, siemtest.SplunkConfig{}, nil)
		for range 3 {
			assert.Equal(t, result{2, nil, time.Second}, a.deliver(t.Context(), several(2)))
			a.RestartIndexers()
		}
	})
}

// TestAcknowledgeCutOff has answers break off: the number of an acknowledgement is not known then, and an
// acknowledgement that was given is not given again.
func TestAcknowledgeCutOff(t *testing.T) {
	t.Run("events", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a := newAcking(t, siemtest.SplunkConfig{}, nil)
			cut := siemtest.Cut(http.StatusOK, `{"text":"Success","code":0,"ackI`)
			cut.Accept = true
			a.Respond(cut)
			r := a.deliver(t.Context(), events(2, 10))
			e := asError(t, r.err)
			assert.Equal(t, sink.VerdictRetry, e.Verdict)
			assert.False(t, e.NotTaken)
			assert.Zero(t, r.n)
			assert.Zero(t, r.took)
			assert.Empty(t, a.log.String(), "this is no reason to do without acknowledgements")
			assert.Equal(t, result{2, nil, time.Second}, a.deliver(t.Context(), events(2, 10)))
		})
	})
	t.Run("acknowledgements", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a := newAcking(t, siemtest.SplunkConfig{}, nil)
			results := a.begin(t.Context(), events(2, 10))
			cut := siemtest.Cut(http.StatusOK, `{"acks":{"0":tr`)
			cut.Accept = true
			a.Respond(cut)
			r := <-results
			requireLate(t, r, 0)
			assert.Equal(t, 5*time.Minute, r.took)
		})
	})
}

// TestAcknowledgeContext ends the context of a waiting Deliver, as Delete, Shutdown and an edit do.
func TestAcknowledgeContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAcking(t, siemtest.SplunkConfig{}, nil)
		a.AckIf(func(ack siemtest.Ack) bool { return ack.ID == 0 || time.Since(ack.Taken) >= time.Minute })
		ctx, cancel := context.WithCancel(t.Context())
		cancelled, other := a.begin(ctx, several(2)), a.begin(t.Context(), events(2, 10))
		time.Sleep(20 * time.Second)
		cancel()
		r := <-cancelled
		require.ErrorIs(t, r.err, context.Canceled)
		assert.Equal(t, 1, r.n, "the first request was acknowledged")
		assert.Equal(t, 20*time.Second, r.took)
		require.NoError(t, (<-other).err, "another call goes on")

		asked := len(a.asked())
		ctx, cancel = context.WithCancel(t.Context())
		cancelled = a.begin(ctx, events(1, 10))
		cancel()
		require.ErrorIs(t, (<-cancelled).err, context.Canceled)
		time.Sleep(time.Hour)
		assert.Len(t, a.asked(), asked)
	})
}

// TestAcknowledgeHungRequest holds that a request with events does not take all the time there is for acknowledgements.
func TestAcknowledgeHungRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAcking(t, siemtest.SplunkConfig{}, nil)
		a.Respond(siemtest.Hang())
		r := a.deliver(t.Context(), events(2, 10))
		assert.Equal(t, time.Minute, r.took)
		e := asError(t, r.err)
		assert.Equal(t, "splunk: there was no answer within 1m0s", e.Error())
		assert.Equal(t, sink.VerdictRetry, e.Verdict)
		assert.False(t, e.NotTaken)
		assert.Equal(t, result{2, nil, time.Second}, a.deliver(t.Context(), events(2, 10)))
	})
}

// TestAcknowledgePartly has Splunk refuse an event in the middle of a request: those before it are acknowledged.
func TestAcknowledgePartly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAcking(t, siemtest.SplunkConfig{}, nil)
		a.RejectIf(func(r siemtest.Received) bool { return r.ID == "e2" })
		r := a.deliver(t.Context(), events(5, 10))
		e := asError(t, r.err)
		assert.Equal(t, 3, r.n)
		assert.Equal(t, sink.VerdictReject, e.Verdict)
		assert.Equal(t, []int{2}, e.Index)
		assert.Equal(t, time.Second, r.took)
		assert.Equal(t, ids(0, 2), a.IDs())

		r = a.deliver(t.Context(), events(5, 10)[2:])
		assert.Equal(t, 1, r.n)
		assert.Zero(t, r.took, "nothing was taken, and nothing is acknowledged")

		a.AckIf(never)
		requireLate(t, a.deliver(t.Context(), events(5, 10)), 0)
	})
}

// TestAcknowledgeFullChannel has Splunk come to the end of the room that it has for acknowledgements: they are asked for
// at once, whatever the pace.
func TestAcknowledgeFullChannel(t *testing.T) {
	nearly := siemtest.Status(http.StatusOK, `{"text":"HEC ACK is approaching its capacity limit","code":25,"ackId":1}`)
	nearly.Accept = true
	for name, test := range map[string]struct {
		answer siemtest.Answer
		taken  bool
	}{
		"nearly full": {nearly, true},
		"full":        {siemtest.HEC(27), false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAcking(t, siemtest.SplunkConfig{}, nil)
				a.AckIf(func(ack siemtest.Ack) bool { return time.Since(ack.Taken) >= 27*time.Second || ack.ID > 0 })
				first := a.begin(t.Context(), events(2, 10))
				time.Sleep(26 * time.Second)
				a.Respond(test.answer)
				r := a.deliver(t.Context(), events(2, 10))
				assert.Equal(t, test.taken, r.err == nil)
				assert.Equal(t, result{2, nil, 27 * time.Second}, <-first)
			})
		})
	}
}

// TestAcknowledgeChannels holds which failures lead to a new channel: those after which the indexer may know a number
// that the sink does not.
func TestAcknowledgeChannels(t *testing.T) {
	for name, test := range map[string]struct {
		answer siemtest.Answer
		fresh  bool
	}{
		"no answer":     {siemtest.Drop(), true},
		"busy":          {siemtest.HEC(9), true},
		"full":          {siemtest.HEC(27), true},
		"server error":  {siemtest.HEC(8), true},
		"login page":    {siemtest.LoginPage(), true},
		"invalid token": {siemtest.HEC(4), false},
		"bad event":     {siemtest.HECInvalid(6, 0), false},
		"too large":     {siemtest.Status(http.StatusRequestEntityTooLarge, ""), false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAcking(t, siemtest.SplunkConfig{}, nil)
				a.Respond(test.answer)
				require.Error(t, a.deliver(t.Context(), events(1, 10)).err)
				assert.Equal(t, result{1, nil, time.Second}, a.deliver(t.Context(), events(1, 10)))
				sent := a.sent(eventPath)
				assert.Equal(t, test.fresh,
					sent[0].Sent("X-Splunk-Request-Channel") != sent[1].Sent("X-Splunk-Request-Channel"))
			})
		})
	}
}

func TestNoAttemptTimeoutWithoutAcknowledge(t *testing.T) {
	s := open(t, splunk.Config{Endpoint: "https://splunk.example:8088", AcknowledgeTimeout: time.Hour})
	assert.Zero(t, s.(interface{ AttemptTimeout() time.Duration }).AttemptTimeout())
	assert.Equal(t, 32, s.(interface{ MaxInFlight() int }).MaxInFlight())
}

// count returns how often a text is in the log.
func (a *acking) count(text string) int { return strings.Count(a.log.String(), text) }

// TestAcknowledgeConcurrently has 16 calls at a time overlap while the indexer is restarted now and then, and is slow
// about some acknowledgements.
func TestAcknowledgeConcurrently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAcking(t, siemtest.SplunkConfig{Indexers: 2}, nil)
		a.AckIf(func(ack siemtest.Ack) bool { return ack.Asked >= ack.ID%4 })
		ctx, cancel := context.WithCancel(t.Context())
		var calls sync.WaitGroup
		for i := range 16 {
			calls.Go(func() {
				for done := 0; done < 10; {
					if r := a.deliver(ctx, events(3, 10)); r.err == nil {
						done++
					} else {
						requireLate(t, r, 0)
					}
					time.Sleep(time.Duration(i) * time.Second)
				}
			})
		}
		go func() {
			for ctx.Err() == nil {
				time.Sleep(40 * time.Second)
				a.RestartIndexers()
			}
		}()
		calls.Wait()
		cancel()
		asked := len(a.asked())
		time.Sleep(time.Hour)
		assert.Len(t, a.asked(), asked)
	})
}

// TestAcknowledgeSecretsStayInside looks for the cookie of the balancer, and for the token, in what a sink prints and
// in what Splunk makes it say.
func TestAcknowledgeSecretsStayInside(t *testing.T) {
	const session = "s3ss10n-0f-th3-b4l4nc3r"
	synctest.Test(t, func(t *testing.T) {
		a := newAcking(t, siemtest.SplunkConfig{}, nil)
		echo := session + " Splunk " + token
		for _, answer := range []siemtest.Answer{
			siemtest.Status(http.StatusForbidden, `{"code":4,"text":"`+echo+`"}`),
			siemtest.Status(http.StatusOK, `{"acks":{"`+echo+`":true}}`),
			siemtest.Status(http.StatusOK, `{"acks":"`+echo+`"}`),
			siemtest.Status(http.StatusInternalServerError, echo),
			siemtest.Redirect(http.StatusFound, "https://"+token+".example"),
		} {
			answer.Header = answer.Header.Clone()
			if answer.Header == nil {
				answer.Header = make(http.Header)
			}
			answer.Header.Set("Set-Cookie", "session="+session)
			a.failAcks(&answer)
			r := a.deliver(t.Context(), events(2, 10))
			e := asError(t, r.err)
			printed := fmt.Sprintf("%v %+v %#v %s %v %+v %#v", e, e, e, e.Code+e.Remedy, a.sink, a.sink, a.sink)
			assert.NotContains(t, printed, session)
			assert.NotContains(t, printed, token)
		}
		requests := a.Requests()
		assert.Equal(t, "session="+session, requests[len(requests)-1].Sent("Cookie"))
		assert.NotContains(t, a.log.String(), session)
		assert.NotContains(t, a.log.String(), token)
	})
}
