package sinktest

import (
	"bytes"
	"context"
	"fmt"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// labelKey is the profiler label by which the suite knows the goroutines that a driver has started: labels are passed on
// from a goroutine to those that it starts. So neither a fake server in the same process nor other tests get in the way.
const labelKey = "sinktest"

var lastLabel atomic.Int64

func newLabel() string { return strconv.FormatInt(lastLabel.Add(1), 10) }

// labelled calls f with the suite's label.
func (s *suite) labelled(f func()) {
	pprof.Do(s.tb.Context(), pprof.Labels(labelKey, s.label), func(context.Context) { f() })
}

// goroutines returns the stacks of the goroutines with the suite's label.
func (s *suite) goroutines() []string {
	var b bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&b, 1); err != nil {
		return []string{err.Error()}
	}
	mark := fmt.Sprintf("# labels: {%q:%q}", labelKey, s.label)
	var stacks []string
	for stack := range strings.SplitSeq(b.String(), "\n\n") {
		if strings.Contains(stack, mark) {
			stacks = append(stacks, stack)
		}
	}
	return stacks
}

// lingering waits for the goroutines with the suite's label to end, and returns the stacks of those that do not.
func (s *suite) lingering(limit time.Duration) []string {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(limit); ; <-tick.C {
		stacks := s.goroutines()
		if len(stacks) == 0 || time.Now().After(end) {
			return stacks
		}
	}
}
