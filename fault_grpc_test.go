package auditstream_test

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
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/internal/canary"
	"github.com/auditstream/auditstream/sink/siemtest"
)

// sufferCodes is suffer for gRPC codes, each with its name in the error.
func sufferCodes(t *testing.T, want outcome, all map[codes.Code]string) {
	t.Helper()
	for code, name := range all {
		t.Run(name, func(t *testing.T) {
			inDrivers(t, only(otlpGRPC), auditstream.Config{}, func(t *testing.T, _ driver, f *trial) {
				want := want
				want.text = name
				suffer(t, f, siemtest.GRPC(code, "in words of its own"), want)
			})
		})
	}
}

// The destination is out of quota. With RetryInfo that passes. Without, the protocol would drop the events; they are kept,
// and somebody is told.
func TestFaultResourceExhausted(t *testing.T) {
	sufferCodes(t, outcome{condition: auditstream.ConditionBlocked, remedy: "quota"},
		map[codes.Code]string{codes.ResourceExhausted: "RESOURCE_EXHAUSTED"})
	t.Run("with RetryInfo", func(t *testing.T) {
		inDrivers(t, only(otlpGRPC), auditstream.Config{}, func(t *testing.T, _ driver, f *trial) {
			answer := siemtest.Throttle(90 * time.Second)
			waited := throttled(t, f, answer)
			assert.GreaterOrEqual(t, waited, 90*time.Second)
			assert.LessOrEqual(t, waited, 91*time.Second)
			assert.Zero(t, f.Status().Totals.InDoubt)
		})
	})
}

// What the protocol calls passing, and what nobody can be sure about, is tried again.
func TestFaultPassingCode(t *testing.T) {
	sufferCodes(t, outcome{condition: auditstream.ConditionRetrying, inDoubt: true}, map[codes.Code]string{
		codes.Unavailable: "UNAVAILABLE", codes.Canceled: "CANCELLED", codes.DeadlineExceeded: "DEADLINE_EXCEEDED",
		codes.Aborted: "ABORTED", codes.OutOfRange: "OUT_OF_RANGE", codes.DataLoss: "DATA_LOSS", codes.Unknown: "UNKNOWN",
		codes.Internal: "INTERNAL", codes.AlreadyExists: "ALREADY_EXISTS", codes.FailedPrecondition: "FAILED_PRECONDITION",
		codes.Code(99): "code 99",
	})
}

// These stay as they are until somebody acts.
func TestFaultBlockingCode(t *testing.T) {
	sufferCodes(t, outcome{condition: auditstream.ConditionBlocked}, map[codes.Code]string{
		codes.Unauthenticated: "UNAUTHENTICATED", codes.PermissionDenied: "PERMISSION_DENIED",
		codes.Unimplemented: "UNIMPLEMENTED", codes.NotFound: "NOT_FOUND",
	})
}

// aging is an OTLP server that ends each connection after ten seconds, mostly in the midst of a request.
type aging struct {
	collogpb.UnimplementedLogsServiceServer
	requests atomic.Int64
	ids      chan string
}

// Export implements the service.
func (a *aging) Export(
	_ context.Context, request *collogpb.ExportLogsServiceRequest,
) (*collogpb.ExportLogsServiceResponse, error) {
	a.requests.Add(1)
	for _, resource := range request.GetResourceLogs() {
		for _, scope := range resource.GetScopeLogs() {
			for _, record := range scope.GetLogRecords() {
				for _, attribute := range record.GetAttributes() {
					if attribute.GetKey() == "audit.record.id" {
						a.ids <- attribute.GetValue().GetStringValue()
					}
				}
			}
		}
	}
	time.Sleep(time.Second)
	return &collogpb.ExportLogsServiceResponse{}, nil
}

// The server ends its connections by age, with GOAWAY. What is under way is answered, and what comes next dials.
func TestFaultGoAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		listener, service := newPipes(), &aging{ids: make(chan string, 1000)}
		srv := grpc.NewServer(grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionAge: 10 * time.Second, MaxConnectionAgeGrace: 5 * time.Second,
		}))
		collogpb.RegisterLogsServiceServer(srv, service)
		go func() { _ = srv.Serve(listener) }()
		t.Cleanup(srv.Stop)
		dials := 0
		at := place{base: "http://127.0.0.1:4317"}
		at.network.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			dials++
			return listener.dial(ctx, network, address)
		}
		d := deliverTo(t, only(otlpGRPC)[0].config(at), new(canary.Log), auditstream.Config{})
		for range 120 {
			d.publish(t, 2)
			time.Sleep(700 * time.Millisecond)
		}
		d.drain(t)
		close(service.ids)
		var all []string
		for id := range service.ids {
			all = append(all, id)
		}
		once, duplicates := arrived(all)
		assert.Equal(t, span(1, 240), once)
		assert.LessOrEqual(t, duplicates, d.Status().Totals.InDoubt)
		assert.Greater(t, dials, 5)
		assert.Equal(t, auditstream.ConditionHealthy, d.Status().Condition)
	})
}

// The server is restarted while requests are under way, again and again.
func TestFaultServerRestart(t *testing.T) {
	inEveryDriver(t, func(t *testing.T, _ driver, f *trial) {
		slow := func(siemtest.Request) *siemtest.Answer {
			time.Sleep(400 * time.Millisecond)
			return nil
		}
		f.siem.Fail(slow)
		for range 20 {
			for range 5 {
				f.publish(t, 3)
				time.Sleep(300 * time.Millisecond)
			}
			require.NoError(t, f.siem.SetOutage(true))
			f.publish(t, 3)
			time.Sleep(2 * time.Second)
			require.NoError(t, f.siem.SetOutage(false))
		}
		f.drain(t)
		f.checkArrival(t)
	})
}
