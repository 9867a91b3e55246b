package eventjson_test

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/eventjson"
)

// BenchmarkAppend encodes an event of ordinary size: 10 string attributes, one target.
func BenchmarkAppend(b *testing.B) {
	e := fullEvent()
	e.Changes, e.Targets, e.Attributes = nil, e.Targets[:1], nil
	for i := range 10 {
		e.Attributes = append(e.Attributes, slog.String(fmt.Sprintf("attribute.%d", i), "a value of usual length"))
	}
	e.Time = e.Time.Add(123_456_789 * time.Nanosecond)
	benchmark(b, &e)
}

// BenchmarkAppendFull encodes an event with something in every field.
func BenchmarkAppendFull(b *testing.B) {
	e := fullEvent()
	benchmark(b, &e)
}

func benchmark(b *testing.B, e *sink.Event) {
	b.Helper()
	b.ReportAllocs()
	var buf []byte
	for b.Loop() {
		buf = eventjson.Append(buf[:0], e)
	}
	b.SetBytes(int64(len(buf)))
	b.ReportMetric(float64(len(buf)), "bytes/event")
}

// BenchmarkAppendString writes strings that are plain, and some that are not.
func BenchmarkAppendString(b *testing.B) {
	for _, text := range []struct{ name, s string }{
		{"short", "user"},
		{"plain", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"},
		{"quoted words", `Project "billing" was changed by the user in "production"`},
		{"German", "Größe der Änderung für Müller überprüft und geändert"},
		{"Japanese", "監査イベントのメッセージを確認してください"},
		{"JSON", `{"a":"b","c":"d","e":["f","g"]}`},
	} {
		b.Run(text.name, func(b *testing.B) {
			var buf []byte
			b.SetBytes(int64(len(text.s)))
			for b.Loop() {
				buf = eventjson.AppendString(buf[:0], text.s)
			}
		})
	}
}
