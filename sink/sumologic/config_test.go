package sumologic_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/sumologic"
)

const sumo = "https://endpoint4.collection.sumologic.com/receiver/v1/http/"

func refuse(context.Context, string, string) (net.Conn, error) {
	return nil, errors.New("no route to " + code)
}

func TestOpenRefuses(t *testing.T) {
	good := secret.New(sumo + code)
	many := make(map[string]string)
	for i := range 31 {
		many["f"+strconv.Itoa(i)] = "v"
	}
	for name, test := range map[string]struct {
		config sumologic.Config
		want   []string
	}{
		"nothing": {sumologic.Config{}, []string{"sumologic: Config.Endpoint: is empty: write a URL such as https://host.example/path"}},
		"secret beside a whole URL": {
			sumologic.Config{Endpoint: good, Secret: secret.New(code)},
			[]string{"sumologic: Config.Secret: is set, but nothing uses it: write #{Secret} where it belongs, or clear it"},
		},
		"template without a secret": {
			sumologic.Config{Endpoint: secret.New(sumo + "#{Secret}")},
			[]string{"sumologic: Config.Secret: is empty while the secret is used in Endpoint: type the secret in"},
		},
		"the code alone": {endpoint(code), []string{"sumologic: Config.Endpoint: at byte 0: the URL does not begin with a literal scheme and host: write it as https://host/path"}},
		"no path":        {endpoint("https://" + code), []string{"sumologic: Config.Endpoint: has no path: copy the whole URL, secret part included"}},
		"plain http":     {endpoint("http://siem.example/receiver/v1/http/" + code), []string{"sumologic: Config.Endpoint: begins with http://, which would send the secret in Endpoint in the clear: write https://"}},
		"TLS without TLS": {
			sumologic.Config{Endpoint: secret.New("http://localhost/receiver/" + code), TLS: sink.TLS{PinSHA256: strings.Repeat("00", 32)}},
			[]string{"sumologic: Config.TLS: is set while Endpoint begins with http://: write https://, or leave the TLS settings empty"},
		},
		"everything at once": {
			sumologic.Config{
				Endpoint: secret.New("ftp://siem.example/" + code), Category: "a\nb", Name: "ü", Host: " h",
				Fields: map[string]string{
					"": "v", "k": "", "a,b": "v", "c": "x=y", "d": "x,y", "e": "x\ny", "f": strings.Repeat("x", 201),
					strings.Repeat("k", 256): "v", "g\x20": "v",
				},
				Compression: "zstd", TLS: sink.TLS{Certificate: "x"},
			},
			[]string{
				"sumologic: Config.Endpoint: does not begin with https:// or http://",
				`sumologic: Config.Category ("a\nb"): holds a line break, a control character or a letter beyond ASCII: write printable ASCII`,
				`sumologic: Config.Name ("ü"): holds a line break, a control character or a letter beyond ASCII: write printable ASCII`,
				`sumologic: Config.Host (" h"): has a space at its beginning or end: take it out`,
				`sumologic: Config.Fields[""]: has an empty name: give it one or remove it`,
				`sumologic: Config.Fields["a,b"] (the name) ("a,b"): holds a comma or an equals sign, which separate fields: write another character`,
				`sumologic: Config.Fields["c"] ("x=y"): holds a comma or an equals sign, which separate fields: write another character`,
				`sumologic: Config.Fields["d"] ("x,y"): holds a comma or an equals sign, which separate fields: write another character`,
				`sumologic: Config.Fields["e"] ("x\ny"): holds a line break, a control character or a letter beyond ASCII: write printable ASCII`,
				`sumologic: Config.Fields["f"] ("` + strings.Repeat("x", 100) + `"): has 201 bytes: write at most 200`,
				`sumologic: Config.Fields["g "] (the name) ("g "): has a space at its beginning or end: take it out`,
				`sumologic: Config.Fields["k"]: has an empty value: give it one or remove it`,
				`sumologic: Config.Fields["` + strings.Repeat("k", 100) + `"] (the name) ("` + strings.Repeat("k", 100) + `"): has 256 bytes: write at most 255`,
				`sumologic: Config.TLS.Key: is empty while TLS.Certificate is set: set both or neither`,
				`sumologic: Config.Compression ("zstd"): is not known: write "gzip" or "none"`,
			},
		},
		"too many fields": {sumologic.Config{Endpoint: good, Fields: many}, []string{"sumologic: Config.Fields: has 31 fields: Sumo Logic takes at most 30"}},
		"long category":   {sumologic.Config{Endpoint: good, Category: strings.Repeat("x", 1025)}, []string{`sumologic: Config.Category ("` + strings.Repeat("x", 100) + `"): has 1025 bytes: write at most 1024`}},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := test.config.Open()
			require.Error(t, err)
			assert.Nil(t, s)
			assert.ElementsMatch(t, test.want, strings.Split(err.Error(), "\n"))
			joined, ok := err.(interface{ Unwrap() []error })
			require.True(t, ok)
			for _, e := range joined.Unwrap() {
				assert.ErrorAs(t, e, new(*sink.ConfigError))
			}
			assert.NotContains(t, err.Error(), code)
		})
	}
}

