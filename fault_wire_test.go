package auditstream_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
)

// answeringWith leads to a server that reads requests and answers each with the same bytes.
func answeringWith(answer string) dialer {
	return serving(func(conn net.Conn) {
		r := bufio.NewReader(conn)
		for {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			if _, err := io.Copy(io.Discard, req.Body); err != nil {
				return
			}
			if _, err := io.WriteString(conn, answer); err != nil {
				return
			}
		}
	})
}

// serving leads to a server that does to each connection what it is told, and then closes it.
func serving(serve func(net.Conn)) dialer {
	return func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go func() {
			defer far.Close()
			serve(far)
		}()
		return near, nil
	}
}
