package auditslog

import (
	"log/slog"
	"slices"
	"strings"

	"github.com/auditstream/auditstream"
)

// parts is what the attributes of a record say of the event.
type parts struct {
	marked  bool
	action  string
	outcome auditstream.Outcome
	actor   auditstream.Actor
	source  auditstream.Source
	targets []auditstream.Target
	target  auditstream.Target // the one whose parts are single attributes
	changes []auditstream.Change
}

// clip returns p with slices that nobody else appends to.
func (p parts) clip() parts {
	p.targets, p.changes = slices.Clip(p.targets), slices.Clip(p.changes)
	return p
}

// close completes the parts. An actor without an id is none, and what is known of it stays among the attributes: another
// actor's id beside that name would accuse somebody.
func (p *parts) close(k Keys, attrs *[]slog.Attr) {
	p.closeTarget()
	if p.actor.ID != "" || p.actor == (auditstream.Actor{}) {
		return
	}
	for _, m := range []slog.Attr{
		slog.String(k.Actor+".type", string(p.actor.Type)), slog.String(k.Actor+".name", p.actor.Name),
	} {
		if m.Value.String() != "" {
			*attrs = append(*attrs, m)
		}
	}
}

// closeTarget adds the target that was put together from single attributes.
func (p *parts) closeTarget() {
	if p.target != (auditstream.Target{}) {
		p.targets = append(p.targets, p.target)
		p.target = auditstream.Target{}
	}
}

func (p *parts) setActor(v slog.Value) bool {
	return set(&p.actor, v) || setText(&p.actor.ID, v)
}

func (p *parts) actorPart(name string, v slog.Value) bool {
	switch name {
	case "id":
		return setText(&p.actor.ID, v)
	case "type":
		return setText(&p.actor.Type, v)
	case "name":
		return setText(&p.actor.Name, v)
	}
	return false
}

func (p *parts) addTargets(v slog.Value) bool {
	var (
		t    auditstream.Target
		list []auditstream.Target
	)
	switch {
	case set(&list, v):
		p.targets = append(p.targets, list...)
	case set(&t, v), setText(&t.ID, v):
		p.targets = append(p.targets, t)
	default:
		return false
	}
	return true
}

func (p *parts) targetPart(name string, v slog.Value) bool {
	switch name {
	case "id":
		return setText(&p.target.ID, v)
	case "type":
		return setText(&p.target.Type, v)
	case "name":
		return setText(&p.target.Name, v)
	}
	return false
}

func (p *parts) setSource(v slog.Value) bool {
	return set(&p.source, v) || setText(&p.source.Address, v)
}

func (p *parts) sourcePart(name string, v slog.Value) bool {
	switch name {
	case "address":
		return setText(&p.source.Address, v)
	case "user_agent":
		return setText(&p.source.UserAgent, v)
	}
	return false
}

func (p *parts) addChanges(v slog.Value) bool {
	var (
		c    auditstream.Change
		list []auditstream.Change
	)
	switch {
	case set(&list, v):
		p.changes = append(p.changes, list...)
	case set(&c, v):
		p.changes = append(p.changes, c)
	default:
		return false
	}
	return true
}

// changePart reads a property that changed: a group of before, after, or both.
func (p *parts) changePart(path string, v slog.Value) bool {
	if path == "" || v.Kind() != slog.KindGroup {
		return false
	}
	c := auditstream.Change{Path: path}
	for _, m := range v.Group() {
		switch m.Key {
		case "before":
			c.Before = m.Value.Any()
		case "after":
			c.After = m.Value.Any()
		default:
			return false
		}
	}
	p.changes = append(p.changes, c)
	return true
}

// set reads a value that has the type of what it is read into.
func set[T any](into *T, v slog.Value) bool {
	if v.Kind() != slog.KindAny {
		return false
	}
	x, ok := v.Any().(T)
	if ok {
		*into = x
	}
	return ok
}

// setText reads a text, and anything that has an obvious one.
func setText[T ~string](into *T, v slog.Value) bool {
	s, ok := text(v)
	if ok {
		*into = T(s)
	}
	return ok
}

// setOutcome reads one of the outcomes, or a bool. It leaves other words to the attributes: an event that has them for an
// outcome is refused.
func setOutcome(into *auditstream.Outcome, v slog.Value) bool {
	if v.Kind() == slog.KindBool {
		*into = auditstream.OutcomeFailure
		if v.Bool() {
			*into = auditstream.OutcomeSuccess
		}
		return true
	}
	s, _ := text(v)
	for _, o := range []auditstream.Outcome{
		auditstream.OutcomeSuccess, auditstream.OutcomeFailure, auditstream.OutcomeUnknown,
	} {
		if strings.EqualFold(s, string(o)) {
			*into = o
			return true
		}
	}
	return false
}
