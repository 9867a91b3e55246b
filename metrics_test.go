package auditstream_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
	"weak"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/sink"
)

// seriesOf says which series shows which count of the ledger.
var seriesOf = map[string]string{
	"Accepted":          "auditstream.event.accepted{}",
	"Delivered":         "otel.sdk.exporter.log.exported{}",
	"Rejected":          "otel.sdk.exporter.log.exported{error.type=rejected}",
	"Pending":           "otel.sdk.processor.log.queue.size{}",
	"DiscardedOverflow": "auditstream.event.discarded{auditstream.reason=overflow}",
	"DiscardedDeleted":  "auditstream.event.discarded{auditstream.reason=deleted}",
	"DiscardedShutdown": "auditstream.event.discarded{auditstream.reason=shutdown}",
	"RefusedFull":       "auditstream.event.refused{auditstream.reason=queue_full}",
	"RefusedInactive":   "auditstream.event.refused{auditstream.reason=inactive}",
	"RefusedInvalid":    "auditstream.event.refused{auditstream.reason=invalid}",
	"InDoubt":           "auditstream.event.in_doubt{}",
	"Repaired":          "auditstream.event.repaired_strings{}",
	"Clamped":           "auditstream.event.clamped{}",
	"SinkPanics":        "auditstream.sink.panics{}",
}

// assertLedger holds a collection against the totals, field by field. ended leaves out what is no total.
func assertLedger(t *testing.T, o *observer, totals auditstream.Totals, ended bool) {
	t.Helper()
	v := reflect.ValueOf(totals)
	for i := range v.NumField() {
		field := v.Type().Field(i).Name
		if field == "Discarded" || field == "Pending" && ended { // a sum that whoever collects can make
			continue
		}
		series, ok := seriesOf[field]
		require.True(t, ok, "Totals.%s has no metric", field)
		value, ok := o.values[series]
		require.True(t, ok, "there is no series %s", series)
		assert.InDelta(t, v.Field(i).Uint(), value, 0, "Totals.%s and %s", field, series)
	}
}

// TestMetricsEqualTheLedger leads a stream through everything that counts, and collects after each step.
func TestMetricsEqualTheLedger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		f := newFake(accept)
		s, err := auditstream.New(auditstream.Config{
			MeterProvider: p, QueueEvents: 4, BatchEvents: 4, Overflow: auditstream.DropOldest,
		})
		require.NoError(t, err)
		check := func() {
			t.Helper()
			synctest.Wait()
			assertLedger(t, p.collect(t), s.Status().Totals, false)
		}
		check()
		require.Error(t, s.Publish(event(0))) // unconfigured
		require.NoError(t, s.Configure(f))
		require.Error(t, s.Publish(auditstream.Event{})) // invalid
		odd := event(1)
		odd.Message, odd.Time = "\xff", time.Date(1950, 1, 1, 0, 0, 0, 0, time.UTC)
		require.NoError(t, s.Publish(odd)) // repaired and clamped
		require.NoError(t, s.Flush(t.Context()))
		check()
		f.answer(func(context.Context, []sink.Event) (int, error) { panic("boom") })
		publish(t, s, 2, 3)
		time.Sleep(250 * time.Millisecond)
		f.answer(func(_ context.Context, batch []sink.Event) (int, error) { return len(batch), sink.Reject(errFake, 0) })
		time.Sleep(time.Minute)
		check() // in doubt, a panic, rejected
		require.NoError(t, s.Pause())
		publish(t, s, 4, 9) // overflow
		check()
		require.NoError(t, s.Delete())
		check()
		require.NoError(t, s.Configure(f))
		release := make(chan struct{})
		f.answer(hang(release))
		publish(t, s, 10, 13)
		time.Sleep(time.Second)
		require.ErrorIs(t, s.Publish(event(14)), auditstream.ErrQueueFull) // all in an attempt
		check()
		assert.InDelta(t, 4, p.collect(t).values["otel.sdk.exporter.log.inflight{}"], 0)
		close(release)
		synctest.Wait()
		require.NoError(t, s.Pause())
		publish(t, s, 15, 16)
		require.Error(t, s.Shutdown(t.Context()))
		totals := s.Status().Totals
		assertLedger(t, p.collect(t), totals, true)
		fields := reflect.ValueOf(totals)
		for i := range fields.NumField() {
			if name := fields.Type().Field(i).Name; name != "Pending" {
				assert.NotZero(t, fields.Field(i).Uint(), "this test never saw any Totals.%s", name)
			}
		}
	})
}

