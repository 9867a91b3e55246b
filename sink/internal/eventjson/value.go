package eventjson

import (
	"encoding/base64"
	"log/slog"
	"math"
	"reflect"
	"strconv"
	"time"
)

const (
	// maxExact is the largest whole number up to which every float64 is exact.
	maxExact = 1 << 53

	// maxDepth ends the walk through a value. Snapshots are at most 32 deep; the margin is for events that did not
	// come from a Stream, whose slices may even contain themselves.
	maxDepth = 64
)

// tooDeep stands for a value nested deeper than maxDepth.
const tooDeep = "auditstream: nested too deep"

func appendObject(dst []byte, attrs []slog.Attr, depth int) []byte {
	if depth > maxDepth {
		return AppendString(dst, tooDeep)
	}
	dst = append(dst, '{')
	for i := range attrs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendString(dst, attrs[i].Key)
		dst = append(dst, ':')
		dst = appendValue(dst, attrs[i].Value, depth+1)
	}
	return append(dst, '}')
}

func appendArray(dst []byte, values []any, depth int) []byte {
	if depth > maxDepth {
		return AppendString(dst, tooDeep)
	}
	dst = append(dst, '[')
	for i, v := range values {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendAny(dst, v, depth+1)
	}
	return append(dst, ']')
}

func appendValue(dst []byte, v slog.Value, depth int) []byte {
	switch v.Kind() {
	case slog.KindString:
		return AppendString(dst, v.String())
	case slog.KindInt64:
		return appendInt(dst, v.Int64())
	case slog.KindUint64:
		return appendUint(dst, v.Uint64())
	case slog.KindBool:
		return strconv.AppendBool(dst, v.Bool())
	case slog.KindFloat64:
		return appendFloat(dst, v.Float64())
	case slog.KindTime:
		return appendTime(dst, v.Time())
	case slog.KindDuration:
		return appendSeconds(dst, v.Duration())
	case slog.KindGroup:
		return appendObject(dst, v.Group(), depth)
	case slog.KindAny:
		return appendAny(dst, v.Any(), depth)
	case slog.KindLogValuer:
	}
	// A LogValuer is the caller's code. It was resolved when the event was published, or never will be.
	return appendUnsupported(dst, v.Kind().String())
}

// appendAny appends one of the plain values that [sink.Event] lists. Attributes keep most of them in a [slog.Value],
// changes and slices as they are.
func appendAny(dst []byte, value any, depth int) []byte {
	switch v := value.(type) {
	case nil:
		return append(dst, "null"...)
	case string:
		return AppendString(dst, v)
	case bool:
		return strconv.AppendBool(dst, v)
	case int64:
		return appendInt(dst, v)
	case uint64:
		return appendUint(dst, v)
	case float64:
		return appendFloat(dst, v)
	case []byte:
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, v)
		return append(dst, '"')
	case time.Time:
		return appendTime(dst, v)
	case time.Duration:
		return appendSeconds(dst, v)
	case []any:
		return appendArray(dst, v, depth)
	case []slog.Attr:
		return appendObject(dst, v, depth)
	case slog.Value:
		return appendValue(dst, v, depth)
	}
	// The type is all that is looked at: the value may be cyclic, or being written to.
	return appendUnsupported(dst, reflect.TypeOf(value).Kind().String())
}

func appendUnsupported(dst []byte, kind string) []byte {
	dst = append(dst, `"auditstream: unsupported kind `...)
	dst = append(dst, kind...)
	return append(dst, '"')
}

func appendInt(dst []byte, i int64) []byte {
	if -maxExact <= i && i <= maxExact {
		return strconv.AppendInt(dst, i, 10)
	}
	dst = append(dst, '"')
	dst = strconv.AppendInt(dst, i, 10)
	return append(dst, '"')
}

func appendUint(dst []byte, u uint64) []byte {
	if u <= maxExact {
		return strconv.AppendUint(dst, u, 10)
	}
	dst = append(dst, '"')
	dst = strconv.AppendUint(dst, u, 10)
	return append(dst, '"')
}

// appendFloat appends the shortest decimal that reads back as f, with an exponent only where the digits would be many.
func appendFloat(dst []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, `"NaN"`...)
	case math.IsInf(f, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(dst, `"-Infinity"`...)
	}
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, f, format, -1, 64)
}
