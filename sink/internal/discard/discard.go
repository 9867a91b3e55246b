// Package discard is an HTTP server for budgets of allocations and for benchmarks of drivers: it reads requests, keeps
// nothing of them, gives every one the same answer, and allocates nothing while it does.
package discard

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strconv"
)

// Dialer returns a function for the DialContext of [sink.Network]. Each call makes a connection within the process to a
// server of its own, which ends with the connection. Every answer has status 200 and body.
func Dialer(body string) func(ctx context.Context, network, address string) (net.Conn, error) {
	answer := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	return func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go serve(server, answer)
		return client, nil
	}
}

// serve answers requests over HTTP/1.1 that have a Content-Length, as those of drivers do.
func serve(conn net.Conn, answer []byte) {
	defer conn.Close()
	buf := make([]byte, 64<<10)
	for {
		size, ok := readHead(conn, buf)
		if !ok {
			return
		}
		for size > 0 {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			size -= n
		}
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}

// readHead reads the headers of a request, and returns how many bytes of its body are still to come.
func readHead(conn net.Conn, buf []byte) (rest int, ok bool) {
	length, end := []byte("\r\nContent-Length: "), []byte("\r\n\r\n")
	got := 0
	for {
		n, err := conn.Read(buf[got:])
		if err != nil {
			return 0, false
		}
		got += n
		head, body, whole := bytes.Cut(buf[:got], end)
		if !whole {
			continue
		}
		_, value, _ := bytes.Cut(head, length)
		value, _, _ = bytes.Cut(value, end[:2])
		size, err := strconv.Atoi(string(value))
		return size - len(body), err == nil
	}
}