func TestMetricsOfTheQueueAndTheState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		f := newFake(fail(sink.Block(errFake)))
		s := newStream(t, auditstream.Config{MeterProvider: p, QueueEvents: 7, QueueBytes: 7000})
		hot := func(o *observer, name string) []string {
			var hot []string
			for series, v := range o.values {
				if strings.HasPrefix(series, name+"{") && v > 0 {
					hot = append(hot, series)
				}
			}
			return hot
		}
		want := func(state auditstream.State, condition auditstream.Condition) {
			t.Helper()
			synctest.Wait()
			o := p.collect(t)
			assert.Equal(t, []string{"auditstream.stream.state{auditstream.state=" + string(state) + "}"}, hot(o, "auditstream.stream.state"))
			assert.Equal(t, []string{"auditstream.stream.condition{auditstream.condition=" + string(condition) + "}"}, hot(o, "auditstream.stream.condition"))
		}
		want(auditstream.StateUnconfigured, auditstream.ConditionHealthy)
		o := p.collect(t)
		assert.InDelta(t, 7, o.values["otel.sdk.processor.log.queue.capacity{}"], 0)
		assert.InDelta(t, 7000, o.values["auditstream.queue.limit{}"], 0)
		assert.Zero(t, o.values["auditstream.queue.oldest_age{}"])
		require.NoError(t, s.Configure(f))
		want(auditstream.StateEnabled, auditstream.ConditionHealthy)
		publish(t, s, 1, 3)
		time.Sleep(90 * time.Second)
		want(auditstream.StateEnabled, auditstream.ConditionBlocked)
		o = p.collect(t)
		assert.InDelta(t, 90, o.values["auditstream.queue.oldest_age{}"], 0)
		assert.InDelta(t, s.Status().Queue.Bytes, o.values["auditstream.queue.usage{}"], 0)
		assert.NotZero(t, o.values["auditstream.queue.usage{}"])
		f.answer(fail(errFake))
		time.Sleep(2 * time.Minute)
		want(auditstream.StateEnabled, auditstream.ConditionRetrying)
		require.NoError(t, s.Pause())
		want(auditstream.StatePaused, auditstream.ConditionRetrying)
		require.NoError(t, s.Delete())
		want(auditstream.StateDeleted, auditstream.ConditionHealthy)
	})
}

