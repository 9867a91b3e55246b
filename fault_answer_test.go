package auditstream_test

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/sink/siemtest"
)

// An outcome is how a Stream is to take a fault that the destination shows for a while.
type outcome struct {
	condition auditstream.Condition
	text      string // in the last error
	remedy    string // in what the operator is told to do
	inDoubt   bool   // the events may have been taken
}

// suffer gives one answer to everything for a while. The events stay, in order, the operator learns what the matter is,
// and all of them arrive once the answer is another.
func suffer(t *testing.T, f *trial, answer siemtest.Answer, want outcome) {
	t.Helper()
	f.siem.Fail(func(siemtest.Request) *siemtest.Answer { return &answer })
	f.publish(t, 3)
	time.Sleep(5 * time.Second)
	status := f.Status()
	assert.Equal(t, want.condition, status.Condition)
	assert.EqualValues(t, 3, status.Totals.Pending)
	require.ErrorContains(t, status.LastError, want.text)
	e := f.sinkError(t)
	assert.Contains(t, e.Remedy, want.remedy)
	if want.condition == auditstream.ConditionBlocked {
		assert.NotEmpty(t, e.Remedy, "somebody has to act, and is not told how")
	}
	f.siem.Fail(nil)
	f.drain(t)
	f.checkArrival(t)
	assert.Equal(t, want.inDoubt, f.Status().Totals.InDoubt > 0, "%d in doubt", f.Status().Totals.InDoubt)
	assert.Empty(t, f.journal.rejected())
}

// sufferEach is suffer for each status, over HTTP.
func sufferEach(t *testing.T, want outcome, statuses ...int) {
	t.Helper()
	for _, status := range statuses {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			inDrivers(t, without(otlpGRPC), auditstream.Config{}, func(t *testing.T, _ driver, f *trial) {
				want := want
				want.text = strconv.Itoa(status)
				suffer(t, f, siemtest.Status(status, "an answer of some proxy"), want)
			})
		})
	}
}

// What passes by itself is tried again for ever. A 500 is no better and no worse than the others.
func TestFaultPassingStatus(t *testing.T) {
	sufferEach(t, outcome{condition: auditstream.ConditionRetrying, inDoubt: true}, 408, 500, 502, 503, 504)
}

// The URL is wrong, mostly.
func TestFaultWrongURL(t *testing.T) {
	sufferEach(t, outcome{condition: auditstream.ConditionBlocked}, 404, 405, 410)
}

// Nobody knows these. What begins with 4 is for somebody to look at, everything else may pass.
func TestFaultUnknownStatus(t *testing.T) {
	sufferEach(t, outcome{condition: auditstream.ConditionBlocked, remedy: "Check"}, 418, 451, 499)
	sufferEach(t, outcome{condition: auditstream.ConditionRetrying, inDoubt: true}, 520, 599, 600, 999)
	// A status of 0 does not come out of a server; it is an answer that is none.
	t.Run("0", func(t *testing.T) {
		inDrivers(t, without(otlpGRPC), auditstream.Config{}, func(t *testing.T, _ driver, f *trial) {
			f.route(answeringWith("HTTP/1.1 000 Nothing\r\nContent-Length: 0\r\n\r\n"))
			f.publish(t, 3)
			time.Sleep(5 * time.Second)
			assert.Equal(t, auditstream.ConditionRetrying, f.Status().Condition)
			assert.EqualValues(t, 3, f.Status().Totals.Pending)
			f.route(nil)
			f.drain(t)
			f.checkArrival(t)
		})
	})
}

// The token is revoked. Nothing is lost, nobody is pestered, and the new token is tried as soon as somebody has typed it.
func TestFaultTokenRevoked(t *testing.T) {
	const renewed = "another-token-of-the-same-size"
	inEveryDriver(t, func(t *testing.T, d driver, f *trial) {
		f.publish(t, 3)
		f.drain(t)
		f.siem.SetToken(renewed)
		f.publish(t, 3)
		time.Sleep(30 * time.Minute)
		status := f.Status()
		assert.Equal(t, auditstream.ConditionBlocked, status.Condition)
		assert.EqualValues(t, 3, status.Totals.Pending)
		assert.Contains(t, []string{"401", "403", "HEC 4", "UNAUTHENTICATED"}, f.sinkError(t).Code)
		assert.NotEmpty(t, f.sinkError(t).Remedy)
		assert.False(t, status.NextAttempt.IsZero())
		requests := f.siem.Requests()
		assert.LessOrEqual(t, len(requests), 1+38, "a probe each 48 s at most")

		f.place.token = renewed
		require.NoError(t, f.Configure(d.config(f.place)))
		time.Sleep(time.Millisecond)
		f.checkArrival(t)
		assert.Zero(t, f.Status().Totals.InDoubt)
		assert.Equal(t, []string{"enabled/healthy", "enabled/blocked", "enabled/healthy"}, f.journal.moves())
	})
}

