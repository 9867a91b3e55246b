package httpsend_test

import (
	"bufio"
	"io"
	"log"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestUnsolicitedAnswerIsNotPrinted lets a server send an echo of the request behind its answer: net/http prints to the
// standard logger what it has read of that.
func TestUnsolicitedAnswerIsNotPrinted(t *testing.T) {
	printed := make(chan string, 1)
	before := log.Writer()
	defer log.SetOutput(before)
	log.SetOutput(writerFunc(func(p []byte) {
		select {
		case printed <- string(p):
		default: // one is enough
		}
	}))
	srv := newRawServer(t, func(conn net.Conn) {
		defer conn.Close()
		req, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, req.Body)
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"+"you sent "+req.Header.Get("X-Api-Key"))
		_, _ = conn.Read(make([]byte, 1)) // until the client closes the connection
	})
	c := newClient(t, srv.url, nil)
	r, err := c.Post(t.Context(), []byte("body"), nil)
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, r.Status)
	text := <-printed
	assert.Contains(t, text, "Unsolicited response", "the test sees what net/http prints")
	assert.NotContains(t, text, canary)
	assert.NotContains(t, text, canary[:8])
}

// writerFunc is an io.Writer.
type writerFunc func(p []byte)

func (f writerFunc) Write(p []byte) (int, error) {
	f(p)
	return len(p), nil
}
