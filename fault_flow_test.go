package auditstream_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/sink/siemtest"
)

// The server takes a batch and crashes before it answers. The batch goes out again, every copy of an event has the same
// ID, and the repeats are counted.
func TestFaultCrashAfterTaking(t *testing.T) {
	inEveryDriver(t, func(t *testing.T, _ driver, f *trial) {
		crash := siemtest.Drop()
		crash.Accept = true
		f.siem.Respond(crash, crash)
		f.publish(t, 3)
		f.drain(t)
		f.checkArrival(t)
		_, duplicates := arrived(f.siem.IDs())
		assert.EqualValues(t, 6, duplicates)
		assert.EqualValues(t, 6, f.Status().Totals.InDoubt)
		assert.EqualValues(t, 3, f.Status().Totals.Delivered, "the ledger counts events, not copies")
	})
}

// The destination comes and goes every few seconds. Everything arrives, in full batches, and nobody spins.
func TestFaultFlapping(t *testing.T) {
	inEveryDriver(t, func(t *testing.T, _ driver, f *trial) {
		for range 50 {
			for _, down := range []bool{true, false} {
				require.NoError(t, f.siem.SetOutage(down))
				f.publish(t, 10)
				time.Sleep(3 * time.Second)
			}
		}
		f.drain(t)
		f.checkArrival(t)
		minutes := 5
		assert.LessOrEqual(t, len(f.dialled()), 60*minutes, "less than one attempt a second")
		assert.LessOrEqual(t, len(f.siem.Requests()), 60*minutes)
		assert.Greater(t, len(f.siem.Requests()), 5, "now and then it is met when it is up")
	})
}

// The destination takes half a minute for each request. The batches grow, the queue fills up and says so, and another
// stream is as fast as ever.
func TestFaultSlowDestination(t *testing.T) {
	cfg := auditstream.Config{QueueEvents: 1000, BatchEvents: 100}
	inDrivers(t, drivers, cfg, func(t *testing.T, d driver, f *trial) {
		other := newTrial(t, d, served{}, auditstream.Config{})
		f.siem.Fail(func(siemtest.Request) *siemtest.Answer {
			time.Sleep(30 * time.Second)
			return nil
		})
		full := 0
		for range 200 {
			for range 10 {
				if err := f.Publish(event(f.last + 1)); err != nil {
					require.ErrorIs(t, err, auditstream.ErrQueueFull)
					full++
					continue
				}
				f.last++
			}
			other.publish(t, 1)
			time.Sleep(time.Second)
			assert.Zero(t, other.Status().Totals.Pending)
		}
		totals := f.Status().Totals
		assert.EqualValues(t, full, totals.RefusedFull)
		assert.Positive(t, full)
		assert.Equal(t, auditstream.ConditionHealthy, f.Status().Condition, "slow is not broken")
		assert.Equal(t, 100, f.siem.Requests()[3].Events)
		f.siem.Fail(nil)
		f.drain(t)
		f.checkArrival(t)
		other.checkArrival(t)
	})
}

// A full queue that drops what is oldest says so, too, and never drops what is on its way.
func TestFaultSlowDestinationDropsTheOldest(t *testing.T) {
	cfg := auditstream.Config{QueueEvents: 100, BatchEvents: 10, Overflow: auditstream.DropOldest}
	inDrivers(t, drivers, cfg, func(t *testing.T, _ driver, f *trial) {
		f.siem.Fail(func(siemtest.Request) *siemtest.Answer {
			time.Sleep(30 * time.Second)
			return nil
		})
		f.publish(t, 10)
		time.Sleep(time.Second)
		f.publish(t, 200)
		f.siem.Fail(nil)
		f.drain(t)
		once, duplicates := arrived(f.siem.IDs())
		assert.Equal(t, append(span(1, 10), span(121, 210)...), once)
		assert.Zero(t, duplicates)
		assert.EqualValues(t, 110, f.Status().Totals.DiscardedOverflow)
		assert.Contains(t, f.log.String(), "oldest events discarded")
	})
}

// An idle stream gives its connections back, and dials when there is something to say.
func TestFaultIdleConnectionIsGivenBack(t *testing.T) {
	inEveryDriver(t, func(t *testing.T, _ driver, f *trial) {
		for i := range 3 {
			f.publish(t, 1)
			time.Sleep(time.Minute)
			assert.Len(t, f.dialled(), i+1, fmt.Sprint("after minute ", i+1))
		}
		f.checkArrival(t)
		assert.Zero(t, f.Status().Totals.InDoubt)
	})
}
