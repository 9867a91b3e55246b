package auditstream_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/internal/canary"
)

const (
	// tookAtMost is what a client may take of an answer: 64 KiB of headers and as much of a body, and what servers
	// gather before they send.
	tookAtMost = 2*64<<10 + 32<<10

	// heldAtMost is what may be allocated meanwhile by client and server together, with room for everything that a
	// first connection and the race detector take.
	heldAtMost = 24 << 20

	// unpacked is the size of what the bombs hold.
	unpacked = 64 << 20
)

// bomb returns so many zeros in gzip, which takes a thousandth.
var bomb = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	zeros := make([]byte, 1<<20)
	for range unpacked / len(zeros) {
		_, _ = w.Write(zeros) // to memory
	}
	_ = w.Close()
	return b.Bytes()
})

// counted counts what goes through it.
type counted struct {
	w io.Writer
	n *atomic.Int64
}

func (c counted) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n.Add(int64(n))
	return n, err
}

// endless writes text again and again until nobody takes it any more. A client that takes it all is given up on.
func endless(w io.Writer, text string) {
	text = strings.Repeat(text, 1+1023/len(text))
	for sent := 0; sent < 16<<20; sent += len(text) {
		if _, err := io.WriteString(w, text); err != nil {
			return
		}
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
	}
}

// A hostile is an answer that no destination gives, and what is to come of it.
type hostile struct {
	write     func(w io.Writer, header http.Header, status func(int))
	delivered map[string]bool // the drivers for which it is an answer that the events were taken
	raw       bool            // write writes the whole answer to the connection of HTTP/1
}

var (
	// httpDrivers believe a success whose body breaks off.
	httpDrivers = map[string]bool{"OTLP over HTTP": true, "Splunk": true, "Sumo Logic": true}
	// notSplunk also believe one whose body says something else: HEC has an answer of its own.
	notSplunk = map[string]bool{"OTLP over HTTP": true, "Sumo Logic": true}
)

// hostiles are answers over HTTP.
func hostiles() map[string]hostile {
	packed := bomb()
	body := func(delivered map[string]bool, status int, kind string, write func(w io.Writer)) hostile {
		return hostile{delivered: delivered, write: func(w io.Writer, h http.Header, code func(int)) {
			h.Set("Content-Type", kind)
			code(status)
			write(w)
		}}
	}
	raw := func(delivered map[string]bool, start, text string) hostile {
		return hostile{raw: true, delivered: delivered, write: func(w io.Writer, _ http.Header, _ func(int)) {
			_, _ = io.WriteString(w, start)
			endless(w, text)
		}}
	}
	const protobuf, object = "application/x-protobuf", "application/json"
	const echo = canary.Secret + " "
	all := map[string]hostile{
		"endless body of a success": body(notSplunk, 200, "text/plain", func(w io.Writer) { endless(w, echo) }),
		"endless body of a refusal": body(nil, 403, object, func(w io.Writer) { endless(w, echo) }),
		"bomb that nobody asked for": {delivered: notSplunk, write: func(w io.Writer, h http.Header, _ func(int)) {
			h.Set("Content-Encoding", "gzip")
			_, _ = w.Write(packed)
		}},
		"endless headers":         raw(nil, "HTTP/1.1 200 OK\r\n", "X-Echo: "+echo+"\r\n"),
		"a header without end":    raw(nil, "HTTP/1.1 200 OK\r\nX-Echo: ", echo),
		"a status without end":    raw(nil, "HTTP/1.1 200 ", echo),
		"endless early hints":     raw(nil, "", "HTTP/1.1 103 Early Hints\r\nX-Echo: "+echo+"\r\n\r\n"),
		"endless chunk extension": raw(httpDrivers, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x=", echo),
		"endless trailer":         raw(httpDrivers, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n0\r\n", "X: "+echo+"\r\n"),
		"the longest length":      raw(notSplunk, "HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n", echo),
		"deep groups": body(notSplunk, 200, protobuf, func(w io.Writer) {
			_, _ = w.Write(bytes.Repeat([]byte{0x13}, 60<<10)) // field 2, and another in it, and so on
		}),
		"a length of 4 GiB": body(notSplunk, 200, protobuf, func(w io.Writer) {
			_, _ = w.Write([]byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f})
		}),
		"deep groups in a refusal": body(nil, 403, protobuf, func(w io.Writer) {
			_, _ = w.Write(bytes.Repeat([]byte{0x13}, 60<<10))
		}),
		"deep arrays": body(httpDrivers, 200, object, func(w io.Writer) {
			_, _ = io.WriteString(w, `{"code":0,"text":"Success","x":`+strings.Repeat("[", 9_000)+strings.Repeat("]", 9_000)+"}")
		}),
		"arrays too deep to read": body(notSplunk, 200, object, func(w io.Writer) {
			_, _ = io.WriteString(w, `{"code":0,"text":"Success","x":`+strings.Repeat("[", 30_000)+strings.Repeat("]", 30_000)+"}")
		}),
		"more JSON than is read": body(notSplunk, 200, object, func(w io.Writer) {
			_, _ = io.WriteString(w, `{"code":0,"text":"`+strings.Repeat("a", 128<<10)+`"}`)
		}),
	}
	return all
}

// hostilesOverGRPC are answers over HTTP/2, in the form of gRPC as far as they can be.
func hostilesOverGRPC() map[string]hostile {
	packed := bomb()
	message := func(flag byte, length int, payload []byte) []byte {
		return append(binary.BigEndian.AppendUint32([]byte{flag}, uint32(length)), payload...)
	}
	grpc := map[string]bool{overGRPC: true}
	answer := func(delivered map[string]bool, write func(w io.Writer, h http.Header)) hostile {
		return hostile{delivered: delivered, write: func(w io.Writer, h http.Header, _ func(int)) {
			h.Set("Content-Type", "application/grpc")
			write(w, h)
			h.Set(http.TrailerPrefix+"Grpc-Status", "0")
		}}
	}
	return map[string]hostile{
		// The message was announced to be longer than is read, so the server has something to say about a request that
		// it took.
		"a message of 4 GiB": answer(grpc, func(w io.Writer, _ http.Header) {
			_, _ = w.Write(message(0, 1<<32-1, nil))
			endless(w, canary.Secret)
		}),
		"a message of 65 KiB": answer(grpc, func(w io.Writer, _ http.Header) { _, _ = w.Write(message(0, 65<<10, make([]byte, 65<<10))) }),
		"a bomb": answer(grpc, func(w io.Writer, h http.Header) {
			h.Set("Grpc-Encoding", "gzip")
			_, _ = w.Write(message(1, len(packed), packed))
		}),
		"deep groups": answer(grpc, func(w io.Writer, _ http.Header) {
			_, _ = w.Write(message(0, 60<<10, bytes.Repeat([]byte{0x13}, 60<<10)))
		}),
		"a length of 4 GiB inside": answer(grpc, func(w io.Writer, _ http.Header) {
			_, _ = w.Write(message(0, 6, []byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f}))
		}),
		"more headers than are read": answer(nil, func(w io.Writer, h http.Header) {
			for i := range 100 {
				h.Set(fmt.Sprintf("X-%d", i), strings.Repeat(canary.Secret, 50))
			}
			_, _ = w.Write(message(0, 0, nil))
		}),
		"more trailers than are read": answer(nil, func(w io.Writer, h http.Header) {
			_, _ = w.Write(message(0, 0, nil))
			for i := range 100 {
				h.Set(fmt.Sprintf("%sX-%d", http.TrailerPrefix, i), strings.Repeat(canary.Secret, 50))
			}
		}),
		"an endless web page": {write: func(w io.Writer, h http.Header, code func(int)) {
			h.Set("Content-Type", "text/html")
			code(200)
			endless(w, "<html>"+canary.Secret)
		}},
	}
}

