package otlp

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	collogpb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/siemtest"
)

func TestGoldenRequests(t *testing.T) {
	tests := []struct {
		name   string
		config func(*Config)
		event  sink.Event
	}{
		{"minimal", func(*Config) {}, minimalEvent()},
		{"full", func(c *Config) {
			c.Resource = Resource{
				ServiceName: "deploy-server", ServiceVersion: "2026.1",
				Attributes: map[string]string{"service.instance.id": "node-1", "deployment.environment.name": "prod"},
			}
		}, fullEvent()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, p := range protocols {
				t.Run(string(p), func(t *testing.T) {
					srv := newServer(t, siemtest.OTLPConfig{})
					cfg := configFor(srv, p)
					tt.config(&cfg)
					n, err := open(t, cfg).Deliver(t.Context(), []sink.Event{tt.event})
					require.NoError(t, err)
					require.Equal(t, 1, n)
					require.Len(t, srv.Exports(), 1)
					golden(t, tt.name+".json", srv.Exports()[0])
				})
			}
		})
	}
}

// golden compares a message with a file, as JSON: protojson varies its white space on purpose.
func golden(t *testing.T, name string, m proto.Message) {
	t.Helper()
	got, err := protojson.MarshalOptions{}.Marshal(m)
	require.NoError(t, err)
	var indented bytes.Buffer
	require.NoError(t, json.Indent(&indented, got, "", "  "))
	indented.WriteByte('\n')
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, indented.Bytes(), 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), indented.String())
}

// TestBatchesArriveWhole sends far more attributes than the SDK keeps by default.
func TestBatchesArriveWhole(t *testing.T) {
	const events, attributes = 3000, 150
	batch := make([]sink.Event, events)
	for i := range batch {
		batch[i] = minimalEvent()
		batch[i].ID = "event-" + strconv.Itoa(i)
		for j := range attributes {
			batch[i].Attributes = append(batch[i].Attributes, slog.String("attribute.number."+strconv.Itoa(j), strconv.Itoa(i+j)))
		}
	}
	for _, p := range protocols {
		t.Run(string(p), func(t *testing.T) {
			srv := newServer(t, siemtest.OTLPConfig{})
			n, err := open(t, configFor(srv, p)).Deliver(t.Context(), batch)
			require.NoError(t, err)
			require.Equal(t, events, n)
			assert.Greater(t, len(srv.Exports()), 1, "the batch is larger than a request may be")
			records, _ := arrived(srv)
			require.Len(t, records, events)
			own := len(records[0].GetAttributes()) - attributes
			for i, r := range records {
				require.Zero(t, r.GetDroppedAttributesCount())
				require.Len(t, r.GetAttributes(), own+attributes)
				require.Equal(t, "event-"+strconv.Itoa(i), r.GetAttributes()[0].GetValue().GetStringValue())
				require.Equal(t, strconv.Itoa(i+attributes-1), r.GetAttributes()[own+attributes-1].GetValue().GetStringValue())
			}
			for _, r := range srv.Requests() {
				assert.LessOrEqual(t, r.Bytes, 4<<20)
			}
		})
	}
}

// TestALargeResourceFits has the records of a request and the largest resource exceed together what servers take.
func TestALargeResourceFits(t *testing.T) {
	batch := make([]sink.Event, 4)
	for i := range batch {
		batch[i] = minimalEvent()
		batch[i].Message = strings.Repeat("x", (4<<20-8000)/len(batch))
	}
	for _, p := range protocols {
		t.Run(string(p), func(t *testing.T) {
			srv := newServer(t, siemtest.OTLPConfig{MaxBody: 4 << 20})
			cfg := configFor(srv, p)
			cfg.Resource.Attributes = map[string]string{"large": strings.Repeat("y", maxResourceSize-100)}
			n, err := open(t, cfg).Deliver(t.Context(), batch)
			require.NoError(t, err)
			assert.Equal(t, len(batch), n)
			assert.Len(t, srv.Requests(), 2)
		})
	}
}

// record maps an event and returns the bound of its size.
func record(m *mapper, e *sink.Event) int {
	r := m.prototype
	return m.record(&r, e)
}

