package splunk_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/sink/siemtest"
)

// newStream leads a Stream to the destination of a.
func newStream(t *testing.T, a *acking, cfg auditstream.Config) *auditstream.Stream {
	t.Helper()
	s, err := auditstream.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = s.Shutdown(ctx)
	})
	require.NoError(t, s.Configure(a.cfg))
	return s
}

// publish publishes events with the IDs e0, e1 and so on.
func publish(t *testing.T, s *auditstream.Stream, n int) {
	t.Helper()
	for i := range n {
		require.NoError(t, s.Publish(auditstream.Event{
			ID: fmt.Sprintf("e%d", i), Action: "user.sign_in", Actor: auditstream.Actor{ID: "users-1"},
		}))
	}
}

// TestStreamInFlight has a Stream with several batches in flight, whose acknowledgements take 5 s.
func TestStreamInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAcking(t, siemtest.SplunkConfig{Indexers: 2}, nil)
		a.AckIf(func(ack siemtest.Ack) bool { return time.Since(ack.Taken) >= 5*time.Second })
		s := newStream(t, a, auditstream.Config{BatchEvents: 10, InFlight: 8})
		start := time.Now()
		publish(t, s, 400)
		require.NoError(t, s.Flush(t.Context()))
		assert.Less(t, time.Since(start), 40*10*time.Second/7, "one after the other, 40 batches take 7 s each")
		totals := s.Status().Totals
		assert.EqualValues(t, 400, totals.Delivered)
		assert.Zero(t, totals.InDoubt)
		assert.ElementsMatch(t, ids(0, 400), a.IDs(), "each event came once")
	})
}

// TestStreamSendsAgain has Splunk acknowledge nothing for a while.
func TestStreamSendsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAcking(t, siemtest.SplunkConfig{}, nil)
		a.AckIf(never)
		s := newStream(t, a, auditstream.Config{BatchEvents: 10, InFlight: 2})
		publish(t, s, 20)
		time.Sleep(5*time.Minute - time.Second)
		assert.EqualValues(t, 20, s.Status().Totals.Pending)
		assert.Equal(t, auditstream.ConditionHealthy, s.Status().Condition)
		time.Sleep(2 * time.Second)
		status := s.Status()
		assert.Equal(t, auditstream.ConditionRetrying, status.Condition)
		require.ErrorContains(t, status.LastError, "not acknowledged in time")
		assert.EqualValues(t, 20, status.Totals.InDoubt)
		a.AckIf(nil)
		require.NoError(t, s.Flush(t.Context()))
		assert.EqualValues(t, 20, s.Status().Totals.Delivered)
		got := slices.Sorted(slices.Values(a.IDs()))
		assert.Len(t, got, 40)
		assert.Len(t, slices.Compact(got), 20, "the same events come again")
	})
}

func TestStreamTest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAcking(t, siemtest.SplunkConfig{}, nil)
		s := newStream(t, a, auditstream.Config{})
		start := time.Now()
		require.NoError(t, s.Test(t.Context(), a.cfg))
		assert.Equal(t, time.Second, time.Since(start))
		assert.Equal(t, "auditstream.test", a.Events()[0].Action)

		a.AckIf(never)
		require.Error(t, s.Test(t.Context(), a.cfg))
		assert.Equal(t, time.Second+5*time.Minute, time.Since(start))
		assert.Zero(t, s.Status().Totals.Accepted)
	})
}

// TestStreamDoesNotWait has a Stream edited, deleted and shut down while acknowledgements are outstanding.
func TestStreamDoesNotWait(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *auditstream.Stream, *acking) (kept int){
		"edited": func(t *testing.T, s *auditstream.Stream, a *acking) int {
			t.Helper()
			require.NoError(t, s.Configure(a.cfg))
			return 10
		},
		"deleted": func(t *testing.T, s *auditstream.Stream, _ *acking) int {
			t.Helper()
			require.NoError(t, s.Delete())
			return 0
		},
		"shut down": func(t *testing.T, s *auditstream.Stream, _ *acking) int {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			left, ok := s.Shutdown(ctx).(*auditstream.UndeliveredError) //nolint:errorlint // It is returned as it is.
			require.True(t, ok)
			assert.Len(t, left.Events, 10)
			return 0
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAcking(t, siemtest.SplunkConfig{}, nil)
				a.AckIf(never)
				s := newStream(t, a, auditstream.Config{InFlight: 2})
				publish(t, s, 10)
				time.Sleep(time.Minute)
				start := time.Now()
				kept := end(t, s, a)
				assert.LessOrEqual(t, time.Since(start), time.Second)
				time.Sleep(5 * time.Second)
				status := s.Status()
				assert.EqualValues(t, kept, status.Totals.Pending)
				asked := len(a.asked())
				time.Sleep(time.Minute)
				assert.Equal(t, kept > 0, len(a.asked()) > asked, "an old sink asks no more")
			})
		})
	}
}
