package destination_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/destination"
	"github.com/auditstream/auditstream/destination/bundled"
	"github.com/auditstream/auditstream/internal/canary"
	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/otlp"
	"github.com/auditstream/auditstream/sink/sinktest"
	"github.com/auditstream/auditstream/sink/splunk"
	"github.com/auditstream/auditstream/sink/sumologic"
)

// sumo is the part of a Sumo Logic URL that everybody may know.
const sumo = "https://endpoint4.collection.sumologic.com/receiver/v1/http/"

var (
	network   = sink.Network{AllowPlaintext: true}
	logger    = slog.New(slog.DiscardHandler)
	providers = bundled.Providers(network, logger)
)

// stored are destinations whose secret is the canary.
func stored() map[string]sink.Destination {
	return map[string]sink.Destination{
		"otlp": otlp.Config{
			Endpoint: "https://collector.example:4318/v1/logs", Secret: secret.New(canary.Secret),
			Headers:  sink.Headers{"Authorization": "Bearer #{Secret | ToBase64}", "X-Tenant": "acme"},
			Resource: otlp.Resource{ServiceName: "server", Attributes: map[string]string{"k": "v"}},
			Network:  network, Logger: logger,
		},
		"splunk": splunk.Config{
			Endpoint: "https://splunk.example:8088", Token: secret.New(canary.Secret), Index: "audit",
			Headers: sink.Headers{"X-Gateway": "#{Secret | ToBase64}"}, Network: network, Logger: logger,
		},
		"sumologic": sumologic.Config{
			Endpoint: secret.New(sumo + "#{Secret | UriDataEscape}"), Secret: secret.New(canary.Secret), Category: "audit",
			Network: network, Logger: logger,
		},
	}
}

// requireSame compares two destinations, secrets included.
func requireSame(t *testing.T, want, got sink.Destination) {
	t.Helper()
	require.IsType(t, want, got)
	assert.Equal(t, secrets(t, want), secrets(t, got), "the secrets")
	wantText, err := json.Marshal(want)
	require.NoError(t, err)
	gotText, err := json.Marshal(got)
	require.NoError(t, err)
	assert.Equal(t, string(wantText), string(gotText))
}

// secrets returns whether the secrets of a destination are the canary; a failure must not show them.
func secrets(t *testing.T, d sink.Destination) (all []bool) {
	t.Helper()
	values := map[string][]secret.Value{}
	switch c := d.(type) {
	case otlp.Config:
		values["otlp"] = []secret.Value{c.Secret}
	case splunk.Config:
		values["splunk"] = []secret.Value{c.Token}
	case sumologic.Config:
		values["sumologic"] = []secret.Value{c.Secret}
	}
	for _, list := range values {
		for _, v := range list {
			all = append(all, v.Reveal() == canary.Secret)
		}
	}
	return all
}

func TestDocumentsShowNoSecretAndComeBackWhole(t *testing.T) {
	for name, d := range stored() {
		t.Run(name, func(t *testing.T) {
			_, err := d.Open()
			require.NoError(t, err)
			doc, err := providers.Encode(d)
			require.NoError(t, err)
			assert.Empty(t, canary.Find(string(doc), canary.Secret))
			assert.True(t, strings.HasPrefix(string(doc), `{"provider":"`+name+`","config":{`), "%s", doc)
			assert.NotContains(t, strings.ToLower(string(doc)), "network")
			back, err := providers.Decode(doc, d)
			require.NoError(t, err)
			requireSame(t, d, back)
			_, err = back.Open()
			require.NoError(t, err, "network and logger are there too")

			fresh, err := providers.Decode(doc, nil)
			require.NoError(t, err)
			assert.NotContains(t, secrets(t, fresh), true)
			_, err = fresh.Open()
			require.Error(t, err)
		})
	}
}

