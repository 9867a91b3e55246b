package splunk_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/splunk"
)

// BenchmarkDeliver delivers batches of 512 events of 10 attributes to a server on loopback that discards them, and beside
// that posts the same bytes with a bare client. The server shares the process, so its time is in all the figures.
func BenchmarkDeliver(b *testing.B) {
	for _, compression := range []splunk.Compression{splunk.Gzip, splunk.None} {
		b.Run(string(compression), func(b *testing.B) { benchmarkDeliver(b, compression) })
	}
	b.Run("bare POST", benchmarkPost)
}

// sinkhole is a server that discards what it gets, but for the last body.
type sinkhole struct {
	url string

	mu       sync.Mutex
	received int
	last     bytes.Buffer
}

func newSinkhole(b *testing.B) *sinkhole {
	b.Helper()
	s := new(sinkhole)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.last.Reset()
		n, _ := s.last.ReadFrom(r.Body)
		s.received += int(n)
		reply(w, http.StatusOK, `{"text":"Success","code":0}`)
	}))
	b.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// report states the figures of a benchmark that has sent 512 events at a time.
func (s *sinkhole) report(b *testing.B) {
	b.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	sent := float64(b.N) * 512
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/sent, "ns/event")
	b.ReportMetric(float64(s.received)/sent, "wire-bytes/event")
}

func benchmarkDeliver(b *testing.B, compression splunk.Compression) {
	b.Helper()
	server, batch := newSinkhole(b), benchmarkBatch()
	s := open(b, splunk.Config{Endpoint: server.url, Compression: compression})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Deliver(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	server.report(b)
}

func benchmarkPost(b *testing.B) {
	server := newSinkhole(b)
	compression := splunk.None
	s := open(b, splunk.Config{Endpoint: server.url, Compression: compression})
	_, err := s.Deliver(b.Context(), benchmarkBatch())
	require.NoError(b, err)
	server.mu.Lock()
	body := bytes.Clone(server.last.Bytes())
	server.received = 0
	server.mu.Unlock()
	client := &http.Client{Transport: new(http.Transport)}
	b.Cleanup(client.CloseIdleConnections)
	b.ReportAllocs()
	for b.Loop() {
		req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, server.url, bytes.NewReader(body))
		require.NoError(b, err)
		resp, err := client.Do(req)
		require.NoError(b, err)
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
	server.report(b)
}

// benchmarkBatch returns 512 events of ordinary size.
func benchmarkBatch() []sink.Event {
	batch := events(512, 0)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range batch {
		batch[i].ID = fmt.Sprintf("0199c7a4-%04x-7%03x-8%03x-%012x", i, i, i, random.Uint64()>>16)
		batch[i].Time = batch[i].Time.Add(time.Duration(random.Int64N(1e9)))
		batch[i].Attributes = nil
		for k := range 10 {
			batch[i].Attributes = append(batch[i].Attributes,
				slog.String(fmt.Sprintf("attribute.%d", k), fmt.Sprintf("value %x", random.Uint32())))
		}
	}
	return batch
}
