package server_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	collogpb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/auditstream/auditstream/bench/internal/corpus"
	"github.com/auditstream/auditstream/bench/internal/server"
)

func start(t *testing.T, options server.Options) *server.Server {
	t.Helper()
	s, err := server.Start(options)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

func post(t *testing.T, url string, body []byte) (status int, answer string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Post(url, "", bytes.NewReader(body))
	require.NoError(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(text)
}

func order(t *testing.T, s *server.Server, what string) server.Stats {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	stats, err := server.Order(t.Context(), client, s.Control, what)
	require.NoError(t, err)
	return stats
}

func TestAnswers(t *testing.T) {
	s := start(t, server.Options{})
	for path, want := range map[string]string{
		"/services/collector":       `{"text":"Success","code":0}`,
		"/services/collector/event": `{"text":"Success","code":0}`,
		"/receiver/v1/http/abc":     "",
		"/v1/logs":                  "",
	} {
		code, answer := post(t, s.HTTP+path, []byte("12345"))
		assert.Equal(t, http.StatusOK, code, path)
		assert.Equal(t, want, answer, path)
	}
	stats := order(t, s, "stats")
	assert.Equal(t, int64(4), stats.Requests)
	assert.Equal(t, int64(20), stats.Bytes)
	assert.Empty(t, stats.Arrivals)
	assert.Len(t, order(t, s, "arrivals").Arrivals, 4)
	order(t, s, "reset")
	assert.Equal(t, server.Stats{}, order(t, s, "arrivals"))
}

func TestDead(t *testing.T) {
	s := start(t, server.Options{})
	order(t, s, "dead")
	code, _ := post(t, s.HTTP+"/v1/logs", []byte("x"))
	assert.Equal(t, http.StatusServiceUnavailable, code)
	assert.Equal(t, codes.Unavailable, status.Code(export(t, s, []byte("x"))))
	assert.Equal(t, server.Stats{Refused: 2}, order(t, s, "stats"))
	order(t, s, "alive")
	code, _ = post(t, s.HTTP+"/v1/logs", []byte("x"))
	assert.Equal(t, http.StatusOK, code)
}

func TestDelay(t *testing.T) {
	s := start(t, server.Options{Delay: 20 * time.Millisecond})
	began := time.Now()
	post(t, s.HTTP+"/v1/logs", nil)
	assert.GreaterOrEqual(t, time.Since(began), 20*time.Millisecond)
}

func TestKeep(t *testing.T) {
	var kept []string
	s := start(t, server.Options{Keep: func(body []byte) { kept = append(kept, string(body)) }})
	post(t, s.HTTP+"/v1/logs", []byte("over HTTP"))
	require.NoError(t, export(t, s, []byte("over gRPC")))
	assert.Equal(t, []string{"over HTTP", "over gRPC"}, kept)
}

// export sends bytes over gRPC.
func export(t *testing.T, s *server.Server, body []byte) error {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+strings.TrimPrefix(s.GRPC, "http://"),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn.Invoke(context.Background(), server.ExportMethod, &server.Frame{Bytes: body}, &server.Frame{},
		grpc.ForceCodecV2(server.Codec{}))
}

// leaves are everything that the event is made of, as text.
func leaves(e *corpus.Event) []string {
	all := []string{
		e.ID, e.Action, e.Outcome, e.ActorID, e.ActorType, e.ActorName, e.TargetID, e.TargetType, e.TargetName, e.Address,
		e.UserAgent, e.Message,
	}
	for _, a := range e.Attributes {
		switch {
		case a.Kind == corpus.Text:
			all = append(all, a.Text)
		case a.Kind == corpus.Flag && a.IsSet():
			all = append(all, "true")
		case a.Kind == corpus.Flag:
			all = append(all, "false")
		default:
			n, _ := json.Marshal(a.Number)
			all = append(all, string(n))
		}
	}
	return all
}

func asJSON(t *testing.T, e *corpus.Event) []byte {
	t.Helper()
	text, err := json.Marshal(map[string]any{"event": leaves(e)})
	require.NoError(t, err)
	return text
}

func asOTLP(t *testing.T, e *corpus.Event) []byte {
	t.Helper()
	record := &logspb.LogRecord{EventName: e.Action}
	for _, leaf := range leaves(e) {
		record.Attributes = append(record.Attributes, &commonpb.KeyValue{
			Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: leaf}},
		})
	}
	body, err := proto.Marshal(&collogpb.ExportLogsServiceRequest{ResourceLogs: []*logspb.ResourceLogs{
		{ScopeLogs: []*logspb.ScopeLogs{{LogRecords: []*logspb.LogRecord{record}}}},
	}})
	require.NoError(t, err)
	return body
}

func packed(t *testing.T, body []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(body)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func TestCheck(t *testing.T) {
	path := filepath.Join(t.TempDir(), "corpus")
	events := corpus.Generate(3, 1)
	require.NoError(t, events.Write(path))
	var first, second corpus.Event
	events.Read(0, &first)
	events.Read(1, &second)
	lacking := second
	lacking.Message = "something else"

	tests := map[string]struct {
		path   string
		bodies [][]byte
		want   server.Check
		text   string
	}{
		"two of three":    {"/services/collector", [][]byte{append(asJSON(t, &first), asJSON(t, &second)...)}, server.Check{Events: 2, Missing: 1}, ""},
		"compressed":      {"/receiver/v1/http/x", [][]byte{packed(t, asJSON(t, &first))}, server.Check{Events: 1, Missing: 2}, ""},
		"OTLP":            {"/v1/logs", [][]byte{asOTLP(t, &first), packed(t, asOTLP(t, &second))}, server.Check{Events: 2, Missing: 1}, ""},
		"twice":           {"/v1/logs", [][]byte{asOTLP(t, &first), asOTLP(t, &first)}, server.Check{Events: 2, Missing: 2, Repeated: 1}, ""},
		"a value is gone": {"/v1/logs", [][]byte{asOTLP(t, &lacking)}, server.Check{Events: 1, Missing: 2, Broken: 1}, "without its message"},
		"not an event":    {"/services/collector", [][]byte{[]byte(`{"event":"x"}`)}, server.Check{Missing: 3, Broken: 1}, "none of the events"},
		"breaks off":      {"/services/collector", [][]byte{[]byte(`{"event":`)}, server.Check{Missing: 3, Broken: 1}, "cannot be read"},
	}
	s := start(t, server.Options{Corpus: path})
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			order(t, s, "reset")
			for _, body := range test.bodies {
				post(t, s.HTTP+test.path, body)
			}
			found := order(t, s, "stats").Check
			require.NotNil(t, found)
			assert.Contains(t, found.Problem, test.text)
			found.Problem = ""
			assert.Equal(t, test.want, *found)
		})
	}
}

func TestStartWithoutTheCorpus(t *testing.T) {
	_, err := server.Start(server.Options{Corpus: filepath.Join(t.TempDir(), "nothing")})
	assert.Error(t, err)
}
