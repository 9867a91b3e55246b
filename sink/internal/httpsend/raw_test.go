package httpsend_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/httpsend"
)

// The status is the answer: a body that breaks off does not take it back.
func TestABodyThatBreaksOff(t *testing.T) {
	for name, test := range map[string]struct {
		answer string
		body   string
		fails  bool
	}{
		"cut":           {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"te", `{"te`, false},
		"cut chunk":     {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n{\"te", `{"te`, false},
		"bad chunk":     {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "", false},
		"no body":       {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", "", false},
		"cut login":     {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n<html>", "<html>", false},
		"cut refusal":   {"HTTP/1.1 403 Forbidden\r\nContent-Length: 100\r\n\r\n{\"te", `{"te`, true},
		"until closing": {"HTTP/1.0 200 OK\r\n\r\nall", "all", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newRawServer(t, func(conn net.Conn) {
				if readRequest(bufio.NewReader(conn)) == nil {
					_, _ = io.WriteString(conn, test.answer)
				}
			})
			r, err := newClient(t, s.url, nil).Post(t.Context(), nil, nil)
			require.NoError(t, err)
			assert.Equal(t, test.body, string(r.Body))
			assert.Equal(t, name != "until closing", r.BodyErr != nil)
			assert.Equal(t, test.fails, httpsend.Classify(r) != nil)
		})
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	flood := strings.Repeat("X-Flood: "+strings.Repeat("x", 1000)+"\r\n", 12<<10) // 12 MB
	for name, test := range map[string]struct {
		answer string
		code   string
		text   string
	}{
		"closed at once":       {"", "reset", " closed the connection before it answered"},
		"half a status line":   {"HTTP/1.1 20", "protocol", " did not answer with HTTP, or broke off its answer"},
		"half the headers":     {"HTTP/1.1 200 OK\r\nX-A", "protocol", " did not answer with HTTP, or broke off its answer"},
		"another protocol":     {"SSH-2.0-OpenSSH_9.2 " + canary + "\r\n", "protocol", " did not answer with HTTP, or broke off its answer"},
		"a bad status":         {"HTTP/1.1 " + canary + "\r\n\r\n", "protocol", " did not answer with HTTP, or broke off its answer"},
		"a bad header":         {"HTTP/1.1 200 OK\r\n" + canary + "\r\n\r\n", "protocol", " did not answer with HTTP, or broke off its answer"},
		"12 MB of headers":     {"HTTP/1.1 200 OK\r\n" + flood, "protocol", " sent more than 65536 bytes of headers"},
		"a flood of 1xx":       {strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", 1<<14), "protocol", " sent more than 65536 bytes of headers"},
		"two different bodies": {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", "protocol", " did not answer with HTTP, or broke off its answer"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newRawServer(t, func(conn net.Conn) {
				if readRequest(bufio.NewReader(conn)) == nil {
					_, _ = io.WriteString(conn, test.answer)
				}
			})
			e := failed(t, newClient(t, s.url, nil))
			assert.Equal(t, sink.VerdictRetry, e.Verdict)
			assert.Equal(t, test.code, e.Code)
			assert.EqualError(t, e, strings.TrimPrefix(s.url, "http://")+test.text)
			assert.Equal(t, int64(1), s.connections.Load(), "one attempt")
		})
	}
}

func TestInformationalAnswersAreSkipped(t *testing.T) {
	s := newRawServer(t, answering("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"))
	r, err := newClient(t, s.url, nil).Post(t.Context(), nil, nil)
	require.NoError(t, err)
	assert.Equal(t, 204, r.Status)
}

func TestSwitchingProtocolsIsNotRead(t *testing.T) {
	s := newRawServer(t, answering("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"))
	r, err := newClient(t, s.url, nil).Post(t.Context(), nil, nil)
	require.NoError(t, err)
	assert.Equal(t, 101, r.Status)
	assert.ErrorContains(t, httpsend.Classify(r), "101 Switching Protocols")
}

func TestAReset(t *testing.T) {
	s := newRawServer(t, func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 1))
		tcp, ok := conn.(*net.TCPConn)
		if assert.True(t, ok) {
			assert.NoError(t, tcp.SetLinger(0))
		}
	})
	e := failed(t, newClient(t, s.url, nil))
	assert.Equal(t, sink.VerdictRetry, e.Verdict)
	assert.Equal(t, "reset", e.Code)
}

func TestConnectionRefused(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	e := failed(t, newClient(t, "http://"+l.Addr().String(), nil))
	assert.Equal(t, sink.VerdictRetry, e.Verdict)
	assert.Equal(t, "connect", e.Code)
	assert.EqualError(t, e, "cannot connect to "+l.Addr().String()+": connect: connection refused")
}

// A server that is slow to answer, or answers byte by byte, is cut off by the context, and its connection is closed.
func TestTheContextEndsEverything(t *testing.T) {
	gone := make(chan struct{}, 10)
	wait := func(conn net.Conn) {
		_, _ = io.Copy(io.Discard, conn)
		gone <- struct{}{}
	}
	started := make(chan struct{}, 10)
	for name, serve := range map[string]func(net.Conn){
		"no answer": func(conn net.Conn) {
			_, _ = io.CopyN(io.Discard, conn, 10<<20)
		},
		"half a header": func(conn net.Conn) {
			_, _ = conn.Read(make([]byte, 1))
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nX-")
		},
		"nothing read": func(conn net.Conn) {
			_, _ = conn.Read(make([]byte, 1)) // a connection that nobody has written to yet may be kept for the next request
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newRawServer(t, func(conn net.Conn) {
				serve(conn)
				started <- struct{}{}
				wait(conn)
			})
			ctx, cancel := context.WithCancel(t.Context())
			go func() { <-started; cancel() }()
			r, err := newClient(t, s.url, nil).Post(ctx, make([]byte, 20<<20), nil)
			require.ErrorIs(t, err, context.Canceled)
			assert.Nil(t, r)
			<-gone
		})
	}
}

func TestASlowBodyEndsWithTheContext(t *testing.T) {
	s := newRawServer(t, func(conn net.Conn) {
		if readRequest(bufio.NewReader(conn)) != nil {
			return
		}
		_, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nx")
		for err == nil {
			_, err = conn.Read(make([]byte, 1)) // until the client is gone
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	r, err := newClient(t, s.url, nil).Post(ctx, nil, nil)
	require.NoError(t, err, "200 has been said")
	require.ErrorIs(t, r.BodyErr, context.DeadlineExceeded)
	require.NoError(t, httpsend.Classify(r))
}

// The caller may use its buffer again as soon as Post has returned, even if the transport is still sending. The race
// detector and the server would notice.
func TestTheBodyIsNotUsedAfterPost(t *testing.T) {
	s := newRawServer(t, func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 100))
		_, _ = io.WriteString(conn, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
		_, _ = io.Copy(io.Discard, conn)
	})
	c := newClient(t, s.url, nil)
	body := make([]byte, 8<<20)
	for range 5 {
		_, _ = c.Post(t.Context(), body, nil)
		for i := range body {
			body[i]++
		}
	}
}
