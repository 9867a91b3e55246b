package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync/atomic"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/auditstream/auditstream/bench/internal/corpus"
)

// serviceName is what the events come from.
const serviceName = "deploy-server"

// A variant is a way of using the SDK.
type variant int

const (
	allowKeyDuplication variant = iota + 1 // spares it the maps by which it looks for repeated keys
	lean                                   // the ten attributes, and the least of the event beside them
)

// sdk is the OpenTelemetry SDK: a Logger into a BatchProcessor into one of the official exporters.
type sdk struct {
	provider *sdklog.LoggerProvider
	logger   log.Logger
	exporter *counting
	lean     bool
	sequence atomic.Int64
}

func openSDK(rpc, compress bool, variants ...variant) func(context.Context, *job) (shipper, error) {
	return func(ctx context.Context, j *job) (shipper, error) {
		exporter, err := newExporter(ctx, j, rpc, compress)
		if err != nil {
			return nil, err
		}
		return newSDK(j, exporter, variants), nil
	}
}

// newExporter returns an official exporter with its defaults.
func newExporter(ctx context.Context, j *job, rpc, compress bool) (sdklog.Exporter, error) {
	switch {
	case rpc && compress:
		return otlploggrpc.New(ctx, otlploggrpc.WithEndpointURL(j.Server.GRPC), otlploggrpc.WithCompressor("gzip"))
	case rpc:
		return otlploggrpc.New(ctx, otlploggrpc.WithEndpointURL(j.Server.GRPC))
	}
	compression := otlploghttp.NoCompression
	if compress {
		compression = otlploghttp.GzipCompression
	}
	return otlploghttp.New(ctx,
		otlploghttp.WithEndpointURL(j.Server.HTTP+"/v1/logs"), otlploghttp.WithCompression(compression))
}

// openSDKDiscarding leaves the exporter out.
func openSDKDiscarding(variants ...variant) func(context.Context, *job) (shipper, error) {
	return func(_ context.Context, j *job) (shipper, error) { return newSDK(j, nil, variants), nil }
}

// newSDK returns an SDK whose queue has room for everything: it drops what it has no room for.
func newSDK(j *job, exporter sdklog.Exporter, variants []variant) *sdk {
	s := &sdk{exporter: &counting{next: exporter}}
	options := []sdklog.LoggerProviderOption{
		sdklog.WithResource(resource.NewSchemaless(attribute.String("service.name", serviceName))),
		sdklog.WithProcessor(sdklog.NewBatchProcessor(s.exporter,
			sdklog.WithMaxQueueSize(max(j.Events, batchEvents)), sdklog.WithExportMaxBatchSize(batchEvents))),
	}
	for _, v := range variants {
		if v == allowKeyDuplication {
			options = append(options, sdklog.WithAllowKeyDuplication())
		}
		s.lean = s.lean || v == lean
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(s.exporter.fail))
	s.provider = sdklog.NewLoggerProvider(options...)
	s.logger = s.provider.Logger("")
	return s
}

func (s *sdk) publisher() publish {
	kvs := make([]attribute.KeyValue, 0, 32) // a record keeps a copy
	return func(e *corpus.Event) error {
		var r log.Record
		r.SetTimestamp(e.Time)
		r.SetEventName(e.Action)
		r.SetBody(attribute.StringValue(e.Message))
		if s.lean {
			kvs = append(kvs[:0], attribute.String("audit.record.id", e.ID), attribute.String("audit.actor.id", e.ActorID))
		} else {
			kvs = append(appendAudit(kvs[:0], e), // and what auditstream adds of its own accord
				attribute.String("audit.schema.version", "1"),
				attribute.String("audit.source.id", token),
				attribute.String("audit.source.type", "stream"),
				attribute.Int64("audit.sequence.number", s.sequence.Add(1)),
			)
		}
		r.AddAttributes(appendAttributes(kvs, e)...)
		s.logger.Emit(context.Background(), r)
		return nil
	}
}

// appendAudit appends who did what to which thing.
func appendAudit(kvs []attribute.KeyValue, e *corpus.Event) []attribute.KeyValue {
	return append(kvs,
		attribute.String("audit.record.id", e.ID),
		attribute.String("audit.action", e.Action),
		attribute.String("audit.outcome", e.Outcome),
		attribute.String("audit.actor.id", e.ActorID),
		attribute.String("audit.actor.type", e.ActorType),
		attribute.String("audit.actor.name", e.ActorName),
		attribute.String("audit.target.id", e.TargetID),
		attribute.String("audit.target.type", e.TargetType),
		attribute.String("audit.target.name", e.TargetName),
		attribute.String("client.address", e.Address),
		attribute.String("user_agent.original", e.UserAgent),
	)
}

func appendAttributes(kvs []attribute.KeyValue, e *corpus.Event) []attribute.KeyValue {
	for i := range e.Attributes {
		a := &e.Attributes[i]
		switch a.Kind {
		case corpus.Text:
			kvs = append(kvs, attribute.String(a.Key, a.Text))
		case corpus.Number:
			kvs = append(kvs, attribute.Int64(a.Key, a.Number))
		case corpus.Flag:
			kvs = append(kvs, attribute.Bool(a.Key, a.IsSet()))
		}
	}
	return kvs
}

func (s *sdk) finish(ctx context.Context, events int) error {
	if err := s.provider.ForceFlush(ctx); err != nil {
		return err
	}
	if got := int(s.exporter.taken.Load()); got != events {
		return fmt.Errorf("%d of %d records were exported; %s", got, events, cmp.Or(s.exporter.reason(), "no error"))
	}
	return nil
}

// counting is an exporter that counts what the one behind it has taken, if there is one.
type counting struct {
	next  sdklog.Exporter
	taken atomic.Int64
	err   atomic.Pointer[string]
}

func (c *counting) fail(err error) {
	text := err.Error()
	c.err.Store(&text)
}

func (c *counting) reason() string {
	if text := c.err.Load(); text != nil {
		return strings.TrimSpace(*text)
	}
	return ""
}

func (c *counting) Export(ctx context.Context, records []sdklog.Record) error {
	if c.next != nil {
		if err := c.next.Export(ctx, records); err != nil {
			return err
		}
	}
	c.taken.Add(int64(len(records)))
	return nil
}

func (c *counting) Shutdown(ctx context.Context) error {
	if c.next == nil {
		return nil
	}
	return c.next.Shutdown(ctx)
}

func (c *counting) ForceFlush(ctx context.Context) error {
	if c.next == nil {
		return nil
	}
	return c.next.ForceFlush(ctx)
}