// TestMetricsOfAttempts gives each outcome its turn.
func TestMetricsOfAttempts(t *testing.T) {
	edit := func(t *testing.T, s *auditstream.Stream) { require.NoError(t, s.Configure(newFake(accept))) }
	remove := func(t *testing.T, s *auditstream.Stream) { require.NoError(t, s.Delete()) }
	more := func(t *testing.T, s *auditstream.Stream) { publish(t, s, 3, 3) }
	answer := func(n int, err error) deliverFunc {
		return func(context.Context, []sink.Event) (int, error) { return n, err }
	}
	explode := func(context.Context, []sink.Event) (int, error) { panic("boom") }
	late := func(ctx context.Context, _ []sink.Event) (int, error) { <-ctx.Done(); return 0, errFake }
	tests := map[string]struct {
		script deliverFunc // nil: it hangs
		then   func(*testing.T, *auditstream.Stream)
		wait   time.Duration
		want   map[string]int
		took   time.Duration // the first attempt
	}{
		"delivered":               {script: accept, want: map[string]int{"delivered": 1}},
		"answered for in spite":   {script: answer(2, errFake), want: map[string]int{"delivered": 1}},
		"retry":                   {script: sequence(fail(errFake), accept), want: map[string]int{"retry": 1, "delivered": 1}},
		"block":                   {script: sequence(fail(sink.Block(errFake)), accept), want: map[string]int{"block": 1, "delivered": 1}},
		"reject":                  {script: answer(2, sink.Reject(errFake, 1)), want: map[string]int{"reject": 1}},
		"reject a count":          {script: answer(2, sink.RejectCount(errFake, 1)), want: map[string]int{"reject": 1}},
		"split":                   {script: sequence(fail(sink.Split(errFake)), accept), want: map[string]int{"split": 1, "delivered": 2}},
		"nonsense":                {script: sequence(answer(9, nil), accept), want: map[string]int{"retry": 1, "delivered": 1}},
		"panic":                   {script: sequence(explode, accept), want: map[string]int{"panic": 1, "delivered": 1}},
		"time-out":                {script: sequence(untilDone, accept), want: map[string]int{"timeout": 1, "delivered": 1}, took: time.Minute},
		"time-out in other words": {script: sequence(late, accept), want: map[string]int{"timeout": 1, "delivered": 1}, took: time.Minute},
		"hung":                    {want: map[string]int{"hung": 1}, took: time.Minute + time.Second},
		"edited":                  {then: edit, want: map[string]int{"cancelled": 1, "delivered": 1}, took: 1800 * time.Millisecond},
		"deleted":                 {then: remove, want: map[string]int{"cancelled": 1}, took: 800 * time.Millisecond},
		"deleted, and it listens": {script: untilDone, then: remove, want: map[string]int{"cancelled": 1}, took: 800 * time.Millisecond},
		"everything is refused": { // three events, and then the test event
			script: answer(1, sink.Reject(errFake, 0)), then: more, wait: 20 * time.Second, want: map[string]int{"reject": 4},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newProvider()
				release := make(chan struct{})
				defer close(release)
				if test.script == nil {
					test.script = hang(release)
				}
				s := enabled(t, auditstream.Config{MeterProvider: p, RetryMax: 40 * time.Second}, newFake(test.script))
				publish(t, s, 1, 2)
				time.Sleep(time.Second)
				if test.then != nil {
					test.then(t, s)
				}
				time.Sleep(cmp.Or(test.wait, 65*time.Second))
				assert.Equal(t, test.want, p.outcomes(t))
				assert.InDelta(t, test.took.Seconds(), p.durations[0], 0)
			})
		})
	}
}

// TestMetricsOfSeveralInFlight counts each of the attempts that overlap, and what they have out.
func TestMetricsOfSeveralInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		d := newParallel(3)
		s := newStream(t, auditstream.Config{MeterProvider: p, BatchEvents: 2, InFlight: 3})
		require.NoError(t, s.Configure(d))
		publish(t, s, 1, 8)
		synctest.Wait()
		assert.InDelta(t, 6, p.collect(t).values["otel.sdk.exporter.log.inflight{}"], 0)
		d.reply(t, "e3", 2, nil)
		d.reply(t, "e1", 0, errFake)
		assert.InDelta(t, 4, p.collect(t).values["otel.sdk.exporter.log.inflight{}"], 0)
		assert.Equal(t, map[string]int{"delivered": 1, "retry": 1}, p.outcomes(t))
	})
}

// TestMetricsAfterShutdown expects what Shutdown left behind to be seen once, and nothing that is untrue from then on.
func TestMetricsAfterShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		s := enabled(t, auditstream.Config{MeterProvider: p}, newFake(fail(errFake)))
		publish(t, s, 1, 3)
		before := p.collect(t)
		assert.Contains(t, before.values, "auditstream.queue.oldest_age{}")
		stopped, cancel := context.WithCancel(t.Context())
		cancel()
		require.Error(t, s.Shutdown(stopped))
		assert.Equal(t, 1, p.registered(), "there is a collection to come")
		last := p.collect(t)
		assert.InDelta(t, 3, last.values["auditstream.event.discarded{auditstream.reason=shutdown}"], 0)
		for series := range last.values {
			name, _, _ := strings.Cut(series, "{")
			assert.Equal(t, "counter", p.made[name].kind, "%s tells of a present that is over", series)
		}
		synctest.Wait()
		assert.Zero(t, p.registered())
	})
}

