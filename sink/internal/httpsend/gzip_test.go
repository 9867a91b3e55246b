package httpsend_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"sync"
	"testing"

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

func BenchmarkCompress(b *testing.B) {
	plain := lines(1_000_000)
	var dst []byte
	b.SetBytes(int64(len(plain)))
	b.ReportAllocs()
	for b.Loop() {
		dst = httpsend.Compress(dst[:0], plain)
	}
	b.ReportMetric(float64(len(dst))/float64(len(plain)), "ratio")
}
