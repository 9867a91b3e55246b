package metrics

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/sink"
)

var auditConfig = auditstream.Config{Name: "acme", QueueEvents: 1000}

// scrapeEvery is how often the history is scraped, and how often rules are evaluated.
const scrapeEvery = time.Minute

// history is what a Prometheus has stored: every series with its samples.
type history struct {
	series     map[string]*record
	begin, end time.Time
}

type record struct {
	labels  labels.Labels
	samples []chunks.Sample
}

// point implements [chunks.Sample].
type point struct {
	at    int64
	value float64
}

func (p point) T() int64                      { return p.at }
func (p point) ST() int64                     { return 0 }
func (p point) F() float64                    { return p.value }
func (p point) H() *histogram.Histogram       { return nil }
func (p point) FH() *histogram.FloatHistogram { return nil }
func (p point) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (p point) Copy() chunks.Sample           { return p }

// watch scrapes a deployment while it lives, for as long as the story lasts. It is called in a bubble of synctest.
func watch(d *deployment, story func(), last time.Duration) *history {
	h := &history{series: make(map[string]*record), begin: time.Now()}
	done := make(chan struct{})
	go func() {
		defer close(done)
		story()
	}()
	for time.Since(h.begin) < last {
		h.store(d.scrape())
		time.Sleep(scrapeEvery)
	}
	<-done
	h.store(d.scrape())
	h.end = time.Now()
	return h
}

func (h *history) store(samples []sample) {
	now := time.Now().UnixMilli()
	for _, s := range samples {
		r := h.series[s.id()]
		if r == nil {
			r = &record{labels: labels.FromMap(s.labels)}
			h.series[s.id()] = r
		}
		r.samples = append(r.samples, point{now, s.value})
	}
}

// Querier implements [storage.Queryable].
func (h *history) Querier(_, _ int64) (storage.Querier, error) {
	return &storage.MockQuerier{SelectMockFunction: func(_ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
		found := &set{at: -1}
		for _, r := range h.series {
			if matches(r.labels, matchers) {
				found.all = append(found.all, storage.NewListSeries(r.labels, r.samples))
			}
		}
		return found
	}}, nil
}

func matches(l labels.Labels, matchers []*labels.Matcher) bool {
	for _, m := range matchers {
		if !m.Matches(l.Get(m.Name)) {
			return false
		}
	}
	return true
}

// set implements [storage.SeriesSet].
type set struct {
	all []storage.Series
	at  int
}

func (s *set) Next() bool                        { s.at++; return s.at < len(s.all) }
func (s *set) At() storage.Series                { return s.all[s.at] }
func (s *set) Err() error                        { return nil }
func (s *set) Warnings() annotations.Annotations { return nil }

// alerts runs the rules over the history, and returns for how long each was firing, by its name and its reason.
func (h *history) alerts(t *testing.T) map[string]time.Duration {
	t.Helper()
	engine := promql.NewEngine(promql.EngineOpts{
		MaxSamples: 1_000_000, Timeout: time.Hour, LookbackDelta: 5 * time.Minute, Parser: parser.NewParser(parser.Options{}),
	})
	defer func() { require.NoError(t, engine.Close()) }()
	fired := make(map[string]time.Duration)
	for _, rule := range rules(t) {
		since := make(map[string]time.Time)
		for now := h.begin; !now.After(h.end); now = now.Add(scrapeEvery) {
			query, err := engine.NewInstantQuery(t.Context(), h, nil, rule.Expr, now)
			require.NoError(t, err)
			result := query.Exec(t.Context())
			vector, err := result.Vector()
			require.NoError(t, err)
			active := make(map[string]bool)
			for _, s := range vector {
				assert.Equal(t, "acme", s.Metric.Get("otel_component_name"), "an alert names the stream")
				assert.Equal(t, "host", s.Metric.Get("job"), "and the process")
				key := rule.Alert
				if reason := s.Metric.Get("auditstream_reason") + s.Metric.Get("error_type"); reason != "" {
					key += " " + reason
				}
				active[key] = true
				if since[key].IsZero() {
					since[key] = now
				}
				if now.Sub(since[key]) >= time.Duration(rule.For) {
					fired[key] += scrapeEvery
				}
			}
			for key := range since {
				if !active[key] {
					delete(since, key)
				}
			}
			query.Close()
		}
	}
	return fired
}

