package selflog_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/auditstream/auditstream/internal/selflog"
)

func TestIs(t *testing.T) {
	type key struct{}
	assert.True(t, selflog.Is(selflog.Context))
	assert.True(t, selflog.Is(context.WithValue(selflog.Context, key{}, 1)), "a handler may add to it")
	assert.False(t, selflog.Is(t.Context()))
	assert.False(t, selflog.Is(nil)) //nolint:staticcheck // a handler may get it
}
