package cost_test

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/auditstream/auditstream/bench/internal/cost"
)

var kept []byte

func TestPeakSeesWhatIsGoneAgain(t *testing.T) {
	before := cost.Live()
	peak := cost.WatchHeap()
	kept = make([]byte, 64<<20)
	high := peak.High()
	kept = nil
	assert.GreaterOrEqual(t, high, before+64<<20)
	assert.Less(t, cost.Live(), before+32<<20)
}

func TestMallocs(t *testing.T) {
	before := cost.Mallocs()
	for range 1000 {
		kept = make([]byte, 100)
	}
	assert.GreaterOrEqual(t, cost.Mallocs()-before, uint64(1000))
}

func TestCPU(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	all, thread := cost.CPU(), cost.ThreadCPU()
	for sum := 0; cost.ThreadCPU() == thread; sum++ { // until the clock moves
		kept = append(kept[:0], byte(sum))
	}
	assert.Greater(t, cost.CPU(), all)
}