// TestMapperKeepsNothing checks that a mapper in its pool holds no event, whatever came before the last.
func TestMapperKeepsNothing(t *testing.T) {
	large := minimalEvent()
	large.Message = strings.Repeat("x", maxRequest/2)
	m := newMapper()
	require.Len(t, m.fill([]sink.Event{fullEvent(), minimalEvent(), minimalEvent()}), 3)
	require.Len(t, m.fill([]sink.Event{large, large, large}), 1, "the second is one too many")
	m.release()
	assert.Empty(t, m.records)
	for _, r := range m.records[:cap(m.records)] {
		assert.Empty(t, r.EventName())
		assert.Zero(t, r.AttributesLen())
	}
	for _, kv := range m.attrs[:cap(m.attrs)] {
		assert.Empty(t, kv.Key)
	}
	many := minimalEvent()
	for i := range maxPooledAttributes {
		many.Attributes = append(many.Attributes, slog.Int(strconv.Itoa(i), i))
	}
	_ = m.fill(slices.Repeat([]sink.Event{many}, maxPooledRecords+1))
	m.release()
	assert.Nil(t, m.attrs)
	assert.Nil(t, m.records)
}

func TestSizeIsAnUpperBound(t *testing.T) {
	m := newMapper()
	events := append(benchEvents(3), minimalEvent(), fullEvent(), deepEvent(40))
	for i := range events {
		srv := newServer(t, siemtest.OTLPConfig{})
		_, err := open(t, configFor(srv, HTTPProtobuf)).Deliver(t.Context(), events[i:i+1])
		require.NoError(t, err)
		size := record(m, &events[i])
		records, _ := arrived(srv)
		exact := proto.Size(records[0])
		assert.GreaterOrEqual(t, size, exact)
		assert.Less(t, size, 2*exact+200, "the bound should not be far off")
	}
}

func TestAttributeNames(t *testing.T) {
	tests := []struct{ key, want string }{
		{"app.name", "app.name"},
		{"audit.custom", "audit.custom"},
		{"audit.actor.id", "attribute.audit.actor.id"},
		{"attribute.audit.actor.id", "attribute.attribute.audit.actor.id"},
		{"client.address", "attribute.client.address"},
		{"attribute.", "attribute."},
		{"attribute.app", "attribute.app"},
	}
	seen := make(map[string]string)
	for _, tt := range tests {
		got := attributeName(tt.key)
		assert.Equal(t, tt.want, got)
		assert.NotContains(t, seen, got)
		seen[got] = tt.key
	}
}

// TestKeysAreUnique gives an event attributes with every name that the record itself uses, and with what they become.
func TestKeysAreUnique(t *testing.T) {
	m := newMapper()
	e := fullEvent()
	e.Time = time.Unix(-1, 0)
	e.Attributes = nil
	record(m, &e)
	own := len(m.attrs)
	for _, kv := range m.attrs {
		key := string(kv.Key)
		e.Attributes = append(e.Attributes,
			slog.String(key, ""), slog.String(key+".", ""), slog.String(renamePrefix+key, ""))
	}
	record(m, &e)
	require.Len(t, m.attrs, 4*own)
	seen := make(map[string]bool)
	for _, kv := range m.attrs {
		assert.Falsef(t, seen[string(kv.Key)], "%s twice", kv.Key)
		seen[string(kv.Key)] = true
	}
	assert.True(t, seen[nameRecordTime])
}

func TestTimes(t *testing.T) {
	tests := []struct {
		name string
		time time.Time
		nano uint64
		text string
	}{
		{"ordinary", eventTime, uint64(eventTime.UnixNano()), ""},
		{"zone", eventTime.In(time.FixedZone("", 3600)), uint64(eventTime.UnixNano()), ""},
		{"unknown", time.Time{}, 0, ""},
		{"epoch", time.Unix(0, 0), 1, "1970-01-01T00:00:00.000000000Z"},
		{"before 1970", time.Date(1969, 7, 20, 20, 17, 40, 0, time.UTC), 1, "1969-07-20T20:17:40.000000000Z"},
		{"long before", time.Date(-500, 1, 1, 0, 0, 0, 0, time.UTC), 1, "-0500-01-01T00:00:00.000000000Z"},
		{"far future", time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), math.MaxInt64, "9999-12-31T00:00:00.000000000Z"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv := newServer(t, siemtest.OTLPConfig{})
			e := minimalEvent()
			e.Time = tt.time
			_, err := open(t, configFor(srv, HTTPProtobuf)).Deliver(t.Context(), []sink.Event{e})
			require.NoError(t, err)
			assert.Equal(t, tt.nano, srv.Events()[0].Record.GetTimeUnixNano())
			text, _ := srv.Events()[0].Document[nameRecordTime].(string)
			assert.Equal(t, tt.text, text)
		})
	}
}

