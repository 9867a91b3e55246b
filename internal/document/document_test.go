package document_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/internal/document"
	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
)

type inner struct {
	Roots string       `json:"roots"`
	Key   secret.Value `json:"key"`
}

type config struct {
	URL     string            `json:"url"`
	Token   secret.Value      `json:"token"`
	Wait    time.Duration     `json:"wait"`
	Ack     bool              `json:"ack"`
	Size    int               `json:"size"`
	Headers map[string]string `json:"headers"`
	TLS     inner             `json:"tls"`
	Own     func()            `json:"-"`
	Hidden  string

	_ struct{}
}

func full() config {
	return config{
		URL: "https://a.example", Token: secret.New("t0ken-of-a"), Wait: 90 * time.Second, Ack: true, Size: 7,
		Headers: map[string]string{"X-A": "1"}, TLS: inner{Roots: "pem", Key: secret.New("k3y")}, Hidden: "h",
	}
}

func TestEncode(t *testing.T) {
	for want, c := range map[string]config{
		`{"url":"https://a.example","token":{"hasValue":true},"wait":"1m30s","ack":true,"size":7,"headers":{"X-A":"1"},` +
			`"tls":{"roots":"pem","key":{"hasValue":true}}}`: full(),
		`{"url":"","token":{"hasValue":false},"wait":"0s","ack":false,"size":0,"headers":{},` +
			`"tls":{"roots":"","key":{"hasValue":false}}}`: {},
	} {
		got, err := document.Encode(c)
		require.NoError(t, err)
		assert.Equal(t, want, string(got))
		assert.True(t, json.Valid(got))
	}
}

func TestDecode(t *testing.T) {
	c := full()
	require.NoError(t, document.Decode("x", []byte(` {"url":"u","wait":"5ms","ack":false,"size":null,
		"headers":{"X-B":"2"},"tls":{"roots":"r"},"token":{"newValue":"n3w"}} `), &c))
	assert.Equal(t, "n3w", c.Token.Reveal())
	assert.Equal(t, "k3y", c.TLS.Key.Reveal())
	assert.Equal(t, map[string]string{"X-B": "2"}, c.Headers)
	assert.Equal(t, []string{"u", "r", "h", "5ms"}, []string{c.URL, c.TLS.Roots, c.Hidden, c.Wait.String()})
	assert.False(t, c.Ack)
	assert.Equal(t, 7, c.Size)
}

func TestWhatWasEncodedIsDecoded(t *testing.T) {
	text, err := document.Encode(full())
	require.NoError(t, err)
	c := config{Token: full().Token, Hidden: "h"}
	require.NoError(t, document.Decode("x", text, &c))
	again, err := document.Encode(c)
	require.NoError(t, err)
	assert.NotContains(t, string(again), "k3y")
	assert.Equal(t, strings.Replace(string(text), `"key":{"hasValue":true}`, `"key":{"hasValue":false}`, 1), string(again))
}

func TestProblemsNameThePath(t *testing.T) {
	for doc, want := range map[string][]string{
		``:                                      {"x: is empty: want an object"},
		`[]`:                                    {"x: is a list: want an object"},
		`null`:                                  {"x: is null: want an object"},
		`{"url":"a"`:                            {"x: is not valid JSON"},
		`{"url" "a"}`:                           {"x: is not valid JSON"},
		`{"url":"a"} {}`:                        {"x: has something behind the object"},
		`{"url":1}`:                             {"x.url: is a number: want a text"},
		`{"ack":"true"}`:                        {"x.ack: is a text: want true or false"},
		`{"size":1.5}`:                          {"x.size: is a number: want a whole number"},
		`{"size":1e40}`:                         {"x.size: is a number: want a whole number"},
		`{"wait":5}`:                            {`x.wait: is a number: want a text such as "1m30s"`},
		`{"wait":"soon"}`:                       {`x.wait ("soon"): is no duration: write one such as "1m30s"`},
		`{"headers":[]}`:                        {"x.headers: is a list: want an object"},
		`{"headers":{"X-A":1}}`:                 {"x.headers.X-A: is a number: want a text"},
		`{"headers":{"X-A":null}}`:              {"x.headers.X-A: is null: want a text"},
		`{"tls":"pem"}`:                         {"x.tls: is a text: want an object"},
		`{"tls":{"Roots":"pem"}}`:               {"x.tls.Roots: is not known: write roots"},
		`{"tls":{"verify":false}}`:              {"x.tls.verify: is not known"},
		`{"Own":1,"Hidden":"x"}`:                {"x.Own: is not known", "x.Hidden: is not known"},
		`{"url":"a","url":"b"}`:                 {"x.url: is there twice"},
		`{"a.b":1,"":1}`:                        {`x."a.b": is not known`, `x."": is not known`},
		`{"ack":1,"size":"1"}`:                  {"x.ack: is a number: want true or false", "x.size: is a text: want a whole number"},
		`{"` + strings.Repeat("é", 99) + `":1}`: {`x."` + strings.Repeat("é", 32) + `…": is not known`},
	} {
		t.Run(doc, func(t *testing.T) {
			c := full()
			err := document.Decode("x", []byte(doc), &c)
			require.Error(t, err)
			assert.Equal(t, strings.Join(want, "\n"), err.Error())
			_, ok := errors.AsType[*sink.ConfigError](err)
			assert.True(t, ok)
		})
	}
}

