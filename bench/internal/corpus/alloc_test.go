//go:build !race

package corpus_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/auditstream/auditstream/bench/internal/corpus"
)

// TestReadAllocatesNothing: reading is inside of what is measured, for everybody.
func TestReadAllocatesNothing(t *testing.T) {
	c := corpus.Generate(100, 1)
	var e corpus.Event
	i := 0
	assert.Zero(t, testing.AllocsPerRun(200, func() {
		c.Read(i, &e)
		i++
	}))
}
