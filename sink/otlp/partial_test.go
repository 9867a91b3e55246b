package otlp

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/siemtest"
)

// TestWarningsOfAcceptedRequests holds that what a destination says about records that it took is passed on, once.
func TestWarningsOfAcceptedRequests(t *testing.T) {
	tests := []struct {
		name     string
		rejected int64
		message  string
		warns    bool
	}{
		{"a message only", 0, "one attribute\nwas renamed", true},
		{"a negative count", -3, "one attribute\nwas renamed", true},
		{"nothing", 0, "", false},
		{"a negative count only", -3, "", false},
		{"a count", 1, "one attribute\nwas renamed", false}, // an error says it
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, p := range protocols {
				t.Run(string(p), func(t *testing.T) {
					srv := newServer(t, siemtest.OTLPConfig{})
					var log strings.Builder
					cfg := configFor(srv, p)
					cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
					s := open(t, cfg)
					for range 3 {
						answer := siemtest.PartialSuccess(tt.rejected, tt.message)
						srv.Respond(answer)
						n, err := s.Deliver(t.Context(), benchEvents(2))
						assert.Equal(t, 2, n)
						assert.Equal(t, tt.rejected > 0, err != nil)
					}
					if !tt.warns {
						assert.Empty(t, log.String())
						return
					}
					assert.Equal(t, 1, strings.Count(log.String(), "\n"), log.String())
					assert.Contains(t, log.String(), "level=WARN")
					assert.Contains(t, log.String(), "one attributewas renamed")
					assert.Contains(t, log.String(), `destination="otlp http://127.0.0.1:`)
				})
			}
		})
	}
}

// TestWarningsAreScrubbed has a destination repeat a credential in a warning.
func TestWarningsAreScrubbed(t *testing.T) {
	for _, p := range protocols {
		t.Run(string(p), func(t *testing.T) {
			srv := newServer(t, siemtest.OTLPConfig{})
			var log strings.Builder
			cfg := configFor(srv, p)
			cfg.Secret, cfg.Headers = secret.New(canary), sink.Headers{"X-Api-Key": "#{Secret}"}
			cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
			srv.Respond(siemtest.PartialSuccess(0, "hello "+strings.Join(forms(), " ")))
			_, err := deliver(t.Context(), open(t, cfg))
			require.NoError(t, err)
			assert.Contains(t, log.String(), "hello")
			for _, f := range forms() {
				assert.NotContains(t, log.String(), f)
			}
		})
	}
}
