package auditstream_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/metadata"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/internal/canary"
	"github.com/auditstream/auditstream/sink"
)

// echo is the canary in the forms in which somebody on the way may have seen it.
var echo = canary.Secret + " Bearer " + canary.Secret + " " + url.PathEscape(canary.Secret) + " Basic " +
	base64.StdEncoding.EncodeToString([]byte("user:"+canary.Secret)) + " " + base64.StdEncoding.EncodeToString([]byte(canary.Secret))

// A roadDialer is the host's part of the way to a destination.
type roadDialer = func(ctx context.Context, network, address string) (net.Conn, error)

// failing returns a dialler that gives an error to everybody.
func failing(err error) roadDialer {
	return func(context.Context, string, string) (net.Conn, error) { return nil, err }
}

// meeting returns a dialler that leads to meet.
func meeting(meet func(far net.Conn)) roadDialer {
	return func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go func() {
			defer far.Close()
			meet(far)
		}()
		return near, nil
	}
}

// saying returns a dialler that leads to somebody who takes what comes first, says one thing and hangs up.
func saying(text string) roadDialer {
	return meeting(func(far net.Conn) {
		_, _ = far.Read(make([]byte, 4<<10))
		_, _ = io.WriteString(far, text)
	})
}

// broken is a connection that fails with a text.
type broken struct {
	net.Conn
	err error
}

func (b broken) Read([]byte) (int, error)  { return 0, b.err }
func (b broken) Write([]byte) (int, error) { return 0, b.err }

// failures of the network that have no answer, each with the canary in whatever the failure can say.
var failures = map[string]roadDialer{
	"name unknown":     failing(&net.DNSError{Err: "no such host " + echo, Name: "siem.example", Server: echo, IsNotFound: true}),
	"name server":      failing(&net.DNSError{Err: "server misbehaving " + echo, Name: "siem.example", Server: echo}),
	"name not in time": failing(&net.DNSError{Err: "i/o timeout " + echo, Name: "siem.example", IsTimeout: true}),
	"refused":          failing(&net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect "+echo, syscall.ECONNREFUSED)}),
	"a URL":            failing(&url.Error{Op: "Post", URL: "https://siem.example/" + url.PathEscape(canary.Secret), Err: errors.New(echo)}),
	"a path":           failing(&os.PathError{Op: "open", Path: canary.Secret, Err: os.ErrPermission}),
	"joined":           failing(errors.Join(errors.New(echo), fmt.Errorf("%w: %s", context.Canceled, echo))),
	"broken connection": func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		_ = far.Close()
		return broken{near, errors.New(echo)}, nil
	},
	"not TLS":      saying("HTTP/1.1 400 " + echo + "\r\nX: " + echo + "\r\n\r\n" + echo),
	"an SSH":       saying("SSH-2.0-" + echo + "\r\n"),
	"an alert":     saying("\x15\x03\x03\x00\x02\x02\x28" + echo),
	"a long alert": saying("\x15\x03\x03\x00\x40" + (echo + echo)[:0x40]),
	"half a hello": saying("\x16\x03\x03\x01\x00\x02\x00\x00\xfc\x03\x03" + echo),
	"hangs up":     meeting(func(net.Conn) {}),
}

// proxies answer CONNECT, or SOCKS, with everything that they were sent.
var proxies = map[string]struct {
	scheme string
	dial   roadDialer
}{
	"refuses the password": {"http", saying("HTTP/1.1 407 " + echo + "\r\nProxy-Authenticate: " + echo + "\r\n\r\n" + echo)},
	"forbids":              {"http", saying("HTTP/1.1 403 " + echo + "\r\n\r\n" + echo)},
	"bad gateway":          {"http", saying("HTTP/1.1 502 " + echo + "\r\nContent-Length: 9999\r\n\r\n" + echo)},
	"redirects":            {"http", saying("HTTP/1.1 302 Found\r\nLocation: http://" + url.QueryEscape(canary.Secret) + ".example/" + echo + "\r\n\r\n")},
	"floods":               {"http", saying("HTTP/1.1 200 OK\r\nX: " + strings.Repeat(echo, 1000))},
	"is none":              {"http", saying(echo)},
	"opens and says":       {"http", saying("HTTP/1.1 200 OK\r\n\r\n" + echo)},
	"has no TLS":           {"https", saying(echo)},
	"cannot be dialled":    {"http", failing(errors.New(echo))},
	"SOCKS, password":      {"socks5", saying("\x05\xff" + echo)},
	"SOCKS, none":          {"socks5", saying(echo)},
}

