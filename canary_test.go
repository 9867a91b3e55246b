package auditstream_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/internal/canary"
	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/otlp"
	"github.com/auditstream/auditstream/sink/siemtest"
	"github.com/auditstream/auditstream/sink/splunk"
	"github.com/auditstream/auditstream/sink/sumologic"
)

// canaryDestinations are all drivers in all the ways in which they take a secret, each with its server.
func canaryDestinations(t *testing.T) map[string]func() (sink.Destination, server) {
	t.Helper()
	value := secret.New(canary.Secret)
	otlpConfig := func(change func(*otlp.Config, *siemtest.OTLP)) func() (sink.Destination, server) {
		return func() (sink.Destination, server) {
			srv, err := siemtest.NewOTLP(siemtest.OTLPConfig{InMemory: true})
			require.NoError(t, err)
			cfg := otlp.Config{Endpoint: srv.URL(), Secret: value, Network: sink.Network{DialContext: srv.DialContext}}
			change(&cfg, srv)
			return cfg, srv
		}
	}
	bearer := sink.Headers{"Authorization": "Bearer #{Secret}", "X-Basic": `Basic #{Secret | Prepend "user:" | ToBase64}`}
	return map[string]func() (sink.Destination, server){
		"otlp http header": otlpConfig(func(c *otlp.Config, _ *siemtest.OTLP) { c.Headers = bearer }),
		"otlp http url": otlpConfig(func(c *otlp.Config, srv *siemtest.OTLP) {
			c.Endpoint = srv.URL() + "?a=#{Secret | UriDataEscape}&b=#{Secret | ToBase64 | UriDataEscape}"
		}),
		"otlp grpc": otlpConfig(func(c *otlp.Config, srv *siemtest.OTLP) {
			c.Endpoint, c.Protocol, c.Headers = srv.GRPCURL(), otlp.GRPC, bearer
		}),
		"splunk": func() (sink.Destination, server) {
			srv, err := siemtest.NewSplunk(siemtest.SplunkConfig{InMemory: true})
			require.NoError(t, err)
			srv.SetToken(canary.Secret)
			return splunk.Config{
				Endpoint: srv.URL(), Token: value, Headers: sink.Headers{"X-Proxy": "Bearer #{Secret}"},
				Network: sink.Network{DialContext: srv.DialContext},
			}, srv
		},
		"sumologic url": func() (sink.Destination, server) {
			srv, err := siemtest.NewSumoLogic(siemtest.SumoLogicConfig{InMemory: true})
			require.NoError(t, err)
			srv.SetToken(url.QueryEscape(canary.Secret))
			return sumologic.Config{
				Endpoint: secret.New(srv.BaseURL() + "/" + url.QueryEscape(canary.Secret)),
				Network:  sink.Network{DialContext: srv.DialContext},
			}, srv
		},
		"sumologic template": func() (sink.Destination, server) {
			srv, err := siemtest.NewSumoLogic(siemtest.SumoLogicConfig{InMemory: true})
			require.NoError(t, err)
			srv.SetToken(url.QueryEscape(canary.Secret))
			return sumologic.Config{
				Endpoint: secret.New(srv.BaseURL() + "/#{Secret | UriDataEscape}"), Secret: value,
				Network: sink.Network{DialContext: srv.DialContext},
			}, srv
		},
	}
}

// canaryAnswers are the ways in which a destination fails, each with the secret echoed wherever it may be.
func canaryAnswers(t *testing.T) map[string]func(server) {
	t.Helper()
	echo := canary.Secret + " Bearer " + canary.Secret + " " + url.QueryEscape(canary.Secret) + " " +
		base64.StdEncoding.EncodeToString([]byte("user:"+canary.Secret))
	answers := map[string]func(server){
		"outage": func(s server) { require.NoError(t, s.SetOutage(true)) },
		"taken":  func(server) {},
	}
	always := func(a siemtest.Answer) func(server) {
		return func(s server) { s.Fail(func(siemtest.Request) *siemtest.Answer { return &a }) }
	}
	for _, status := range []int{200, 204, 301, 307, 400, 401, 403, 404, 405, 407, 408, 413, 415, 418, 422, 429, 500, 502, 503, 599} {
		a := siemtest.Status(status, `{"text":"`+echo+`","code":6,"message":"`+echo+`","invalid-event-number":0}`)
		a.Header = http.Header{
			"Location": {"https://elsewhere.example/" + canary.Secret}, "Retry-After": {canary.Secret}, "X-Echo": {echo},
			"Content-Type": {"application/json; " + url.QueryEscape(canary.Secret)}, "Www-Authenticate": {echo},
		}
		answers[fmt.Sprint("status ", status)] = always(a)
	}
	for code := codes.Canceled; code <= codes.Unauthenticated; code++ {
		answers["code "+code.String()] = always(siemtest.GRPC(code, echo))
	}
	for name, a := range map[string]siemtest.Answer{
		"hang": siemtest.Hang(), "unread": siemtest.HangUnread(), "drop": siemtest.Drop(), "reset": siemtest.Reset(),
		"cut": siemtest.Cut(200, echo), "login page": siemtest.LoginPage(), "garbage": siemtest.Status(200, echo),
		"partial success": siemtest.PartialSuccess(2, echo), "throttle": siemtest.Throttle(time.Hour),
		"redirect": siemtest.Redirect(302, "https://"+url.QueryEscape(canary.Secret)+".example/"+canary.Secret),
	} {
		answers[name] = always(a)
	}
	return answers
}

