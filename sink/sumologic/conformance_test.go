package sumologic_test

import (
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/siemtest"
	"github.com/auditstream/auditstream/sink/sinktest"
	"github.com/auditstream/auditstream/sink/sumologic"
)

// canary is the secret part of the URL, with every character that a path takes as it is.
const canary = "c4n4ry-._~!$&'()*+,;=:@ZaVnC4dhaV1=="

// harness returns a harness whose destinations are made from a server by config.
func harness(config func(s *siemtest.SumoLogic) sumologic.Config) sinktest.Harness {
	start := func(tb testing.TB, behavior sinktest.Behavior) (sink.Destination, sinktest.Server) {
		tb.Helper()
		s, err := siemtest.NewSumoLogic(siemtest.SumoLogicConfig{Code: canary})
		require.NoError(tb, err)
		tb.Cleanup(s.Close)
		behave(tb, s, behavior)
		return config(s), sinktest.Server{
			IDs:         s.IDs,
			Requests:    func() int { return len(s.Requests()) },
			Connections: s.Connections,
		}
	}
	const host = "https://collectors.sumologic.com"
	return sinktest.Harness{
		Start: start,
		Invalid: []sink.Destination{
			sumologic.Config{},
			sumologic.Config{Endpoint: secret.New(canary)},
			sumologic.Config{Endpoint: secret.New("ftp://collectors.sumologic.com/" + canary)},
			sumologic.Config{Endpoint: secret.New("http://collectors.sumologic.com/receiver/v1/http/" + canary)},
			sumologic.Config{Endpoint: secret.New(host + "/receiver/v1/http/" + canary + "#" + canary)},
			sumologic.Config{Endpoint: secret.New(host + "/receiver/v1/http/" + canary), Secret: secret.New(canary)},
			sumologic.Config{Endpoint: secret.New(host + "/receiver/v1/http/#{Secret}")},
			sumologic.Config{Endpoint: secret.New(host + "/#{Secret | " + canary + "}"), Secret: secret.New(canary)},
			sumologic.Config{Endpoint: secret.New(host + "/#{Secret}"), Secret: secret.New("../?" + canary)},
			sumologic.Config{Endpoint: secret.New(host + "/" + canary), Compression: "zstd"},
			sumologic.Config{Endpoint: secret.New(host + "/" + canary), Fields: map[string]string{"a,b": "c"}},
		},
		Secrets:       []string{canary},
		Paths:         []string{"/receiver/v1"},
		MaxEventBytes: 64 << 10,
	}
}

// behave makes a server behave as the suite wants it to.
func behave(tb testing.TB, s *siemtest.SumoLogic, behavior sinktest.Behavior) {
	tb.Helper()
	always := func(a siemtest.Answer) { s.Fail(func(siemtest.Request) *siemtest.Answer { return &a }) }
	busy := siemtest.Status(http.StatusServiceUnavailable, "busy")
	switch behavior {
	case sinktest.Accepting:
	case sinktest.Busy:
		always(busy)
	case sinktest.Forbidding:
		always(siemtest.Status(http.StatusUnauthorized, `{"status":401,"code":"unauthorized","message":"`+s.URL()+`"}`))
	case sinktest.Poisoned:
		s.RejectIf(func(r siemtest.Received) bool { return r.Action == sinktest.PoisonAction })
	case sinktest.BusyLater:
		var requests atomic.Int64
		s.Fail(func(siemtest.Request) *siemtest.Answer {
			if requests.Add(1) == 1 {
				return nil
			}
			return &busy
		})
	case sinktest.Hanging:
		always(siemtest.Hang())
	case sinktest.Cutting:
		always(siemtest.Drop())
	case sinktest.Refusing:
		require.NoError(tb, s.SetOutage(true))
	default:
		require.Failf(tb, "unknown behavior", "%q", behavior)
	}
}

func TestConformance(t *testing.T) {
	t.Run("secret URL", func(t *testing.T) {
		sinktest.TestSink(t, harness(func(s *siemtest.SumoLogic) sumologic.Config {
			return sumologic.Config{Endpoint: secret.New(s.URL()), Category: "audit", Fields: map[string]string{"env": "test"}}
		}))
	})
	t.Run("template", func(t *testing.T) {
		sinktest.TestSink(t, harness(func(s *siemtest.SumoLogic) sumologic.Config {
			return sumologic.Config{
				Endpoint: secret.New(s.BaseURL() + "/#{Secret}"), Secret: secret.New(canary), Compression: sumologic.None,
			}
		}))
	})
}
