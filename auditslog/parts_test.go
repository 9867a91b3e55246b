package auditslog_test

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/auditslog"
)

type userID string

type user struct{ id, name string }

func (u user) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", u.id), slog.String("name", u.name), slog.String("mail", "a@example.com"))
}

// TestParts covers what becomes of attributes. The last column is what is left among them.
func TestParts(t *testing.T) {
	id := uuid.MustParse("01920000-0000-7000-8000-000000000001")
	type event = auditstream.Event
	for _, tt := range []struct {
		name string
		log  func(l *slog.Logger)
		want event
		rest string
	}{
		{
			"nothing", func(l *slog.Logger) { l.Info("Project deleted") },
			event{Action: "Project deleted", Outcome: auditstream.OutcomeUnknown, Actor: auditstream.Actor{ID: "program"}},
			"[]",
		},
		{
			"dotted names",
			func(l *slog.Logger) {
				l.Info("m", "action", "project.delete", "outcome", "success", "actor.id", "u-1", "actor.type", auditstream.ActorUser,
					"actor.name", "Alice", "actor.role", "admin", "target.id", 77, "target.type", "project", "target.name", "Payments",
					"source.address", "192.0.2.1", "source.user_agent", "curl", "reason", "owner's wish")
			},
			event{
				Action: "project.delete", Outcome: auditstream.OutcomeSuccess, Actor: alice,
				Targets: []auditstream.Target{{ID: "77", Type: "project", Name: "Payments"}},
				Source:  auditstream.Source{Address: "192.0.2.1", UserAgent: "curl"},
			},
			"[actor.role=admin reason=owner's wish]",
		},
		{
			"groups",
			func(l *slog.Logger) {
				l.Info("m", "action", "a", slog.Group("actor", "id", "u-1", "type", "user", "name", "Alice", "roles", []string{"x"}),
					slog.Group("target", "id", "t-1", "n", 1), slog.Group("source", "address", "192.0.2.1", "port", 9))
			},
			event{
				Action: "a", Actor: alice, Targets: []auditstream.Target{{ID: "t-1"}},
				Source: auditstream.Source{Address: "192.0.2.1"},
			},
			"[actor=[roles=[x]] target=[n=1] source=[port=9]]",
		},
		{
			"values",
			func(l *slog.Logger) {
				l.Info("m", "action", "a", "actor", alice, "target", auditstream.Target{ID: "t-1", Name: "One"}, "source",
					auditstream.Source{Address: "192.0.2.1"}, "changes", []auditstream.Change{{Path: "p", Before: 1, After: 2}},
					"outcome", auditstream.OutcomeFailure)
			},
			event{
				Action: "a", Actor: alice, Targets: []auditstream.Target{{ID: "t-1", Name: "One"}}, Outcome: auditstream.OutcomeFailure,
				Source: auditstream.Source{Address: "192.0.2.1"}, Changes: []auditstream.Change{{Path: "p", Before: int64(1), After: int64(2)}},
			},
			"[]",
		},
		{
			"ids of other types",
			func(l *slog.Logger) {
				l.Info("m", "action", "a", "actor", userID("u-1"), "target", id, "target", uint8(7), "target", int16(-7),
					"target", errors.New("err"), "source", time.Minute)
			},
			event{
				Action: "a", Actor: auditstream.Actor{ID: "u-1"},
				Targets: []auditstream.Target{{ID: id.String()}, {ID: "7"}, {ID: "-7"}, {ID: "err"}}, Source: auditstream.Source{Address: "1m0s"},
			},
			"[]",
		},
		{
			"what does not fit stays",
			func(l *slog.Logger) {
				l.Info("m", "action", []int{1}, "outcome", "denied", "actor", nil, "target", struct{}{}, "changes", 7, "source", 1i,
					"actors", "a", "targeted", "b", "changes.name", "c", slog.Group("action", "k", "v"))
			},
			event{Action: "m", Outcome: auditstream.OutcomeUnknown, Actor: auditstream.Actor{ID: "program"}},
			"", // an attribute without a form in an event refuses it: see below
		},
		{
			"outcomes", func(l *slog.Logger) { l.Info("m", "outcome", true, "a", 1) },
			event{Action: "m", Outcome: auditstream.OutcomeSuccess, Actor: auditstream.Actor{ID: "program"}},
			"[a=1]",
		},
		{
			"failure", func(l *slog.Logger) { l.Info("m", "outcome", "FAILURE", "outcome", false) },
			event{Action: "m", Outcome: auditstream.OutcomeFailure, Actor: auditstream.Actor{ID: "program"}},
			"[]",
		},
		{
			"a LogValuer as an actor", func(l *slog.Logger) { l.Info("m", "actor", user{"u-1", "Alice"}, "owner", user{"u-2", "Bob"}) },
			event{Action: "m", Actor: auditstream.Actor{ID: "u-1", Name: "Alice"}},
			"[actor=[mail=a@example.com] owner=[id=u-2 name=Bob mail=a@example.com]]",
		},
		{
			"an actor without an id", func(l *slog.Logger) { l.Info("m", "actor.name", "Mallory", "actor.type", "user") },
			event{Action: "m", Actor: auditstream.Actor{ID: "program"}},
			"[actor.type=user actor.name=Mallory]",
		},
		{
			"several targets",
			func(l *slog.Logger) {
				l.Info("m", "target.id", "t-1", "actor", alice, "target.name", "One", slog.Group("target", "id", "t-2"),
					"target", []auditstream.Target{{ID: "t-3"}, {ID: "t-4"}}, "target.id", "t-5")
			},
			event{Action: "m", Actor: alice, Targets: []auditstream.Target{
				{ID: "t-1", Name: "One"}, {ID: "t-2"}, {ID: "t-3"}, {ID: "t-4"}, {ID: "t-5"},
			}},
			"[]",
		},
		{
			"changes as a group",
			func(l *slog.Logger) {
				l.Info("m", slog.Group("changes", slog.Group("name", "before", "a", "after", "b"), slog.Group("role", "after", 1),
					slog.Group("odd", "was", 1), "text", "x"))
			},
			event{Action: "m", Actor: auditstream.Actor{ID: "program"}, Changes: []auditstream.Change{
				{Path: "name", Before: "a", After: "b"}, {Path: "role", After: int64(1)},
			}},
			"[changes=[odd=[was=1] text=x]]",
		},
		{
			"one change", func(l *slog.Logger) { l.Info("m", "changes", auditstream.Change{Path: "p", After: true}) },
			event{
				Action: "m", Actor: auditstream.Actor{ID: "program"}, Changes: []auditstream.Change{{Path: "p", After: true}},
			},
			"[]",
		},
		{
			"With and WithGroup",
			func(l *slog.Logger) {
				l = l.With("actor.id", "u-1", "target", "t-1", "a", 1).WithGroup("g").With("action", "first", "b", 2)
				l.WithGroup("empty").WithGroup("too").Info("m", "action", "second", "actor.name", "Alice", "target", "t-2")
			},
			event{
				Action: "second", Actor: auditstream.Actor{ID: "u-1", Name: "Alice"},
				Targets: []auditstream.Target{{ID: "t-1"}, {ID: "t-2"}},
			},
			"[a=1 g=[b=2]]",
		},
		{
			"keys that are not there", func(l *slog.Logger) { l.Info("m", "", 1, slog.Group("g", slog.Int("", 2))) },
			event{Action: "m", Actor: auditstream.Actor{ID: "program"}},
			"[!BADKEY=1 g=[!BADKEY=2]]",
		},
		{
			"groups that are not there",
			func(l *slog.Logger) {
				l.Info("m", slog.Group("g", slog.Any("h", valuer{slog.GroupValue()}), slog.Group("", "a", 1), slog.Any("", nil),
					slog.Any("", valuer{slog.GroupValue(slog.Int("b", 2))}), "c", valuer{slog.IntValue(3)}))
			},
			event{Action: "m", Actor: auditstream.Actor{ID: "program"}},
			"[g=[a=1 b=2 c=3]]",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t, auditstream.Config{})
			tt.log(h.logger(auditslog.Options{Actor: auditstream.Actor{ID: "program"}}))
			if tt.rest == "" {
				assert.Empty(t, h.events(t))
				return
			}
			got := h.only(t)
			if tt.want.Outcome == "" {
				tt.want.Outcome = auditstream.OutcomeUnknown
			}
			assert.Equal(t, tt.want.Action, got.Action)
			assert.Equal(t, tt.want.Outcome, got.Outcome)
			assert.Equal(t, tt.want.Actor, got.Actor)
			assert.Equal(t, tt.want.Targets, got.Targets)
			assert.Equal(t, tt.want.Source, got.Source)
			assert.Equal(t, tt.want.Changes, got.Changes)
			assert.Equal(t, tt.rest, attributes(got))
		})
	}
}

