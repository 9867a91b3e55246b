package auditstream_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/internal/canary"
	"github.com/auditstream/auditstream/sink"
)

// vocabulary collects which messages and which keys a logger was given.
type vocabulary struct {
	mu       sync.Mutex
	messages map[string]bool
	keys     map[string]bool
}

func (v *vocabulary) Enabled(context.Context, slog.Level) bool { return true }
func (v *vocabulary) WithAttrs([]slog.Attr) slog.Handler       { return v }
func (v *vocabulary) WithGroup(string) slog.Handler            { return v }

func (v *vocabulary) Handle(_ context.Context, r slog.Record) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.messages[r.Message] = true
	r.Attrs(func(a slog.Attr) bool {
		v.keys[a.Key] = true
		return true
	})
	return nil
}

// TestLabelsAreBounded lets a stream say all it can, with names and texts that tenants, events and destinations choose.
// What might become the label of a metric, the messages, the keys and the words of state, is a fixed set all the same.
func TestLabelsAreBounded(t *testing.T) {
	t.Parallel()
	v := &vocabulary{messages: make(map[string]bool), keys: make(map[string]bool)}
	states, conditions, verdicts := make(map[auditstream.State]bool), make(map[auditstream.Condition]bool), make(map[string]bool)
	for i := range 20 {
		synctest.Test(t, func(t *testing.T) {
			noise := fmt.Sprint("tenant-", i, " ", canary.Secret)
			s := newStream(t, auditstream.Config{
				Name: noise, QueueEvents: 8, BatchEvents: 2, Overflow: auditstream.DropOldest, Logger: slog.New(v), OnReject: func(auditstream.Rejection) { panic(noise) },
				OnTransition: func(tr auditstream.Transition) {
					states[tr.To], conditions[tr.ToCondition] = true, true
					if e, ok := asSinkError(tr.Err); ok {
						verdicts[e.Verdict.String()] = true
					}
				},
			})
			release := make(chan struct{})
			f := newFake(sequence(
				fail(&sink.Error{Err: errors.New(noise), Code: noise, Remedy: noise}),
				fail(sink.Block(errors.New(noise))),
				func(context.Context, []sink.Event) (int, error) { return 1, sink.Reject(errors.New(noise), 0) },
				func(context.Context, []sink.Event) (int, error) { panic(noise) },
				accept,
			))
			f.name = "fake://" + noise
			require.NoError(t, s.Configure(f))
			publish(t, s, 1, 20)
			time.Sleep(20 * time.Minute)
			f.answer(hang(release))
			publish(t, s, 21, 22)
			time.Sleep(5 * time.Minute)
			close(release)
			time.Sleep(5 * time.Minute)
			require.NoError(t, s.Configure(newFake(accept)))
			require.NoError(t, s.Pause())
			require.NoError(t, s.Resume())
			require.NoError(t, s.Delete())
			require.NoError(t, s.Configure(newFake(accept)))
			require.NoError(t, s.Shutdown(t.Context()))
			synctest.Wait()
		})
	}
	keys := []string{
		"condition", "destination", "error", "events", "from", "panic", "pending", "remedy", "stack", "state", "stream", "undelivered",
	}
	assert.Subset(t, keys, slices.Collect(maps.Keys(v.keys)), "a new key: is it bounded?")
	assert.GreaterOrEqual(t, len(v.keys), 10, "the scenario is a full one")
	assert.LessOrEqual(t, len(v.messages), 16)
	assert.GreaterOrEqual(t, len(v.messages), 10)
	for message := range v.messages {
		assert.True(t, strings.HasPrefix(message, "audit stream"), message)
		assert.NotContains(t, message, "tenant-")
	}
	assert.Subset(t, []auditstream.State{
		auditstream.StateUnconfigured, auditstream.StateEnabled, auditstream.StatePaused, auditstream.StateDeleted,
	}, slices.Collect(maps.Keys(states)))
	assert.Subset(t, []auditstream.Condition{
		auditstream.ConditionHealthy, auditstream.ConditionRetrying, auditstream.ConditionBlocked,
	}, slices.Collect(maps.Keys(conditions)))
	assert.Subset(t, []string{"retry", "block", "reject", "split"}, slices.Collect(maps.Keys(verdicts)))
	// The reasons for which events are not delivered are fields, so nobody else can add one.
	for f := range reflect.TypeFor[auditstream.Totals]().Fields() {
		assert.Equal(t, reflect.Uint64, f.Type.Kind(), f.Name)
	}
}
