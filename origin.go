package auditstream

import "context"

// The keys under which a context says who acts, and from where.
type (
	actorKey  struct{}
	sourceKey struct{}
)

// WithActor returns a context that says who acts in it: what authenticates a request calls it once, and [Stream.Begin]
// and the handler of package auditslog fill in [Event].Actor from it. Publish and PublishContext do not look.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// ActorFrom returns what WithActor has said, or the zero Actor.
func ActorFrom(ctx context.Context) Actor {
	a, _ := ctx.Value(actorKey{}).(Actor)
	return a
}

// WithSource returns a context that says where the request came from that is carried out in it. The middleware of package
// audithttp calls it, and [Stream.Begin] and the handler of package auditslog fill in [Event].Source from it.
func WithSource(ctx context.Context, s Source) context.Context {
	return context.WithValue(ctx, sourceKey{}, s)
}

// SourceFrom returns what WithSource has said, or the zero Source.
func SourceFrom(ctx context.Context) Source {
	s, _ := ctx.Value(sourceKey{}).(Source)
	return s
}
