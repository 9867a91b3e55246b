package sumologic_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/siemtest"
	"github.com/auditstream/auditstream/sink/sumologic"
)

// TestFakeSumoLogic delivers to a source that somebody else wrote after the same documents.
func TestFakeSumoLogic(t *testing.T) {
	server, err := siemtest.NewSumoLogic(siemtest.SumoLogicConfig{TLS: true})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	c := sumologic.Config{
		Endpoint: secret.New(server.URL()), Category: "acme/audit", Name: "deploy", Host: "deploy-1",
		Fields: map[string]string{"tenant": "acme", "env": "prod"},
	}
	c.TLS.PinSHA256 = server.Fingerprint()
	batch := events(600, 3000)
	n, err := open(t, c).Deliver(t.Context(), batch)
	require.NoError(t, err)
	assert.Equal(t, 600, n)
	got := server.Events()
	require.Len(t, got, 600)
	for i, e := range got {
		assert.Equal(t, batch[i].ID, e.ID)
		assert.Equal(t, batch[i].Sequence, e.Sequence)
		assert.Equal(t, map[string]any{
			"category": "acme/audit", "name": "deploy", "host": "deploy-1", "client": "auditstream",
			"fields": map[string]any{"tenant": "acme", "env": "prod"},
		}, e.Metadata)
	}

	server.SetToken("another-code")
	n, err = open(t, c).Deliver(t.Context(), events(1, 0))
	assert.Zero(t, n)
	assert.Equal(t, "401", asError(t, err).Code)

	c.TLS.PinSHA256 = ""
	_, err = open(t, c).Deliver(t.Context(), events(1, 0))
	assert.Equal(t, sink.VerdictBlock, asError(t, err).Verdict, "the certificate is self-signed")
}
