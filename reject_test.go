package auditstream_test

import (
	"context"
	"fmt"
	"math/bits"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/sink"
)

func TestRejectHandsTheEventOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		third := func(context.Context, []sink.Event) (int, error) { return 3, sink.Reject(errFake, 2) }
		f := newFake(sequence(third, accept))
		s := enabled(t, auditstream.Config{OnReject: j.onReject, Logger: j.logger()}, f)
		publish(t, s, 1, 5)
		require.NoError(t, s.Flush(t.Context()))
		assert.Equal(t, [][]string{span(1, 5), {"e4", "e5"}}, f.attempts())
		times := f.times()
		assert.Equal(t, times[0], times[1], "the rest goes on at once")
		require.Len(t, j.rejections, 1)
		assert.Equal(t, []string{"e3"}, j.rejected())
		assert.EqualValues(t, 1, j.rejections[0].Count)
		require.ErrorIs(t, j.rejections[0].Err, errFake)
		totals := s.Status().Totals
		assert.EqualValues(t, 4, totals.Delivered)
		assert.EqualValues(t, 1, totals.Rejected)
		assert.Equal(t, auditstream.ConditionHealthy, s.Status().Condition)
		assert.Equal(t, 1, countOf(j.log(), "rejected by the destination"))
	})
}

func TestRejectForms(t *testing.T) {
	for name, tt := range map[string]struct {
		n          int
		err        error
		rejected   []string
		candidates []string
		count      uint64
	}{
		"no index is the last":      {2, sink.Reject(errFake), []string{"e2"}, nil, 1},
		"repeated and out of range": {3, sink.Reject(errFake, 2, 0, 2, -1, 7), []string{"e1", "e3"}, nil, 2},
		"count":                     {4, sink.RejectCount(errFake, 2), nil, span(1, 4), 2},
		"count too large":           {4, sink.RejectCount(errFake, 99), nil, span(1, 4), 4},
		"count of a prefix":         {3, sink.RejectCount(errFake, 1), nil, span(1, 3), 1},
		"count beyond a prefix":     {3, sink.RejectCount(errFake, 4), nil, span(1, 3), 3},
		"count negative":            {4, sink.RejectCount(errFake, -1), nil, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := &journal{}
				f := newFake(sequence(func(context.Context, []sink.Event) (int, error) { return tt.n, tt.err }, accept))
				s := enabled(t, auditstream.Config{OnReject: j.onReject}, f)
				publish(t, s, 1, 4)
				require.NoError(t, s.Flush(t.Context()))
				assert.Equal(t, tt.rejected, j.rejected())
				assert.Equal(t, tt.count, s.Status().Totals.Rejected)
				if tt.candidates != nil {
					require.Len(t, j.rejections, 1)
					assert.Equal(t, tt.candidates, ids(j.rejections[0].Candidates))
				}
			})
		})
	}
}

// poison refuses every batch with one of the bad events in it, as a whole.
func poison(bad ...string) deliverFunc {
	return func(_ context.Context, batch []sink.Event) (int, error) {
		for _, e := range batch {
			if slices.Contains(bad, e.ID) {
				return 0, sink.Split(errFake)
			}
		}
		return len(batch), nil
	}
}

func TestSplitFindsThePoisonEvent(t *testing.T) {
	for _, n := range []int{1, 2, 3, 7, 64, 500, 512} {
		for _, at := range []int{1, n/2 + 1, n} {
			t.Run(fmt.Sprintf("%d of %d", at, n), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					j := &journal{}
					bad := fmt.Sprint("e", at)
					f := newFake(poison(bad))
					s := enabled(t, auditstream.Config{OnReject: j.onReject}, f)
					publish(t, s, 1, n)
					require.NoError(t, s.Flush(t.Context()))
					assert.Equal(t, []string{bad}, j.rejected())
					assert.EqualValues(t, n-1, s.Status().Totals.Delivered)
					assert.Equal(t, auditstream.ConditionHealthy, s.Status().Condition)
					most := 1 + bits.Len(uint(n-1)) + 2
					// What follows a culprit goes in a full batch again.
					assert.LessOrEqual(t, len(f.attempts()), most+1, "%v", len(f.attempts()))

					publish(t, s, n+1, n+512)
					require.NoError(t, s.Flush(t.Context()))
					attempts := f.attempts()
					assert.Len(t, attempts[len(attempts)-1], 512, "back to full batches")
				})
			})
		}
	}
}

func TestSplitForSizeKeepsTheSizeThatPassed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		limit := 100
		f := newFake(func(_ context.Context, batch []sink.Event) (int, error) {
			if len(batch) > limit {
				return 0, sink.Split(errFake)
			}
			return len(batch), nil
		})
		s := enabled(t, auditstream.Config{OnReject: j.onReject}, f)
		publish(t, s, 1, 5000)
		require.NoError(t, s.Flush(t.Context()))
		assert.Empty(t, j.rejections)
		assert.EqualValues(t, 5000, s.Status().Totals.Delivered)
		refused := 0
		for _, batch := range f.attempts() {
			if len(batch) > limit {
				refused++
			}
		}
		assert.LessOrEqual(t, refused, 8, "the size is learnt, not refused anew for every batch")
		limit = 512
		publish(t, s, 5001, 30000)
		require.NoError(t, s.Flush(t.Context()))
		attempts := f.attempts()
		assert.Len(t, attempts[len(attempts)-3], 512, "and doubled again")
	})
}

