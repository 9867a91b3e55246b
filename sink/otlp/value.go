package otlp

import (
	"fmt"
	"log/slog"
	"math"
	"reflect"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
)

const (
	// maxDepth is how deep values are sent as they are; what lies deeper is sent as text. A level of nesting costs
	// three messages in OTLP, and the protobuf readers of C++, Java and C# refuse a request nested deeper than 100:
	// a change that holds 32 levels, which an event may, would take the whole batch with it.
	maxDepth = 28

	// maxTextDepth ends the walk through a value of which a snapshot could not consist.
	maxTextDepth = 64

	// timeLayout writes nine decimals always, so that times sort as text.
	timeLayout = "2006-01-02T15:04:05.000000000Z07:00"

	// keyOverhead and valueOverhead bound the tags and lengths around a key with its value and around a list element:
	// at most five bytes for each length, one for each tag.
	keyOverhead   = 24
	valueOverhead = 12

	// scalarSize bounds a number or a bool with its tag.
	scalarSize = 11
)

// add appends an attribute to the record being built.
func (m *mapper) add(name string, v attribute.Value) {
	m.size += keyOverhead + len(name)
	m.attrs = append(m.attrs, attribute.KeyValue{Key: attribute.Key(name), Value: v})
}

// addText appends an attribute, unless its text is empty.
func (m *mapper) addText(name, text string) {
	if text != "" {
		m.add(name, m.text(text))
	}
}

func (m *mapper) text(s string) attribute.Value {
	m.size += len(s)
	return attribute.StringValue(s)
}

func (m *mapper) number(i int64) attribute.Value {
	m.size += scalarSize
	return attribute.Int64Value(i)
}

// unsigned keeps large numbers exact: OTLP has no unsigned type, so they become decimal text.
func (m *mapper) unsigned(u uint64) attribute.Value {
	if u > math.MaxInt64 {
		return m.text(strconv.FormatUint(u, 10))
	}
	return m.number(int64(u))
}

func (m *mapper) float(f float64) attribute.Value {
	m.size += scalarSize
	return attribute.Float64Value(f)
}

func (m *mapper) bool(b bool) attribute.Value {
	m.size += scalarSize
	return attribute.BoolValue(b)
}

func (m *mapper) time(t time.Time) attribute.Value {
	return m.text(t.UTC().Format(timeLayout))
}

// value converts an attribute's value. depth is 1 for the value of an attribute.
func (m *mapper) value(v slog.Value, depth int) attribute.Value {
	switch v.Kind() {
	case slog.KindString:
		return m.text(v.String())
	case slog.KindInt64:
		return m.number(v.Int64())
	case slog.KindUint64:
		return m.unsigned(v.Uint64())
	case slog.KindBool:
		return m.bool(v.Bool())
	case slog.KindFloat64:
		return m.float(v.Float64())
	case slog.KindTime:
		return m.time(v.Time())
	case slog.KindDuration:
		return m.float(v.Duration().Seconds())
	case slog.KindGroup:
		return m.group(v.Group(), depth)
	case slog.KindAny:
		return m.any(v.Any(), depth)
	case slog.KindLogValuer:
	}
	// A LogValuer is the caller's code. It was resolved when the event was published, or never will be.
	return m.text(unsupported(v.Kind().String()))
}

// any converts one of the plain values that [sink.Event] lists.
func (m *mapper) any(value any, depth int) attribute.Value {
	switch v := value.(type) {
	case nil:
		return attribute.Value{}
	case string:
		return m.text(v)
	case bool:
		return m.bool(v)
	case int64:
		return m.number(v)
	case uint64:
		return m.unsigned(v)
	case float64:
		return m.float(v)
	case []byte:
		m.size += len(v)
		return attribute.ByteSliceValue(v)
	case time.Time:
		return m.time(v)
	case time.Duration:
		return m.float(v.Seconds())
	case []any:
		return m.list(v, depth)
	case []slog.Attr:
		return m.group(v, depth)
	case slog.Value:
		return m.value(v, depth)
	}
	// The type is all that is looked at: the value may be cyclic, or being written to.
	return m.text(unsupported(reflect.TypeOf(value).Kind().String()))
}

func (m *mapper) list(values []any, depth int) attribute.Value {
	if depth > maxDepth {
		return m.text(string(appendAny(nil, values, depth)))
	}
	list := make([]attribute.Value, len(values))
	for i, v := range values {
		m.size += valueOverhead
		list[i] = m.any(v, depth+1)
	}
	return attribute.SliceValue(list...)
}

func (m *mapper) group(attrs []slog.Attr, depth int) attribute.Value {
	if depth > maxDepth {
		return m.text(string(appendAny(nil, attrs, depth)))
	}
	pairs := make([]attribute.KeyValue, len(attrs))
	for i := range attrs {
		m.size += keyOverhead + len(attrs[i].Key)
		pairs[i] = attribute.KeyValue{
			Key:   attribute.Key(attrs[i].Key),
			Value: m.value(attrs[i].Value, depth+1),
		}
	}
	return attribute.MapValue(pairs...)
}

func unsupported(kind string) string { return "auditstream: unsupported kind " + kind }

// appendAny writes what is nested too deep for OTLP as text, "[a=1 b=[2 3]]".
func appendAny(dst []byte, value any, depth int) []byte {
	if depth > maxTextDepth {
		return append(dst, "auditstream: nested too deep"...)
	}
	switch v := value.(type) {
	case []any:
		dst = append(dst, '[')
		for i := range v {
			dst = appendSpace(dst, i)
			dst = appendAny(dst, v[i], depth+1)
		}
		return append(dst, ']')
	case []slog.Attr:
		dst = append(dst, '[')
		for i := range v {
			dst = appendSpace(dst, i)
			dst = append(dst, v[i].Key...)
			dst = append(dst, '=')
			dst = appendAny(dst, v[i].Value.Any(), depth+1)
		}
		return append(dst, ']')
	case nil:
		return append(dst, "null"...)
	case string, bool, int64, uint64, float64, time.Duration:
		return fmt.Append(dst, v)
	case []byte:
		return fmt.Appendf(dst, "%x", v)
	case time.Time:
		return v.UTC().AppendFormat(dst, timeLayout)
	}
	return append(dst, unsupported(reflect.TypeOf(value).Kind().String())...)
}

func appendSpace(dst []byte, i int) []byte {
	if i > 0 {
		dst = append(dst, ' ')
	}
	return dst
}
