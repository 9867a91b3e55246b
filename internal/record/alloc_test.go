package record

import (
	"encoding/json"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/sink"
)

// stream stands for the one that hosts publish to: Publish takes the event by value, and hands Append a pointer to it.
type stream struct {
	enc Encoder
	buf []byte
	now time.Time
}

//go:noinline
func (s *stream) publish(e sink.Event) error {
	e.ObservedTime = s.now
	rec, _, err := s.enc.Append(s.buf[:0], &e, 64<<10)
	if err == nil {
		s.buf = rec
	}
	return err
}

//go:noinline
func publishTypical(s *stream, project, ip string) error {
	return s.publish(sink.Event{
		Action:  "project.delete",
		Outcome: sink.OutcomeSuccess,
		Actor:   sink.Actor{ID: "u-1042", Type: sink.ActorUser, Name: "Ada Lovelace"},
		Targets: []sink.Target{{ID: project, Type: "project", Name: "Payments"}},
		Source:  sink.Source{Address: ip, UserAgent: "Mozilla/5.0 (X11; Linux x86_64)"},
		Message: "Project Payments was deleted",
		Attributes: []slog.Attr{
			slog.String("space.id", "Spaces-1"),
			slog.String("space.name", "Default"),
			slog.String("environment.id", "Environments-12"),
			slog.String("environment.name", "Production"),
			slog.String("request.id", "0HN8A7K3J2L1M:00000003"),
			slog.String("session.id", "b5bd2b2a1f6e4f6b"),
			slog.String("tenant.id", "Tenants-7"),
			slog.String("tenant.name", "Contoso"),
			slog.String("client.version", "2026.4.1"),
			slog.String("project.slug", project),
		},
	})
}

func TestAppendAllocatesNothing(t *testing.T) {
	s := &stream{now: time.Now()}
	require.NoError(t, publishTypical(s, "Projects-42", "203.0.113.9"))
	assert.Zero(t, testing.AllocsPerRun(1000, func() {
		if publishTypical(s, "Projects-42", "203.0.113.9") != nil {
			panic("refused")
		}
	}))
}

// TestEncoderForgetsHugeEvents checks that an encoder in a pool does not keep the scratch space of a huge event.
func TestEncoderForgetsHugeEvents(t *testing.T) {
	var attrs []slog.Attr
	for i := range 10_000 {
		attrs = append(attrs, slog.Int(strconv.Itoa(i), i))
	}
	e := minimal(append(attrs, slog.Any("json", json.RawMessage(`"\n`+strings.Repeat("x", 10_000)+`"`)))...)
	var enc Encoder
	_, _, err := enc.Append(nil, &e, testLimit)
	require.NoError(t, err)
	assert.LessOrEqual(t, cap(enc.entries), maxScratch)
	assert.LessOrEqual(t, cap(enc.scratch), maxScratch)
	assert.Nil(t, enc.keys.byHash)
	assert.Nil(t, enc.buf)
}

func BenchmarkAppend(b *testing.B) {
	s := &stream{now: time.Now()}
	b.ReportAllocs()
	for b.Loop() {
		if err := publishTypical(s, "Projects-42", "203.0.113.9"); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(s.buf)), "bytes/record")
}

func BenchmarkDecode(b *testing.B) {
	s := &stream{now: time.Now()}
	require.NoError(b, publishTypical(s, "Projects-42", "203.0.113.9"))
	rec := string(s.buf)
	b.ReportAllocs()
	for b.Loop() {
		var d Decoder
		for range 512 {
			if _, err := d.Decode(rec); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/512, "ns/event")
}