// TestMarkerGroup covers the parts of an event in the group that marks the record.
func TestMarkerGroup(t *testing.T) {
	h := newHost(t, auditstream.Config{})
	l := h.logger(auditslog.Options{Marker: "audit"})
	l.WithGroup("http").With("n", 1).Info("Alice deleted Payments",
		slog.Group("audit", "action", "project.delete", "actor", alice, slog.Group("target", "id", "p-1", "x", 1), "why", "old"),
		"path", "/projects/1")
	got := h.only(t)
	assert.Equal(t, "project.delete", got.Action)
	assert.Equal(t, alice, got.Actor)
	assert.Equal(t, []auditstream.Target{{ID: "p-1"}}, got.Targets)
	assert.Equal(t, "[http=[n=1 audit=[target=[x=1] why=old] path=/projects/1]]", attributes(got))

	l.Info("m", "audit", "session.create", "actor", alice)
	assert.Equal(t, "session.create", h.events(t)[1].Action)
	l.Info("m", "audit", []string{"odd"}, "actor", alice)
	assert.Equal(t, "[audit=[odd]]", attributes(h.events(t)[2]))
}

func TestKeys(t *testing.T) {
	h := newHost(t, auditstream.Config{})
	h.logger(auditslog.Options{Keys: auditslog.Keys{
		Action: "event.name", Outcome: "result", Actor: "user", Target: "object", Source: "client", Changes: "diff",
	}}).Info("m", "event.name", "a.b", "result", "failure", "user.id", "u-1", "object.id", "t-1", "client.address", "192.0.2.1",
		"diff", auditstream.Change{Path: "p"}, "action", "an attribute", "actor.id", "another")
	got := h.only(t)
	assert.Equal(t, "a.b", got.Action)
	assert.Equal(t, auditstream.OutcomeFailure, got.Outcome)
	assert.Equal(t, "u-1", got.Actor.ID)
	assert.Equal(t, []auditstream.Target{{ID: "t-1"}}, got.Targets)
	assert.Equal(t, "192.0.2.1", got.Source.Address)
	assert.Len(t, got.Changes, 1)
	assert.Equal(t, "[action=an attribute actor.id=another]", attributes(got))
}

