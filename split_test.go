package auditstream_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/sink"
)

// atMost refuses batches of more than n events as a whole.
func atMost(n int) deliverFunc {
	return func(_ context.Context, batch []sink.Event) (int, error) {
		if len(batch) > n {
			return 0, sink.Split(errFake)
		}
		return len(batch), nil
	}
}

// sizes returns the sizes of the batches from the given one on, each with how many there were in a row.
func (f *fake) sizes(from int) [][2]int {
	var runs [][2]int
	for _, batch := range f.attempts()[from:] {
		if n := len(runs); n > 0 && runs[n-1][0] == len(batch) {
			runs[n-1][1]++
			continue
		}
		runs = append(runs, [2]int{len(batch), 1})
	}
	return runs
}

// sameSize are events that are equally large, so that sizes in bytes can be told from their number.
func sameSize(t *testing.T, s *auditstream.Stream, n int) {
	t.Helper()
	for range n {
		require.NoError(t, s.Publish(auditstream.Event{Action: "a", Actor: auditstream.Actor{ID: "b"}}))
	}
}

func TestLearntSizeIsDoubledEvery16Batches(t *testing.T) {
	size := 0
	synctest.Test(t, func(t *testing.T) {
		s := enabled(t, auditstream.Config{StartPaused: true}, newFake(accept))
		sameSize(t, s, 1)
		size = s.Status().Queue.Bytes
	})
	synctest.Test(t, func(t *testing.T) {
		f := newFake(atMost(8))
		s := enabled(t, auditstream.Config{BatchBytes: 60 * size, BatchEvents: 512}, f)
		sameSize(t, s, 60)
		require.NoError(t, s.Flush(t.Context()))
		learnt := len(f.attempts())
		f.answer(accept)
		sameSize(t, s, 2000)
		require.NoError(t, s.Flush(t.Context()))
		// 60, 30 and 15 were refused and 7 passed; the rest of the 60 went in 7 batches of that size.
		assert.Equal(t, [][2]int{{7, 9}, {14, 16}, {28, 16}, {56, 16}, {60, 6}, {9, 1}}, f.sizes(learnt),
			"Config.BatchBytes is the end of it")
	})
}

func TestEachLessonAboutSizeLastsFor16Batches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(atMost(30))
		s := enabled(t, auditstream.Config{BatchEvents: 60}, f)
		sameSize(t, s, 60+5*30)
		require.NoError(t, s.Flush(t.Context()))
		from := len(f.attempts())
		f.answer(atMost(10))
		sameSize(t, s, 30+16*7+14)
		require.NoError(t, s.Flush(t.Context()))
		assert.Contains(t, f.sizes(from), [2]int{7, 16}, "%v", f.sizes(from))
	})
}

func TestPrefixIsNoLessonAboutSize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(atMost(4))
		s := enabled(t, auditstream.Config{BatchEvents: 16}, f)
		sameSize(t, s, 16)
		require.NoError(t, s.Flush(t.Context()))
		from := len(f.attempts())
		prefix := func(context.Context, []sink.Event) (int, error) { return 1, errFake }
		f.answer(sequence(append(repeat(20, prefix), accept)...))
		sameSize(t, s, 20+4*10)
		require.NoError(t, s.Flush(t.Context()))
		assert.Equal(t, [][2]int{{4, 30}}, f.sizes(from), "only batches that were taken whole count")
	})
}

func TestEditForgetsWhatTheOldDestinationTook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, fresh := newFake(atMost(4)), newFake(accept)
		s := enabled(t, auditstream.Config{BatchEvents: 16}, old)
		sameSize(t, s, 32)
		require.NoError(t, s.Flush(t.Context()))
		require.NoError(t, s.Configure(fresh))
		sameSize(t, s, 16)
		require.NoError(t, s.Flush(t.Context()))
		assert.Equal(t, [][2]int{{16, 1}}, fresh.sizes(0))
	})
}

func TestHalvesDoNotWaitForCompany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := enabled(t, auditstream.Config{BatchEvents: 8, BatchDelay: time.Hour}, newFake(poison("e8")))
		publish(t, s, 1, 8)
		synctest.Wait()
		totals := s.Status().Totals
		assert.EqualValues(t, 7, totals.Delivered)
		assert.EqualValues(t, 1, totals.Rejected)
	})
}

func TestOverflowMayDropTheRestOfARefusedRange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		f := newFake(sequence(fail(sink.Split(errFake)), hang(release), accept))
		s := enabled(t, auditstream.Config{QueueEvents: 4, Overflow: auditstream.DropOldest}, f)
		publish(t, s, 1, 4)
		synctest.Wait()
		publish(t, s, 5, 6) // in the place of e3 and e4
		close(release)
		require.NoError(t, s.Flush(t.Context()))
		assert.Equal(t, [][]string{span(1, 4), span(1, 2), span(5, 6)}, f.attempts())
	})
}
