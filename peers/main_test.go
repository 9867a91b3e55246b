package peers

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails when a test has left a goroutine behind: a server of a peer, a connection, or a part of a Stream.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
