package auditslog

import (
	"cmp"
	"context"
	"log/slog"

	"github.com/auditstream/auditstream"
)

// Options are options of [NewHandler]. The zero Options are the defaults.
type Options struct {
	// Level is the least level of an audit record. Defaults to [slog.LevelInfo]. A [slog.LevelVar] may change it while
	// the handler runs.
	Level slog.Leveler

	// Marker is the key of the attribute that makes a record of that level an audit record, whichever groups are open.
	// Its value is true, and false takes back what Logger.With has said; or it is a text: the action; or a group, in
	// which the parts of the event are looked for as they are outside of it. Defaults to none: then every record of that
	// level is an audit record.
	Marker string

	// Keys are the names of the attributes that become the parts of an event. Defaults to those in the package
	// documentation.
	Keys Keys

	// Actor acts in records that do not say who does, and whose context does not. It should name the program. Defaults
	// to none: such a record is refused.
	Actor auditstream.Actor

	// Next gets the records that are no audit records. Defaults to none: they are dropped.
	Next slog.Handler

	// Wait makes a record wait for room in a full queue until its context is done, as PublishContext does. Behind a
	// blocked destination that may be for ever, so use it only where every record comes with a context that has a
	// deadline. Defaults to false: a record never waits.
	Wait bool

	// OnError is told of an event that was not accepted, and why: a Logger drops the errors of its handler. It runs on
	// the goroutine that logs, and may keep the event. What it logs through this handler is not told again. Defaults to
	// none.
	OnError func(ctx context.Context, e auditstream.Event, err error)

	_ struct{}
}

// Keys are the names of the attributes that become the parts of an event. An empty one is the default.
type Keys struct {
	// Action defaults to "action".
	Action string

	// Outcome defaults to "outcome".
	Outcome string

	// Actor defaults to "actor": then "actor.id", "actor.type" and "actor.name" are its parts.
	Actor string

	// Target defaults to "target", with the same parts.
	Target string

	// Source defaults to "source", with the parts "address" and "user_agent".
	Source string

	// Changes defaults to "changes".
	Changes string

	_ struct{}
}

func (k Keys) withDefaults() Keys {
	k.Action = cmp.Or(k.Action, "action")
	k.Outcome = cmp.Or(k.Outcome, "outcome")
	k.Actor = cmp.Or(k.Actor, "actor")
	k.Target = cmp.Or(k.Target, "target")
	k.Source = cmp.Or(k.Source, "source")
	k.Changes = cmp.Or(k.Changes, "changes")
	return k
}
