package otlp

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	collogpb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/httpsend"
	"github.com/auditstream/auditstream/sink/siemtest"
)

func statusBody(t *testing.T, message string) string {
	t.Helper()
	b, err := proto.Marshal(&statuspb.Status{Code: 3, Message: message})
	require.NoError(t, err)
	return string(b)
}

func partialBody(t *testing.T, rejected int64, message string) string {
	t.Helper()
	b, err := proto.Marshal(&collogpb.ExportLogsServiceResponse{PartialSuccess: &collogpb.ExportLogsPartialSuccess{
		RejectedLogRecords: rejected, ErrorMessage: message,
	}})
	require.NoError(t, err)
	return string(b)
}

func TestHTTPAccepted(t *testing.T) {
	tests := []struct {
		name   string
		answer siemtest.Answer
	}{
		{"200 and an answer", answerWith(200, contentType, partialBody(t, 0, ""))},
		{"200 and nothing", siemtest.Status(200, "")},
		{"202", siemtest.Status(202, "accepted")},
		{"204", siemtest.Status(204, "")},
		{"body breaks off", siemtest.Cut(200, "\x0a\x05")},
		{"body breaks off behind a count", siemtest.Cut(200, partialBody(t, 1, "bad names"))},
		{"garbage", answerWith(200, contentType, "\xff\xff\xff")},
		{"text", answerWith(200, "text/plain", "OK")},
		{"JSON", answerWith(200, "application/json", `{"partialSuccess":{}}`)},
		{"JSON that is none", answerWith(200, "application/json", `{"partialSuccess":`)},
		{"only a warning", answerWith(200, contentType, partialBody(t, 0, "one attribute was renamed"))},
		{"negative count", answerWith(200, contentType, partialBody(t, -3, "odd"))},
		{"a count behind 64 KiB", answerWith(200, contentType, partialBody(t, 1, strings.Repeat("x", 64<<10)))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv := newServer(t, siemtest.OTLPConfig{})
			srv.Respond(tt.answer)
			n, err := deliver(t.Context(), open(t, configFor(srv, HTTPProtobuf)))
			require.NoError(t, err)
			assert.Equal(t, 1, n)
		})
	}
}

func TestHTTPPartialSuccess(t *testing.T) {
	tests := []struct {
		name   string
		answer siemtest.Answer
		want   int
	}{
		{"some", siemtest.PartialSuccess(2, "bad names"), 2},
		{"more than were sent", siemtest.PartialSuccess(99, "bad names"), 5},
		{"without a content type", siemtest.Status(200, partialBody(t, 2, "bad names")), 2},
		{"with another content type", answerWith(200, "text/html", partialBody(t, 2, "bad names")), 2},
		{
			"as JSON",
			answerWith(200, "application/json; charset=utf-8",
				`{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"bad names"},"more":1}`),
			2,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv := newServer(t, siemtest.OTLPConfig{})
			srv.Respond(tt.answer)
			n, err := open(t, configFor(srv, HTTPProtobuf)).Deliver(t.Context(), benchEvents(5))
			e := asError(t, err)
			assert.Equal(t, 5, n)
			assert.Equal(t, sink.VerdictReject, e.Verdict)
			assert.Equal(t, tt.want, e.Count)
			assert.Equal(t, "otlp: the destination refused "+strconv.Itoa(tt.want)+` of 5 records: "bad names"`, e.Error())
		})
	}
}