func TestShapeOfDocuments(t *testing.T) {
	for name, want := range map[string]string{
		"otlp": `{"provider":"otlp","config":{"endpoint":"https://collector.example:4318/v1/logs","protocol":"","secret":{"hasValue":true},` +
			`"headers":{"Authorization":"Bearer #{Secret | ToBase64}","X-Tenant":"acme"},"compression":"",` +
			`"tls":{"rootCAs":"","certificate":"","key":{"hasValue":false},"pinSHA256":""},` +
			`"resource":{"serviceName":"server","serviceVersion":"","attributes":{"k":"v"}}}}`,
		"splunk": `{"provider":"splunk","config":{"endpoint":"https://splunk.example:8088","token":{"hasValue":true},` +
			`"headers":{"X-Gateway":"#{Secret | ToBase64}"},"index":"audit","source":"","sourceType":"","host":"",` +
			`"acknowledge":false,"acknowledgeTimeout":"0s","compression":"",` +
			`"tls":{"rootCAs":"","certificate":"","key":{"hasValue":false},"pinSHA256":""}}}`,
		"sumologic": `{"provider":"sumologic","config":{"endpoint":{"hasValue":true},"secret":{"hasValue":true},"category":"audit",` +
			`"name":"","host":"","fields":{},"compression":"",` +
			`"tls":{"rootCAs":"","certificate":"","key":{"hasValue":false},"pinSHA256":""}}}`,
	} {
		doc, err := providers.Encode(stored()[name])
		require.NoError(t, err)
		assert.Equal(t, want, string(doc), "stored documents would not be read any more")
	}
}

// TestTheft tries to have a secret sent elsewhere by somebody who may edit a destination and does not know its secret.
func TestTheft(t *testing.T) {
	for name, tt := range map[string]struct{ provider, config string }{
		"another host":             {"otlp", `{"endpoint":"https://thief.example:4318/v1/logs"}`},
		"another port":             {"otlp", `{"endpoint":"https://collector.example:4319/v1/logs"}`},
		"another scheme":           {"otlp", `{"endpoint":"http://collector.example:4318/v1/logs"}`},
		"sent back":                {"otlp", `{"endpoint":"https://thief.example/","secret":{"hasValue":true}}`},
		"null":                     {"otlp", `{"endpoint":"https://thief.example/","secret":null}`},
		"user information":         {"otlp", `{"endpoint":"https://collector.example:4318@thief.example/v1/logs"}`},
		"another header":           {"otlp", `{"headers":{"Authorization":"Bearer #{Secret | ToBase64}","X-Log-Me":"#{Secret}"}}`},
		"a header of another name": {"otlp", `{"headers":{"User-Agent":"#{Secret}"}}`},
		"in the other spelling":    {"otlp", `{"headers":{"X-Log-Me":"#<Secret>"}}`},
		"another Splunk":           {"splunk", `{"endpoint":"https://thief.example:8088"}`},
		"Splunk's other header":    {"splunk", `{"headers":{"X-Log-Me":"#{Secret}"}}`},
		"another Sumo Logic":       {"sumologic", `{"endpoint":{"newValue":"https://thief.example/#{Secret}"}}`},
		"a text for an object":     {"sumologic", `{"endpoint":"https://thief.example/#{Secret}"}`},
		"an escaped key":           {"otlp", `{"\u0065ndpoint":"https://thief.example/v1/logs"}`},
	} {
		t.Run(name, func(t *testing.T) {
			current := stored()[tt.provider]
			_, err := providers.Decode([]byte(`{"provider":"`+tt.provider+`","config":`+tt.config+`}`), current)
			require.ErrorContains(t, err, "has to be given again")
			e, ok := errors.AsType[*sink.ConfigError](err)
			require.True(t, ok)
			assert.Contains(t, []string{"otlp: Config.secret", "splunk: Config.token", "sumologic: Config.secret"}, e.Field)
			assert.Empty(t, canary.Find(err.Error(), canary.Secret))
		})
	}
	t.Run("another provider", func(t *testing.T) {
		d, err := providers.Decode([]byte(`{"provider":"splunk","config":{"endpoint":"https://thief.example","token":{"hasValue":true}}}`),
			stored()["otlp"])
		require.NoError(t, err)
		assert.True(t, d.(splunk.Config).Token.IsZero())
		stream, err := auditstream.New(auditstream.Config{})
		require.NoError(t, err)
		assert.ErrorContains(t, stream.Test(t.Context(), d), "splunk: Config.Token")
	})
	t.Run("twice", func(t *testing.T) {
		_, err := providers.Decode([]byte(`{"provider":"otlp","config":{"endpoint":"https://collector.example:4318/v1/logs",`+
			`"endpoint":"https://thief.example/v1/logs"}}`), stored()["otlp"])
		require.ErrorContains(t, err, "is there twice")
	})
}

