package otlp

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	collogpb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/protobuf/proto"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/siemtest"
)

// TestMain sets the proxy for the whole process: net/http reads it once, at the first request of anybody.
func TestMain(m *testing.M) {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "GRPC_PROXY"} {
		for _, n := range []string{name, strings.ToLower(name)} {
			if err := os.Setenv(n, "http://ambient-proxy.invalid:3128"); err != nil {
				panic(err)
			}
		}
	}
	// What the SDK has to say about an odd environment, and would print.
	otel.SetErrorHandler(&printed)
	os.Exit(m.Run())
}

// printed collects what goes to the global error handler of OpenTelemetry.
var printed handler

// ambient are the variables of a host that uses OpenTelemetry for itself.
func ambient(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{
		"OTEL_RESOURCE_ATTRIBUTES":                          "ambient.name=ambient-value,service.version=ambient",
		"OTEL_SERVICE_NAME":                                 "ambient-service",
		"OTEL_SDK_DISABLED":                                 "true",
		"OTEL_LOGS_EXPORTER":                                "none",
		"OTEL_GO_X_OBSERVABILITY":                           "true",
		"OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT":              "1",
		"OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT":       "1",
		"OTEL_ATTRIBUTE_COUNT_LIMIT":                        "1",
		"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT":                 "1",
		"OTEL_BLRP_MAX_QUEUE_SIZE":                          "1",
		"OTEL_BLRP_MAX_EXPORT_BATCH_SIZE":                   "1",
		"OTEL_BLRP_EXPORT_TIMEOUT":                          "1",
		"OTEL_BLRP_SCHEDULE_DELAY":                          "1",
		"OTEL_EXPORTER_OTLP_PROTOCOL":                       "http/json",
		"OTEL_EXPORTER_OTLP_LOGS_PROTOCOL":                  "http/json",
		"OTEL_EXPORTER_OTLP_HEADERS":                        "Ambient-Key=ambient-secret,Authorization=Bearer%20ambient",
		"OTEL_EXPORTER_OTLP_LOGS_HEADERS":                   "Ambient-Logs-Key=ambient-secret",
		"OTEL_EXPORTER_OTLP_ENDPOINT":                       "http://ambient.invalid:4318/ambient",
		"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT":                  "https://ambient.invalid:4318/ambient",
		"OTEL_EXPORTER_OTLP_COMPRESSION":                    "none",
		"OTEL_EXPORTER_OTLP_LOGS_COMPRESSION":               "gzip",
		"OTEL_EXPORTER_OTLP_TIMEOUT":                        "1",
		"OTEL_EXPORTER_OTLP_LOGS_TIMEOUT":                   "1",
		"OTEL_EXPORTER_OTLP_INSECURE":                       "true",
		"OTEL_EXPORTER_OTLP_LOGS_INSECURE":                  "true",
		"OTEL_EXPORTER_OTLP_CERTIFICATE":                    "/ambient/does-not-exist.pem",
		"OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE":               ambientCertificate(t),
		"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE":             "/ambient/does-not-exist.pem",
		"OTEL_EXPORTER_OTLP_CLIENT_KEY":                     "/ambient/does-not-exist.pem",
		"OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE":        "/ambient/does-not-exist.pem",
		"OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY":                "/ambient/does-not-exist.pem",
		"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta",
	}
	return all
}

// ambientCertificate writes a certificate that is valid.
func ambientCertificate(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ambient.pem")
	srv := newServer(t, siemtest.OTLPConfig{TLS: true})
	require.NoError(t, os.WriteFile(path, []byte(srv.CertPEM()), 0o600))
	return path
}

// forget makes the process forget what it has made under another environment.
func forget(t *testing.T) {
	t.Helper()
	oldMappers, oldExporter := mappers, httpExporter
	t.Cleanup(func() { mappers, httpExporter = oldMappers, oldExporter })
	mappers, httpExporter = &sync.Pool{New: mappers.New}, new(sharedExporter)
}

// exchange is what a test compares: everything that one Deliver did to the network.
type exchange struct {
	dialled []string
	headers map[string]string
	export  *collogpb.ExportLogsServiceRequest
}