func TestHTTPRefused(t *testing.T) {
	tests := []struct {
		answer  siemtest.Answer
		verdict sink.Verdict
		text    string
	}{
		{answerWith(400, contentType, statusBody(t, "bad\nrecord")), sink.VerdictSplit, `: "badrecord"`},
		{answerWith(400, "application/json", `{"code":3,"message":"bad record"}`), sink.VerdictSplit, `: "bad record"`},
		{answerWith(422, "text/plain", "raw text"), sink.VerdictSplit, "422"},
		{answerWith(400, "text/plain", statusBody(t, "raw text")), sink.VerdictSplit, "400"}, // text may look like protobuf
		{siemtest.Status(413, ""), sink.VerdictSplit, "413"},
		{siemtest.Status(301, ""), sink.VerdictBlock, "301"},
		{siemtest.Status(401, ""), sink.VerdictBlock, "401"},
		{siemtest.Status(403, ""), sink.VerdictBlock, "403"},
		{siemtest.Status(404, ""), sink.VerdictBlock, "404"},
		{siemtest.Status(405, ""), sink.VerdictBlock, "405"},
		{siemtest.Status(415, ""), sink.VerdictBlock, "415"},
		{siemtest.Status(418, ""), sink.VerdictBlock, "418"},
		{siemtest.LoginPage(), sink.VerdictBlock, "web page"},
		{siemtest.Status(408, ""), sink.VerdictRetry, "408"},
		{siemtest.Status(425, ""), sink.VerdictRetry, "425"},
		{siemtest.Status(500, ""), sink.VerdictRetry, "500"},
		{answerWith(503, contentType, statusBody(t, "busy")), sink.VerdictRetry, `: "busy"`},
		{siemtest.Status(599, ""), sink.VerdictRetry, "599"},
		{siemtest.Drop(), sink.VerdictRetry, ""},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			srv := newServer(t, siemtest.OTLPConfig{})
			srv.Respond(tt.answer)
			n, err := deliver(t.Context(), open(t, configFor(srv, HTTPProtobuf)))
			e := asError(t, err)
			assert.Zero(t, n)
			assert.Equal(t, tt.verdict, e.Verdict)
			assert.Contains(t, e.Error(), tt.text)
			assert.NotContains(t, e.Error(), "raw text")
			assert.Len(t, srv.Requests(), 1, "a driver makes one attempt")
			if tt.verdict == sink.VerdictBlock {
				assert.NotEmpty(t, e.Remedy)
			}
		})
	}
}

func TestHTTPRemedyNamesThePath(t *testing.T) {
	srv := newServer(t, siemtest.OTLPConfig{})
	cfg := configFor(srv, HTTPProtobuf)
	cfg.Endpoint = strings.TrimSuffix(cfg.Endpoint, "/v1/logs")
	_, err := deliver(t.Context(), open(t, cfg))
	assert.Contains(t, asError(t, err).Remedy, "/v1/logs")
}

func TestHTTPRetryAfter(t *testing.T) {
	srv := newServer(t, siemtest.OTLPConfig{})
	srv.Respond(siemtest.Throttle(17*time.Second), siemtest.Throttle(time.Hour))
	s := open(t, configFor(srv, HTTPProtobuf))
	for _, want := range []time.Duration{17 * time.Second, 5 * time.Minute} {
		_, err := deliver(t.Context(), s)
		e := asError(t, err)
		assert.Equal(t, sink.VerdictRetry, e.Verdict)
		assert.Equal(t, want, e.After)
	}
}

func TestHTTPRequest(t *testing.T) {
	srv := newServer(t, siemtest.OTLPConfig{Path: "/in/a%2Fb"})
	cfg := configFor(srv, HTTPProtobuf)
	cfg.Endpoint = strings.TrimSuffix(srv.URL(), "/in/a%2Fb") + "/in/#{Secret | UriDataEscape}?k=v"
	cfg.Secret = secret.New("a/b")
	cfg.Headers = sink.Headers{"Authorization": "Bearer #{Secret | ToBase64}", "X-Tenant": "blue"}
	srv.Respond(siemtest.Status(200, ""))
	_, err := deliver(t.Context(), open(t, cfg))
	require.NoError(t, err)
	r := srv.Requests()[0]
	assert.Equal(t, "/in/a%2Fb?k=v", r.URI.Reveal())
	assert.Equal(t, http.MethodPost, r.Method)
	assert.Equal(t, contentType, r.Sent("Content-Type"))
	assert.Equal(t, "gzip", r.Sent("Content-Encoding"))
	assert.Equal(t, strconv.Itoa(r.WireBytes), r.Sent("Content-Length"))
	assert.Equal(t, "Bearer YS9i", r.Sent("Authorization"))
	assert.Equal(t, "blue", r.Sent("X-Tenant"))
	assert.Equal(t, "auditstream", r.Sent("User-Agent"))
	assert.Less(t, r.WireBytes, r.Bytes)
}

// TestExport checks what becomes of an exporter that does not reach the transport.
func TestExport(t *testing.T) {
	records := []sdklog.Record{newPrototype()}
	err := export(t.Context(), fakeExporter{}, records, new(attempt))
	assert.Equal(t, sink.VerdictRetry, asError(t, err).Verdict)

	err = export(t.Context(), fakeExporter{errors.New("canary")}, records, new(attempt))
	assert.Equal(t, sink.VerdictSplit, asError(t, err).Verdict)
	assert.NotContains(t, err.Error(), "canary")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, export(ctx, fakeExporter{errors.New("canary")}, records, new(attempt)), context.Canceled)

	// A request without an attempt of ours, as if the exporter were used behind our back.
	exporter, err := httpExporter.get()
	require.NoError(t, err)
	require.ErrorIs(t, exporter.Export(t.Context(), records), errNotAsked)
	again, err := httpExporter.get()
	require.NoError(t, err)
	assert.Same(t, exporter, again, "one for all sinks")
}

