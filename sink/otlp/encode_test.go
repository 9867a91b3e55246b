package otlp

import (
	"bytes"
	"context"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	collogpb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/auditstream/auditstream/sink"
)

// requestOf returns what the exporter makes of events.
func requestOf(tb testing.TB, events ...sink.Event) *collogpb.ExportLogsServiceRequest {
	tb.Helper()
	var got *collogpb.ExportLogsServiceRequest
	conn, err := grpc.NewClient("passthrough:///unused",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithUnaryInterceptor(func(_ context.Context, _ string, req, _ any, _ *grpc.ClientConn,
			_ grpc.UnaryInvoker, _ ...grpc.CallOption,
		) error {
			got, _ = req.(*collogpb.ExportLogsServiceRequest)
			return nil
		}))
	require.NoError(tb, err)
	defer func() { _ = conn.Close() }()
	exporter, err := newGRPCExporter(conn)
	require.NoError(tb, err)
	require.NoError(tb, exporter.Export(tb.Context(), newMapper().fill(events)))
	require.NotNil(tb, got)
	return got
}

func TestEncodeAsProto(t *testing.T) {
	many := make([]sink.Event, 600)
	for i := range many {
		many[i] = fullEvent()
		many[i].Message = strings.Repeat("x", 10*i)
	}
	sizes := minimalEvent() // around every width of a length, at every level
	for _, n := range []int{0, 1, 100, 118, 119, 120, 121, 122, 123, 124, 125, 126, 127, 128, 129, 16_370, 16_383, 16_384, 20_000} {
		text := strings.Repeat("y", n)
		sizes.Attributes = append(sizes.Attributes,
			slog.String("text."+strconv.Itoa(n), text), slog.Any("bytes."+strconv.Itoa(n), []byte(text)),
			slog.Any("list."+strconv.Itoa(n), []any{text, []any{text}}), slog.Group("map."+strconv.Itoa(n), slog.String("k", text)))
	}
	large := minimalEvent()
	large.Message = strings.Repeat("z", 3<<20)
	tests := []struct {
		name   string
		events []sink.Event
	}{
		{"minimal", []sink.Event{minimalEvent()}},
		{"full", []sink.Event{fullEvent()}},
		{"deep", []sink.Event{deepEvent(40)}},
		{"sizes", []sink.Event{sizes}},
		{"large", []sink.Event{large}},
		{"batch", append(benchEvents(512), many...)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := requestOf(t, tt.events...)
			m.ResourceLogs[0].Resource = Resource{ServiceName: strings.Repeat("s", 200)}.message(nil)
			assertEncoded(t, m)
		})
	}
}

// assertEncoded compares the two encoders.
func assertEncoded(tb testing.TB, m *collogpb.ExportLogsServiceRequest) {
	tb.Helper()
	want, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	require.NoError(tb, err)
	got, ok := encodeRequest([]byte("before"), m)
	require.True(tb, ok)
	if string(got) != "before"+string(want) {
		require.Fail(tb, "the encodings differ", "%d and %d bytes", len(got)-len("before"), len(want))
	}
}

// TestEncodeEverything fills in every field that the messages have, most of which the exporter leaves empty. A field or
// kind of value that a later version of the protocol adds fails here.
func TestEncodeEverything(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		m := new(collogpb.ExportLogsServiceRequest)
		fillIn(random, m.ProtoReflect(), 0)
		assertEncoded(t, m)
	}
}

// notWritten are fields of another signal, which the encoder leaves to package proto.
var notWritten = map[protoreflect.Name]bool{"key_strindex": true, "string_value_strindex": true}

// fillIn gives most fields of m a value.
func fillIn(random *rand.Rand, m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		if notWritten[field.Name()] || random.IntN(4) == 0 || depth > 12 {
			continue
		}
		if !field.IsList() {
			m.Set(field, valueFor(random, field, func() protoreflect.Value { return m.NewField(field) }, depth))
			continue
		}
		list := m.Mutable(field).List()
		for range random.IntN(4) {
			list.Append(valueFor(random, field, list.NewElement, depth))
		}
	}
}

func valueFor(random *rand.Rand, field protoreflect.FieldDescriptor, empty func() protoreflect.Value, depth int) protoreflect.Value {
	text := strings.Repeat("ä", random.IntN(90))
	switch field.Kind() {
	case protoreflect.MessageKind:
		v := empty()
		fillIn(random, v.Message(), depth+1)
		return v
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(text)
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte(text))
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(random.IntN(2) == 0)
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(random.NormFloat64())
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(random.Int32()))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(int64(random.Uint64()))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(random.Uint32())
	case protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(random.Uint64())
	default:
		panic("a kind that the protocol had no use for: " + field.Kind().String())
	}
}

func TestEncodeLeavesToProto(t *testing.T) {
	value := func(v *commonpb.AnyValue) *collogpb.ExportLogsServiceRequest {
		return &collogpb.ExportLogsServiceRequest{ResourceLogs: []*logspb.ResourceLogs{{ScopeLogs: []*logspb.ScopeLogs{{
			LogRecords: []*logspb.LogRecord{{Attributes: []*commonpb.KeyValue{{Key: "k", Value: v}}}},
		}}}}}
	}
	index := value(nil)
	index.ResourceLogs[0].ScopeLogs[0].LogRecords[0].Attributes[0].KeyStrindex = 1
	tests := []struct {
		name    string
		request *collogpb.ExportLogsServiceRequest
		good    bool
	}{
		{"text that is not UTF-8", value(&commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: "\xff"}}), false},
		{"an index", value(&commonpb.AnyValue{Value: &commonpb.AnyValue_StringValueStrindex{StringValueStrindex: 1}}), true},
		{"an index of a key", index, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, ok := encodeRequest(nil, tt.request)
			assert.False(t, ok)
			got, err := newCodec().Marshal(tt.request)
			if !tt.good {
				require.ErrorContains(t, err, "UTF-8")
				return
			}
			require.NoError(t, err)
			want, err := proto.Marshal(tt.request)
			require.NoError(t, err)
			assert.Equal(t, want, got.Materialize())
			got.Free()
		})
	}
	bad := value(nil)
	bad.ResourceLogs[0].Resource = &resourcepb.Resource{Attributes: []*commonpb.KeyValue{stringAttribute("k", "\xff")}}
	_, ok := encodeRequest(nil, bad)
	assert.False(t, ok)
}

// FuzzEncode compares the encoders on whatever package proto can read.
func FuzzEncode(f *testing.F) {
	for _, e := range []sink.Event{minimalEvent(), fullEvent(), deepEvent(5)} {
		seed, err := proto.Marshal(requestOf(f, e))
		require.NoError(f, err)
		f.Add(seed)
	}
	f.Add([]byte{})
	f.Add([]byte{0x0a, 2, 0x12, 0})
	f.Fuzz(func(t *testing.T, wire []byte) {
		m := new(collogpb.ExportLogsServiceRequest)
		if (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(wire, m) != nil {
			return
		}
		got, ok := encodeRequest(nil, m)
		if !ok {
			return
		}
		want, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		require.NoError(t, err)
		assert.True(t, bytes.Equal(want, got), "%x, not %x", got, want) // an empty message is nil or not
	})
}