// TestSecretsNeverLeaveOnTheWay lets every driver fail before there is an answer: at DNS, at the dial, in the TLS
// handshake, at the proxy.
func TestSecretsNeverLeaveOnTheWay(t *testing.T) {
	certify := func(t *testing.T) (roadDialer, sink.TLS) {
		t.Helper()
		root := issue(t, nil, nil)
		told := issue(t, root, func(c *x509.Certificate) {
			c.Subject.CommonName, c.Subject.Organization = canary.Secret, []string{echo}
			c.DNSNames, c.EmailAddresses = []string{canary.Secret, "a." + url.QueryEscape(canary.Secret) + ".example"}, []string{canary.Secret}
		})
		return meeting(func(far net.Conn) { _ = tls.Server(far, told.server(nil)).HandshakeContext(t.Context()) }),
			sink.TLS{RootCAs: root.pem()}
	}
	for driver, destination := range secured {
		run := func(name string, road func(t *testing.T) route) {
			t.Run(driver+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := road(t)
					r.url = "https://siem.example:4317"
					out, status := canaryRun(t, destination(r))
					require.Error(t, status.LastError)
					assert.EqualValues(t, 6, status.Totals.Pending)
					require.Empty(t, canary.Find(out, canary.Secret), "a form of the secret is in what came out")
				})
			})
		}
		for name, dial := range failures {
			run(name, func(*testing.T) route { return route{network: sink.Network{DialContext: dial}} })
		}
		run("a certificate that tells", func(t *testing.T) route {
			t.Helper()
			dial, settings := certify(t)
			return route{tls: settings, network: sink.Network{DialContext: dial}}
		})
		for name, p := range proxies {
			if driver == overGRPC && p.scheme == "socks5" {
				continue // refused when it is configured
			}
			run("a proxy "+name, func(*testing.T) route {
				at := &url.URL{Scheme: p.scheme, Host: "proxy.example:3128", User: url.UserPassword("user", canary.Secret)}
				return route{network: sink.Network{Proxy: at, DialContext: p.dial}}
			})
		}
	}
}

// innerProcess tells a process that it is the one that another test looks at.
const innerProcess = "AUDITSTREAM_TEST_INNER_PROCESS"

// TestTheProcessPrintsNoSecret runs the tests that handle the canary in a process of its own, in which the libraries
// below are told to log what they can, and searches all that it prints: the logs of gRPC, of net/http and of the
// OpenTelemetry SDK, and what the tests themselves print.
func TestTheProcessPrintsNoSecret(t *testing.T) {
	if os.Getenv(innerProcess) != "" {
		return // it would be the one that is looked at
	}
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.count=1",
		"-test.run=^Test(SecretsNeverLeave.*|HostileAnswersAreBounded|RedirectsAreNotFollowed)$/^(otlp_grpc|OTLP_over_gRPC)$")
	cmd.Env = append(os.Environ(), innerProcess+"=1", "GRPC_GO_LOG_SEVERITY_LEVEL=info", "GRPC_GO_LOG_VERBOSITY_LEVEL=99",
		"OTEL_LOG_LEVEL=debug")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "run the tests by themselves to see why")
	text := string(out)
	require.Contains(t, text, "INFO: ", "gRPC's log is there to be searched")
	require.Contains(t, text, "--- PASS: TestSecretsNeverLeave/otlp_grpc/status_401")
	require.Empty(t, canary.Find(text, canary.Secret), "a form of the secret is in what the process printed")
}

// TestARequestHasNoHistory checks what the transports add by themselves: nothing but what was asked for.
func TestARequestHasNoHistory(t *testing.T) {
	t.Parallel()
	for driver, destination := range secured {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			server := newSentinel(t, nil, func(w http.ResponseWriter, r *http.Request) {
				http.SetCookie(w, &http.Cookie{Name: "session", Value: "1"})
				w.Header().Set("Refresh", "0; url=http://127.0.0.1:1/")
				w.Header().Set("Alt-Svc", `h2="127.0.0.1:1"; ma=3600`)
				take(w, r)
			})
			s := newStream(t, auditstream.Config{BatchDelay: time.Nanosecond})
			require.NoError(t, s.Configure(destination(route{url: "http://" + server.host()})))
			for i := range 2 {
				publish(t, s, 1, 1)
				waitDelivered(t, s, uint64(i)+1)
			}
			server.mu.Lock()
			defer server.mu.Unlock()
			require.Len(t, server.requests, 2)
			for _, r := range server.requests {
				for _, name := range []string{"Cookie", "Referer", "Origin", "Accept-Encoding", "X-Forwarded-For", "Traceparent", "Baggage"} {
					assert.Empty(t, r.Header.Values(name), name)
				}
				assert.Equal(t, "auditstream", strings.Fields(r.UserAgent())[0])
			}
		})
	}
}

// TestNoHookOfACallerSeesASecret tests a destination under a context with a hook that is shown every header.
func TestNoHookOfACallerSeesASecret(t *testing.T) {
	t.Parallel()
	for driver, destination := range secured {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			var seen canary.Log
			ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
				GetConn:          func(address string) { _, _ = io.WriteString(&seen, address) },
				WroteHeaderField: func(name string, values []string) { _, _ = fmt.Fprintln(&seen, name, values) },
			})
			ctx = metadata.AppendToOutgoingContext(ctx, "x-of-the-caller", "1")
			server := newSentinel(t, nil, nil)
			s := newStream(t, auditstream.Config{})
			require.NoError(t, s.Test(ctx, destination(route{url: "http://" + server.host()})))
			requests, _ := server.seen()
			assert.Equal(t, 1, requests)
			assert.Empty(t, server.requests[0].Header.Get("X-Of-The-Caller"))
			assert.Zero(t, len(seen.String()), "a hook was called")
		})
	}
}