// exchangeOf delivers a large event to a server that takes five seconds to answer.
func exchangeOf(t *testing.T, p Protocol, compression Compression) exchange {
	t.Helper()
	forget(t)
	var got exchange
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, siemtest.OTLPConfig{})
		srv.Fail(func(siemtest.Request) *siemtest.Answer {
			time.Sleep(5 * time.Second)
			return nil
		})
		cfg := configFor(srv, p)
		cfg.Compression = compression
		cfg.Headers = sink.Headers{"X-Tenant": "blue"}
		// A name, because proxies of the environment are never used for loopback.
		local := strings.TrimPrefix(strings.TrimSuffix(cfg.Endpoint, "/v1/logs"), "http://")
		cfg.Endpoint = strings.Replace(cfg.Endpoint, "127.0.0.1", "collector.example", 1)
		cfg.Network.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			got.dialled = append(got.dialled, address)
			return srv.DialContext(ctx, network, local)
		}
		e := fullEvent()
		for i := range 150 {
			e.Attributes = append(e.Attributes, slog.String("attribute.number."+strconv.Itoa(i), "value"))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		s := open(t, cfg)
		n, err := s.Deliver(ctx, []sink.Event{e})
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.NoError(t, s.Close())
		require.Len(t, srv.Requests(), 1)
		got.export = srv.Exports()[0]
		got.headers = make(map[string]string)
		for name := range srv.Requests()[0].Header {
			if name != "Grpc-Timeout" {
				got.headers[name] = srv.Requests()[0].Sent(name)
			}
		}
		got.headers["encoding"] = srv.Requests()[0].Header.Get("Grpc-Encoding")
		srv.Close()
	})
	return got
}

// TestEnvironmentChangesNothing compares what is sent with and without each variable of the environment, and with all.
func TestEnvironmentChangesNothing(t *testing.T) {
	for _, p := range protocols {
		t.Run(string(p), func(t *testing.T) {
			for _, compression := range []Compression{Gzip, None} {
				clean := exchangeOf(t, p, compression)
				check := func(t *testing.T) {
					t.Helper()
					got := exchangeOf(t, p, compression)
					assert.Equal(t, clean.dialled, got.dialled)
					assert.Equal(t, clean.headers, got.headers)
					assert.Truef(t, proto.Equal(clean.export, got.export), "%v", got.export)
					assert.NotContains(t, fmt.Sprint(got.headers, got.export), "ambient")
				}
				assert.Len(t, clean.dialled, 1)
				assert.Contains(t, clean.dialled[0], "collector.example")
				all := ambient(t)
				for _, name := range slices.Sorted(maps.Keys(all)) {
					t.Run(string(compression)+"/"+name, func(t *testing.T) {
						t.Setenv(name, all[name])
						check(t)
					})
				}
				t.Run(string(compression)+"/all", func(t *testing.T) {
					for name, value := range all {
						t.Setenv(name, value)
					}
					check(t)
				})
			}
		})
	}
}

// TestEnvironmentIsNotTrusted checks that a certificate of the environment does not vouch for a server, and that the
// word "insecure" does not take TLS away.
func TestEnvironmentIsNotTrusted(t *testing.T) {
	for _, p := range protocols {
		t.Run(string(p), func(t *testing.T) {
			forget(t)
			srv := newServer(t, siemtest.OTLPConfig{TLS: true})
			path := filepath.Join(t.TempDir(), "server.pem")
			require.NoError(t, os.WriteFile(path, []byte(srv.CertPEM()), 0o600))
			t.Setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", path)
			t.Setenv("OTEL_EXPORTER_OTLP_INSECURE", "true")
			t.Setenv("OTEL_EXPORTER_OTLP_LOGS_INSECURE", "true")

			_, err := deliver(t.Context(), open(t, configFor(srv, p)))
			assert.Equal(t, sink.VerdictBlock, asError(t, err).Verdict)
			assert.Empty(t, srv.Events())

			cfg := configFor(srv, p)
			cfg.TLS.RootCAs = srv.CertPEM()
			n, err := deliver(t.Context(), open(t, cfg))
			require.NoError(t, err)
			assert.Equal(t, 1, n)
		})
	}
}