// TestAlertsFire tells a story of an hour each, and expects the alerts that belong to it and no other.
func TestAlertsFire(t *testing.T) {
	const (
		oldest   = "AuditStreamOldestEventTooOld"
		blocked  = "AuditStreamBlocked"
		lost     = "AuditStreamEventsLost "
		everyday = 10 * time.Minute
	)
	// busy publishes an event every ten seconds.
	busy := func(d *deployment, last time.Duration) {
		for end := time.Now().Add(last); time.Now().Before(end); {
			d.publish(1)
			time.Sleep(10 * time.Second)
		}
	}
	tests := map[string]struct {
		cfg   auditstream.Config
		story func(t *testing.T, d *deployment)
		want  []string
	}{
		"all is well": {story: func(*testing.T, *deployment) {}},
		"an outage of ten minutes": {story: func(_ *testing.T, d *deployment) {
			d.siem.become(always(0, errRefused))
			busy(d, 10*time.Minute)
			d.siem.become(nil)
		}},
		"an outage of half an hour": {want: []string{oldest}, story: func(_ *testing.T, d *deployment) {
			d.siem.become(always(0, errRefused))
			busy(d, 30*time.Minute)
			d.siem.become(nil)
		}},
		"a revoked token, seen to at once": {want: []string{blocked}, story: func(_ *testing.T, d *deployment) {
			d.siem.become(always(0, sink.Block(errRefused)))
			busy(d, 10*time.Minute)
			d.siem.become(nil)
		}},
		"a revoked token": {want: []string{blocked, oldest}, story: func(_ *testing.T, d *deployment) {
			d.siem.become(always(0, sink.Block(errRefused)))
			busy(d, 40*time.Minute)
		}},
		"one event that is refused": {want: []string{lost + "rejected"}, story: func(_ *testing.T, d *deployment) {
			d.siem.become(always(1, sink.Reject(errRefused, 0)))
			d.publish(1)
			time.Sleep(time.Second)
			d.siem.become(nil)
		}},
		"one event that is invalid": {want: []string{lost + "invalid"}, story: func(t *testing.T, d *deployment) {
			require.Error(t, d.stream.Publish(auditstream.Event{}))
		}},
		"a full queue": {cfg: auditstream.Config{QueueEvents: 5}, want: []string{lost + "queue_full"}, story: func(_ *testing.T, d *deployment) {
			d.siem.become(always(0, errRefused))
			busy(d, 2*time.Minute)
			d.siem.become(nil)
		}},
		"a full queue that drops": {
			cfg: auditstream.Config{QueueEvents: 5, Overflow: auditstream.DropOldest}, want: []string{lost + "overflow"},
			story: func(_ *testing.T, d *deployment) {
				d.siem.become(always(0, errRefused))
				busy(d, 2*time.Minute)
				d.siem.become(nil)
			},
		},
		"a deletion with events in the queue": {want: []string{lost + "deleted"}, story: func(t *testing.T, d *deployment) {
			d.siem.become(always(0, errRefused))
			d.publish(3)
			require.NoError(t, d.stream.Delete())
		}},
		"a deletion": {story: func(t *testing.T, d *deployment) {
			require.NoError(t, d.stream.Delete())
			busy(d, 30*time.Minute) // refused, for nobody wants them
		}},
		"a pause": {want: []string{oldest}, story: func(t *testing.T, d *deployment) {
			require.NoError(t, d.stream.Pause())
			busy(d, 30*time.Minute)
		}},
		"a pause without events": {cfg: auditstream.Config{WhilePaused: auditstream.Refuse}, story: func(t *testing.T, d *deployment) {
			require.NoError(t, d.stream.Pause())
			busy(d, 30*time.Minute)
		}},
		"a shutdown that leaves events": {want: []string{lost + "shutdown"}, story: func(_ *testing.T, d *deployment) {
			d.siem.become(always(0, errRefused))
			d.publish(3)
			d.stop()
		}},
		"a shutdown": {story: func(t *testing.T, d *deployment) {
			require.NoError(t, d.stream.Shutdown(context.Background()))
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var h *history
			synctest.Test(t, func(t *testing.T) {
				test.cfg.Name = "acme"
				d := deploy(t, test.cfg)
				defer d.stop()
				h = watch(d, func() {
					busy(d, everyday)
					test.story(t, d)
				}, time.Hour)
			})
			fired := h.alerts(t)
			assert.Len(t, fired, len(test.want), "%v", fired)
			for _, name := range test.want {
				assert.Positive(t, fired[name], "%s does not fire", name)
			}
		})
	}
}
