package auditstream_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/internal/canary"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/siemtest"
	"github.com/auditstream/auditstream/sink/splunk"
)

// checkRemedies holds everything that a delivery has reported against the promise that each failure has a remedy: in the
// error itself when a driver made it, and in the JSON of a status whoever did.
func checkRemedies(t *testing.T, failures ...error) {
	t.Helper()
	for _, err := range failures {
		if err == nil {
			continue
		}
		if e, ok := errors.AsType[*sink.Error](err); ok {
			assert.NotEmpty(t, e.Remedy, "%s has no remedy", err)
			for _, word := range []string{"%!", "TODO", "nil", canary.Secret} {
				assert.NotContains(t, e.Remedy, word)
			}
			assert.True(t, strings.HasSuffix(e.Remedy, "."), "%q is no sentence", e.Remedy)
		}
		raw, jsonErr := json.Marshal(auditstream.Status{LastError: err})
		require.NoError(t, jsonErr)
		var doc struct {
			LastError struct{ Message, Remedy string }
		}
		require.NoError(t, json.Unmarshal(raw, &doc))
		assert.NotEmpty(t, doc.LastError.Message)
		assert.NotEmpty(t, doc.LastError.Remedy, "%s has no remedy in the JSON of a status", err)
	}
}

// spy is a destination that remembers what its sink says.
type spy struct {
	sink.Destination

	mu   sync.Mutex
	errs []error
}

func (s *spy) Open() (sink.Sink, error) {
	opened, err := s.Destination.Open()
	if err != nil {
		return nil, err
	}
	return &spySink{Sink: opened, s: s}, nil
}

type spySink struct {
	sink.Sink
	s *spy
}

func (s *spySink) Deliver(ctx context.Context, batch []sink.Event) (int, error) {
	n, err := s.Sink.Deliver(ctx, batch)
	s.s.mu.Lock()
	defer s.s.mu.Unlock()
	s.s.errs = append(s.s.errs, err)
	return n, err
}

func (s *spySink) AttemptTimeout() time.Duration {
	if own, ok := s.Sink.(interface{ AttemptTimeout() time.Duration }); ok {
		return own.AttemptTimeout()
	}
	return 0
}

func (s *spySink) Close() error {
	if c, ok := s.Sink.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// failures returns what was said since the last call, successes left out.
func (s *spy) failures() []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	said := slices.DeleteFunc(s.errs, func(err error) bool { return err == nil })
	s.errs = nil
	return said
}

// httpStatuses are those of the tables of the drivers, and others of each class.
var httpStatuses = []int{
	201, 204, 300, 301, 302, 303, 304, 307, 308, 399, 400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415,
	418, 421, 422, 423, 424, 425, 426, 428, 429, 431, 451, 499, 500, 501, 502, 503, 504, 505, 507, 508, 511, 520, 530, 599,
}

// badAnswers are the answers of servers that refuse, fail, or are not what they should be.
func badAnswers(d driver) map[string]siemtest.Answer {
	all := map[string]siemtest.Answer{
		"hang": siemtest.Hang(), "unread": siemtest.HangUnread(), "drop": siemtest.Drop(), "reset": siemtest.Reset(),
		"login page": siemtest.LoginPage(), "throttle": siemtest.Throttle(time.Minute),
		"redirect": siemtest.Redirect(302, "https://elsewhere.example/x"), "garbage": siemtest.Status(200, "garbage"),
		"refusal, cut": siemtest.Cut(400, "{"), "partial success": siemtest.PartialSuccess(1, "no"),
	}
	for _, status := range httpStatuses {
		all[fmt.Sprint("status ", status)] = siemtest.Status(status, "")
	}
	for _, status := range []int{203, 400, 403, 404, 429, 503} {
		after := siemtest.Status(status, "")
		after.Header = http.Header{"Retry-After": {"7"}}
		all[fmt.Sprint("status ", status, ", Retry-After")] = after
		page := siemtest.LoginPage()
		page.Status = status
		all[fmt.Sprint("page, status ", status)] = page
	}
	switch d.name {
	case otlpGRPC:
		for code := codes.Canceled; code <= codes.Unauthenticated+2; code++ {
			all["code "+code.String()] = siemtest.GRPC(code, "no")
		}
		all["too large"] = siemtest.GRPC(codes.ResourceExhausted, "grpc: received message larger than max (5 vs. 4)")
	case hec:
		for code := range 31 {
			for _, status := range []int{400, 403, 503} {
				body := fmt.Sprintf(`{"text":"no","code":%d,"invalid-event-number":%d}`, code, code%4)
				all[fmt.Sprint("code ", code, " with status ", status)] = siemtest.Status(status, body)
			}
		}
	}
	return all
}

// badTLS are the ways in which a destination fails that is reached by TLS, or not. Each handshake that fails for good has
// its own case in TestTLSFaultsBlock.
func badTLS(at place) map[string]place {
	unknown, pinned, plain := at, at, at
	unknown.tls = sink.TLS{}
	pinned.tls = sink.TLS{PinSHA256: strings.Repeat("ab", 32)}
	plain.tls = sink.TLS{}
	plain.base = strings.Replace(at.base, "https://", "http://", 1)
	return map[string]place{"unknown authority": unknown, "another pin": pinned, "no TLS where there is": plain}
}

