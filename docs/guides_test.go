// Package docs_test holds the guides against code that is compiled and run.
package docs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/log/noop"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/destination/bundled"
	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/otlp"
	"github.com/auditstream/auditstream/sink/siemtest"
	"github.com/auditstream/auditstream/sink/sinktest"
	"github.com/auditstream/auditstream/sink/splunk"
	"github.com/auditstream/auditstream/sink/sumologic"
)

var (
	goBlock   = regexp.MustCompile("(?s)```go\n(.*?)```")
	anyBlock  = regexp.MustCompile("(?s)```.*?```")
	localLink = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
)

// TestGuidesAreTrue holds the Go snippets of every guide against code that is compiled, and its links against the files.
func TestGuidesAreTrue(t *testing.T) {
	var b strings.Builder
	for _, pattern := range []string{"guides_test.go", "../example*_test.go", "../examples/webhook/*.go"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, file := range files {
			b.WriteString(unindent(read(t, file)))
		}
	}
	compiled := b.String()
	guides, err := filepath.Glob("*.md")
	require.NoError(t, err)
	require.NotEmpty(t, guides)
	index := read(t, "README.md")
	for _, guide := range guides {
		text := read(t, guide)
		for _, block := range goBlock.FindAllStringSubmatch(text, -1) {
			snippet := strings.TrimRight(unindent(block[1]), "\n")
			assert.True(t, strings.Contains(compiled, snippet), "a snippet of %s is compiled nowhere:\n%s", guide, snippet)
		}
		for _, link := range localLink.FindAllStringSubmatch(anyBlock.ReplaceAllString(text, ""), -1) {
			_, err := os.Stat(link[1])
			assert.NotErrorIs(t, err, fs.ErrNotExist, "a link of %s leads nowhere", guide)
		}
		assert.True(t, guide == "README.md" || strings.Contains(index, "]("+guide+")"), "%s is not in the index", guide)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(b)
}

// unindent drops the white space at the start of lines.
func unindent(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimLeft(lines[i], "\t")
	}
	return strings.Join(lines, "\n")
}

// TestDestinationsOfTheGuides opens every destination that a guide shows.
func TestDestinationsOfTheGuides(t *testing.T) {
	token, url := "0123456789abcdef", "https://endpoint4.collection.sumologic.com/receiver/v1/http/0123456789"
	tenant := struct {
		Endpoint string
		Secret   secret.Value
		Headers  sink.Headers
	}{"https://siem.example.com/v1/logs", secret.New(token), sink.Headers{"api-key": "#{Secret}"}}
	for _, dst := range []sink.Destination{
		splunk.Config{
			Endpoint:   "https://http-inputs-acme.splunkcloud.com",
			Token:      secret.New(token),
			Index:      "audit",
			SourceType: "acme:audit",
		},
		sumologic.Config{
			Endpoint: secret.New(url),
			Category: "prod/audit",
		},
		otlp.Config{
			Endpoint: "https://collector.example.com:4318/v1/logs",
			Secret:   secret.New(token),
			Headers:  sink.Headers{"Authorization": "Bearer #{Secret}"},
			Resource: otlp.Resource{ServiceName: "deploy-server", ServiceVersion: "2026.1"},
		},
		otlp.Config{
			Protocol: otlp.GRPC,
			Endpoint: "https://collector.example.com:4317",
			Secret:   secret.New(token),
			Headers:  sink.Headers{"Authorization": "Bearer #{Secret}"},
		},
		otlp.Config{
			Endpoint: "https://otlp-gateway-prod-eu-west-2.grafana.net/otlp/v1/logs",
			Secret:   secret.New(token),
			Headers:  sink.Headers{"Authorization": `Basic #{Secret | Prepend "123456:" | ToBase64}`},
			Resource: otlp.Resource{ServiceName: "deploy-server"},
		},
		otlp.Config{
			Endpoint: tenant.Endpoint,
			Secret:   tenant.Secret,
			Headers:  tenant.Headers,
			Network:  sink.Network{Guard: &sink.Guard{}},
		},
	} {
		_, err := dst.Open()
		assert.NoError(t, err, "%s", dst)
	}
}

// TestServicesOfTheGuide opens a destination for every row of the table of services.
func TestServicesOfTheGuide(t *testing.T) {
	row := regexp.MustCompile("(?m)^\\| [A-Z][^|]+ \\| `(https://[^`]+)`.*? \\| `([A-Za-z-]+)`: `([^`]+)`")
	rows := row.FindAllStringSubmatch(strings.ReplaceAll(read(t, "opentelemetry.md"), `\|`, "\x00"), -1)
	require.Len(t, rows, 5)
	placeholder := regexp.MustCompile(`<[^>]*>`)
	for _, r := range rows {
		value := placeholder.ReplaceAllString(strings.ReplaceAll(r[3], "\x00", "|"), "123456")
		_, err := otlp.Config{
			Endpoint: placeholder.ReplaceAllString(r[1], "eu"),
			Secret:   secret.New("0123456789abcdef"),
			Headers:  sink.Headers{r[2]: value},
		}.Open()
		assert.NoError(t, err, r[1])
	}
}