// TestHandlersShareNothing derives two handlers from one and lets their records not mix.
func TestHandlersShareNothing(t *testing.T) {
	h := newHost(t, auditstream.Config{})
	base := h.logger(auditslog.Options{Actor: alice}).With("a", 1, "target", "t-0", "changes", auditstream.Change{Path: "p0"})
	one := base.With("one", 1, "target", "t-1", "changes", auditstream.Change{Path: "p1"})
	two := base.With("two", 2, "target", "t-2", "changes", auditstream.Change{Path: "p2"})
	g, k := base.WithGroup("g"), base.WithGroup("k")
	for _, l := range []*slog.Logger{one, two, g, k, base} {
		l.Info("m", "x", 0, "target", "last")
	}
	got := h.events(t)
	assert.Equal(t, "[a=1 one=1 x=0]", attributes(got[0]))
	assert.Equal(t, "[a=1 two=2 x=0]", attributes(got[1]))
	assert.Equal(t, "[a=1 g=[x=0]]", attributes(got[2]))
	assert.Equal(t, "[a=1 k=[x=0]]", attributes(got[3]))
	assert.Equal(t, "[a=1 x=0]", attributes(got[4]))
	assert.Equal(t, []auditstream.Target{{ID: "t-0"}, {ID: "t-1"}, {ID: "last"}}, got[0].Targets)
	assert.Equal(t, []auditstream.Target{{ID: "t-0"}, {ID: "t-2"}, {ID: "last"}}, got[1].Targets)
	assert.Equal(t, "p1", got[0].Changes[1].Path)
	assert.Equal(t, "p2", got[1].Changes[1].Path)
	assert.Len(t, got[4].Changes, 1)
}