func TestEditsThatKeepTheSecret(t *testing.T) {
	for name, tt := range map[string]struct{ provider, config string }{
		"nothing":            {"otlp", `{}`},
		"another path":       {"otlp", `{"endpoint":"https://collector.example:4318/other"}`},
		"an upper-case host": {"otlp", `{"endpoint":"https://COLLECTOR.example:4318/v1/logs"}`},
		"another filter":     {"otlp", `{"headers":{"authorization":"Basic #{Secret}"}}`},
		"a plain header":     {"otlp", `{"headers":{"Authorization":"Bearer #{Secret}","X-Tenant":"b","X-More":"c"}}`},
		"Splunk's index":     {"splunk", `{"index":"other"}`},
		"Splunk's URL":       {"splunk", `{"endpoint":"https://splunk.example:8088/services/collector"}`},
		"Sumo Logic's URL":   {"sumologic", `{"endpoint":{"newValue":"` + sumo + `v2/#{Secret}"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := providers.Decode([]byte(`{"provider":"`+tt.provider+`","config":`+tt.config+`}`), stored()[tt.provider])
			require.NoError(t, err)
			assert.NotContains(t, secrets(t, d), false)
		})
	}
}

func TestBadDocuments(t *testing.T) {
	for doc, want := range map[string]string{
		`[]`:                                "destination: is a list: want an object",
		`{}`:                                "destination: provider: is not one of otlp, splunk, sumologic",
		`{"provider":"syslog"}`:             `destination: provider ("syslog"): is not one of otlp, splunk, sumologic`,
		`{"provider":7}`:                    "destination.provider: is a number: want a text",
		`{"provider":"splunk","config":[]}`: "splunk: Config: is a list: want an object",
		`{"provider":"splunk","config":{"Endpoint":"x"}}`:              "splunk: Config.Endpoint: is not known: write endpoint",
		`{"provider":"splunk","config":{"tls":{"insecure":true}}}`:     "splunk: Config.tls.insecure: is not known",
		`{"provider":"splunk","config":{"network":{}}}`:                "splunk: Config.network: is not known",
		`{"provider":"splunk","config":{"acknowledge":"yes"}}`:         "splunk: Config.acknowledge: is a text: want true or false",
		`{"provider":"splunk","config":{"acknowledgeTimeout":"long"}}`: `splunk: Config.acknowledgeTimeout ("long"): is no duration: write one such as "1m30s"`,
		`{"provider":"splunk","secrets":{}}`:                           "destination: secrets: is not known: it belongs to Restore",
		`{"provider":"splunk","extra":1}`:                              "destination.extra: is not known",
	} {
		_, err := providers.Decode([]byte(doc), nil)
		require.EqualError(t, err, want, doc)
		_, ok := errors.AsType[*sink.ConfigError](err)
		assert.True(t, ok)
	}
	_, err := providers.Encode(&sinktest.Recorder{})
	require.ErrorContains(t, err, "there is none for *sinktest.Recorder among otlp, splunk, sumologic")
	_, err = providers.Encode(nil)
	require.Error(t, err)
}

// vault is a host's encryption.
type vault struct{ cipher.AEAD }

func newVault(t *testing.T) vault {
	t.Helper()
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	block, err := aes.NewCipher(key)
	require.NoError(t, err)
	aead, err := cipher.NewGCMWithRandomNonce(block)
	require.NoError(t, err)
	return vault{aead}
}

func (v vault) seal(plain []byte) ([]byte, error)    { return v.Seal(nil, nil, plain, nil), nil }
func (v vault) unseal(cipher []byte) ([]byte, error) { return v.Open(nil, nil, cipher, nil) }

func TestStoreAndRestore(t *testing.T) {
	v := newVault(t)
	for name, d := range stored() {
		t.Run(name, func(t *testing.T) {
			doc, err := providers.Store(d, v.seal)
			require.NoError(t, err)
			assert.Empty(t, canary.Find(string(doc), canary.Secret))
			var indented bytes.Buffer
			require.NoError(t, json.Indent(&indented, doc, "", " "), "a database may write it in its own way")
			back, err := providers.Restore(indented.Bytes(), v.unseal)
			require.NoError(t, err)
			requireSame(t, d, back)
			_, err = back.Open()
			require.NoError(t, err)
		})
	}
}

func TestStoredDocumentThatWasTamperedWith(t *testing.T) {
	v := newVault(t)
	store := func(name string) string {
		doc, err := providers.Store(stored()[name], v.seal)
		require.NoError(t, err)
		return string(doc)
	}
	var otherSecrets struct{ Secrets json.RawMessage }
	require.NoError(t, json.Unmarshal([]byte(store("splunk")), &otherSecrets))
	for name, tt := range map[string]struct{ doc, want string }{
		"redirected": {
			strings.Replace(store("otlp"), "collector.example", "thief.example", 1), "is not the one that its secrets were stored with",
		},
		"another header": {
			strings.Replace(store("otlp"), `"X-Tenant":"acme"`, `"X-Log-Me":"#{Secret}"`, 1), "is not the one that its secrets were stored with",
		},
		"no Base64":      {strings.Replace(store("otlp"), `"secrets":{"secret":"`, `"secrets":{"secret":"*`, 1), "is no Base64"},
		"cut":            {strings.Replace(store("otlp"), `"secrets":{"secret":"`, `"secrets":{"secret":"AAAA`, 1), "could not be unsealed"},
		"unknown secret": {strings.Replace(store("otlp"), `"secrets":{"secret":`, `"secrets":{"other":`, 1), "destination: secrets.other: is not known"},
		"another provider": {
			strings.Replace(store("sumologic"), `"provider":"sumologic"`, `"provider":"none"`, 1), "is not one of",
		},
		"the secret of another": {
			`{"provider":"splunk","config":{"endpoint":"https://thief.example"},"secrets":` + string(otherSecrets.Secrets) + `}`,
			"is not the one that its secrets were stored with",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := providers.Restore([]byte(tt.doc), v.unseal)
			require.ErrorContains(t, err, tt.want)
			assert.Empty(t, canary.Find(err.Error(), canary.Secret))
		})
	}
	_, err := providers.Restore([]byte(store("otlp")), newVault(t).unseal)
	require.ErrorContains(t, err, "otlp.secret", "another key")
	_, err = providers.Restore([]byte(store("otlp")), func([]byte) ([]byte, error) { return []byte("x"), nil })
	require.ErrorContains(t, err, "was not sealed by Store")
	_, err = providers.Restore([]byte(`{"provider":1}`), v.unseal)
	require.Error(t, err)
	_, err = providers.Restore([]byte(`{"provider":"otlp","config":{"x":1}}`), v.unseal)
	require.Error(t, err)
}

func TestStoreThatFails(t *testing.T) {
	errVault := errors.New("the vault is shut")
	_, err := providers.Store(stored()["otlp"], func([]byte) ([]byte, error) { return nil, errVault })
	require.ErrorIs(t, err, errVault)
	_, err = providers.Store(&sinktest.Recorder{}, newVault(t).seal)
	require.ErrorContains(t, err, "there is none for")
}

func TestSetOfOnesOwn(t *testing.T) {
	set := destination.Set{"hec": destination.For[splunk.Config](nil)}
	d, err := set.Decode([]byte(`{"provider":"hec","config":{"endpoint":"https://splunk.example"}}`), nil)
	require.NoError(t, err)
	assert.Equal(t, "splunk https://splunk.example:443", d.String())
	assert.Equal(t, []string{"hec"}, set.Names())
}
