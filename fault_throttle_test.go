package auditstream_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/sink/siemtest"
)

// attempts returns when the requests of a SIEM were read.
func attempts(siem fakeSIEM) []time.Time {
	var all []time.Time
	for _, r := range siem.Requests() {
		all = append(all, r.Time)
	}
	return all
}

// throttled gives one answer once and returns how long the stream left the destination alone after that.
func throttled(t *testing.T, f *trial, answer siemtest.Answer) time.Duration {
	t.Helper()
	f.siem.Respond(answer)
	f.publish(t, 3)
	time.Sleep(200*time.Millisecond + time.Microsecond) // the first attempt is over
	synctest.Wait()
	status := f.Status()
	assert.Equal(t, auditstream.ConditionRetrying, status.Condition)
	assert.EqualValues(t, 3, status.Totals.Pending)
	assert.False(t, status.NextAttempt.IsZero())
	for f.Status().Totals.Pending > 0 { // a Flush would end the wait
		time.Sleep(100 * time.Millisecond)
	}
	f.checkArrival(t)
	all := attempts(f.siem)
	require.Len(t, all, 2)
	return all[1].Sub(all[0])
}

// The destination asks for time and gets it, or the stream's own backoff if that is longer.
func TestFaultRetryAfterSeconds(t *testing.T) {
	for asked, most := range map[time.Duration]time.Duration{
		time.Second: time.Second, 30 * time.Second: 30 * time.Second, 4 * time.Minute: 4 * time.Minute,
		time.Hour: 5 * time.Minute,
	} {
		t.Run(asked.String(), func(t *testing.T) {
			inEveryDriver(t, func(t *testing.T, _ driver, f *trial) {
				waited := throttled(t, f, siemtest.Throttle(asked))
				assert.GreaterOrEqual(t, waited, min(asked, 5*time.Minute))
				assert.LessOrEqual(t, waited, most+time.Second)
				assert.Zero(t, f.Status().Totals.InDoubt, "what was throttled was not taken")
			})
		})
	}
}

// A date counts from the answer's own Date, so that a wrong clock at either end does no harm.
func TestFaultRetryAfterDate(t *testing.T) {
	for name, tt := range map[string]struct{ skew, ahead, want time.Duration }{
		"clocks agree":          {0, 2 * time.Minute, 2 * time.Minute},
		"server is ahead":       {10 * time.Hour, 2 * time.Minute, 2 * time.Minute},
		"server is behind":      {-10 * time.Hour, 2 * time.Minute, 2 * time.Minute},
		"the date is past":      {0, -time.Hour, 0},
		"past, server is ahead": {10 * time.Hour, -time.Hour, 0},
		"far away":              {0, 48 * time.Hour, 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			inDrivers(t, without(otlpGRPC), auditstream.Config{}, func(t *testing.T, _ driver, f *trial) {
				now := time.Now().Add(tt.skew).UTC()
				answer := siemtest.Status(503, "")
				answer.Header = http.Header{
					"Date": {now.Format(http.TimeFormat)}, "Retry-After": {now.Add(tt.ahead).Format(http.TimeFormat)},
				}
				waited := throttled(t, f, answer)
				assert.GreaterOrEqual(t, waited, tt.want)
				assert.LessOrEqual(t, waited, tt.want+time.Second)
			})
		})
	}
}

// No value of the header makes the stream hurry, or wait for ever.
func TestFaultRetryAfterNonsense(t *testing.T) {
	const longest = 5 * time.Minute
	for values, least := range map[string]time.Duration{
		"-5": 0, "-9223372036854775808": 0, "1e9": 0, "NaN": 0, "": 0, "0x10": 0, "soon": 0, " 7 ": 7 * time.Second,
		"1000000000": longest, "9223372037": longest, "99999999999": longest, "18446744073709551616": longest,
		"Fri, 31 Dec 9999 23:59:59 GMT": longest, "Thu, 01 Jan 1970 00:00:00 GMT": 0,
		"5;9223372037": longest, "5, 6": 6 * time.Second, "-1;2": 2 * time.Second,
	} {
		t.Run(fmt.Sprintf("%q", values), func(t *testing.T) {
			inDrivers(t, without(otlpGRPC), auditstream.Config{}, func(t *testing.T, _ driver, f *trial) {
				answer := siemtest.Status(429, "")
				answer.Header = http.Header{"Retry-After": strings.Split(values, ";")}
				waited := throttled(t, f, answer)
				assert.GreaterOrEqual(t, waited, least)
				assert.Positive(t, waited)
				assert.LessOrEqual(t, waited, least+time.Second)
			})
		})
	}
	t.Run("RetryInfo", func(t *testing.T) {
		for _, after := range []time.Duration{-time.Hour, 1, 200 * time.Hour, 1<<63 - 1} {
			inDrivers(t, only(otlpGRPC), auditstream.Config{}, func(t *testing.T, _ driver, f *trial) {
				waited := throttled(t, f, siemtest.Answer{Code: codes.Unavailable, RetryAfter: after})
				assert.Positive(t, waited)
				assert.LessOrEqual(t, waited, 5*time.Minute+time.Second)
			})
		}
	})
}

// A storm of 503 lasts for hours. The stream asks every now and then, never twice at once and in no rhythm with others,
// and what has gathered goes out in full batches afterwards.
func TestFaultStormOf503(t *testing.T) {
	inDrivers(t, drivers, auditstream.Config{BatchEvents: 50}, func(t *testing.T, _ driver, f *trial) {
		storm := siemtest.Status(503, "")
		f.siem.Fail(func(siemtest.Request) *siemtest.Answer { return &storm })
		for range 2 * 60 {
			f.publish(t, 1)
			time.Sleep(time.Minute)
		}
		status := f.Status()
		assert.Equal(t, auditstream.ConditionRetrying, status.Condition)
		assert.Equal(t, 2*time.Hour-200*time.Millisecond, time.Since(status.ConditionSince).Round(100*time.Millisecond))
		assert.False(t, status.NextAttempt.IsZero())
		assert.WithinDuration(t, time.Now(), status.Queue.Oldest, 2*time.Hour+time.Second)

		during := attempts(f.siem)
		assert.Less(t, len(during), 2*60*4, "some two a minute")
		assert.Greater(t, len(during), 2*60/2, "but it does ask")
		waits := make(map[time.Duration]bool)
		for i := 10; i < len(during); i++ {
			wait := during[i].Sub(during[i-1])
			assert.LessOrEqual(t, wait, time.Minute)
			waits[wait] = true
		}
		assert.Greater(t, len(waits), len(during)/2, "the waits are spread")

		f.siem.Fail(nil)
		time.Sleep(time.Minute)
		f.checkArrival(t)
		after := len(attempts(f.siem)) - len(during)
		assert.LessOrEqual(t, after, 120/50+2, "the backlog goes out in full batches")
	})
}
