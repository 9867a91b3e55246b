package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/siemtest"
)

// A step is one station of the tour.
type step struct {
	title string
	about string
	run   func(*guide, context.Context, []auditstream.Event) error

	always bool // with no events too
}

// steps are the stations in order.
var steps = []step{
	{
		"Configure: OTLP over HTTP, with a Bearer token",
		"The administrator saves the dialog for the first time. No event was taken before that.",
		(*guide).configure,
		true,
	},
	{
		"Edit to OTLP over gRPC, with events in the queue",
		"The queue belongs to the stream: what waits in it goes to the new destination.",
		(*guide).editToGRPC,
		false,
	},
	{
		"Edit to Splunk, with events in the queue",
		"Another provider, and a self-signed certificate that is pinned by its fingerprint.",
		(*guide).editToSplunk,
		false,
	},
	{
		"Edit to Sumo Logic, with events in the queue",
		"The whole URL is the secret: only scheme, host and port are ever shown.",
		(*guide).editToSumoLogic,
		false,
	},
	{
		"Pause, publish, resume",
		"Events are held in the queue during the pause, and sent in order after it.",
		(*guide).pause,
		false,
	},
	{
		"Outage: Sumo Logic refuses connections for a while",
		"The stream keeps everything and tries again by itself, with backoff.",
		(*guide).outage,
		false,
	},
	{
		"Poison: one event that Sumo Logic refuses",
		"The batch is halved until the event is alone. It goes to OnReject, the others go through.",
		(*guide).poison,
		false,
	},
	{
		"Wrong token: Splunk again, with a slip of the finger",
		"Somebody has to act, so the stream is blocked: it keeps everything until the token is right.",
		(*guide).wrongToken,
		false,
	},
	{
		"Delete, and shut down",
		"Configuration and secrets are forgotten, and nothing more is taken.",
		(*guide).delete,
		true,
	},
}

// configure gives the stream its first destination.
func (g *guide) configure(ctx context.Context, share []auditstream.Event) error {
	if err := g.refused(auditstream.ErrUnconfigured); err != nil {
		return err
	}
	if err := g.use(g.siems.overHTTP(), ""); err != nil {
		return err
	}
	if err := g.reach(ctx, auditstream.StateEnabled); err != nil {
		return err
	}
	if err := g.publish(ctx, share); err != nil {
		return err
	}
	return g.stream.Flush(ctx)
}

func (g *guide) editToGRPC(ctx context.Context, share []auditstream.Event) error {
	return g.edit(ctx, share, g.siems.overGRPC())
}

func (g *guide) editToSplunk(ctx context.Context, share []auditstream.Event) error {
	return g.edit(ctx, share, g.siems.inSplunk(g.siems.splunk.Token()))
}

func (g *guide) editToSumoLogic(ctx context.Context, share []auditstream.Event) error {
	return g.edit(ctx, share, g.siems.inSumoLogic())
}

// edit changes the destination while events wait in the queue. They go to the new one.
func (g *guide) edit(ctx context.Context, share []auditstream.Event, to sink.Destination) error {
	if err := g.publish(ctx, share); err != nil {
		return err
	}
	if err := g.use(to, ""); err != nil {
		return err
	}
	return g.stream.Flush(ctx)
}

// use configures a destination.
func (g *guide) use(to sink.Destination, remark string) error {
	if err := g.stream.Configure(to); err != nil {
		return err
	}
	g.line("destination", "%s%s", g.stream.Status().Destination, remark)
	return nil
}

// pause holds events back, and sends them on Resume.
func (g *guide) pause(ctx context.Context, share []auditstream.Event) error {
	if err := g.stream.Pause(); err != nil {
		return err
	}
	if err := g.reach(ctx, auditstream.StatePaused); err != nil {
		return err
	}
	before := g.stream.Status().Totals
	if err := g.publish(ctx, share); err != nil {
		return err
	}
	after := g.stream.Status().Totals
	if after.Pending != after.Accepted-before.Accepted {
		return fmt.Errorf("%d of %d events are held", after.Pending, after.Accepted-before.Accepted)
	}
	if err := g.stream.Resume(); err != nil {
		return err
	}
	if err := g.reach(ctx, auditstream.StateEnabled); err != nil {
		return err
	}
	return g.stream.Flush(ctx)
}

