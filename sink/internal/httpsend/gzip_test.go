package httpsend_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	fast "github.com/klauspost/compress/gzip"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/sink/internal/httpsend"
)

func unzip(t *testing.T, b []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(b))
	require.NoError(t, err)
	plain, err := io.ReadAll(r)
	require.NoError(t, err)
	return plain
}

// lines returns text that compresses as audit events do.
func lines(n int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, `{"timestamp":17726007%05d,"id":"0199c7a4-%d","action":"project.update","actor":{"id":"users-%d"}}`+"\n", i, i*7919, i%97)
	}
	return b.Bytes()[:n]
}

func TestCompress(t *testing.T) {
	for _, n := range []int{0, 1, 100, 8 << 10, 32<<10 - 1, 32 << 10, 64 << 10, 1_000_000, 3_000_000} {
		plain := lines(n)
		got := httpsend.Compress(nil, plain)
		assert.True(t, bytes.Equal(plain, unzip(t, got)), n)
		if n >= 100_000 {
			assert.Less(t, len(got), n/4)
		}
	}
	assert.Equal(t, "kept", string(httpsend.Compress([]byte("kept"), []byte("x"))[:4]))
}

func TestCompressConcurrently(t *testing.T) {
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			plain := bytes.Repeat([]byte{byte('a' + i)}, 50_000)
			for range 20 {
				assert.True(t, bytes.Equal(plain, unzip(t, httpsend.Compress(nil, plain))))
			}
		})
	}
	wg.Wait()
}

// records returns text that compresses like real audit events, to a fifth or so: lines has less to say.
func records(n int) []byte {
	random := rand.New(rand.NewPCG(1, 2))
	actions := []string{"project.update", "user.sign_in", "deployment.start", "api_key.create", "release.delete"}
	var b bytes.Buffer
	for b.Len() < n {
		fmt.Fprintf(&b, `{"timestamp":17726007%05d,"id":"0199c7a4-%04x-7%03x-8%03x-%012x","action":%q,"actor":{"id":"users-%d"},`+
			`"source":{"address":"10.%d.%d.%d"},"attributes":{"request.id":"%016x","space":"spaces-%d","duration_ms":%d}}`+"\n",
			random.IntN(1e5), random.IntN(1<<16), random.IntN(1<<12), random.IntN(1<<12), random.Uint64()>>16,
			actions[random.IntN(len(actions))], random.IntN(5000), random.IntN(256), random.IntN(256), random.IntN(256),
			random.Uint64(), random.IntN(200), random.IntN(3000))
	}
	return b.Bytes()[:n]
}

// BenchmarkCompress has the compressor beside those it was chosen from, at sizes below and above the one where its two
// writers meet.
func BenchmarkCompress(b *testing.B) {
	for _, size := range []int{1 << 10, 30 << 10, 500 << 10} {
		plain := records(size)
		for _, c := range []struct {
			name     string
			compress func(dst, src []byte) []byte
		}{
			{"ours", httpsend.Compress},
			{"stateless", with(newFast(b, fast.StatelessCompression))},
			{"stateful", with(newFast(b, fast.BestSpeed))},
			{"standard", with(newStandard(b))},
		} {
			b.Run(fmt.Sprintf("%dKiB/%s", size>>10, c.name), func(b *testing.B) {
				var dst []byte
				b.SetBytes(int64(size))
				for b.Loop() {
					dst = c.compress(dst[:0], plain)
				}
				b.ReportMetric(float64(len(dst))/float64(size), "ratio")
			})
		}
	}
}

// gzipWriter is what both libraries have.
type gzipWriter interface {
	io.WriteCloser
	Reset(w io.Writer)
}

func newFast(b *testing.B, level int) gzipWriter {
	b.Helper()
	w, err := fast.NewWriterLevel(io.Discard, level)
	require.NoError(b, err)
	return w
}

func newStandard(b *testing.B) gzipWriter {
	b.Helper()
	w, err := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
	require.NoError(b, err)
	return w
}

func with(w gzipWriter) func(dst, src []byte) []byte {
	return func(dst, src []byte) []byte {
		buf := bytes.NewBuffer(dst)
		w.Reset(buf)
		_, _ = w.Write(src)
		_ = w.Close()
		return buf.Bytes()
	}
}