// A URL is pasted with what stood around it, or half of it. Whatever is wrong, nothing of it may show.
func TestProblemsWithTheEndpointShowNothingOfIt(t *testing.T) {
	for _, bad := range []string{
		" " + sumo + code, sumo + code + "\n", sumo + code + "#x", sumo + code + "%", sumo + code + "/../x", sumo + code + "#{Secret",
		sumo + code + "#{Secret | Nope}", sumo + "#{" + code + "}", "https://" + code, code, "https://" + code + ":x/y", "https:/" + code,
		sumo + code + "ü", "ftp://" + code + "/" + code, "https://" + code + "@/", "https://" + code + "\\x/",
	} {
		c := endpoint(bad)
		_, err := c.Open()
		require.Error(t, err, bad)
		assertNoCode(t, err.Error())
		assertNoCode(t, fmt.Sprint(c))
	}
}

// assertNoCode fails if a text has 8 bytes of the code, or of its usual forms.
func assertNoCode(t *testing.T, text string) {
	t.Helper()
	low := strings.ToLower(text)
	for _, form := range []string{code, base64.StdEncoding.EncodeToString([]byte(code)), url.QueryEscape(code)} {
		for i := range len(form) - 7 {
			assert.NotContains(t, low, strings.ToLower(form[i:i+8]))
		}
	}
}

func TestPrintedForms(t *testing.T) {
	c := sumologic.Config{
		Endpoint: secret.New(sumo + code + "/#{Secret}"), Secret: secret.New(code + code),
		TLS: sink.TLS{Key: secret.New(code)}, Fields: map[string]string{"tenant": "acme"},
	}
	const want = "sumologic https://endpoint4.collection.sumologic.com:443"
	assert.Equal(t, want, c.String())
	valid := c
	valid.TLS = sink.TLS{}
	opened := open(t, valid)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		assert.Equal(t, want, fmt.Sprintf(verb, c))
		assert.Contains(t, fmt.Sprintf(verb, &c), want)
		assertNoCode(t, fmt.Sprintf(verb, struct{ hidden sumologic.Config }{c}))
		assertNoCode(t, fmt.Sprintf(verb, opened))
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "config", c)
	assert.Contains(t, log.String(), want)
	assertNoCode(t, log.String())

	text, err := json.Marshal(c)
	require.NoError(t, err)
	assertNoCode(t, string(text))
	assert.NotContains(t, string(text), "Network")
	assert.NotContains(t, string(text), "Logger")
}

func TestConfigSurvivesJSON(t *testing.T) {
	c := sumologic.Config{Category: "acme/audit", Fields: map[string]string{"a": "b"}, Compression: sumologic.None}
	c.Endpoint = secret.New(sumo + code)
	text, err := json.Marshal(c)
	require.NoError(t, err)
	back := sumologic.Config{Endpoint: c.Endpoint} // what the host has stored
	require.NoError(t, json.Unmarshal(text, &back))
	assert.Equal(t, c, back)
}

// TestCanary drives the driver through its failures, with a destination that repeats the secret wherever it can, and
// searches everything that comes out.
func TestCanary(t *testing.T) {
	forms := []string{code, base64.StdEncoding.EncodeToString([]byte(code)), url.QueryEscape(code), strings.ToUpper(code)}
	for _, status := range []int{200, 204, 301, 302, 307, 308, 400, 401, 403, 404, 407, 413, 415, 418, 429, 500, 502, 503, 599} {
		for _, form := range forms {
			s := newFakeSource(t, func(w http.ResponseWriter, _ []byte) {
				for _, name := range []string{"Retry-After", "Content-Type", "X-Token", "Www-Authenticate"} {
					w.Header().Set(name, form)
				}
				w.Header().Set("Location", "https://"+strings.Trim(url.PathEscape(form), "=")+".example/"+form)
				w.WriteHeader(status)
				if status != http.StatusNoContent {
					_, _ = fmt.Fprintf(w, `{"status":%d,"id":%q,"code":%q,"message":%q}`, status, form, form, form)
				}
			})
			c := endpoint(s.url)
			log, text := newLogger()
			c.Logger = log
			_, err := open(t, c).Deliver(t.Context(), events(2, 0))
			assertNoCode(t, text.String())
			for ; err != nil; err = errors.Unwrap(err) {
				assertNoCode(t, fmt.Sprintf("%v %+v %#v %T", err, err, err, err))
				if e, ok := err.(*sink.Error); ok { //nolint:errorlint // Each error of the chain has its turn.
					assertNoCode(t, e.Code+e.Remedy)
				}
			}
		}
	}
}

func TestCanaryWithoutAnAnswer(t *testing.T) {
	for _, err := range []error{
		errors.New(code), &url.Error{Op: "Post", URL: sumo + code, Err: errors.New("x")},
		&net.DNSError{Err: code, Name: code, IsNotFound: true}, io.ErrUnexpectedEOF,
	} {
		c := endpoint(sumo + code)
		c.Network.DialContext = func(context.Context, string, string) (net.Conn, error) { return nil, err }
		_, got := open(t, c).Deliver(t.Context(), events(1, 0))
		for ; got != nil; got = errors.Unwrap(got) {
			assertNoCode(t, fmt.Sprintf("%v %+v %#v", got, got, got))
		}
	}
}
