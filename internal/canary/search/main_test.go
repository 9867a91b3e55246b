package main

import (
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/auditstream/auditstream/internal/canary"
)

func TestSearch(t *testing.T) {
	t.Parallel()
	in64 := base64.StdEncoding.EncodeToString([]byte("user:" + canary.Secret))
	half := len(canary.Secret) / 2
	for text, want := range map[string][]string{
		"":                                nil,
		"ok\t./...\nPASS\n":               nil,
		"a\nb " + canary.Secret + "\nc":   {"2: the secret, as it is"},
		in64 + "\n\n" + canary.Secret[:8]: {"1: the secret, in Base64", "3: the secret, in part"},
		in64[:13] + "\n    " + in64[13:]:  {" the secret over several lines, in Base64"},
		canary.Secret[:half/2]:            nil,
	} {
		assert.Equal(t, want, search(text))
	}
}