// A sign-in page says 200 to everything. It is not the destination, so nothing was delivered.
func TestFaultLoginPage(t *testing.T) {
	inDrivers(t, without(otlpGRPC), auditstream.Config{}, func(t *testing.T, _ driver, f *trial) {
		suffer(t, f, siemtest.LoginPage(), outcome{condition: auditstream.ConditionBlocked, text: "200", remedy: "proxy", inDoubt: true})
	})
}

// Any other body is taken at its status's word, but for Splunk, whose collector always says more.
func TestFaultGarbageWith200(t *testing.T) {
	for _, body := range []string{"OK", "[]", "{}", `{"code":"0"}`, "\x00\xff\xfe", `{"text":"a page about <html>"}`} {
		t.Run(fmt.Sprintf("%q", body), func(t *testing.T) {
			inDrivers(t, without(otlpGRPC), auditstream.Config{}, func(t *testing.T, d driver, f *trial) {
				answer := siemtest.Status(200, body)
				if d.name == hec {
					suffer(t, f, answer, outcome{condition: auditstream.ConditionBlocked, text: "not in the words", remedy: "login page", inDoubt: true})
					return
				}
				answer.Accept = true
				f.siem.Fail(func(siemtest.Request) *siemtest.Answer { return &answer })
				f.publish(t, 3)
				f.drain(t)
				f.checkArrival(t)
				assert.Zero(t, f.Status().Totals.InDoubt)
			})
		})
	}
	t.Run("codes of HEC that warn", func(t *testing.T) {
		for _, code := range []int{24, 25} {
			inDrivers(t, only(hec), auditstream.Config{}, func(t *testing.T, _ driver, f *trial) {
				answer := siemtest.HEC(code)
				answer.Accept = true
				f.siem.Fail(func(siemtest.Request) *siemtest.Answer { return &answer })
				f.publish(t, 3)
				f.drain(t)
				f.checkArrival(t)
			})
		}
	})
}

// A proxy redirects to its sign-in page, which would answer 200 to whatever comes. Nobody goes there.
func TestFaultRedirectToALoginPage(t *testing.T) {
	inDrivers(t, without(otlpGRPC), auditstream.Config{}, func(t *testing.T, d driver, f *trial) {
		page := newTrial(t, d, served{}, auditstream.Config{})
		page.siem.Fail(func(siemtest.Request) *siemtest.Answer {
			a := siemtest.LoginPage()
			return &a
		})
		suffer(t, f, siemtest.Redirect(302, "http://127.0.0.1:1/login?next=x"),
			outcome{condition: auditstream.ConditionBlocked, text: "named the host", remedy: "redirects are not followed"})
		assert.Empty(t, page.siem.Requests())
	})
}

// Every 2xx is an acceptance, also without a body.
func TestFaultOtherSuccess(t *testing.T) {
	for _, status := range []int{http.StatusAccepted, http.StatusNoContent, 299} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			inDrivers(t, without(otlpGRPC), auditstream.Config{}, func(t *testing.T, _ driver, f *trial) {
				answer := siemtest.Status(status, "")
				answer.Accept = true
				f.siem.Fail(func(siemtest.Request) *siemtest.Answer { return &answer })
				f.publish(t, 3)
				f.drain(t)
				f.checkArrival(t)
				assert.Len(t, f.siem.IDs(), 3)
			})
		})
	}
}

// A request that is refused for its compression names the remedy, and the edit that follows it drains the queue. A 400 may
// mean an event: two of them are believed to be bad, and handed over, before the test event shows that it is not them.
func TestFaultCompressionRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		answer   siemtest.Answer
		rejected []string
	}{
		"415": {siemtest.Answer{Status: http.StatusUnsupportedMediaType, Code: codes.Unimplemented, Body: "unknown compression"}, nil},
		"400": {siemtest.Answer{Status: http.StatusBadRequest, Code: codes.InvalidArgument, Body: "not JSON"}, span(1, 2)},
	} {
		t.Run(name, func(t *testing.T) {
			inEveryDriver(t, func(t *testing.T, d driver, f *trial) {
				f.siem.Fail(func(r siemtest.Request) *siemtest.Answer {
					if r.Header.Get("Content-Encoding")+r.Header.Get("Grpc-Encoding") != "" {
						return &tt.answer
					}
					return nil
				})
				f.publish(t, 9)
				time.Sleep(5 * time.Second)
				assert.Equal(t, auditstream.ConditionBlocked, f.Status().Condition)
				assert.EqualValues(t, 9-len(tt.rejected), f.Status().Totals.Pending)
				assert.Contains(t, f.sinkError(t).Remedy, "ompression")

				f.place.plain = true
				require.NoError(t, f.Configure(d.config(f.place)))
				f.drain(t)
				once, _ := arrived(f.siem.IDs())
				assert.Equal(t, span(len(tt.rejected)+1, 9), once)
				assert.Equal(t, tt.rejected, f.journal.rejected())
				assert.Zero(t, f.Status().Totals.InDoubt)
			})
		})
	}
}
