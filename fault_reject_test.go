package auditstream_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"google.golang.org/grpc/codes"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/sink/siemtest"
)

// isBad picks some of the events of the tests below.
func isBad(bad ...string) func(siemtest.Received) bool {
	return func(r siemtest.Received) bool { return slices.Contains(bad, r.ID) }
}

// One event is bad. It is found, whether the destination names it or not, and handed over; all others arrive.
func TestFaultBadEvent(t *testing.T) {
	inEveryDriver(t, func(t *testing.T, d driver, f *trial) {
		f.siem.RejectIf(isBad("e100", "e300"))
		f.publish(t, 400)
		f.drain(t)
		once, duplicates := arrived(f.siem.IDs())
		assert.Zero(t, duplicates)
		assert.Zero(t, f.Status().Totals.InDoubt)
		assert.Len(t, once, 398)
		assert.Equal(t, []string{"e100", "e300"}, f.journal.rejected())
		assert.EqualValues(t, 2, f.Status().Totals.Rejected)
		most := 2 * 11 // for each, log2(400)+2
		if d.name == hec {
			most = 3 // it names the event
		}
		assert.LessOrEqual(t, len(f.siem.Requests()), most)
	})
}

// The destination refuses every event, so it is the one at fault. Two are believed to be bad before it is put to the test.
func TestFaultEveryEventIsBad(t *testing.T) {
	inEveryDriver(t, func(t *testing.T, _ driver, f *trial) {
		f.siem.RejectIf(func(siemtest.Received) bool { return true })
		f.publish(t, 50)
		time.Sleep(time.Hour)
		status := f.Status()
		assert.Equal(t, auditstream.ConditionBlocked, status.Condition)
		assert.EqualValues(t, 48, status.Totals.Pending)
		assert.ErrorContains(t, status.LastError, "refuses every event")
		assert.NotEmpty(t, f.sinkError(t).Remedy)
		f.siem.RejectIf(nil)
		f.drain(t)
		once, _ := arrived(f.siem.IDs())
		assert.Equal(t, span(3, 50), withoutTest(once))
		assert.Equal(t, span(1, 2), f.journal.rejected())
		assert.Equal(t, auditstream.ConditionHealthy, f.Status().Condition)
	})
}

// withoutTest drops the test event, whose ID is a UUID.
func withoutTest(ids []string) []string {
	var rest []string
	for _, id := range ids {
		if !strings.Contains(id, "-") {
			rest = append(rest, id)
		}
	}
	return rest
}

// Requests are too large for the destination. They become smaller, and stay so; what is too large by itself is handed over.
func TestFaultRequestTooLarge(t *testing.T) {
	const limit = 20_000
	inEveryDriver(t, func(t *testing.T, _ driver, f *trial) {
		f.siem.Fail(func(r siemtest.Request) *siemtest.Answer {
			if r.Bytes <= limit {
				return nil
			}
			return &siemtest.Answer{
				Status: 413, Code: codes.ResourceExhausted,
				Body: fmt.Sprintf("grpc: received message after decompression larger than max (%d vs. %d)", r.Bytes, limit),
			}
		})
		f.publish(t, 200)
		huge := event(201)
		huge.Message = strings.Repeat("x", limit)
		assert.NoError(t, f.Publish(huge))
		f.last++
		f.publish(t, 200)
		f.drain(t)
		once, duplicates := arrived(f.siem.IDs())
		assert.Equal(t, append(span(1, 200), span(202, 401)...), withoutTest(once))
		assert.Zero(t, duplicates)
		assert.Zero(t, f.Status().Totals.InDoubt)
		assert.Equal(t, []string{"e201"}, f.journal.rejected())
		assert.Equal(t, auditstream.ConditionHealthy, f.Status().Condition)
	})
}

// The destination takes a request but for some of its events, and does not say for which. They are counted, those that
// they are among are handed over, and nothing is sent again.
func TestFaultPartialSuccess(t *testing.T) {
	inDrivers(t, only(otlpHTTP, otlpGRPC), auditstream.Config{}, func(t *testing.T, _ driver, f *trial) {
		srv, ok := f.siem.(*siemtest.OTLP)
		if !assert.True(t, ok) {
			return
		}
		srv.PartialIf(isBad("e2", "e4"))
		f.publish(t, 5)
		f.drain(t)
		assert.Equal(t, []string{"e1", "e3", "e5"}, f.siem.IDs())
		assert.Len(t, f.siem.Requests(), 1, "nothing is sent again")
		totals := f.Status().Totals
		assert.EqualValues(t, 3, totals.Delivered)
		assert.EqualValues(t, 2, totals.Rejected)
		assert.Zero(t, totals.InDoubt)
		assert.Equal(t, auditstream.ConditionHealthy, f.Status().Condition)
		rejection := f.journal.rejections[0]
		assert.EqualValues(t, 2, rejection.Count)
		assert.Nil(t, rejection.Events)
		assert.Equal(t, span(1, 5), ids(rejection.Candidates))
		assert.ErrorContains(t, rejection.Err, "some log records are not acceptable")
	})
}

// The count is no number of events of the request, or there is none. Nothing is sent again, and the ledger balances.
func TestFaultPartialSuccessOfNonsense(t *testing.T) {
	for count, rejected := range map[int64]uint64{-1 << 63: 0, -1: 0, 0: 0, 5: 5, 6: 5, 1<<63 - 1: 5} {
		t.Run(strconv.FormatInt(count, 10), func(t *testing.T) {
			inDrivers(t, only(otlpHTTP, otlpGRPC), auditstream.Config{}, func(t *testing.T, _ driver, f *trial) {
				answer := siemtest.PartialSuccess(count, "a remark")
				answer.Accept = true
				f.siem.Respond(answer, answer)
				for range 2 {
					f.publish(t, 5)
					f.drain(t)
				}
				totals := f.Status().Totals
				assert.Equal(t, 2*rejected, totals.Rejected)
				assert.Equal(t, 10-2*rejected, totals.Delivered)
				assert.Len(t, f.siem.Requests(), 2)
				assert.Equal(t, auditstream.ConditionHealthy, f.Status().Condition)
				if rejected == 0 {
					assert.Equal(t, 1, strings.Count(f.log.String(), "has something to say"), "it is a warning, once")
				}
			})
		})
	}
}