func TestProblemsWithSecretsShowNothing(t *testing.T) {
	for _, doc := range []string{
		`{"token":12345678}`, `{"token":["s3cr3t"]}`, `{"token":{"newValue":{"a":"s3cr3t"}}}`, `{"tls":{"key":["s3cr3t"]}}`,
	} {
		c := full()
		err := document.Decode("x", []byte(doc), &c)
		require.Error(t, err)
		assert.NotContains(t, err.Error(), "s3cr3t")
		assert.NotContains(t, err.Error(), "12345678")
		assert.Regexp(t, `^x\.(token|tls\.key): want a JSON string`, err.Error())
	}
}

func TestSecrets(t *testing.T) {
	c := full()
	found := document.Secrets(&c)
	require.Len(t, found, 2)
	assert.Equal(t, "token", found[0].Path)
	assert.Equal(t, "tls.key", found[1].Path)
	*found[1].Value = secret.New("other")
	assert.Equal(t, "other", c.TLS.Key.Reveal())
}

func TestUpdate(t *testing.T) {
	scope := func(c config) string { return c.URL }
	for name, tt := range map[string]struct {
		doc, token, key, url string
		asks                 bool
	}{
		"nothing":                     {`{}`, "t0ken-of-a", "k3y", "https://a.example", false},
		"another field":               {`{"size":9}`, "t0ken-of-a", "k3y", "https://a.example", false},
		"the same place":              {`{"url":"https://a.example"}`, "t0ken-of-a", "k3y", "https://a.example", false},
		"shown and sent back":         {`{"token":{"hasValue":true}}`, "t0ken-of-a", "k3y", "https://a.example", false},
		"a new token":                 {`{"token":{"newValue":"n3w"}}`, "n3w", "k3y", "https://a.example", false},
		"no token":                    {`{"token":{"newValue":""}}`, "", "k3y", "https://a.example", false},
		"elsewhere, with a new token": {`{"url":"https://b.example","token":"n3w"}`, "n3w", "k3y", "https://b.example", false},
		"elsewhere, without a token":  {`{"url":"https://b.example","token":{"newValue":""}}`, "", "k3y", "https://b.example", false},
		"elsewhere":                   {`{"url":"https://b.example"}`, "t0ken-of-a", "k3y", "https://a.example", true},
		"elsewhere, sent back":        {`{"url":"https://b.example","token":{"hasValue":true}}`, "t0ken-of-a", "k3y", "https://a.example", true},
		"elsewhere, null":             {`{"url":"https://b.example","token":null}`, "t0ken-of-a", "k3y", "https://a.example", true},
	} {
		t.Run(name, func(t *testing.T) {
			c := full()
			err := document.Update("x", []byte(tt.doc), &c, scope, "token")
			assert.Equal(t, tt.token, c.Token.Reveal())
			assert.Equal(t, tt.key, c.TLS.Key.Reveal())
			assert.Equal(t, tt.url, c.URL)
			if tt.asks {
				require.ErrorContains(t, err, "x.token: has to be given again")
				assert.NotContains(t, err.Error(), "t0ken")
			} else {
				require.NoError(t, err)
			}
		})
	}
}

func TestUpdateThatFailsChangesNothing(t *testing.T) {
	c := full()
	require.Error(t, document.Update("x", []byte(`{"size":9,"token":"n3w","no":1}`), &c, func(config) string { return "" }, "token"))
	assert.Equal(t, 7, c.Size)
	assert.Equal(t, "t0ken-of-a", c.Token.Reveal())
}

// FuzzUpdate looks for panics, for a secret that goes elsewhere, and for one that shows in an error.
func FuzzUpdate(f *testing.F) {
	for _, doc := range []string{
		`{}`, `{"url":"b"}`, `{"url":"b","token":{"newValue":"n"}}`, `{"token":{"hasValue":true},"tls":{"key":null}}`,
		`{"headers":{"a":"b"},"wait":"1s"}`, `{"url":"a","url":"b"}`, `{"\u0075rl":"b"}`,
	} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		c := full()
		err := document.Update("x", doc, &c, func(c config) string { return c.URL }, "token")
		if c.URL != full().URL {
			require.NotEqual(t, "t0ken-of-a", c.Token.Reveal(), "it went along")
		}
		if err != nil {
			require.NotContains(t, err.Error(), "t0ken-of-a")
			require.Equal(t, full().URL, c.URL)
		}
	})
}
