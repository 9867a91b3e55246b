package auditstream_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/sink"
)

// census counts log records by their message, and sums up the events that they speak of.
type census struct {
	mu      sync.Mutex
	records map[string]int
	events  map[string]int
}

func newCensus() *census { return &census{records: make(map[string]int), events: make(map[string]int)} }

func (c *census) Enabled(context.Context, slog.Level) bool { return true }
func (c *census) WithAttrs([]slog.Attr) slog.Handler       { return c }
func (c *census) WithGroup(string) slog.Handler            { return c }

func (c *census) Handle(_ context.Context, r slog.Record) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.records[r.Message]++
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "events" {
			c.events[r.Message] += int(a.Value.Int64())
		}
		return true
	})
	return nil
}

const (
	logEnabled   = "audit stream enabled"
	logFailed    = "audit stream delivery failed: events are kept and tried again"
	logBlocked   = "audit stream blocked: events are kept, somebody has to act"
	logRecovered = "audit stream delivers again"
	logRejected  = "audit stream events rejected by the destination"
	logOverflow  = "audit stream queue full: oldest events discarded"
	logPanicked  = "audit stream sink panicked"
	logLate      = "audit stream sink answered late: some events may arrive twice"
	logShutdown  = "audit stream shut down"
)

// TestAStormOfRetriesIsLoggedOnce fails for eight hours, while events come in, and expects one record for it and one for its
// end, however it fails.
func TestAStormOfRetriesIsLoggedOnce(t *testing.T) {
	explode := func(context.Context, []sink.Event) (int, error) { panic("boom") }
	tests := map[string]struct {
		script deliverFunc
		want   map[string]int
	}{
		"errors":    {fail(errFake), map[string]int{logFailed: 1}},
		"time-outs": {untilDone, map[string]int{logFailed: 1}},
		"a different error each time": {
			func() deliverFunc {
				n := 0
				return func(context.Context, []sink.Event) (int, error) {
					n++
					return 0, sink.Retry(fmt.Errorf("failure %d", n), time.Duration(n%7)*time.Second)
				}
			}(), map[string]int{logFailed: 1},
		},
		"nonsense": {func(context.Context, []sink.Event) (int, error) { return -1, nil }, map[string]int{logFailed: 1}},
		"panics":   {explode, map[string]int{logFailed: 1, logPanicked: 1}},
		"block":    {fail(sink.Block(errFake)), map[string]int{logBlocked: 1}},
		"refusal of everything": {fail(sink.Split(errFake)), map[string]int{
			logBlocked: 1, logRejected: 2, // two events are believed to be at fault, one a minute
		}},
	}
	for name, test := range tests {
		for _, inFlight := range []int{1, 8} {
			t.Run(fmt.Sprint(name, ", ", inFlight, " in flight"), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c := newCensus()
					f := newFake(test.script)
					s, err := auditstream.New(auditstream.Config{Logger: slog.New(c), BatchEvents: 10, InFlight: inFlight})
					require.NoError(t, err)
					require.NoError(t, s.Configure(&curious8{f}))
					for i := range 8 * 60 {
						require.NoError(t, s.Publish(event(i)))
						time.Sleep(time.Minute)
					}
					attempts := len(f.attempts())
					assert.Greater(t, attempts, 200)
					f.answer(accept)
					require.NoError(t, s.Flush(t.Context()))
					require.NoError(t, s.Shutdown(t.Context()))
					test.want[logEnabled], test.want[logRecovered], test.want[logShutdown] = 1, 1, 1
					assert.Equal(t, test.want, c.records, "%d attempts", attempts)
				})
			})
		}
	}
}

// curious8 is a fake whose sink takes eight calls at once.
type curious8 struct{ *fake }

func (d *curious8) Open() (sink.Sink, error) {
	opened, err := d.fake.Open()
	return &parallelSink{Sink: opened, slots: 8}, err
}

