package sink_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/sink"
)

func TestDialIsThatOfTheHost(t *testing.T) {
	errRefused := errors.New("refused by the host")
	n := sink.Network{DialContext: func(_ context.Context, network, address string) (net.Conn, error) {
		assert.Equal(t, "tcp", network)
		assert.Equal(t, "siem.example:8088", address)
		return nil, errRefused
	}}
	_, err := n.Dial(t.Context(), "tcp", "siem.example:8088")
	require.ErrorIs(t, err, errRefused)
}

func TestDialGoesOutByItself(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	conn, err := sink.Network{}.Dial(t.Context(), "tcp", l.Addr().String())
	require.NoError(t, err)
	require.NoError(t, conn.Close())

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = sink.Network{}.Dial(ctx, "tcp", l.Addr().String())
	require.ErrorIs(t, err, context.Canceled)
}

func TestHeadersPrintTheirNamesOnly(t *testing.T) {
	h := sink.Headers{"X-Tenant": "s3cr3t", "Authorization": "Bearer s3cr3t"}
	const want = "[Authorization X-Tenant]"
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		assert.Equal(t, want, fmt.Sprintf(verb, h), verb)
	}
	var text strings.Builder
	for _, handler := range []slog.Handler{slog.NewTextHandler(&text, nil), slog.NewJSONHandler(&text, nil)} {
		slog.New(handler).Info("m", "headers", h)
	}
	assert.NotContains(t, text.String(), "s3cr3t")
	assert.Equal(t, 2, strings.Count(text.String(), want))
}