type fakeExporter struct{ err error }

func (f fakeExporter) Export(context.Context, []sdklog.Record) error { return f.err }
func (fakeExporter) Shutdown(context.Context) error                  { return nil }
func (fakeExporter) ForceFlush(context.Context) error                { return nil }

func TestKeeper(t *testing.T) {
	var k keeper
	assert.True(t, k.Enabled(t.Context(), sdklog.EnabledParameters{}))
	require.NoError(t, k.Shutdown(t.Context()))
	require.NoError(t, k.ForceFlush(t.Context()))
}

// FuzzHTTPAnswer has a destination answer anything at all.
func FuzzHTTPAnswer(f *testing.F) {
	f.Add(200, contentType, []byte{0x0a, 2, 0x08, 1})
	f.Add(200, "application/json", []byte(`{"partialSuccess":{"rejectedLogRecords":"9223372036854775807"}}`))
	f.Add(400, "application/json", []byte(`{"message":"m","details":[{"@type":"x"}]}`))
	f.Add(400, contentType, []byte{0x08, 3, 0x12, 1, 'm'})
	f.Add(200, "", []byte("<html>"))
	f.Fuzz(func(t *testing.T, status int, mediaType string, body []byte) {
		h := &httpWire{answers: &successes{log: slog.New(slog.DiscardHandler)}}
		err := h.verdict(t.Context(), &httpsend.Response{Status: status, ContentType: mediaType, Body: body}, 5)
		if err == nil {
			require.True(t, 200 <= status && status <= 299)
			return
		}
		e := asError(t, err)
		if e.Verdict == sink.VerdictReject {
			require.True(t, 1 <= e.Count && e.Count <= 5)
		}
		require.LessOrEqual(t, len(e.Error()), 500)
		require.NotContains(t, e.Error(), "\n")
	})
}

func TestDeadline(t *testing.T) {
	for _, p := range protocols {
		t.Run(string(p), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := newServer(t, siemtest.OTLPConfig{})
				srv.Respond(siemtest.Hang())
				s := open(t, configFor(srv, p))
				ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
				defer cancel()
				start := time.Now()
				n, err := deliver(ctx, s)
				assert.Zero(t, n)
				require.ErrorIs(t, err, context.DeadlineExceeded)
				assert.Equal(t, 7*time.Second, time.Since(start))

				n, err = deliver(ctx, s)
				assert.Zero(t, n)
				require.ErrorIs(t, err, context.DeadlineExceeded)

				n, err = deliver(t.Context(), s)
				require.NoError(t, err)
				assert.Equal(t, 1, n)
				require.NoError(t, s.Close())
				srv.Close()
			})
		})
	}
}

func TestCancelled(t *testing.T) {
	for _, p := range protocols {
		t.Run(string(p), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := newServer(t, siemtest.OTLPConfig{})
				srv.Respond(siemtest.Hang())
				s := open(t, configFor(srv, p))
				ctx, cancel := context.WithCancel(t.Context())
				defer time.AfterFunc(3*time.Second, cancel).Stop()
				_, err := deliver(ctx, s)
				require.ErrorIs(t, err, context.Canceled)
				require.NoError(t, s.Close())
				srv.Close()
			})
		})
	}
}

// TestPrefix checks that a batch of several requests stops at the first that fails.
func TestPrefix(t *testing.T) {
	batch := benchEvents(12)
	for i := range batch {
		batch[i].Message = strings.Repeat("x", 1<<20)
	}
	tests := []struct {
		name    string
		answers []siemtest.Answer
		verdict sink.Verdict
		n       int
		taken   int
	}{
		{"second fails", []siemtest.Answer{{Accept: true}, siemtest.Status(503, "")}, sink.VerdictRetry, 3, 3},
		{"second is refused", []siemtest.Answer{{Accept: true}, siemtest.Status(400, "")}, sink.VerdictSplit, 3, 3},
		{"second is taken in part", []siemtest.Answer{{Accept: true}, siemtest.PartialSuccess(1, "")}, sink.VerdictReject, 6, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, p := range protocols {
				t.Run(string(p), func(t *testing.T) {
					srv := newServer(t, siemtest.OTLPConfig{})
					srv.Respond(tt.answers...)
					n, err := open(t, configFor(srv, p)).Deliver(t.Context(), batch)
					assert.Equal(t, tt.n, n)
					assert.Equal(t, tt.verdict, asError(t, err).Verdict)
					assert.Len(t, srv.Requests(), 2)
					assert.Len(t, srv.Events(), tt.taken)
				})
			}
		})
	}
}
