package otlp

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/siemtest"
)

// Of what failed, an attempt is in doubt unless the server said that it took nothing, or was never reached.
func TestGRPCNotTaken(t *testing.T) {
	throttled := siemtest.GRPC(codes.Unavailable, "busy")
	throttled.RetryAfter = time.Second
	internal := siemtest.GRPC(codes.Internal, "oops")
	internal.RetryAfter = time.Second
	for name, tt := range map[string]struct {
		answer siemtest.Answer
		want   bool
	}{
		"unavailable":                {siemtest.GRPC(codes.Unavailable, "proxy: reset"), false},
		"unavailable with RetryInfo": {throttled, true},
		"internal with RetryInfo":    {internal, false},
		"exhausted with RetryInfo":   {siemtest.Throttle(time.Second), true},
		"exhausted":                  {siemtest.GRPC(codes.ResourceExhausted, "quota"), true},
		"invalid":                    {siemtest.GRPC(codes.InvalidArgument, "no"), true},
		"unauthenticated":            {siemtest.GRPC(codes.Unauthenticated, "no"), true},
		"unimplemented":              {siemtest.GRPC(codes.Unimplemented, "no"), true},
		"unknown":                    {siemtest.GRPC(codes.Unknown, "oops"), false},
		"aborted":                    {siemtest.GRPC(codes.Aborted, "oops"), false},
		"connection closed":          {siemtest.Drop(), false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := newServer(t, siemtest.OTLPConfig{})
				srv.Respond(tt.answer)
				_, err := deliver(t.Context(), open(t, configFor(srv, GRPC)))
				assert.Equal(t, tt.want, asError(t, err).NotTaken)
			})
		})
	}
}

func TestGRPCNeverReached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, siemtest.OTLPConfig{})
		require.NoError(t, srv.SetOutage(true))
		_, err := deliver(t.Context(), open(t, configFor(srv, GRPC)))
		e := asError(t, err)
		assert.Equal(t, "connect", e.Code)
		assert.True(t, e.NotTaken)
	})
}

// An error of the host's own dialler is not changed, for the host may hand it out again.
func TestGRPCLeavesTheErrorOfADiallerAlone(t *testing.T) {
	own := &sink.Error{Verdict: sink.VerdictBlock, Err: errEncode, Code: "own", Remedy: "Ask."}
	cfg := Config{Protocol: GRPC, Endpoint: "http://127.0.0.1:4317"}
	cfg.Network.DialContext = refusing(own)
	_, err := deliver(t.Context(), open(t, cfg))
	e := asError(t, err)
	assert.Equal(t, "own", e.Code)
	assert.True(t, e.NotTaken)
	assert.False(t, own.NotTaken)
}

func refusing(err error) dialFunc {
	return func(context.Context, string, string) (net.Conn, error) { return nil, err }
}
