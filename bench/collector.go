package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/splunkhecexporter"
	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/sumologicexporter"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configcompression"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/auditstream/auditstream/bench/internal/corpus"
)

// An exporterSetup returns the factory of one of the Collector's exporters and a configuration for a job.
type exporterSetup func(j *job) (exporter.Factory, component.Config)

// splunkExporter is as it comes, with its sending queue of 1,000 requests and 10 consumers: all of a round's batches fit.
func splunkExporter(compress bool) exporterSetup {
	return func(j *job) (exporter.Factory, component.Config) {
		factory := splunkhecexporter.NewFactory()
		cfg := factory.CreateDefaultConfig().(*splunkhecexporter.Config)
		cfg.Endpoint, cfg.Token = j.Server.HTTP, configopaque.String(token)
		cfg.DisableCompression = !compress
		cfg.QueueSettings = queueOf(j)
		return factory, cfg
	}
}

// sumoExporter writes JSON: OTLP goes to another kind of source. It gets the same sending queue, which it leaves out
// unless it is told.
func sumoExporter(compress bool) exporterSetup {
	return func(j *job) (exporter.Factory, component.Config) {
		factory := sumologicexporter.NewFactory()
		cfg := factory.CreateDefaultConfig().(*sumologicexporter.Config)
		cfg.Endpoint = j.Server.HTTP + sumoPath
		cfg.LogFormat = sumologicexporter.JSONFormat
		cfg.Compression = sumologicexporter.NoCompression
		if compress {
			cfg.Compression = configcompression.TypeGzip
		}
		cfg.QueueSettings = queueOf(j)
		return factory, cfg
	}
}

// queueOf returns the Collector's default sending queue, larger only if a round has more batches.
func queueOf(j *job) configoptional.Optional[exporterhelper.QueueBatchConfig] {
	queue := exporterhelper.NewDefaultQueueConfig()
	queue.QueueSize = max(queue.QueueSize, int64(j.Events/batchEvents+1))
	return configoptional.Some(queue)
}

// collector is one of the Collector's exporters, fed with batches of log records.
type collector struct {
	exporter exporter.Logs
	failures atomic.Int64 // records of its log at error level: that it dropped something is told there and nowhere else
	failure  atomic.Pointer[string]
	batch    plog.Logs
	records  plog.LogRecordSlice
}

// alone is a Collector that consists of the exporter.
type alone struct{}

func (alone) GetExtensions() map[component.ID]component.Component { return nil }

func openCollector(setup exporterSetup) func(context.Context, *job) (shipper, error) {
	return func(ctx context.Context, j *job) (shipper, error) {
		c := &collector{}
		factory, cfg := setup(j)
		// It is a type of the configuration's own that a Collector calls this on, too.
		if v, ok := cfg.(interface{ Validate() error }); ok {
			if err := v.Validate(); err != nil {
				return nil, err
			}
		}
		var err error
		c.exporter, err = factory.CreateLogs(ctx, exporter.Settings{
			ID: component.NewID(factory.Type()),
			TelemetrySettings: component.TelemetrySettings{
				Logger:         c.logger(),
				TracerProvider: tracenoop.NewTracerProvider(),
				MeterProvider:  metricnoop.NewMeterProvider(),
				Resource:       pcommon.NewResource(),
			},
			BuildInfo: component.NewDefaultBuildInfo(),
		}, cfg)
		if err != nil {
			return nil, err
		}
		c.begin()
		return c, c.exporter.Start(ctx, alone{})
	}
}

// logger returns a logger that writes nothing and counts errors.
func (c *collector) logger() *zap.Logger {
	core := zapcore.RegisterHooks(zapcore.NewNopCore(), func(zapcore.Entry) error { return nil })
	return zap.New(failing{core, c})
}

// failing is the core of that logger.
type failing struct {
	zapcore.Core
	c *collector
}

func (f failing) Enabled(l zapcore.Level) bool { return l >= zapcore.ErrorLevel }

func (f failing) With([]zapcore.Field) zapcore.Core { return f }

func (f failing) Check(e zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if !f.Enabled(e.Level) {
		return checked
	}
	return checked.AddCore(e, f)
}

func (f failing) Write(e zapcore.Entry, fields []zapcore.Field) error {
	text := e.Message
	encoder := zapcore.NewMapObjectEncoder()
	for _, field := range fields {
		field.AddTo(encoder)
	}
	text += fmt.Sprint(" ", encoder.Fields)
	f.c.failure.Store(&text)
	f.c.failures.Add(1)
	return nil
}

// begin makes a new batch.
func (c *collector) begin() {
	c.batch = plog.NewLogs()
	resource := c.batch.ResourceLogs().AppendEmpty()
	resource.Resource().Attributes().PutStr("service.name", serviceName)
	c.records = resource.ScopeLogs().AppendEmpty().LogRecords()
	c.records.EnsureCapacity(batchEvents)
}

func (c *collector) publisher() publish {
	return func(e *corpus.Event) error {
		fillRecord(c.records.AppendEmpty(), e)
		if c.records.Len() < batchEvents {
			return nil
		}
		return c.send()
	}
}

// send hands the batch over: from now on it is the exporter's.
func (c *collector) send() error {
	full := c.batch
	c.begin()
	return c.exporter.ConsumeLogs(context.Background(), full)
}

func fillRecord(r plog.LogRecord, e *corpus.Event) {
	r.SetTimestamp(pcommon.NewTimestampFromTime(e.Time))
	r.SetEventName(e.Action)
	r.Body().SetStr(e.Message)
	attrs := r.Attributes()
	attrs.EnsureCapacity(11 + corpus.Attributes)
	attrs.PutStr("audit.record.id", e.ID)
	attrs.PutStr("audit.action", e.Action)
	attrs.PutStr("audit.outcome", e.Outcome)
	attrs.PutStr("audit.actor.id", e.ActorID)
	attrs.PutStr("audit.actor.type", e.ActorType)
	attrs.PutStr("audit.actor.name", e.ActorName)
	attrs.PutStr("audit.target.id", e.TargetID)
	attrs.PutStr("audit.target.type", e.TargetType)
	attrs.PutStr("audit.target.name", e.TargetName)
	attrs.PutStr("client.address", e.Address)
	attrs.PutStr("user_agent.original", e.UserAgent)
	for i := range e.Attributes {
		a := &e.Attributes[i]
		switch a.Kind {
		case corpus.Text:
			attrs.PutStr(a.Key, a.Text)
		case corpus.Number:
			attrs.PutInt(a.Key, a.Number)
		case corpus.Flag:
			attrs.PutBool(a.Key, a.IsSet())
		}
	}
}

// finish ends the exporter, for that is how it is told to empty its queue.
func (c *collector) finish(ctx context.Context, _ int) error {
	var err error
	if c.records.Len() > 0 {
		err = c.send()
	}
	err = errors.Join(err, c.exporter.Shutdown(ctx))
	if n := c.failures.Load(); n > 0 {
		err = errors.Join(err, fmt.Errorf("%d failures: %s", n, *c.failure.Load()))
	}
	return err
}
