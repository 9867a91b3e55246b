package auditstream_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/siemtest"
)

// TestInDoubt gives one answer to three events and looks at how many of them are in doubt when they are offered again.
func TestInDoubt(t *testing.T) {
	answer := func(n int, err error) deliverFunc {
		return func(context.Context, []sink.Event) (int, error) { return n, err }
	}
	for name, tt := range map[string]struct {
		script deliverFunc
		want   uint64
	}{
		"taken":                   {accept, 0},
		"plain error":             {fail(errFake), 3},
		"plain error after one":   {answer(1, errFake), 2},
		"retry":                   {fail(sink.Retry(errFake, 0)), 3},
		"retry, not taken":        {fail(&sink.Error{Err: errFake, NotTaken: true}), 0},
		"block":                   {fail(sink.Block(errFake)), 0},
		"block that cannot know":  {fail(&sink.Error{Verdict: sink.VerdictBlock, Err: errFake}), 3},
		"split":                   {fail(sink.Split(errFake)), 0},
		"split that cannot know":  {fail(&sink.Error{Verdict: sink.VerdictSplit, Err: errFake}), 3},
		"reject":                  {answer(1, sink.Reject(errFake)), 0},
		"reject that cannot know": {answer(1, &sink.Error{Verdict: sink.VerdictReject, Err: errFake}), 2},
		"reject of all":           {answer(3, &sink.Error{Verdict: sink.VerdictReject, Err: errFake}), 0},
		"count":                   {answer(2, sink.RejectCount(errFake, 1)), 0},
		"deadline":                {untilDone, 3},
		"nonsense":                {answer(4, nil), 3},
		"driver at fault":         {answer(1, nil), 2},
		"panic":                   {func(context.Context, []sink.Event) (int, error) { panic("fake") }, 3},
		"goexit":                  {func(context.Context, []sink.Event) (int, error) { runtime.Goexit(); return 0, nil }, 3},
		"hangs": {func(ctx context.Context, _ []sink.Event) (int, error) {
			<-ctx.Done()
			time.Sleep(time.Minute)
			return 0, ctx.Err()
		}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := enabled(t, auditstream.Config{}, newFake(sequence(tt.script, accept)))
				publish(t, s, 1, 3)
				require.NoError(t, s.Flush(t.Context()))
				assert.Equal(t, tt.want, s.Status().Totals.InDoubt)
			})
		})
	}
}

// TestInDoubtAdds has each offer count again.
func TestInDoubtAdds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := enabled(t, auditstream.Config{}, newFake(sequence(fail(errFake), fail(sink.Block(errFake)), fail(errFake), accept)))
		publish(t, s, 1, 3)
		require.NoError(t, s.Flush(t.Context()))
		assert.EqualValues(t, 6, s.Status().Totals.InDoubt)
		require.NoError(t, s.Delete())
		assert.EqualValues(t, 6, s.Status().Totals.InDoubt, "totals stay")
	})
}

// TestInDoubtAfterAnEdit has the destination edited while an attempt is in progress on the old one.
func TestInDoubtAfterAnEdit(t *testing.T) {
	for name, tt := range map[string]struct {
		script deliverFunc
		want   uint64
	}{
		"cancelled": {untilDone, 3},
		"hung":      {hang(make(chan struct{})), 3},
		"refused": {func(context.Context, []sink.Event) (int, error) {
			time.Sleep(2 * time.Second)
			return 0, sink.Block(errFake)
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if name == "hung" {
					release := make(chan struct{})
					tt.script = hang(release)
					defer close(release)
				}
				s := enabled(t, auditstream.Config{}, newFake(tt.script))
				publish(t, s, 1, 3)
				time.Sleep(1500 * time.Millisecond)
				require.NoError(t, s.Configure(newFake(accept)))
				require.NoError(t, s.Flush(t.Context()))
				assert.Equal(t, tt.want, s.Status().Totals.InDoubt)
			})
		})
	}
}

// TestInDoubtBehindARejection keeps what was delivered behind an event whose rejection the destination has to prove first.
func TestInDoubtBehindARejection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(sequence(rejects(5, 1, 2, 3), fail(errFake), accept))
		s := enabled(t, auditstream.Config{}, f)
		publish(t, s, 1, 5)
		require.NoError(t, s.Flush(t.Context()))
		assert.Equal(t, [][]string{span(1, 5), {"test"}, span(2, 5)}, f.attempts())
		assert.EqualValues(t, 4, s.Status().Totals.InDoubt, "e5 was taken twice")
	})
}

// TestDuplicatesAreNeverMoreThanInDoubt lets every driver go through hundreds of faults of all kinds, by chance.
func TestDuplicatesAreNeverMoreThanInDoubt(t *testing.T) {
	cfg := auditstream.Config{BatchEvents: 5, AttemptTimeout: 5 * time.Second, RetryMax: 2 * time.Second}
	inDrivers(t, drivers, cfg, func(t *testing.T, _ driver, f *trial) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		var mu sync.Mutex
		faults, dice := 0, rand.New(rand.NewPCG(seed, 1))
		f.siem.Fail(func(siemtest.Request) *siemtest.Answer {
			mu.Lock()
			defer mu.Unlock()
			a := randomAnswer(dice)
			if a != nil {
				faults++
			}
			return a
		})
		steps := rand.New(rand.NewPCG(seed, 2))
		for range 150 {
			f.publish(t, 1+steps.IntN(8))
			time.Sleep(time.Duration(steps.IntN(3000)) * time.Millisecond)
			switch steps.IntN(20) {
			case 0:
				require.NoError(t, f.Configure(f.dst))
			case 1:
				require.NoError(t, f.Pause())
				time.Sleep(time.Second)
				require.NoError(t, f.Resume())
			case 2:
				require.NoError(t, f.siem.SetOutage(true))
				time.Sleep(3 * time.Second)
				require.NoError(t, f.siem.SetOutage(false))
			}
		}
		f.siem.Fail(nil)
		f.drain(t)
		f.checkArrival(t)
		_, duplicates := arrived(f.siem.IDs())
		assert.Positive(t, duplicates, "nothing was tested")
		mu.Lock()
		defer mu.Unlock()
		assert.Greater(t, faults, 80)
		t.Logf("%d events, %d faults, %d duplicates, %d in doubt", f.last, faults, duplicates, f.Status().Totals.InDoubt)
	})
}

// randomAnswer returns a fault, or nil for none. It may have taken the events if an answer of its kind can follow on that.
func randomAnswer(dice *rand.Rand) *siemtest.Answer {
	unclear := []siemtest.Answer{
		siemtest.Drop(), siemtest.Reset(), siemtest.Hang(), siemtest.Status(500, ""), siemtest.Status(502, ""),
		siemtest.Status(503, ""), siemtest.Status(504, ""), siemtest.Status(408, ""), siemtest.LoginPage(),
		siemtest.Status(599, ""),
		{Status: http.StatusSeeOther, Code: codes.Unknown},
	}
	clearly := []siemtest.Answer{
		siemtest.Throttle(time.Second), siemtest.Status(401, ""), siemtest.Status(404, ""), siemtest.HangUnread(),
		{Status: http.StatusServiceUnavailable, Code: codes.Unavailable, RetryAfter: time.Second},
	}
	switch dice.IntN(3) {
	case 0:
		a := unclear[dice.IntN(len(unclear))]
		a.Accept = dice.IntN(2) == 0
		return &a
	case 1:
		return &clearly[dice.IntN(len(clearly))]
	}
	return nil
}
