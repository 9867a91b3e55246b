package auditslog

import (
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/auditstream/auditstream"
)

// badKey is what an attribute without a key gets, as in package slog: an event does not take an empty one, and a record
// must not be lost for it.
const badKey = "!BADKEY"

// maxDepth is how deep groups are searched for what has to be put right; deeper ones are not taken by an event.
const maxDepth = 32

// maxPooled is the number of attributes up to which a reader is used again.
const maxPooled = 1024

// A reader makes parts of an event of the attributes of a record, and keeps the others.
type reader struct {
	keys   Keys
	marker string
	parts  parts
	attrs  []slog.Attr // the others, of the innermost open group
	arena  []slog.Attr // of which the groups around them are cut

	// What parts refers to, to be used again.
	targets []auditstream.Target
	changes []auditstream.Change
}

var readers = sync.Pool{New: func() any { return new(reader) }}

// start begins with what h has read already, without touching it.
func (rd *reader) start(h *Handler) {
	rd.keys, rd.marker = h.opts.Keys, h.opts.Marker
	rd.parts = h.parts
	rd.targets = append(rd.targets[:0], h.parts.targets...)
	rd.changes = append(rd.changes[:0], h.parts.changes...)
	rd.parts.targets, rd.parts.changes = rd.targets, rd.changes
	rd.attrs = append(rd.attrs[:0], h.groups[len(h.groups)-1].attrs...)
	rd.arena = rd.arena[:0]
}

// free keeps rd for the next record, and nothing of this one.
func (rd *reader) free() {
	rd.targets, rd.changes = rd.parts.targets, rd.parts.changes
	if cap(rd.attrs)+cap(rd.arena)+cap(rd.targets)+cap(rd.changes) > maxPooled {
		return
	}
	rd.parts = parts{}
	clear(rd.attrs)
	clear(rd.arena)
	clear(rd.targets)
	clear(rd.changes)
	readers.Put(rd)
}

// attr reads one attribute. depth is how many groups without a name it is in: those count as not there.
func (rd *reader) attr(a slog.Attr, depth int) {
	a.Value = resolve(a.Value)
	if a.Key == "" {
		switch {
		case a.Value.Kind() == slog.KindGroup && depth < maxDepth:
			for _, member := range a.Value.Group() {
				rd.attr(member, depth+1)
			}
			return
		case a.Equal(slog.Attr{}):
			return
		}
		a.Key = badKey
	}
	read := rd.part
	if a.Key == rd.marker {
		read = rd.mark
	}
	if rest, ok := read(a); ok {
		rd.attrs = appendTidy(rd.attrs, rest, depth)
	}
}

// mark reads the marker, and returns what is left of it, if anything is.
func (rd *reader) mark(a slog.Attr) (rest slog.Attr, ok bool) {
	switch a.Value.Kind() {
	case slog.KindBool: // which Handle has seen
		return rest, false
	case slog.KindGroup:
		return rd.group(a, rd.part)
	default:
		return a, !setText(&rd.parts.action, a.Value)
	}
}

// group reads the members of a group by the function read, and returns the group of what that leaves, if it leaves any.
func (rd *reader) group(a slog.Attr, read func(slog.Attr) (slog.Attr, bool)) (rest slog.Attr, ok bool) {
	start := len(rd.arena)
	for _, member := range a.Value.Group() {
		member.Value = resolve(member.Value)
		if left, ok := read(member); ok {
			rd.arena = appendTidy(rd.arena, left, 1)
		}
	}
	if len(rd.arena) == start {
		return rest, false
	}
	// The arena goes on with what is around this group, so that this leaves it. It is seldom that there is something.
	left := slices.Clone(rd.arena[start:])
	clear(rd.arena[start:])
	rd.arena = rd.arena[:start]
	return slog.Attr{Key: a.Key, Value: slog.GroupValue(left...)}, true
}

// part reads a, whose value is resolved, if it is a part of the event, and returns what that leaves of it, if anything.
func (rd *reader) part(a slog.Attr) (rest slog.Attr, ok bool) {
	p, k := &rd.parts, &rd.keys
	switch a.Key {
	case k.Action:
		return a, !setText(&p.action, a.Value)
	case k.Outcome:
		return a, !setOutcome(&p.outcome, a.Value)
	case k.Changes:
		return rd.composed(a, "", p.addChanges, p.changePart)
	}
	if member, ok := within(a.Key, k.Actor); ok {
		return rd.composed(a, member, p.setActor, p.actorPart)
	}
	if member, ok := within(a.Key, k.Source); ok {
		return rd.composed(a, member, p.setSource, p.sourcePart)
	}
	if member, ok := within(a.Key, k.Target); ok {
		if member == "" { // another target, and not more of the one whose parts are single attributes
			p.closeTarget()
			defer p.closeTarget()
		}
		return rd.composed(a, member, p.addTargets, p.targetPart)
	}
	return a, true
}

// within reports whether key is name, or a member of it, which it returns.
func within(key, name string) (member string, ok bool) {
	rest, ok := strings.CutPrefix(key, name)
	if !ok || rest == "" {
		return "", ok
	}
	return strings.CutPrefix(rest, ".")
}

// composed reads an attribute that is the whole of a part that has several, or one of those.
func (rd *reader) composed(
	a slog.Attr, member string, whole func(slog.Value) bool, one func(string, slog.Value) bool,
) (rest slog.Attr, ok bool) {
	switch {
	case member != "":
		return a, !one(member, a.Value)
	case a.Value.Kind() == slog.KindGroup:
		return rd.group(a, func(m slog.Attr) (slog.Attr, bool) { return m, !one(m.Key, m.Value) })
	}
	return a, !whole(a.Value)
}

// nest puts the attributes that were read into the groups that are open, without those that have nothing in them.
func (rd *reader) nest(groups []group) []slog.Attr {
	list := rd.attrs
	for i := len(groups) - 1; i > 0; i-- {
		start := len(rd.arena)
		rd.arena = append(rd.arena, groups[i-1].attrs...)
		if len(list) > 0 {
			rd.arena = append(rd.arena, slog.Attr{Key: groups[i].name, Value: slog.GroupValue(list...)})
		}
		list = slices.Clip(rd.arena[start:])
	}
	return list
}
