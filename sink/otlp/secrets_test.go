package otlp

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/siemtest"
)

const canary = "c4n4ry/s3cr3t+v41u3&42"

// forms are the canary and what encoders make of it.
func forms() []string {
	return []string{
		canary, url.QueryEscape(canary), url.PathEscape(canary), hex.EncodeToString([]byte(canary)),
		base64.StdEncoding.EncodeToString([]byte(canary)), base64.RawURLEncoding.EncodeToString([]byte(canary)),
		base64.StdEncoding.EncodeToString([]byte("user:" + canary)), canary[:8], canary[len(canary)-8:],
	}
}

// secretConfig returns a Config that has the secret wherever it can be.
func secretConfig(srv *siemtest.OTLP, p Protocol) Config {
	cfg := configFor(srv, p)
	cfg.Secret = secret.New(canary)
	cfg.Headers = sink.Headers{
		"Authorization": `Basic #{Secret | Prepend "user:" | ToBase64}`, "X-Api-Key": "#{Secret}", "X-Plain": "#{Secret | ToBase64}",
	}
	if p != GRPC {
		cfg.Endpoint += "/#{Secret | UriDataEscape}?token=#{Secret | UriDataEscape}"
	}
	return cfg
}

// TestSecretsStayInside drives a sink through its failures, with a destination that repeats all it was sent, and searches
// everything that comes out.
func TestSecretsStayInside(t *testing.T) {
	echo := strings.Join(forms(), " ")
	var answers []siemtest.Answer
	for _, status := range []int{200, 202, 301, 307, 400, 401, 403, 404, 407, 408, 413, 415, 422, 429, 500, 503} {
		answers = append(answers,
			siemtest.Status(status, echo),
			answerWith(status, contentType, statusBody(t, echo)),
			answerWith(status, "application/json", fmt.Sprintf(`{"message":%q,"error":%q}`, echo, echo)),
			siemtest.Redirect(status, "https://"+url.QueryEscape(canary)+"/"+url.PathEscape(canary)),
		)
	}
	for code := codes.Canceled; code <= codes.Unauthenticated; code++ {
		answers = append(answers, siemtest.GRPC(code, echo), siemtest.GRPC(code, "unexpected HTTP status code received from server: 200 "+echo))
	}
	answers = append(answers, siemtest.PartialSuccess(1, echo), siemtest.PartialSuccess(0, echo),
		siemtest.LoginPage(), siemtest.Drop(), siemtest.Cut(200, echo), siemtest.Cut(500, echo))
	for _, p := range protocols {
		t.Run(string(p), func(t *testing.T) {
			srv := newServer(t, siemtest.OTLPConfig{})
			s := open(t, secretConfig(srv, p))
			failures := 0
			for _, a := range answers {
				srv.Respond(a)
				_, err := deliver(t.Context(), s)
				if err != nil {
					failures++
					checkClean(t, err)
				}
			}
			assert.Greater(t, failures, 50)
			checkClean(t, s)
			srv.Close()
			_, err := deliver(t.Context(), s)
			require.Error(t, err)
			checkClean(t, err)
		})
	}
}

// TestSecretsOfOddAnswers has answers that no OTLP server gives.
func TestSecretsOfOddAnswers(t *testing.T) {
	web := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/"+strings.Join(forms(), ""))
		for _, f := range forms() {
			w.Header().Add("Grpc-Message", url.PathEscape(f))
		}
		w.WriteHeader(http.StatusTeapot)
		_, _ = fmt.Fprint(w, r.Header, r.URL, forms())
	}))
	web.Config.Protocols = new(http.Protocols)
	web.Config.Protocols.SetHTTP1(true)
	web.Config.Protocols.SetUnencryptedHTTP2(true)
	web.Start()
	t.Cleanup(web.Close)

	raw, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, raw.Close()) })
	go func() {
		for {
			conn, err := raw.Accept()
			if err != nil {
				return
			}
			_, _ = fmt.Fprintf(conn, "%s\r\n\r\n", canary)
			_ = conn.Close()
		}
	}()
	for _, p := range protocols {
		t.Run(string(p), func(t *testing.T) {
			srv := newServer(t, siemtest.OTLPConfig{})
			for _, target := range []string{web.URL, "http://" + raw.Addr().String(), "https://" + raw.Addr().String()} {
				cfg := secretConfig(srv, p)
				cfg.Network = sink.Network{}
				_, rest, _ := strings.Cut(cfg.Endpoint, "/v1/logs")
				cfg.Endpoint = target + rest
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				_, err := deliver(ctx, open(t, cfg))
				cancel()
				require.Error(t, err)
				checkClean(t, err)
			}
			cfg := secretConfig(srv, p)
			cfg.Network.DialContext = func(context.Context, string, string) (net.Conn, error) {
				return nil, errors.New(strings.Join(forms(), " "))
			}
			_, err := deliver(t.Context(), open(t, cfg))
			require.Error(t, err)
			checkClean(t, err)
		})
	}
}

// TestShortSecrets checks that a secret too short to be recognised keeps all remote text out.
func TestShortSecrets(t *testing.T) {
	for _, p := range protocols {
		t.Run(string(p), func(t *testing.T) {
			srv := newServer(t, siemtest.OTLPConfig{})
			cfg := configFor(srv, p)
			cfg.Secret = secret.New("pw1")
			cfg.Headers = sink.Headers{"X-Api-Key": "#{Secret}"}
			answer := answerWith(400, contentType, statusBody(t, "your key is pw1"))
			if p == GRPC {
				answer = siemtest.GRPC(codes.InvalidArgument, "your key is pw1")
			}
			srv.Respond(answer)
			_, err := deliver(t.Context(), open(t, cfg))
			require.Error(t, err)
			assert.NotContains(t, err.Error(), "pw1")
			assert.NotContains(t, err.Error(), "your key")
		})
	}
}

// TestTheReasonsOfLinksStayInside checks that gRPC, which has a log of its own, is not told why there is no connection.
func TestTheReasonsOfLinksStayInside(t *testing.T) {
	reason := errors.New("you sent " + canary)
	l := &link{dial: func(context.Context, string, string) (net.Conn, error) { return nil, reason }}
	_, err := l.dialContext(t.Context(), "collector.example:4317")
	require.ErrorIs(t, err, errNoConnection)
	checkClean(t, err)
	require.ErrorIs(t, l.cause(), reason)

	l = new(link)
	secured := watchedCredentials{credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12}), l}
	_, _, err = secured.ClientHandshake(t.Context(), "collector.example:4317", brokenConn{reason})
	require.ErrorIs(t, err, errNoConnection)
	checkClean(t, err)
	require.ErrorIs(t, l.cause(), reason)
}

// checkClean searches every printed form of a value, and what the SDK has printed.
func checkClean(t *testing.T, v any) {
	t.Helper()
	text := fmt.Sprintf("%v %+v %#v %q ", v, v, v, v) + printed.String()
	if e, ok := v.(error); ok {
		if se, ok := errors.AsType[*sink.Error](e); ok {
			text += se.Code + se.Remedy + fmt.Sprintf("%+v", *se)
		}
	}
	low := strings.ToLower(text)
	for _, f := range forms() {
		if strings.Contains(low, strings.ToLower(f)) {
			t.Errorf("the secret is in what %T prints", v) // without the text
		}
	}
}