// TestMetricsDoNotKeepAStreamAlive drops a stream that nobody shuts down.
func TestMetricsDoNotKeepAStreamAlive(t *testing.T) {
	p := newProvider()
	dropped := func() weak.Pointer[auditstream.Stream] {
		s, err := auditstream.New(auditstream.Config{MeterProvider: p})
		require.NoError(t, err)
		require.NoError(t, s.Configure(newFake(accept)))
		return weak.Make(s)
	}()
	assert.Equal(t, 1, p.registered())
	require.Eventually(t, func() bool {
		runtime.GC()
		return dropped.Value() == nil && p.registered() == 0
	}, 30*time.Second, time.Millisecond)
	assert.Empty(t, p.collect(t).values)
}

// TestMetricsOfAForgottenStream collects between the end of a stream and the end of its registration.
func TestMetricsOfAForgottenStream(t *testing.T) {
	p := newProvider()
	dropped := func() weak.Pointer[auditstream.Stream] {
		s, err := auditstream.New(auditstream.Config{MeterProvider: p})
		require.NoError(t, err)
		return weak.Make(s)
	}()
	callbacks := maps.Clone(p.callbacks)
	require.Eventually(t, func() bool { runtime.GC(); return dropped.Value() == nil }, 30*time.Second, time.Millisecond)
	for _, f := range callbacks {
		o := &observer{values: make(map[string]float64)}
		require.NoError(t, f(t.Context(), o))
		assert.Empty(t, o.values)
	}
}

func TestMeterProviderThatRefuses(t *testing.T) {
	for _, name := range []string{
		"auditstream.attempts", "otel.sdk.exporter.operation.duration", "auditstream.queue.oldest_age",
		"auditstream.stream.state", "auditstream.event.accepted", "callback",
	} {
		t.Run(name, func(t *testing.T) {
			p := newProvider()
			p.refuse = name
			s, err := auditstream.New(auditstream.Config{MeterProvider: p})
			assert.Nil(t, s)
			e, ok := errors.AsType[*sink.ConfigError](err)
			require.True(t, ok)
			assert.Equal(t, "auditstream: Config.MeterProvider", e.Field)
			assert.ErrorContains(t, err, errFake.Error())
			assert.Zero(t, p.registered())
		})
	}
}

// TestMeterProviderThatPanics goes on delivering.
func TestMeterProviderThatPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		p := newProvider()
		p.explode = true
		s := enabled(t, auditstream.Config{MeterProvider: p, Logger: j.logger()}, newFake(accept))
		publish(t, s, 1, 2)
		require.NoError(t, s.Flush(t.Context()))
		assert.EqualValues(t, 2, s.Status().Totals.Delivered)
		assert.Equal(t, auditstream.ConditionHealthy, s.Status().Condition)
		assert.Contains(t, j.log(), "audit stream callback panicked")
	})
}

// TestNoMeterProvider looks that a stream without one leaves the global one alone.
func TestNoMeterProvider(t *testing.T) {
	p := newProvider()
	otel.SetMeterProvider(p)
	defer otel.SetMeterProvider(noop.MeterProvider{})
	synctest.Test(t, func(t *testing.T) {
		s := enabled(t, auditstream.Config{}, newFake(accept))
		publish(t, s, 1, 1)
		require.NoError(t, s.Flush(t.Context()))
	})
	assert.Empty(t, p.meters)
	assert.Empty(t, p.made)
}

