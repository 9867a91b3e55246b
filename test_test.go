package auditstream_test

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/sink"
)

func TestTestTouchesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		current, candidate := newFake(fail(errFake)), newFake(accept)
		s := enabled(t, auditstream.Config{}, current)
		publish(t, s, 1, 1)
		time.Sleep(time.Second)
		before := s.Status()
		require.NoError(t, s.Test(t.Context(), candidate))
		require.ErrorIs(t, s.Test(t.Context(), nil), errFake)
		assert.Equal(t, before, s.Status())
		synctest.Wait()
		assert.Equal(t, 1, candidate.closes())
		assert.Equal(t, 2, current.opened, "a sink of its own")
		e := candidate.last()[0]
		assert.Equal(t, "auditstream.test", e.Action)
		assert.Equal(t, "auditstream", e.Actor.ID)
		assert.Zero(t, e.Sequence)
		assert.NotEmpty(t, e.ID)
	})
}

func TestTestWithoutADestination(t *testing.T) {
	s := newStream(t, auditstream.Config{})
	require.ErrorIs(t, s.Test(t.Context(), nil), auditstream.ErrUnconfigured)
	require.NoError(t, s.Test(t.Context(), newFake(accept)))
	require.NoError(t, s.Delete())
	require.ErrorIs(t, s.Test(t.Context(), nil), auditstream.ErrDeleted)
}

func TestTestEndsWithItsContext(t *testing.T) {
	for name, script := range map[string]func(<-chan struct{}) deliverFunc{
		"honours": func(<-chan struct{}) deliverFunc { return untilDone },
		"hangs":   hang,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				f := newFake(script(release))
				s := newStream(t, auditstream.Config{})
				start := time.Now()
				require.ErrorIs(t, s.Test(after(t, time.Second), f), context.DeadlineExceeded)
				assert.Equal(t, time.Second, time.Since(start))
				require.ErrorContains(t, s.Test(t.Context(), f), "Config.AttemptTimeout")
				assert.Equal(t, 61*time.Second, time.Since(start))
				close(release)
				synctest.Wait()
				assert.Equal(t, 2, f.closes())
			})
		})
	}
}

func TestTestAnswers(t *testing.T) {
	for name, tt := range map[string]struct {
		script deliverFunc
		want   string
	}{
		"block":  {fail(sink.Block(errFake)), "fake: refused"},
		"reject": {func(context.Context, []sink.Event) (int, error) { return 1, sink.Reject(errFake, 0) }, "fake: refused"},
		"count":  {func(context.Context, []sink.Event) (int, error) { return 1, sink.RejectCount(errFake, 1) }, "fake: refused"},
		"split":  {fail(sink.Split(errFake)), "fake: refused"},
		"panic":  {func(context.Context, []sink.Event) (int, error) { panic("s3cr3t") }, "panicked"},
		"goexit": {func(context.Context, []sink.Event) (int, error) { runtime.Goexit(); return 0, nil }, "ended its goroutine"},
		"bug":    {func(context.Context, []sink.Event) (int, error) { return 0, nil }, "returned no error"},
	} {
		t.Run(name, func(t *testing.T) {
			j := &journal{}
			s := newStream(t, auditstream.Config{Logger: j.logger()})
			err := s.Test(t.Context(), newFake(tt.script))
			require.ErrorContains(t, err, tt.want)
			assert.NotContains(t, err.Error(), "s3cr3t")
			require.NoError(t, s.Shutdown(t.Context()))
			assert.Equal(t, name == "panic", strings.Contains(j.log(), "deliverTest"), "a panic is logged with its stack")
		})
	}
}