// server is what the fake servers have in common.
type server interface {
	Fail(fn func(siemtest.Request) *siemtest.Answer)
	SetOutage(down bool) error
	Close()
}

// TestSecretsNeverLeave drives every driver through its failures and searches everything that comes out.
func TestSecretsNeverLeave(t *testing.T) {
	for driver, open := range canaryDestinations(t) {
		for failure, fail := range canaryAnswers(t) {
			t.Run(driver+"/"+failure, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					dst, srv := open()
					defer srv.Close()
					fail(srv)
					out, status := canaryRun(t, dst)
					if failure == "taken" {
						require.EqualValues(t, 6, status.Totals.Delivered, "the secret is the right one")
					}
					// Not even this test prints it.
					require.Empty(t, canary.Find(out, canary.Secret), "a form of the secret is in what came out")
				})
			})
		}
	}
}

// canaryRun lets a Stream fail for a while and returns everything that it says, and its status.
func canaryRun(t *testing.T, dst sink.Destination) (string, auditstream.Status) {
	t.Helper()
	j := &journal{}
	var out strings.Builder
	show := func(values ...any) {
		for _, v := range values {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
				fmt.Fprintf(&out, verb+"\n", v)
			}
			text, _ := json.Marshal(v)
			out.Write(text)
		}
	}
	p := newProvider()
	s, err := auditstream.New(auditstream.Config{
		Logger:   slog.New(slog.NewJSONHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug})),
		OnReject: j.onReject, OnTransition: j.onTransition, AttemptTimeout: 20 * time.Second, MeterProvider: p,
	})
	require.NoError(t, err)
	require.NoError(t, s.Configure(dst))
	publish(t, s, 1, 6)
	time.Sleep(10 * time.Minute)
	status := s.Status()
	measured := p.collect(t)
	require.NotEmpty(t, p.outcomes(t))
	tested := s.Test(after(t, time.Minute), dst)
	synctest.Wait() // the sink of the test has been closed: nothing writes to what is printed by reflection
	show(status, status.LastError, dst, struct{ dst sink.Destination }{dst}, tested)
	show(p.meters, p.made, measured.values)
	for _, set := range measured.sets {
		show(set.ToSlice())
	}
	for err := status.LastError; err != nil; err = errors.Unwrap(err) {
		show(err)
		if e, ok := err.(*sink.Error); ok { //nolint:errorlint // each link of the chain is looked at by itself
			show(*e, e.Code, e.Remedy, e.Err)
		}
	}
	err = s.Shutdown(after(t, time.Minute))
	show(err)
	if left, ok := errors.AsType[*auditstream.UndeliveredError](err); ok {
		show(left.Err)
	}
	synctest.Wait()
	for _, r := range j.rejections {
		show(r, r.Err)
	}
	for _, tr := range j.transitions {
		show(tr, tr.Err)
	}
	out.WriteString(j.log())
	checkLedger(t, s)
	return out.String(), status
}

// TestPanicsDoNotPrintSecrets lets a sink panic with its secret in hand.
func TestPanicsDoNotPrintSecrets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(context.Context, []sink.Event) (int, error) { panic("the token is " + canary.Secret) })
		out, status := canaryRun(t, f)
		require.ErrorContains(t, status.LastError, "panicked")
		assert.Empty(t, canary.Find(out, canary.Secret))
	})
}