// TestAStormOfRejectionsIsLoggedOnceASecond rejects every other event of many, with full batches and with one at a time,
// and expects at most one record a second, in which none is missing.
func TestAStormOfRejectionsIsLoggedOnceASecond(t *testing.T) {
	for _, batch := range []int{1, 2, 100} {
		t.Run(fmt.Sprint("batches of ", batch), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCensus()
				f := newFake(func(_ context.Context, batch []sink.Event) (int, error) {
					time.Sleep(time.Millisecond) // a destination is not faster than that
					for i, e := range batch {
						if e.Sequence%2 == 0 {
							return i + 1, sink.Reject(errors.New("no " + e.ID))
						}
					}
					return len(batch), nil
				})
				s, err := auditstream.New(auditstream.Config{Logger: slog.New(c), BatchEvents: batch, BatchDelay: 1})
				require.NoError(t, err)
				require.NoError(t, s.Configure(f))
				begun := time.Now()
				for i := range 5000 {
					require.NoError(t, s.Publish(event(i)))
				}
				require.NoError(t, s.Flush(t.Context()))
				seconds := int(time.Since(begun) / time.Second)
				require.Positive(t, seconds)
				require.NoError(t, s.Shutdown(t.Context()))
				assert.LessOrEqual(t, c.records[logRejected], seconds+2, "one a second, and one at the end")
				assert.EqualValues(t, 2500, s.Status().Totals.Rejected)
				assert.Equal(t, 2500, c.events[logRejected], "the counts are whole")
				delete(c.records, logRejected)
				assert.Equal(t, map[string]int{logEnabled: 1, logShutdown: 1}, c.records)
			})
		})
	}
}

// TestAStormOfEventsIsNotLogged publishes into a stream that has no room: nothing is logged for an event that its
// publisher was told of, and once a second for those that nobody was told of.
func TestAStormOfEventsIsNotLogged(t *testing.T) {
	for _, overflow := range []auditstream.Overflow{auditstream.RefuseNew, auditstream.DropOldest} {
		t.Run(string(overflow), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCensus()
				s, err := auditstream.New(auditstream.Config{Logger: slog.New(c), QueueEvents: 10, Overflow: overflow})
				require.NoError(t, err)
				_ = s.Publish(event(0))
				require.NoError(t, s.Configure(newFake(fail(errFake))))
				for i := range 5_000 {
					_ = s.Publish(event(i))
					_ = s.Publish(auditstream.Event{})
					time.Sleep(time.Millisecond)
				}
				require.NoError(t, s.Delete())
				for i := range 1000 {
					_ = s.Publish(event(i))
				}
				require.NoError(t, s.Shutdown(t.Context()))
				want := map[string]int{logEnabled: 1, logFailed: 1, "audit stream deleted": 1, logShutdown: 1}
				totals := s.Status().Totals
				if overflow == auditstream.DropOldest {
					assert.LessOrEqual(t, c.records[logOverflow], 12)
					assert.EqualValues(t, totals.DiscardedOverflow, c.events[logOverflow], "the counts are whole")
					want[logOverflow] = c.records[logOverflow]
				} else {
					assert.EqualValues(t, 5_000-10, totals.RefusedFull)
				}
				assert.EqualValues(t, 5_000, totals.RefusedInvalid)
				assert.Equal(t, want, c.records)
			})
		})
	}
}

// TestASinkThatHangsIsLoggedOnce lets each attempt hang until the stream gives it up, for a day.
func TestASinkThatHangsIsLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCensus()
		f := newFake(func(ctx context.Context, batch []sink.Event) (int, error) {
			<-ctx.Done()
			time.Sleep(10 * time.Minute)
			return len(batch), nil // too late
		})
		s, err := auditstream.New(auditstream.Config{Logger: slog.New(c)})
		require.NoError(t, err)
		require.NoError(t, s.Configure(f))
		publish(t, s, 1, 3)
		time.Sleep(24 * time.Hour)
		calls := len(f.attempts())
		assert.Greater(t, calls, 100)
		assert.LessOrEqual(t, c.records[logLate], calls)
		delete(c.records, logLate) // each tells of events that may have arrived twice
		assert.Equal(t, map[string]int{logEnabled: 1, logBlocked: 1}, c.records)
		require.NoError(t, s.Delete())
		time.Sleep(time.Hour)
		require.NoError(t, s.Shutdown(t.Context()))
	})
}
