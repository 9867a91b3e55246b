package sinktest_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/sinktest"
)

// events returns events with these actions.
func events(actions ...string) []sink.Event {
	batch := make([]sink.Event, len(actions))
	for i, a := range actions {
		batch[i] = sink.Event{ID: "id-" + a, Action: a}
	}
	return batch
}

// open opens a sink of the recorder.
func open(t *testing.T, rec *sinktest.Recorder) sink.Sink {
	t.Helper()
	k, err := rec.Open()
	require.NoError(t, err)
	return k
}

func TestRecorderAcceptsEverything(t *testing.T) {
	t.Parallel()
	rec := &sinktest.Recorder{}
	assert.Equal(t, "recorder", rec.String())
	assert.Empty(t, rec.Events())
	k := open(t, rec)
	n, err := k.Deliver(t.Context(), events("a", "b"))
	require.NoError(t, err)
	assert.Equal(t, 2, n)
	n, err = open(t, rec).Deliver(t.Context(), events("c"))
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	assert.Equal(t, []string{"a", "b", "c"}, rec.Actions())
	assert.Equal(t, events("a", "b", "c"), rec.Events())
	assert.Equal(t, 2, rec.Batches())

	rec.Events()[0].Action = "changed"
	assert.Equal(t, "a", rec.Events()[0].Action, "what it returns is a copy")

	rec.Reset()
	assert.Empty(t, rec.Events())
	assert.Zero(t, rec.Batches())
}

func TestRecorderAnswers(t *testing.T) {
	t.Parallel()
	fault := errors.New("fault")
	bad := func(e sink.Event) bool { return e.Action == "bad" }
	give := func(n int, err error) sinktest.Answer {
		return func(context.Context, []sink.Event) (int, error) { return n, err }
	}
	tests := map[string]struct {
		answer   sinktest.Answer
		n        int
		err      error
		recorded []string
	}{
		"accept":               {sinktest.Accept(), 3, nil, []string{"a", "bad", "c"}},
		"fail":                 {sinktest.Fail(fault), 0, fault, []string{}},
		"reject one":           {sinktest.RejectIf(bad), 2, nil, []string{"a"}},
		"reject none":          {sinktest.RejectIf(func(sink.Event) bool { return false }), 3, nil, []string{"a", "bad", "c"}},
		"reject the last":      {give(2, sink.Reject(fault)), 2, fault, []string{"a"}},
		"reject a number":      {give(3, sink.RejectCount(fault, 1)), 3, fault, []string{"a", "bad", "c"}},
		"reject beyond":        {give(2, sink.Reject(fault, 7)), 2, fault, []string{"a", "bad"}},
		"prefix":               {give(1, sink.Retry(fault, time.Second)), 1, fault, []string{"a"}},
		"too many":             {give(4, nil), 4, nil, []string{}},
		"fewer than none":      {give(-1, nil), -1, nil, []string{}},
		"an answer reorders":   {func(_ context.Context, b []sink.Event) (int, error) { b[0], b[2] = b[2], b[0]; return 3, nil }, 3, nil, []string{"a", "bad", "c"}},
		"no answer is accept":  {nil, 3, nil, []string{"a", "bad", "c"}},
		"block is passed on":   {sinktest.Fail(sink.Block(fault)), 0, fault, []string{}},
		"nothing but rejected": {give(1, sink.Reject(fault, 0)), 1, fault, []string{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rec := &sinktest.Recorder{}
			rec.Answer(test.answer)
			n, err := open(t, rec).Deliver(t.Context(), events("a", "bad", "c"))
			assert.Equal(t, test.n, n)
			if test.err != nil {
				require.ErrorIs(t, err, test.err)
			}
			assert.Equal(t, test.recorded, rec.Actions())
		})
	}
}

func TestRecorderNamesTheRejectedEvent(t *testing.T) {
	t.Parallel()
	rec := &sinktest.Recorder{}
	rec.Answer(sinktest.RejectIf(func(e sink.Event) bool { return e.Action == "bad" }))
	_, err := open(t, rec).Deliver(t.Context(), events("a", "bad"))
	var e *sink.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, sink.VerdictReject, e.Verdict)
	assert.Equal(t, []int{1}, e.Index)
}

func TestRecorderQueuesAnswers(t *testing.T) {
	t.Parallel()
	rec := &sinktest.Recorder{}
	k := open(t, rec)
	first, always := errors.New("first"), errors.New("always")
	rec.Answer(sinktest.Fail(always))
	rec.Then(sinktest.Fail(first), sinktest.Accept(), sinktest.Panic("boom"))
	_, err := k.Deliver(t.Context(), events("a"))
	require.ErrorIs(t, err, first)
	_, err = k.Deliver(t.Context(), events("b"))
	require.NoError(t, err)
	assert.PanicsWithValue(t, "boom", func() { _, _ = k.Deliver(t.Context(), events("c")) })
	_, err = k.Deliver(t.Context(), events("d"))
	require.ErrorIs(t, err, always)
	rec.Answer(nil)
	_, err = k.Deliver(t.Context(), events("e"))
	require.NoError(t, err)
	assert.Equal(t, []string{"b", "e"}, rec.Actions())
	assert.Equal(t, 5, rec.Batches())
}

func TestRecorderHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rec := &sinktest.Recorder{}
		rec.Then(sinktest.Hang())
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		start := time.Now()
		n, err := open(t, rec).Deliver(ctx, events("a"))
		assert.Zero(t, n)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Hour, time.Since(start))
	})
}

func TestRecorderWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rec := &sinktest.Recorder{}
		k := open(t, rec)
		var wg sync.WaitGroup
		for n := range 4 {
			wg.Go(func() {
				got, err := rec.Wait(t.Context(), n)
				assert.NoError(t, err)
				assert.GreaterOrEqual(t, len(got), n)
			})
		}
		for _, action := range []string{"a", "b", "c"} {
			synctest.Wait()
			_, err := k.Deliver(t.Context(), events(action))
			require.NoError(t, err)
		}
		wg.Wait()

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		got, err := rec.Wait(ctx, 4)
		assert.Len(t, got, 3)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, "sinktest: 3 of 4 events have been delivered: context deadline exceeded", err.Error())
	})
}

// TestRecorderKeepsTheContract also shows how little a harness can be.
func TestRecorderKeepsTheContract(t *testing.T) {
	t.Parallel()
	fault := errors.New("fault")
	start := func(_ testing.TB, b sinktest.Behavior) (sink.Destination, sinktest.Server) {
		rec := &sinktest.Recorder{}
		switch b {
		case sinktest.Busy, sinktest.Cutting, sinktest.Refusing:
			rec.Answer(sinktest.Fail(fault))
		case sinktest.Forbidding:
			rec.Answer(sinktest.Fail(sink.Block(fault)))
		case sinktest.Poisoned:
			rec.Answer(sinktest.RejectIf(func(e sink.Event) bool { return e.Action == sinktest.PoisonAction }))
		case sinktest.BusyLater:
			rec.Then(sinktest.Accept())
			rec.Answer(sinktest.Fail(fault))
		case sinktest.Hanging:
			rec.Answer(sinktest.Hang())
		case sinktest.Accepting:
		}
		rec.InFlight(4)
		return rec, sinktest.Server{IDs: func() []string {
			var ids []string
			for _, e := range rec.Events() {
				ids = append(ids, e.ID)
			}
			return ids
		}}
	}
	sinktest.TestSink(t, sinktest.Harness{Start: start, Secrets: []string{"a recorder has no secret"}})
}

func TestRecorderTakesBatchesAtOnce(t *testing.T) {
	t.Parallel()
	slots := func(k sink.Sink) int { return k.(interface{ MaxInFlight() int }).MaxInFlight() }
	rec := &sinktest.Recorder{}
	assert.Less(t, slots(open(t, rec)), 2)
	rec.InFlight(3)
	k := open(t, rec)
	assert.Equal(t, 3, slots(k))
	rec.Reset()
	assert.Less(t, slots(open(t, rec)), 2)
	assert.Equal(t, 3, slots(k), "a stream asks once")
}

func TestRecorderIsRaceSafe(t *testing.T) {
	t.Parallel()
	rec := &sinktest.Recorder{}
	var wg sync.WaitGroup
	for range 4 {
		k := open(t, rec)
		wg.Go(func() {
			for range 50 {
				_, err := k.Deliver(t.Context(), events("a"))
				assert.NoError(t, err)
				_, _, _ = rec.Events(), rec.Actions(), rec.Batches()
				rec.Then(sinktest.Accept())
				rec.Answer(nil)
			}
		})
	}
	_, err := rec.Wait(t.Context(), 200)
	require.NoError(t, err)
	wg.Wait()
	assert.Equal(t, 200, rec.Batches())
}

// A product records what its users do. A test of it lets the events go to a Recorder; with a Stream in between, the
// test would pass rec to Configure and call Flush.
func ExampleRecorder() {
	ctx := context.Background()
	rec := &sinktest.Recorder{}
	rec.Then(sinktest.Fail(errors.New("no route to host")))

	s, err := rec.Open()
	if err != nil {
		fmt.Println(err)
		return
	}
	batch := []sink.Event{{Action: "project.create", Actor: sink.Actor{ID: "ada"}}}
	for range 2 {
		n, err := s.Deliver(ctx, batch)
		fmt.Println(n, err)
	}
	fmt.Println(rec.Actions(), rec.Batches())
	// Output:
	// 0 no route to host
	// 1 <nil>
	// [project.create] 2
}
