package auditstream

// State is what the administrator asked for.
type State string

// The states of a Stream.
const (
	StateUnconfigured State = "unconfigured"
	StateEnabled      State = "enabled"
	StatePaused       State = "paused"
	StateDeleted      State = "deleted"
)

// Condition is how delivery is going. It is kept apart from the State: a stream that is paused while it is blocked is
// still blocked when it resumes, and only an answer of the destination changes that.
type Condition string

// The conditions of a Stream.
const (
	// ConditionHealthy means that the last attempt was answered as it should be, or that none has been made.
	ConditionHealthy Condition = "healthy"

	// ConditionRetrying means that the last attempt failed in a way that is expected to pass. Events are kept.
	ConditionRetrying Condition = "retrying"

	// ConditionBlocked means that somebody has to act. Events are kept and the destination is probed slowly.
	ConditionBlocked Condition = "blocked"
)

// A verb is one of the calls that move a Stream from state to state.
type verb int

const (
	configure verb = iota
	pause
	resume
	remove
)

// A move is what a verb does in a state: it leads to another state, or it is refused with an error.
type move struct {
	to  State
	err error
}

// moves is the whole state machine. Shutdown is not in it: it ends the Stream object in any state.
var moves = map[State]map[verb]move{
	StateUnconfigured: {
		configure: {to: StateEnabled}, // or paused, with Config.StartPaused
		pause:     {err: ErrUnconfigured},
		resume:    {err: ErrUnconfigured},
		remove:    {to: StateDeleted},
	},
	StateEnabled: {
		configure: {to: StateEnabled},
		pause:     {to: StatePaused},
		resume:    {to: StateEnabled},
		remove:    {to: StateDeleted},
	},
	StatePaused: {
		configure: {to: StatePaused},
		pause:     {to: StatePaused},
		resume:    {to: StateEnabled},
		remove:    {to: StateDeleted},
	},
	StateDeleted: {
		configure: {to: StateEnabled},
		pause:     {err: ErrDeleted},
		resume:    {err: ErrDeleted},
		remove:    {to: StateDeleted},
	},
}
