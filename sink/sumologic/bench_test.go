package sumologic_test

import (
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/auditstream/auditstream/sink/sumologic"
)

// BenchmarkDeliver delivers batches of 512 events of 10 attributes to a server on loopback that discards them. The
// server shares the process, so its time is in the numbers.
func BenchmarkDeliver(b *testing.B) {
	for _, compression := range []sumologic.Compression{sumologic.Gzip, sumologic.None} {
		b.Run(string(compression), func(b *testing.B) { benchmarkDeliver(b, compression) })
	}
}

func benchmarkDeliver(b *testing.B, compression sumologic.Compression) {
	b.Helper()
	var received atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		received.Add(n)
	}))
	b.Cleanup(server.Close)
	batch := events(512, 0)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range batch {
		batch[i].ID = fmt.Sprintf("0199c7a4-%04x-7%03x-8%03x-%012x", i, i, i, random.Uint64()>>16)
		batch[i].Time = batch[i].Time.Add(time.Duration(random.Int64N(1e9)))
		for k := range 10 {
			batch[i].Attributes = append(batch[i].Attributes,
				slog.String(fmt.Sprintf("attribute.%d", k), fmt.Sprintf("value %x", random.Uint32())))
		}
	}
	c := endpoint(server.URL + "/receiver/v1/http/" + code)
	c.Compression = compression
	s := open(b, c)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Deliver(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	sent := float64(b.N) * float64(len(batch))
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/sent, "ns/event")
	b.ReportMetric(float64(received.Load())/sent, "wire-bytes/event")
}
