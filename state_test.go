package auditstream_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/sink"
)

// streamIn returns a Stream in the given state.
func streamIn(t *testing.T, state auditstream.State) *auditstream.Stream {
	t.Helper()
	s := newStream(t, auditstream.Config{})
	if state != auditstream.StateUnconfigured {
		require.NoError(t, s.Configure(newFake(accept)))
	}
	switch state {
	case auditstream.StatePaused:
		require.NoError(t, s.Pause())
	case auditstream.StateDeleted:
		require.NoError(t, s.Delete())
	case auditstream.StateUnconfigured, auditstream.StateEnabled:
	}
	require.Equal(t, state, s.Status().State)
	return s
}

func TestEveryMoveOfTheStateMachine(t *testing.T) {
	const (
		unconfigured = auditstream.StateUnconfigured
		enabled      = auditstream.StateEnabled
		paused       = auditstream.StatePaused
		deleted      = auditstream.StateDeleted
	)
	calls := map[string]func(*auditstream.Stream) error{
		"Configure": func(s *auditstream.Stream) error { return s.Configure(newFake(accept)) },
		"Pause":     (*auditstream.Stream).Pause,
		"Resume":    (*auditstream.Stream).Resume,
		"Delete":    (*auditstream.Stream).Delete,
	}
	for _, tt := range []struct {
		from auditstream.State
		call string
		to   auditstream.State
		err  error
	}{
		{unconfigured, "Configure", enabled, nil},
		{unconfigured, "Pause", unconfigured, auditstream.ErrUnconfigured},
		{unconfigured, "Resume", unconfigured, auditstream.ErrUnconfigured},
		{unconfigured, "Delete", deleted, nil},
		{enabled, "Configure", enabled, nil},
		{enabled, "Pause", paused, nil},
		{enabled, "Resume", enabled, nil},
		{enabled, "Delete", deleted, nil},
		{paused, "Configure", paused, nil},
		{paused, "Pause", paused, nil},
		{paused, "Resume", enabled, nil},
		{paused, "Delete", deleted, nil},
		{deleted, "Configure", enabled, nil},
		{deleted, "Pause", deleted, auditstream.ErrDeleted},
		{deleted, "Resume", deleted, auditstream.ErrDeleted},
		{deleted, "Delete", deleted, nil},
	} {
		t.Run(string(tt.from)+"/"+tt.call, func(t *testing.T) {
			s := streamIn(t, tt.from)
			since := s.Status().StateSince
			require.ErrorIs(t, calls[tt.call](s), tt.err)
			assert.Equal(t, tt.to, s.Status().State)
			if tt.from == tt.to {
				assert.Equal(t, since, s.Status().StateSince, "a state that did not change is as old as it was")
			}
		})
		t.Run(string(tt.from)+"/"+tt.call+" after Shutdown", func(t *testing.T) {
			s := streamIn(t, tt.from)
			require.NoError(t, s.Shutdown(t.Context()))
			if err := calls[tt.call](s); tt.call == "Delete" {
				require.NoError(t, err)
				assert.Equal(t, deleted, s.Status().State)
			} else {
				require.ErrorIs(t, err, auditstream.ErrShutdown)
				assert.Equal(t, tt.from, s.Status().State)
			}
		})
	}
}

func TestErrorsOfInactiveStreams(t *testing.T) {
	for _, err := range []error{auditstream.ErrUnconfigured, auditstream.ErrPaused, auditstream.ErrDeleted} {
		assert.ErrorIs(t, err, auditstream.ErrInactive)
	}
	for _, err := range []error{auditstream.ErrShutdown, auditstream.ErrQueueFull} {
		assert.NotErrorIs(t, err, auditstream.ErrInactive)
	}
}

func TestStartPausedHoldsFromTheFirstConfigure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(accept)
		s := enabled(t, auditstream.Config{StartPaused: true}, f)
		assert.Equal(t, auditstream.StatePaused, s.Status().State)
		publish(t, s, 1, 3)
		synctest.Wait()
		assert.Empty(t, f.attempts())
		require.NoError(t, s.Resume())
		require.NoError(t, s.Flush(t.Context()))
		assert.Equal(t, [][]string{span(1, 3)}, f.attempts())

		require.NoError(t, s.Delete())
		require.NoError(t, s.Configure(f))
		assert.Equal(t, auditstream.StateEnabled, s.Status().State, "only the first Configure starts paused")
	})
}

func TestConfigureThatFailsChangesNothing(t *testing.T) {
	for name, dst := range map[string]sink.Destination{
		"nil":         nil,
		"invalid":     destination{err: &sink.ConfigError{Field: "fake: Config.Endpoint", Reason: "is empty"}},
		"no sink":     destination{},
		"panic":       destination{panics: "with a s3cr3t"},
		"panic (nil)": destination{panics: errors.New("s3cr3t")},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(accept)
			s := enabled(t, auditstream.Config{}, f)
			err := s.Configure(dst)
			require.Error(t, err)
			assert.NotContains(t, err.Error(), "s3cr3t")
			assert.Equal(t, "fake://one:1", s.Status().Destination)
			require.NoError(t, s.Publish(event(1)))
			require.NoError(t, s.Flush(t.Context()))
			assert.Equal(t, [][]string{span(1, 1)}, f.attempts())
			assert.Zero(t, f.closes())

			require.Error(t, s.Test(t.Context(), destination{err: errFake}))
		})
	}
	t.Run("unconfigured stays so", func(t *testing.T) {
		s := newStream(t, auditstream.Config{})
		require.ErrorIs(t, s.Configure(destination{err: errFake}), errFake)
		assert.Equal(t, auditstream.StateUnconfigured, s.Status().State)
	})
}

// nameless is a destination that cannot say its name.
type nameless struct{ *fake }

func (nameless) String() string { panic("s3cr3t") }

func TestNamelessDestinationIsNotOpened(t *testing.T) {
	f := newFake(accept)
	s := newStream(t, auditstream.Config{})
	require.ErrorContains(t, s.Configure(nameless{f}), "panicked")
	assert.Zero(t, f.opened, "a sink that nobody would close")
}

// destination opens nothing.
type destination struct {
	err    error
	panics any
}

func (d destination) Open() (sink.Sink, error) {
	if d.panics != nil {
		panic(d.panics)
	}
	return nil, d.err
}

func (d destination) String() string { return "nowhere" }

func TestStreamThatWasNotMadeByNew(t *testing.T) {
	for name, s := range map[string]*auditstream.Stream{"nil": nil, "zero": {}} {
		t.Run(name, func(t *testing.T) {
			for call, err := range map[string]error{
				"Publish":        s.Publish(event(1)),
				"PublishContext": s.PublishContext(t.Context(), event(1)),
				"Configure":      s.Configure(newFake(accept)),
				"Test":           s.Test(t.Context(), nil),
				"Pause":          s.Pause(),
				"Resume":         s.Resume(),
				"Delete":         s.Delete(),
				"Flush":          s.Flush(t.Context()),
				"Shutdown":       s.Shutdown(t.Context()),
			} {
				assert.ErrorIs(t, err, auditstream.ErrUnconfigured, call)
			}
			assert.Equal(t, auditstream.StateUnconfigured, s.Status().State)
		})
	}
}
