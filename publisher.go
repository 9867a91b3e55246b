package auditstream

import "context"

// Publisher is what takes events: a [Stream], or a [Fanout] of several. Adapters are written against it, and a host's
// own functions may be too.
type Publisher interface {
	// Publish hands over an event and never waits. See [Stream.Publish].
	Publish(e Event) error

	// PublishContext is Publish, but waits for room until ctx is done. See [Stream.PublishContext].
	PublishContext(ctx context.Context, e Event) error
}

var _ Publisher = (*Stream)(nil)
