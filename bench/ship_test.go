package main

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdklog "go.opentelemetry.io/otel/sdk/log"

	"github.com/auditstream/auditstream/bench/internal/corpus"
	"github.com/auditstream/auditstream/bench/internal/server"
)

const shipped = 600 // a full batch and another

// testJob returns a job with events to ship and a server that looks for them.
func testJob(t *testing.T) (*job, server.Addresses) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "corpus")
	require.NoError(t, corpus.Generate(shipped, 1).Write(path))
	s, err := server.Start(server.Options{Corpus: path})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return &job{Corpus: path, Events: shipped, Server: s.Addresses}, s.Addresses
}

// TestEverybodyShipsEverything: a contender that loses events would look fast.
func TestEverybodyShipsEverything(t *testing.T) {
	j, address := testJob(t)
	for _, c := range contenders() {
		if c.copies {
			continue
		}
		t.Run(c.key(), func(t *testing.T) {
			_, err := order(t.Context(), address, "reset")
			require.NoError(t, err)
			f, err := measure(t.Context(), &c, j)
			require.NoError(t, err)
			assert.Equal(t, shipped, f.Events)
			assert.Positive(t, f.Wall)
			if !c.ships {
				return
			}
			counted, err := order(t.Context(), address, "stats")
			require.NoError(t, err)
			require.NotNil(t, counted.Check)
			assert.Equal(t, server.Check{Events: shipped}, *counted.Check)
		})
	}
}

// TestWhoFailsIsFoundOut: nobody's failure passes for a result.
func TestWhoFailsIsFoundOut(t *testing.T) {
	t.Run("an SDK whose exporter fails", func(t *testing.T) {
		j, _ := testJob(t)
		s := newSDK(j, failingExporter{}, nil)
		_, err := publishAll(&contender{}, s, mustOpen(t, j), shipped)
		require.NoError(t, err)
		assert.Error(t, s.finish(t.Context(), shipped))
	})
	t.Run("a queue that is too small", func(t *testing.T) {
		j, _ := testJob(t)
		j.Events = batchEvents
		s, err := openPaused(t.Context(), j)
		require.NoError(t, err)
		_, err = publishAll(&contender{}, s, mustOpen(t, j), shipped)
		assert.Error(t, err)
	})
	t.Run("fewer events than there should be", func(t *testing.T) {
		j, _ := testJob(t)
		s, err := openOurs(discarding{}, 1)(t.Context(), j)
		require.NoError(t, err)
		_, err = publishAll(&contender{}, s, mustOpen(t, j), shipped-1)
		require.NoError(t, err)
		assert.Error(t, s.finish(t.Context(), shipped))
	})
}

// failingExporter takes nothing.
type failingExporter struct{}

func (failingExporter) Export(context.Context, []sdklog.Record) error {
	return errors.New("taken: nothing")
}
func (failingExporter) Shutdown(context.Context) error   { return nil }
func (failingExporter) ForceFlush(context.Context) error { return nil }

func mustOpen(t *testing.T, j *job) *corpus.Corpus {
	t.Helper()
	events, err := corpus.Open(j.Corpus)
	require.NoError(t, err)
	return events
}