// TestHostileAnswersAreBounded lets servers answer everything that could fill the memory of a client, or deceive it. A
// bounded part of it is taken, the events are delivered or kept, and nothing of the answer is shown.
func TestHostileAnswersAreBounded(t *testing.T) {
	for driver := range secured {
		answers := hostiles()
		if driver == overGRPC {
			answers = hostilesOverGRPC()
		}
		for name, h := range answers {
			t.Run(driver+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { checkHostile(t, driver, h) })
			})
		}
	}
}

func checkHostile(t *testing.T, driver string, h hostile) {
	t.Helper()
	var sent atomic.Int64
	server, way := newPipeSentinel(t, func(w http.ResponseWriter, r *http.Request) {
		assert.Empty(t, r.Header.Get("Accept-Encoding"), "nothing compressed is asked for")
		if !h.raw {
			h.write(flushing{counted{w, &sent}, http.NewResponseController(w)}, w.Header(), w.WriteHeader)
			return
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if !assert.NoError(t, err) {
			return
		}
		defer conn.Close()
		h.write(counted{conn, &sent}, nil, nil)
	})
	var before, held runtime.MemStats
	runtime.ReadMemStats(&before)
	j := &journal{}
	s := newStream(t, auditstream.Config{Logger: j.logger(), OnTransition: j.onTransition, OnReject: j.onReject})
	require.NoError(t, s.Configure(secured[driver](way)))
	publish(t, s, 1, 2)
	time.Sleep(300 * time.Millisecond)
	synctest.Wait()
	runtime.ReadMemStats(&held)

	got := s.Status()
	if h.delivered[driver] {
		assert.EqualValues(t, 2, got.Totals.Delivered, "%v", got.LastError)
	} else {
		assert.EqualValues(t, 2, got.Totals.Pending)
		require.Error(t, got.LastError)
	}
	requests, _ := server.seen() // a backoff may be over in no time
	assert.Empty(t, j.rejected())
	assert.LessOrEqual(t, sent.Load(), int64(requests*tookAtMost), "the client took too much")
	assert.Less(t, held.TotalAlloc-before.TotalAlloc, uint64(heldAtMost), "too much was allocated")
	requireSilence(t, got, got.LastError, j.log())
}

// flushing lets what is written go out at once.
type flushing struct {
	counted
	control *http.ResponseController
}

func (f flushing) Flush() { _ = f.control.Flush() }
