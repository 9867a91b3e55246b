package corpus_test

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/bench/internal/corpus"
)

// all returns the events of a corpus.
func all(c *corpus.Corpus) []corpus.Event {
	events := make([]corpus.Event, c.Len())
	for i := range events {
		c.Read(i, &events[i])
	}
	return events
}

func TestSameSeedMakesTheSameEvents(t *testing.T) {
	assert.Equal(t, all(corpus.Generate(100, 7)), all(corpus.Generate(100, 7)))
	assert.NotEqual(t, all(corpus.Generate(100, 7)), all(corpus.Generate(100, 8)))
}

func TestEventsAreWhole(t *testing.T) {
	ids := make(map[string]bool)
	events := all(corpus.Generate(500, 1))
	for i := range events {
		e := &events[i]
		assert.Len(t, e.ID, 36)
		ids[e.ID] = true
		for _, s := range []string{
			e.Action, e.Outcome, e.ActorID, e.ActorType, e.ActorName, e.TargetID, e.TargetType, e.TargetName, e.Address,
			e.UserAgent, e.Message,
		} {
			assert.NotEmpty(t, s, "event %d", i)
			assert.True(t, utf8.ValidString(s), "event %d: %q", i, s)
		}
		assert.NotContains(t, e.Message+e.UserAgent+e.ActorID, "%!", "event %d was formatted wrongly", i)
		if i > 0 {
			assert.False(t, e.Time.Before(events[i-1].Time))
		}
		keys := make(map[string]bool)
		for _, a := range e.Attributes {
			keys[a.Key] = true
			assert.Equal(t, a.Kind == corpus.Text, a.Text != "", "event %d: %+v", i, a)
		}
		assert.Len(t, keys, corpus.Attributes)
	}
	assert.Len(t, ids, len(events))
}

// TestEventsAreNotTriviallyRepetitive: what compresses to nothing would make every gzip look cheap.
func TestEventsAreNotTriviallyRepetitive(t *testing.T) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	size := 0
	events := all(corpus.Generate(2000, 1))
	for i := range events {
		e := &events[i]
		for _, a := range e.Attributes {
			n, err := w.Write([]byte(a.Key + a.Text))
			require.NoError(t, err)
			size += n
		}
		n, err := w.Write([]byte(e.ID + e.ActorName + e.TargetName + e.Address + e.UserAgent + e.Message))
		require.NoError(t, err)
		size += n
	}
	require.NoError(t, w.Close())
	ratio := float64(size) / float64(packed.Len())
	assert.Greater(t, ratio, 2.0, "nothing like real events is this random")
	assert.Less(t, ratio, 6.0, "nothing like real events is this repetitive")
}

func TestWriteAndOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "corpus")
	c := corpus.Generate(100, 3)
	require.NoError(t, c.Write(path))
	back, err := corpus.Open(path)
	require.NoError(t, err)
	assert.Equal(t, all(c), all(back))

	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, n := range []int{0, 8, 200, len(whole) - 1} {
		require.NoError(t, os.WriteFile(path, whole[:n], 0o600))
		_, err = corpus.Open(path)
		assert.Error(t, err, "%d bytes", n)
	}
}

func TestReadBeginsAnew(t *testing.T) {
	c := corpus.Generate(3, 1)
	var first, fourth corpus.Event
	c.Read(0, &first)
	c.Read(3, &fourth)
	assert.Equal(t, first, fourth)
}