func TestContrastBlocksADestinationThatRefusesEverything(t *testing.T) {
	for name, script := range map[string]deliverFunc{
		"split":  fail(sink.Split(errFake)),
		"reject": func(context.Context, []sink.Event) (int, error) { return 1, sink.Reject(errFake, 0) },
		"reject all": func(_ context.Context, b []sink.Event) (int, error) {
			all := make([]int, len(b))
			for i := range all {
				all[i] = i
			}
			return len(b), sink.Reject(errFake, all...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := &journal{}
				f := newFake(script)
				s := enabled(t, auditstream.Config{OnReject: j.onReject}, f)
				publish(t, s, 1, 64)
				time.Sleep(10 * time.Hour)
				status := s.Status()
				assert.Equal(t, auditstream.ConditionBlocked, status.Condition)
				require.ErrorContains(t, status.LastError, "refuses every event")
				require.ErrorIs(t, status.LastError, errFake)
				assert.LessOrEqual(t, len(j.rejections), 2, "at most two events before the contrast")
				assert.EqualValues(t, 64-len(j.rejections), status.Totals.Pending)

				f.answer(accept)
				require.NoError(t, s.Flush(t.Context()))
				assert.EqualValues(t, 64-len(j.rejections), s.Status().Totals.Delivered)
				assert.Equal(t, auditstream.ConditionHealthy, s.Status().Condition)
			})
		})
	}
}

func TestContrastLetsRejectingGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		f := newFake(func(_ context.Context, batch []sink.Event) (int, error) {
			if batch[0].Action == "auditstream.test" {
				return 1, nil
			}
			return 1, sink.Reject(errFake, 0)
		})
		s := enabled(t, auditstream.Config{OnReject: j.onReject}, f)
		publish(t, s, 1, 5)
		require.NoError(t, s.Flush(t.Context()))
		assert.Equal(t, span(1, 5), j.rejected())
		assert.Equal(t, [][]string{
			span(1, 5), span(2, 5), span(3, 5), {"test"}, span(4, 5), {"e5"}, {"test"},
		}, f.attempts())
		for _, c := range f.calls {
			if c.ids[0] == "test" {
				assert.Zero(t, c.events[0].Sequence)
				assert.Equal(t, "auditstream", c.events[0].Actor.ID)
			}
		}
		assert.EqualValues(t, 5, s.Status().Totals.Rejected, "the test event is not in the ledger")
		assert.EqualValues(t, 5, s.Status().Totals.Accepted)
	})
}

func TestContrastCountsWhatWasRejectedUnnamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counted := func(context.Context, []sink.Event) (int, error) { return 1, sink.RejectCount(errFake, 1) }
		f := newFake(sequence(counted, counted, rejectFirst))
		s := enabled(t, auditstream.Config{BatchEvents: 1}, f)
		publish(t, s, 1, 3)
		require.NoError(t, s.Flush(t.Context()))
		assert.Equal(t, [][]string{{"e1"}, {"e2"}, {"e3"}, {"test"}}, f.attempts())
	})
}

func TestContrastThatFailsOtherwise(t *testing.T) {
	for name, tt := range map[string]struct {
		err       error
		condition auditstream.Condition
	}{
		"retry": {errFake, auditstream.ConditionRetrying},
		"block": {sink.Block(errFake), auditstream.ConditionBlocked},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := &journal{}
				f := newFake(func(_ context.Context, batch []sink.Event) (int, error) {
					if batch[0].Action == "auditstream.test" {
						return 0, tt.err
					}
					return 1, sink.Reject(errFake, 0)
				})
				s := enabled(t, auditstream.Config{OnReject: j.onReject}, f)
				publish(t, s, 1, 5)
				time.Sleep(200 * time.Millisecond)
				synctest.Wait()
				assert.Equal(t, []string{"e1", "e2"}, j.rejected())
				assert.Equal(t, tt.condition, s.Status().Condition)
				assert.EqualValues(t, 3, s.Status().Totals.Pending)
			})
		})
	}
}

func TestContrastDoesNotStartOnAPausedStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		var s *auditstream.Stream
		f := newFake(func(_ context.Context, batch []sink.Event) (int, error) {
			if batch[0].ID == "e3" {
				require.NoError(t, s.Pause())
			}
			return 1, sink.Reject(errFake, 0)
		})
		s = enabled(t, auditstream.Config{OnReject: j.onReject}, f)
		publish(t, s, 1, 5)
		time.Sleep(time.Hour)
		assert.Equal(t, [][]string{span(1, 5), span(2, 5), span(3, 5)}, f.attempts())
		assert.Equal(t, []string{"e1", "e2"}, j.rejected())
		assert.EqualValues(t, 3, s.Status().Totals.Pending)
	})
}

func TestRejectionsAreLoggedOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		f := newFake(func(_ context.Context, batch []sink.Event) (int, error) {
			if batch[0].Action == "auditstream.test" {
				return 1, nil
			}
			return 1, sink.Reject(errFake, 0)
		})
		s := enabled(t, auditstream.Config{Logger: j.logger()}, f)
		publish(t, s, 1, 100)
		require.NoError(t, s.Flush(t.Context()))
		time.Sleep(time.Minute)
		assert.Equal(t, 2, countOf(j.log(), "rejected by the destination"), j.log())
		assert.Contains(t, j.log(), "events=1 ")
		assert.Contains(t, j.log(), "events=99 ")
	})
}
