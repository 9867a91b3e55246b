package auditstream_test

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/sink"
)

func TestBadConfigIsReportedWhole(t *testing.T) {
	_, err := auditstream.New(auditstream.Config{
		QueueEvents: 500, BatchEvents: 600, QueueBytes: -1, AttemptTimeout: -time.Second,
		RetryMin: 2 * time.Minute, RetryMax: time.Minute, Overflow: "newest", WhilePaused: "drop",
	})
	require.Error(t, err)
	for _, want := range []string{
		"auditstream: Config.BatchEvents (600): exceeds QueueEvents (500)",
		"auditstream: Config.QueueBytes (-1): is negative",
		"auditstream: Config.AttemptTimeout (-1s): is negative",
		"auditstream: Config.RetryMin (2m0s): exceeds RetryMax (1m0s)",
		`auditstream: Config.Overflow ("newest"): is neither RefuseNew nor DropOldest`,
		`auditstream: Config.WhilePaused ("drop"): is neither Hold nor Refuse`,
	} {
		assert.ErrorContains(t, err, want)
	}
	assert.Equal(t, 6, strings.Count(err.Error(), "auditstream: Config."), "unset fields are not to blame:\n%v", err)
}

func TestUnsetFieldsAreNotToBlame(t *testing.T) {
	for field, cfg := range map[string]auditstream.Config{
		"QueueEvents":    {QueueEvents: -1},
		"QueueBytes":     {QueueBytes: -1},
		"MaxEventBytes":  {MaxEventBytes: -1},
		"BatchEvents":    {BatchEvents: -1},
		"BatchBytes":     {BatchBytes: -1},
		"BatchDelay":     {BatchDelay: -1},
		"AttemptTimeout": {AttemptTimeout: -1},
		"RetryMin":       {RetryMin: -1},
		"RetryMax":       {RetryMax: -1},
		"Overflow":       {Overflow: "x"},
		"WhilePaused":    {WhilePaused: "x"},
	} {
		t.Run(field, func(t *testing.T) {
			s, err := auditstream.New(cfg)
			assert.Nil(t, s)
			var bad *sink.ConfigError
			require.ErrorAs(t, err, &bad)
			assert.Equal(t, "auditstream: Config."+field, bad.Field)
			assert.Equal(t, 1, strings.Count(err.Error(), "auditstream: Config."), err)
		})
	}
}

func TestUnsetFieldsFollowThoseThatAreSet(t *testing.T) {
	for name, cfg := range map[string]auditstream.Config{
		"zero":              {},
		"small queue":       {QueueEvents: 1, QueueBytes: 100},
		"large batch":       {BatchEvents: 1 << 20, BatchBytes: 1 << 30},
		"large events":      {MaxEventBytes: 1 << 30},
		"long RetryMin":     {RetryMin: time.Hour},
		"short RetryMax":    {RetryMax: time.Millisecond},
		"everything is one": {QueueEvents: 1, QueueBytes: 1, MaxEventBytes: 1, BatchEvents: 1, BatchBytes: 1, BatchDelay: 1},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := auditstream.New(cfg)
			require.NoError(t, err)
		})
	}
}

func TestConfigAsJSON(t *testing.T) {
	c := auditstream.Config{
		Name: "tenant-7", QueueEvents: 50_000, InFlight: 4, BatchDelay: 50 * time.Millisecond, RetryMax: 90 * time.Second,
		Overflow: auditstream.DropOldest, WhilePaused: auditstream.Refuse, StartPaused: true,
		Logger: slog.New(slog.DiscardHandler), OnReject: func(auditstream.Rejection) {},
	}
	const want = `{"name":"tenant-7","queueEvents":50000,"queueBytes":0,"maxEventBytes":0,"batchEvents":0,"batchBytes":0,` +
		`"inFlight":4,"batchDelay":"50ms","attemptTimeout":"0s","retryMin":"0s","retryMax":"1m30s",` +
		`"overflow":"drop_oldest","whilePaused":"refuse","startPaused":true}`
	text, err := json.Marshal(c)
	require.NoError(t, err)
	assert.Equal(t, want, string(text))

	var read auditstream.Config
	require.NoError(t, json.Unmarshal(text, &read))
	again, err := json.Marshal(read)
	require.NoError(t, err)
	assert.Equal(t, want, string(again))

	require.NoError(t, json.Unmarshal([]byte(`{"inFlight":2,"batchDelay":null}`), &c))
	assert.Equal(t, 2, c.InFlight)
	assert.Equal(t, 50*time.Millisecond, c.BatchDelay)
	assert.NotNil(t, c.OnReject, "code stays")
}

func TestConfigFromBadJSON(t *testing.T) {
	c := auditstream.Config{Name: "before"}
	err := json.Unmarshal([]byte(`{"name":"after","QueueEvents":5,"batchDelay":200,"retryMax":"soon","logger":{}}`), &c)
	require.EqualError(t, err, "auditstream: Config.QueueEvents: is not known: write queueEvents\n"+
		`auditstream: Config.batchDelay: is a number: want a text such as "1m30s"`+"\n"+
		`auditstream: Config.retryMax ("soon"): is no duration: write one such as "1m30s"`+"\n"+
		"auditstream: Config.logger: is not known")
	assert.Equal(t, "before", c.Name)
}
