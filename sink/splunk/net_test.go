package splunk_test

import (
	"context"
	"errors"
	"net"
)

// unreachable is a network on which nothing answers.
func unreachable(ctx context.Context, network, address string) (net.Conn, error) {
	return refusing(errors.New("no such host"))(ctx, network, address)
}

// refusing returns a DialContext that always fails.
func refusing(err error) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: err}
	}
}
