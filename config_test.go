package auditstream_test

import (
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
