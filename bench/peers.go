package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	hec "github.com/fuyufjh/splunk-hec-go"
	"github.com/hashicorp/eventlogger"
	"github.com/hashicorp/eventlogger/sinks/writer"

	"github.com/auditstream/auditstream/bench/internal/corpus"
)

// jsonEvent is the form in which a host would hand an event to a library that leaves the encoding to encoding/json.
type jsonEvent struct {
	ID         string         `json:"id"`
	Time       time.Time      `json:"time"`
	Action     string         `json:"action"`
	Outcome    string         `json:"outcome"`
	Actor      jsonParty      `json:"actor"`
	Target     jsonParty      `json:"target"`
	Address    string         `json:"address"`
	UserAgent  string         `json:"user_agent"`
	Message    string         `json:"message"`
	Attributes map[string]any `json:"attributes"`
}

type jsonParty struct {
	ID   string `json:"id"`
	Type string `json:"type"`
	Name string `json:"name"`
}

func newJSONEvent(e *corpus.Event) *jsonEvent {
	event := &jsonEvent{
		ID: e.ID, Time: e.Time, Action: e.Action, Outcome: e.Outcome,
		Actor:   jsonParty{e.ActorID, e.ActorType, e.ActorName},
		Target:  jsonParty{e.TargetID, e.TargetType, e.TargetName},
		Address: e.Address, UserAgent: e.UserAgent, Message: e.Message,
		Attributes: make(map[string]any, corpus.Attributes),
	}
	for i := range e.Attributes {
		a := &e.Attributes[i]
		switch a.Kind {
		case corpus.Text:
			event.Attributes[a.Key] = a.Text
		case corpus.Number:
			event.Attributes[a.Key] = a.Number
		case corpus.Flag:
			event.Attributes[a.Key] = a.IsSet()
		}
	}
	return event
}

// hecGo is fuyufjh/splunk-hec-go. It has no queue: whoever calls it waits.
type hecGo struct {
	client hec.HEC
	batch  []*hec.Event
}

func openHECGo(compress bool) func(context.Context, *job) (shipper, error) {
	return func(_ context.Context, j *job) (shipper, error) {
		client := hec.NewClient(j.Server.HTTP, token)
		client.SetHTTPClient(&http.Client{Transport: &http.Transport{}})
		if compress {
			client.SetCompression("gzip")
		}
		return &hecGo{client: client, batch: make([]*hec.Event, 0, batchEvents)}, nil
	}
}

func (h *hecGo) publisher() publish {
	return func(e *corpus.Event) error {
		event := hec.NewEvent(newJSONEvent(e))
		event.SetTime(e.Time)
		h.batch = append(h.batch, event)
		if len(h.batch) < batchEvents {
			return nil
		}
		return h.send()
	}
}

func (h *hecGo) send() error {
	err := h.client.WriteBatch(h.batch)
	clear(h.batch)
	h.batch = h.batch[:0]
	return err
}

func (h *hecGo) finish(context.Context, int) error {
	if len(h.batch) == 0 {
		return nil
	}
	return h.send()
}

// eventLog is hashicorp/eventlogger with its JSON formatter and its writer.
type eventLog struct {
	broker *eventlogger.Broker
	lines  *lineCounter
}

// lineCounter discards what is written and counts the calls.
type lineCounter struct{ writes int }

func (l *lineCounter) Write(p []byte) (int, error) {
	l.writes++
	return len(p), nil
}

const eventType = eventlogger.EventType("audit")

func openEventlogger(context.Context, *job) (shipper, error) {
	broker, err := eventlogger.NewBroker()
	if err != nil {
		return nil, err
	}
	l := &eventLog{broker: broker, lines: &lineCounter{}}
	if err := broker.RegisterNode("json", &eventlogger.JSONFormatter{}); err != nil {
		return nil, err
	}
	if err := broker.RegisterNode("sink", &writer.Sink{Writer: l.lines}); err != nil {
		return nil, err
	}
	return l, broker.RegisterPipeline(eventlogger.Pipeline{
		PipelineID: "audit", EventType: eventType, NodeIDs: []eventlogger.NodeID{"json", "sink"},
	})
}

func (l *eventLog) publisher() publish {
	return func(e *corpus.Event) error {
		_, err := l.broker.Send(context.Background(), eventType, newJSONEvent(e))
		return err
	}
}

func (l *eventLog) finish(_ context.Context, events int) error {
	if l.lines.writes != events {
		return fmt.Errorf("%d of %d events were written", l.lines.writes, events)
	}
	return nil
}

// slogger is log/slog, which formats and does nothing else.
type slogger struct{ logger *slog.Logger }

func openSlog(context.Context, *job) (shipper, error) {
	return slogger{slog.New(slog.NewJSONHandler(io.Discard, nil))}, nil
}

func (s slogger) publisher() publish {
	attrs := make([]slog.Attr, 0, 32) // the handler keeps none
	return func(e *corpus.Event) error {
		attrs = append(attrs[:0],
			slog.String("id", e.ID), slog.Time("at", e.Time), slog.String("action", e.Action), slog.String("outcome", e.Outcome),
			slog.String("actor.id", e.ActorID), slog.String("actor.type", e.ActorType), slog.String("actor.name", e.ActorName),
			slog.String("target.id", e.TargetID), slog.String("target.type", e.TargetType), slog.String("target.name", e.TargetName),
			slog.String("address", e.Address), slog.String("user_agent", e.UserAgent),
		)
		s.logger.LogAttrs(context.Background(), slog.LevelInfo, e.Message, slogAttributes(attrs, e)...)
		return nil
	}
}

func (slogger) finish(context.Context, int) error { return nil }