// TestEventOfTheGuide compares the JSON in the guide with what Sumo Logic gets of the event in the guide.
func TestEventOfTheGuide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, err := siemtest.NewSumoLogic(siemtest.SumoLogicConfig{InMemory: true})
		require.NoError(t, err)
		defer server.Close()
		stream, err := auditstream.New(auditstream.Config{})
		require.NoError(t, err)
		require.NoError(t, stream.Configure(sumologic.Config{
			Endpoint: secret.New(server.URL()),
			Network:  sink.Network{DialContext: server.DialContext},
		}))
		e := renamed()
		e.ID, e.Time = "019ab3c1-7e5d-7c2a-9f04-3d5b8a6e1f20", time.Date(2026, 11, 23, 9, 30, 0, 123456789, time.UTC)
		time.Sleep(time.Until(e.Time.Add(42 * time.Microsecond)))
		require.NoError(t, stream.Publish(e))
		require.NoError(t, stream.Shutdown(t.Context()))
		received := server.Events()
		require.Len(t, received, 1)
		raw := bytes.ReplaceAll(received[0].Raw, []byte(received[0].StreamID), []byte("019ab3c0-11f2-7a4e-8b6d-52c1e0937d4b"))
		var want bytes.Buffer
		require.NoError(t, json.Indent(&want, raw, "", "  "))
		assert.True(t, strings.Contains(read(t, "events.md"), "```json\n"+want.String()+"\n```"), "the guide lacks:\n%s", &want)
	})
}

// renamed is the event of the guide.
func renamed() auditstream.Event {
	return auditstream.Event{
		Action:  "project.rename",
		Outcome: auditstream.OutcomeSuccess,
		Actor:   auditstream.Actor{ID: "u-1842", Type: auditstream.ActorUser, Name: "Alice"},
		Targets: []auditstream.Target{{ID: "p-77", Type: "project", Name: "Billing"}},
		Source:  auditstream.Source{Address: "203.0.113.7", UserAgent: "curl/8.9"},
		Changes: []auditstream.Change{{Path: "name", Before: "Payments", After: "Billing"}},
		Message: "Alice renamed Payments to Billing",
		Attributes: []slog.Attr{
			slog.String("ticket", "OPS-12"),
			slog.Group("approval", slog.String("by", "u-7"), slog.Int("level", 2)),
		},
	}
}

// deleteProject stands for the code of a host.
func deleteProject(stream *auditstream.Stream, id string) {
	_ = stream.Publish(auditstream.Event{
		Action:  "project.delete",
		Actor:   auditstream.Actor{ID: "u-1842"},
		Targets: []auditstream.Target{{ID: id, Type: "project"}},
	})
}

func newStream(t *testing.T) *auditstream.Stream {
	t.Helper()
	stream, err := auditstream.New(auditstream.Config{QueueEvents: 1})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = stream.Shutdown(ctx)
	})
	return stream
}

func TestRecorderOfTheGuide(t *testing.T) {
	stream := newStream(t)

	recorder := &sinktest.Recorder{}
	require.NoError(t, stream.Configure(recorder))

	deleteProject(stream, "p-77") // the code under test publishes

	require.NoError(t, stream.Flush(t.Context()))
	require.Equal(t, []string{"project.delete"}, recorder.Actions())
	require.Equal(t, "p-77", recorder.Events()[0].Targets[0].ID)
}

func TestFailingRecorderOfTheGuide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := newStream(t)
		soon, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		recorder := &sinktest.Recorder{}
		require.NoError(t, stream.Configure(recorder))

		recorder.Answer(sinktest.Fail(sink.Block(errors.New("wrong token"))))
		deleteProject(stream, "p-77")
		require.ErrorIs(t, stream.Flush(soon), context.DeadlineExceeded)
		require.Equal(t, auditstream.ConditionBlocked, stream.Status().Condition)
		require.EqualValues(t, 1, stream.Status().Totals.Pending)

		require.ErrorIs(t, stream.Publish(renamed()), auditstream.ErrQueueFull)
	})
}

func TestTimeOfTheGuide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, err := auditstream.New(auditstream.Config{})
		require.NoError(t, err)
		defer func() { require.NoError(t, stream.Shutdown(context.Background())) }()
		recorder := &sinktest.Recorder{}
		require.NoError(t, stream.Configure(recorder))
		recorder.Then(sinktest.Fail(sink.Retry(errors.New("busy"), time.Hour)))

		deleteProject(stream, "p-77")
		time.Sleep(2 * time.Hour)
		require.Equal(t, []string{"project.delete"}, recorder.Actions())
	})
}

