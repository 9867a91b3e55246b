package otlp

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	collogpb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/test/bufconn"

	"github.com/auditstream/auditstream/sink"
)

// slowService takes every request, a second later.
type slowService struct {
	collogpb.UnimplementedLogsServiceServer
	requests atomic.Int64
}

// Export implements the service.
func (s *slowService) Export(
	context.Context, *collogpb.ExportLogsServiceRequest,
) (*collogpb.ExportLogsServiceResponse, error) {
	s.requests.Add(1)
	time.Sleep(time.Second)
	return &collogpb.ExportLogsServiceResponse{}, nil
}

// TestGRPCServerEndsConnectionsByAge has a server behind a balancer end each connection after ten seconds, mostly in the
// middle of a request. What is under way is answered, and what comes next dials.
func TestGRPCServerEndsConnectionsByAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := bufconn.Listen(1 << 20)
		service := new(slowService)
		srv := grpc.NewServer(grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionAge: 10 * time.Second, MaxConnectionAgeGrace: 5 * time.Second,
		}))
		collogpb.RegisterLogsServiceServer(srv, service)
		go func() { _ = srv.Serve(l) }()
		dials := 0
		s := open(t, Config{
			Protocol: GRPC, Endpoint: "http://127.0.0.1:4317", Compression: None,
			Network: sink.Network{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				dials++
				return l.DialContext(ctx)
			}},
		})
		for range 60 {
			n, err := deliver(t.Context(), s)
			require.NoError(t, err)
			require.Equal(t, 1, n)
			time.Sleep(100 * time.Millisecond)
		}
		assert.EqualValues(t, 60, service.requests.Load(), "nothing is sent twice")
		assert.Greater(t, dials, 4)
		require.NoError(t, s.Close())
		srv.Stop()
	})
}