// outage takes the server down, and brings it back after the stream has noticed.
func (g *guide) outage(ctx context.Context, share []auditstream.Event) error {
	if err := g.siems.sumoLogic.SetOutage(true); err != nil {
		return err
	}
	if err := g.publish(ctx, share); err != nil {
		return err
	}
	status, err := g.await(ctx, func(s auditstream.Status) bool { return s.Condition == auditstream.ConditionRetrying })
	if err != nil {
		return err
	}
	g.problem("retrying", status.LastError)
	g.line("kept", "%s", plural(status.Queue.Events, "event"))
	if err := wait(ctx, time.Second); err != nil {
		return err
	}
	if err := g.siems.sumoLogic.SetOutage(false); err != nil {
		return err
	}
	return g.stream.Flush(ctx)
}

// poison makes the server refuse every request that has one certain event in it. The stream halves the batch until that
// event is alone, and hands it over.
func (g *guide) poison(ctx context.Context, share []auditstream.Event) error {
	bad := share[len(share)/2].ID
	g.siems.sumoLogic.RejectIf(func(r siemtest.Received) bool { return r.ID == bad })
	defer g.siems.sumoLogic.RejectIf(nil)
	if err := g.publish(ctx, share); err != nil {
		return err
	}
	if err := g.stream.Flush(ctx); err != nil {
		return err
	}
	for _, r := range g.tally.rejections() {
		for _, e := range r.Events {
			g.line("rejected", "#%d %s %s", e.Sequence, e.Action, e.ID)
		}
		g.problem("because", r.Err)
	}
	return nil
}

// wrongToken configures a token that the collector does not know. Everything is kept until it is corrected.
func (g *guide) wrongToken(ctx context.Context, share []auditstream.Event) error {
	right := g.siems.splunk.Token()
	wrong := g.siems.inSplunk(slip(right))
	err := g.stream.Test(ctx, wrong)
	if err == nil {
		return errors.New("the test took a wrong token for a right one")
	}
	g.problem("test says", err)
	if err := g.use(wrong, ", with the wrong token all the same"); err != nil {
		return err
	}
	if err := g.publish(ctx, share); err != nil {
		return err
	}
	status, err := g.await(ctx, func(s auditstream.Status) bool { return s.Condition == auditstream.ConditionBlocked })
	if err != nil {
		return err
	}
	g.problem("blocked", status.LastError)
	g.line("kept", "%s", plural(status.Queue.Events, "event"))
	if err := g.use(g.siems.inSplunk(right), ", with the right token"); err != nil {
		return err
	}
	return g.stream.Flush(ctx)
}

// delete publishes the last share, and ends everything when it has arrived.
func (g *guide) delete(ctx context.Context, share []auditstream.Event) error {
	if err := g.publish(ctx, share); err != nil {
		return err
	}
	if err := g.stream.Flush(ctx); err != nil {
		return err
	}
	g.arrivals()
	if err := g.stream.Delete(); err != nil {
		return err
	}
	if err := g.reach(ctx, auditstream.StateDeleted); err != nil {
		return err
	}
	if err := g.refused(auditstream.ErrDeleted); err != nil {
		return err
	}
	return g.stream.Shutdown(ctx)
}

// refused publishes an event that the stream must refuse with want.
func (g *guide) refused(want error) error {
	err := g.stream.Publish(auditstream.Event{Action: "tour.visit", Actor: auditstream.Actor{ID: "visitor"}})
	if !errors.Is(err, want) {
		return errors.New("an event was not refused with: " + want.Error())
	}
	g.line("refused", "an event: %v", err)
	return nil
}

// slip returns token with another last digit.
func slip(token string) string {
	last := len(token) - 1
	if token[last] == '0' {
		return token[:last] + "1"
	}
	return token[:last] + "0"
}

// wait lets time pass.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