func TestMigrationOfTheGuide(t *testing.T) {
	ctx := t.Context()
	logger := noop.NewLoggerProvider().Logger("audit")

	var record log.Record
	record.SetEventName("project.delete")
	record.SetBody(attribute.StringValue("Alice deleted Payments"))
	record.AddAttributes(
		attribute.String("user.id", "u-1842"),
		attribute.String("project.id", "p-77"),
	)
	logger.Emit(ctx, record)

	stream := newStream(t)
	recorder := &sinktest.Recorder{}
	require.NoError(t, stream.Configure(recorder))
	err := stream.PublishContext(ctx, auditstream.Event{
		Action:  "project.delete",
		Outcome: auditstream.OutcomeSuccess,
		Actor:   auditstream.Actor{ID: "u-1842", Type: auditstream.ActorUser},
		Targets: []auditstream.Target{{ID: "p-77", Type: "project"}},
		Message: "Alice deleted Payments",
	})
	require.NoError(t, err)
}

// edit is what a settings page does with what an administrator typed.
func edit(ctx context.Context, stream *auditstream.Stream, current sink.Destination, edit []byte) error {
	providers := bundled.Providers(sink.Network{Guard: &sink.Guard{}}, slog.Default())

	shown, err := providers.Encode(current)
	if err != nil || len(shown) == 0 {
		return err
	}
	candidate, err := providers.Decode(edit, current)
	if err != nil {
		return err // to be shown beside the fields that it names
	}
	if err := stream.Test(ctx, candidate); err != nil {
		return err // with a remedy, when it is a *sink.Error
	}
	return stream.Configure(candidate)
}

// restart is what a database does.
func restart(current sink.Destination, seal, unseal func([]byte) ([]byte, error)) (sink.Destination, error) {
	providers := bundled.Providers(sink.Network{}, nil)
	row, err := providers.Store(current, seal)
	if err != nil {
		return nil, err
	}
	current, err = providers.Restore(row, unseal)
	return current, err
}

func TestSettingsOfTheGuide(t *testing.T) {
	current := splunk.Config{Endpoint: "https://127.0.0.1:8088", Token: secret.New("0123456789")}
	plain := func(b []byte) ([]byte, error) { return b, nil }
	restored, err := restart(current, plain, plain)
	require.NoError(t, err)
	assert.True(t, restored.(splunk.Config).Token.Equal(current.Token))
	stream := newStream(t)
	err = edit(t.Context(), stream, current, []byte(`{"provider": "splunk", "config": {"endpoint": "https://127.0.0.2:8088"}}`))
	require.ErrorContains(t, err, "splunk: Config.token: has to be given again")
	err = edit(t.Context(), stream, current, []byte(`{"provider": "splunk", "config": {"index": "audit"}}`))
	require.ErrorContains(t, err, "splunk: Config.Endpoint: has a host that the outbound guard of this server refuses")
}

func TestMetricsOfTheGuide(t *testing.T) {
	var provider metric.MeterProvider = metricnoop.NewMeterProvider()
	stream, err := auditstream.New(auditstream.Config{
		Name:          "acme",
		MeterProvider: provider, // nil: no metrics; the global provider is not used
	})
	require.NoError(t, err)
	require.NoError(t, stream.Shutdown(t.Context()))
}

// tenant is what a host keeps of one.
type tenant struct {
	ID     string
	Paused bool
}

func (tenant) Destination() sink.Destination { return &sinktest.Recorder{} }

func tenantConfig(tenant tenant) auditstream.Config {
	return auditstream.Config{
		Name:        "tenant-" + tenant.ID,
		QueueEvents: 20_000,
		QueueBytes:  4 << 20,
	}
}

func restore(tenant tenant, streams map[string]*auditstream.Stream) error {
	stream, err := auditstream.New(auditstream.Config{Name: "tenant-" + tenant.ID, StartPaused: tenant.Paused})
	if err != nil {
		return err
	}
	if err := stream.Configure(tenant.Destination()); err != nil {
		return err
	}
	streams[tenant.ID] = stream
	return nil
}

func shutDown(streams map[string]*auditstream.Stream, store func([]auditstream.Event)) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for _, stream := range streams {
		wg.Go(func() {
			if left, ok := errors.AsType[*auditstream.UndeliveredError](stream.Shutdown(ctx)); ok {
				store(left.Events)
			}
		})
	}
	wg.Wait()
}

func TestTenantsOfTheGuide(t *testing.T) {
	_, err := auditstream.New(tenantConfig(tenant{ID: "1"}))
	require.NoError(t, err)
	streams := map[string]*auditstream.Stream{}
	require.NoError(t, restore(tenant{ID: "1"}, streams))
	require.NoError(t, restore(tenant{ID: "2", Paused: true}, streams))
	for _, s := range streams {
		deleteProject(s, "p-77")
	}
	var mu sync.Mutex
	var kept []auditstream.Event
	shutDown(streams, func(left []auditstream.Event) {
		mu.Lock()
		defer mu.Unlock()
		kept = append(kept, left...)
	})
	assert.Len(t, kept, 1, "that of the stream that was paused")
}