// deepEvent returns an event with a change and an attribute nested to depth.
func deepEvent(depth int) sink.Event {
	e := minimalEvent()
	var v any = []any{"bottom", int64(1), nil, []byte{0xab}, eventTime}
	for range depth {
		v = []slog.Attr{slog.Any("k", v)}
	}
	e.Changes = []sink.Change{{Path: "deep", Before: v, After: v}}
	e.Attributes = []slog.Attr{slog.Any("deep", v)}
	return e
}

// TestDepth checks that an event as deep as events may be is read by receivers that stop at 100 nested messages.
func TestDepth(t *testing.T) {
	srv := newServer(t, siemtest.OTLPConfig{})
	_, err := open(t, configFor(srv, HTTPProtobuf)).Deliver(t.Context(), []sink.Event{deepEvent(32)})
	require.NoError(t, err)
	export := srv.Exports()[0]
	wire, err := proto.Marshal(export)
	require.NoError(t, err)
	require.NoError(t, proto.UnmarshalOptions{RecursionLimit: 100}.Unmarshal(wire, proto.Clone(export)))

	var bottom func(v any) string
	bottom = func(v any) string {
		if m, ok := v.(map[string]any); ok {
			return bottom(m["k"])
		}
		text, _ := v.(string)
		return text
	}
	assert.Equal(t, "[k=[k=[k=[k=[bottom 1 null ab 2026-03-14T15:09:26.535897932Z]]]]]",
		bottom(srv.Events()[0].Document["deep"]))
}

// TestForeignValues checks values that no snapshot holds: they must not stop the others.
func TestForeignValues(t *testing.T) {
	cycle := make([]any, 1)
	cycle[0] = cycle
	tests := []struct {
		name  string
		value slog.Value
		want  string
	}{
		{"channel", slog.AnyValue(make(chan int)), "auditstream: unsupported kind chan"},
		{"log valuer", slog.AnyValue(valuer{}), "auditstream: unsupported kind LogValuer"},
		{"cycle", slog.AnyValue(cycle), "auditstream: nested too deep"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newMapper()
			e := minimalEvent()
			e.Attributes = []slog.Attr{{Key: "odd", Value: tt.value}}
			record(m, &e)
			assert.Contains(t, m.attrs[len(m.attrs)-1].Value.String(), tt.want)
		})
	}
	assert.Equal(t, "[a=auditstream: unsupported kind chan b=true]",
		string(appendAny(nil, []slog.Attr{slog.Any("a", make(chan int)), slog.Bool("b", true)}, 1)))
}

type valuer struct{}

func (valuer) LogValue() slog.Value { panic("never called") }

// TestOneTarget checks that a single target is not repeated in a list.
func TestOneTarget(t *testing.T) {
	srv := newServer(t, siemtest.OTLPConfig{})
	e := minimalEvent()
	e.Targets = []sink.Target{{ID: "projects-1", Type: "project", Name: "Payments"}}
	_, err := open(t, configFor(srv, HTTPProtobuf)).Deliver(t.Context(), []sink.Event{e})
	require.NoError(t, err)
	document := srv.Events()[0].Document
	assert.Equal(t, "projects-1", document[nameTargetID])
	assert.Equal(t, "project", document[nameTargetType])
	assert.Equal(t, "Payments", document[nameTargetName])
	assert.NotContains(t, document, nameTargets)
}

// TestTimesSortAsText checks that attributes of whole seconds have as many decimals as others.
func TestTimesSortAsText(t *testing.T) {
	srv := newServer(t, siemtest.OTLPConfig{})
	e := minimalEvent()
	at := time.Date(2026, 3, 14, 17, 9, 26, 0, time.FixedZone("", 2*3600))
	e.Attributes = []slog.Attr{slog.Time("at", at), slog.Any("list", []any{at.UTC()})}
	_, err := open(t, configFor(srv, HTTPProtobuf)).Deliver(t.Context(), []sink.Event{e})
	require.NoError(t, err)
	const want = "2026-03-14T15:09:26.000000000Z"
	assert.Equal(t, want, srv.Events()[0].Document["at"])
	assert.Equal(t, []any{want}, srv.Events()[0].Document["list"])
}

