// Package selflog marks the log records in which a Stream tells of itself, so that a log handler that publishes to a
// Stream can tell them from the host's: a record about a full queue that goes into that queue would cause the next one.
package selflog

import "context"

type key struct{}

// Context is what a Stream logs with.
var Context = context.WithValue(context.Background(), key{}, true)

// Is reports whether a record that came with ctx is of a Stream's own making.
func Is(ctx context.Context) bool { return ctx != nil && ctx.Value(key{}) != nil }