// closedSets are the attributes of the metrics and all values that they may have.
var closedSets = map[string][]string{
	"otel.component.name":   {"tenant-1"}, // Config.Name
	"otel.component.type":   {"github.com/auditstream/auditstream.Stream"},
	"error.type":            {"rejected", "retry", "block", "reject", "split", "timeout", "cancelled", "panic", "hung"},
	"auditstream.outcome":   {"delivered", "retry", "block", "reject", "split", "timeout", "cancelled", "panic", "hung"},
	"auditstream.reason":    {"queue_full", "inactive", "invalid", "overflow", "deleted", "shutdown"},
	"auditstream.state":     {"unconfigured", "enabled", "paused", "deleted"},
	"auditstream.condition": {"healthy", "retrying", "blocked"},
}

// TestMetricLabelsAreBounded lets a tenant, a server and the texts of errors try to become labels.
func TestMetricLabelsAreBounded(t *testing.T) {
	const word = "unbounded"
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		seen := make(map[string]bool)
		look := func() {
			for series := range p.collect(t).values {
				seen[series] = true
			}
			for _, set := range p.collect(t).sets {
				for _, kv := range set.ToSlice() {
					assert.Contains(t, closedSets[string(kv.Key)], kv.Value.String(), "the values of %s", kv.Key)
				}
			}
		}
		s := newStream(t, auditstream.Config{Name: "tenant-1", MeterProvider: p, QueueEvents: 100})
		verdicts := []sink.Verdict{sink.VerdictRetry, sink.VerdictBlock, sink.VerdictReject, sink.VerdictSplit, 200}
		for i := range 60 {
			text := fmt.Sprint(word, i)
			f := newFake(func(context.Context, []sink.Event) (int, error) {
				return i % 2, &sink.Error{Verdict: verdicts[i%len(verdicts)], Err: errors.New(text), Code: text, Remedy: text}
			})
			f.name = text + "://" + text + ":1"
			require.NoError(t, s.Configure(f))
			e := event(i)
			e.Action, e.Actor.ID, e.Message = text, text, text
			_ = s.Publish(e)
			time.Sleep(time.Second)
			look()
		}
		known := 0
		for series := range seen {
			assert.NotContains(t, series, word)
			known++
		}
		assert.Less(t, known, 45, "time series of one stream")
	})
}

var metricRow = regexp.MustCompile("(?m)^\\| `([a-z0-9_.]+)` \\| ([^|]+) \\| `([^|]+)` \\|([^|]*)\\| ([^|]+) \\|$")

// TestMetricsAreDocumented holds docs/metrics.md against what a provider is asked for.
func TestMetricsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("docs/metrics.md")
	require.NoError(t, err)
	p := newProvider()
	newStream(t, auditstream.Config{MeterProvider: p})
	kinds := map[string]string{
		"counter": "counter", "observable counter": "counter", "observable up-down counter": "updowncounter",
		"observable gauge": "gauge", "histogram": "histogram",
	}
	documented := make(map[string]bool)
	for _, row := range metricRow.FindAllStringSubmatch(string(text), -1) {
		name := row[1]
		made, ok := p.made[name]
		require.True(t, ok, "%s is documented, and there is no such metric", name)
		assert.Equal(t, made.kind, kinds[row[2]], name)
		assert.Equal(t, made.unit, row[3], name)
		documented[name] = true
	}
	assert.ElementsMatch(t, slices.Collect(maps.Keys(p.made)), slices.Collect(maps.Keys(documented)), "each metric has its row")
	for key, values := range closedSets {
		assert.Contains(t, string(text), "`"+key+"`")
		if key == "otel.component.name" {
			continue
		}
		for _, value := range values {
			assert.Contains(t, string(text), "`"+value+"`", "a value of %s", key)
		}
	}
	for _, scope := range p.meters {
		name, schema, _ := strings.Cut(scope, " ")
		assert.Contains(t, string(text), name)
		version := schema[strings.LastIndexFunc(schema, func(r rune) bool { return r != '.' && !unicode.IsDigit(r) })+1:]
		assert.Contains(t, string(text), version)
	}
}
