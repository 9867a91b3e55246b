package auditstream

import "github.com/auditstream/auditstream/sink"

// The event types are those of package sink, so that a driver and a host speak of the same thing without the driver
// importing this package.
type (
	// Event is one audit event; see [sink.Event] for its fields and for the values they may hold.
	Event = sink.Event
	// Outcome is the result of an audited action.
	Outcome = sink.Outcome
	// Actor is who acted.
	Actor = sink.Actor
	// ActorType is the kind of an [Actor].
	ActorType = sink.ActorType
	// Target is a thing that was acted on.
	Target = sink.Target
	// TargetType is the kind of a [Target].
	TargetType = sink.TargetType
	// Source is where a request came from.
	Source = sink.Source
	// Change is one property that the action changed.
	Change = sink.Change
)

// The outcomes of an action.
const (
	OutcomeSuccess = sink.OutcomeSuccess
	OutcomeFailure = sink.OutcomeFailure
	OutcomeUnknown = sink.OutcomeUnknown
)

// The kinds of actor.
const (
	ActorUser    = sink.ActorUser
	ActorService = sink.ActorService
	ActorSystem  = sink.ActorSystem
)