// badNetworks are the ways in which nobody is reached.
func badNetworks() map[string]dialer {
	failing := func(err error) dialer {
		return func(context.Context, string, string) (net.Conn, error) { return nil, err }
	}
	dial := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }
	return map[string]dialer{
		"no such name":       failing(dial(&net.DNSError{Err: "no such host", Name: "siem.example", IsNotFound: true})),
		"DNS is silent":      failing(dial(&net.DNSError{Err: "timeout", Name: "siem.example", IsTimeout: true})),
		"DNS fails":          failing(dial(&net.DNSError{Err: "server misbehaving", Name: "siem.example"})),
		"refused":            failing(dial(syscall.ECONNREFUSED)),
		"unreachable":        failing(dial(syscall.EHOSTUNREACH)),
		"no descriptor left": failing(dial(syscall.EMFILE)),
		"packets disappear":  failing(dial(os.ErrDeadlineExceeded)),
		"guard":              failing((&sink.Guard{}).Control("tcp", "169.254.169.254:80", nil)),
		"a dialler of the host's that says nothing": failing(io.EOF),
		"another protocol":                          answeringWith("220 mail.example ESMTP\r\n"),
		"silence":                                   serving(swallow),
	}
}

// TestEveryFailureHasARemedy drives every driver through every class of failure, and expects a remedy in plain words for
// each: in what its sink returns, in what the stream reports, and in the JSON of the status.
func TestEveryFailureHasARemedy(t *testing.T) {
	for _, d := range drivers {
		t.Run(d.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newTrial(t, d, served{}, auditstream.Config{})
				suffered := 0
				suffer := func(name string, fail, mend func()) {
					s := &spy{Destination: f.dst}
					fail()
					require.NoError(t, f.Configure(s))
					rejections := len(f.journal.rejections)
					f.publish(t, 4)
					time.Sleep(90 * time.Second)
					said := s.failures()
					checkRemedies(t, said...)
					checkRemedies(t, f.Status().LastError)
					for _, r := range f.journal.rejections[rejections:] {
						checkRemedies(t, r.Err)
					}
					if len(said) > 0 {
						suffered++
					}
					if t.Failed() {
						t.Fatalf("after %q: %v", name, said)
					}
					mend()
					require.NoError(t, f.Configure(s))
					f.drain(t)
				}
				for name, answer := range badAnswers(d) {
					suffer(name,
						func() { f.siem.Fail(func(siemtest.Request) *siemtest.Answer { return &answer }) },
						func() { f.siem.Fail(nil) })
				}
				for name, via := range badNetworks() {
					suffer(name,
						func() { f.route(via); require.NoError(t, f.siem.SetOutage(true)) },
						func() { f.route(nil); require.NoError(t, f.siem.SetOutage(false)) })
				}
				assert.Greater(t, suffered, 60, "most of them are failures to this driver")
				for _, tr := range f.journal.transitions {
					checkRemedies(t, tr.Err)
				}
			})
		})
	}
}

// TestEveryFailureOfTLSHasARemedy does the same for destinations that are reached by TLS.
func TestEveryFailureOfTLSHasARemedy(t *testing.T) {
	for _, d := range drivers {
		t.Run(d.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newTrial(t, d, served{tls: true}, auditstream.Config{})
				f.publish(t, 3)
				f.drain(t)
				for name, at := range badTLS(f.place) {
					s := &spy{Destination: d.config(at)}
					require.NoError(t, f.Configure(s))
					f.publish(t, 3)
					time.Sleep(3 * time.Minute)
					said := s.failures()
					assert.NotEmpty(t, said, name)
					checkRemedies(t, said...)
					checkRemedies(t, f.Status().LastError)
				}
				require.NoError(t, f.Configure(f.dst))
				f.drain(t)
			})
		})
	}
}

// TestEveryFailureOfAcknowledgementHasARemedy does the same for what Splunk says, or does not, about acknowledgements.
func TestEveryFailureOfAcknowledgementHasARemedy(t *testing.T) {
	answers := badAnswers(driver{})
	maps.DeleteFunc(answers, func(name string, a siemtest.Answer) bool {
		return strings.HasPrefix(name, "status") && !slices.Contains([]int{204, 302, 400, 401, 404, 413, 429, 503}, a.Status)
	})
	answers["none in time"] = siemtest.Status(200, `{"acks":{}}`)
	answers["not in Splunk's words"] = siemtest.Status(200, `{"ok":true}`)
	for _, code := range []int{1, 4, 9, 10, 14, 27, 28} {
		answers[fmt.Sprint("code ", code)] = siemtest.Status(400, fmt.Sprintf(`{"text":"no","code":%d}`, code))
	}
	suffered := 0
	for name, answer := range answers {
		for _, on := range []string{"/ack", "/event"} {
			t.Run(name+" on "+on, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					srv, err := siemtest.NewSplunk(siemtest.SplunkConfig{InMemory: true})
					require.NoError(t, err)
					t.Cleanup(srv.Close)
					srv.SetTokens(siemtest.HECToken{Value: canary.Secret, UseACK: true})
					srv.Fail(func(r siemtest.Request) *siemtest.Answer {
						if strings.HasSuffix(r.Path, on) {
							return &answer
						}
						return nil
					})
					dst, ok := splunkAt(place{base: srv.URL(), network: sink.Network{DialContext: srv.DialContext}}).(splunk.Config)
					require.True(t, ok)
					dst.Acknowledge = true
					s := &spy{Destination: dst}
					f := deliverTo(t, s, new(canary.Log), auditstream.Config{})
					f.publish(t, 4)
					time.Sleep(6 * time.Minute)
					said := s.failures()
					suffered += min(len(said), 1)
					checkRemedies(t, said...)
					checkRemedies(t, f.Status().LastError)
				})
			})
		}
	}
	assert.Greater(t, suffered, 30)
}