func TestUnknownOutcomeAndSource(t *testing.T) {
	srv := newServer(t, siemtest.OTLPConfig{})
	_, err := open(t, configFor(srv, HTTPProtobuf)).Deliver(t.Context(), []sink.Event{{Action: "a", Actor: sink.Actor{ID: "b"}}})
	require.NoError(t, err)
	assert.Equal(t, map[string]any{
		"audit.action": "a", "audit.actor.id": "b", "audit.outcome": "unknown", "audit.schema.version": "1",
	}, srv.Events()[0].Document)
}

func TestRecordsHaveNoScopeAndSeverity(t *testing.T) {
	srv := newServer(t, siemtest.OTLPConfig{})
	_, err := deliver(t.Context(), open(t, configFor(srv, HTTPProtobuf)))
	require.NoError(t, err)
	logs := srv.Exports()[0].GetResourceLogs()
	require.Len(t, logs, 1)
	assert.Empty(t, logs[0].GetSchemaUrl())
	require.Len(t, logs[0].GetScopeLogs(), 1)
	assert.Nil(t, logs[0].GetScopeLogs()[0].GetScope())
	record := logs[0].GetScopeLogs()[0].GetLogRecords()[0]
	assert.Zero(t, record.GetSeverityNumber())
	assert.Empty(t, record.GetSeverityText())
	assert.Zero(t, record.GetFlags())
}

func TestReplaceResource(t *testing.T) {
	resource := []byte("the new one")
	_, err := replaceResource(nil, []byte("not protobuf at all"), resource)
	require.ErrorIs(t, err, errWire)
	_, err = replaceResource(nil, []byte{0x0a, 5, 1}, resource)
	require.ErrorIs(t, err, errWire)
	_, err = replaceResource(nil, []byte{0x0a, 2, 0x12, 9}, resource)
	require.ErrorIs(t, err, errWire)

	got, err := replaceResource([]byte("x"), nil, resource)
	require.NoError(t, err)
	assert.Equal(t, "x", string(got))
}

// TestReplaceResourceKeepsOnlyRecords has a request with all that the SDK may ever put beside the records.
func TestReplaceResourceKeepsOnlyRecords(t *testing.T) {
	scopes := []*logspb.ScopeLogs{
		{LogRecords: []*logspb.LogRecord{{EventName: "a"}, {EventName: "b"}}}, {LogRecords: []*logspb.LogRecord{{EventName: "c"}}},
	}
	theirs := &logspb.ResourceLogs{
		Resource:  &resourcepb.Resource{Attributes: []*commonpb.KeyValue{stringAttribute("service.name", "ambient")}},
		ScopeLogs: scopes, SchemaUrl: "https://ambient.example/schema",
	}
	request, err := proto.Marshal(&collogpb.ExportLogsServiceRequest{ResourceLogs: []*logspb.ResourceLogs{theirs, theirs}})
	require.NoError(t, err)
	ours := &resourcepb.Resource{Attributes: []*commonpb.KeyValue{stringAttribute("service.name", "ours")}}
	resource, err := proto.Marshal(ours)
	require.NoError(t, err)

	got, err := replaceResource(nil, request, resource)
	require.NoError(t, err)
	var decoded collogpb.ExportLogsServiceRequest
	require.NoError(t, proto.Unmarshal(got, &decoded))
	want := &logspb.ResourceLogs{Resource: ours, ScopeLogs: scopes}
	assert.Truef(t, proto.Equal(&collogpb.ExportLogsServiceRequest{ResourceLogs: []*logspb.ResourceLogs{want, want}}, &decoded), "%v", &decoded)
}

func FuzzReplaceResource(f *testing.F) {
	f.Add([]byte{0x0a, 0})
	f.Add([]byte{0x0a, 6, 0x0a, 0, 0x12, 0, 0x1a, 0})
	f.Fuzz(func(t *testing.T, request []byte) {
		resource, err := proto.Marshal(stringAttribute("k", strings.Repeat("v", 200)))
		require.NoError(t, err)
		got, err := replaceResource(nil, request, resource)
		if err != nil {
			return
		}
		again, err := replaceResource(nil, got, resource)
		require.NoError(t, err)
		require.Equal(t, got, again)
	})
}
