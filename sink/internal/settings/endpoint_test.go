package settings_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/settings"
)

const token = "t0ken-Canary-7f3a"

func mustURL(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	require.NoError(t, err)
	return u
}

func TestEndpoint(t *testing.T) {
	tests := map[string]struct {
		template string
		secret   string
		want     string // the URL, or
		problem  string // the whole text of the error
	}{
		"literal":            {template: "https://host.example/v1/logs", want: "https://host.example/v1/logs"},
		"token in the path":  {template: "https://host.example/#{Secret}/x", secret: token, want: "https://host.example/" + token + "/x"},
		"token in the query": {template: "https://host.example/?t=#{Secret}", secret: token, want: "https://host.example/?t=" + token},
		"token as the user":  {template: "https://#{Secret}@host.example/", secret: token, want: "https://" + token + "@host.example/"},
		"upper-case scheme":  {template: "HTTPS://host.example/", want: "https://host.example/"},
		"empty":              {problem: "drv: Config.Endpoint: is empty: write a URL such as https://host.example/path"},
		"other scheme":       {template: "ftp://host.example/", problem: "drv: Config.Endpoint: does not begin with https:// or http://"},
		"port zero":          {template: "https://host.example:0/", problem: "drv: Config.Endpoint: has a port outside 1 to 65535"},
		"port too high":      {template: "https://host.example:65536/", problem: "drv: Config.Endpoint: has a port outside 1 to 65535"},
		"token, no secret":   {template: "https://host.example/#{Secret}", problem: "drv: Config.Secret: is empty while the secret is used in Endpoint: type the secret in"},
		"token, filter, no secret": {
			template: "https://host.example/#{Secret | Substring 4}",
			problem:  "drv: Config.Secret: is empty while the secret is used in Endpoint: type the secret in",
		},
		"secret, no token": {template: "https://host.example/", secret: token, problem: "drv: Config.Secret: is set, but nothing uses it: write #{Secret} where it belongs, or clear it"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := settings.New("drv", "Secret", secret.New(test.secret))
			u := c.Endpoint("Endpoint", test.template)
			err := c.Done()
			if test.problem != "" {
				require.EqualError(t, err, test.problem)
				var ce *sink.ConfigError
				require.ErrorAs(t, err, &ce)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.want, u.String())
		})
	}
}

// Problems that package secret finds are worded by it; none may show the template, which may hold a pasted credential.
func TestEndpointErrorsShowNothingOfTheTemplate(t *testing.T) {
	for name, template := range map[string]string{
		"no scheme":        "host.example/" + token,
		"space":            "https://host.example/" + token + " x",
		"fragment":         "https://host.example/" + token + "#f",
		"bad escape":       "https://host.example/" + token + "%zz",
		"bad port":         "https://host.example:" + token + "/",
		"no host":          "https:///" + token,
		"unknown filter":   "https://host.example/" + token + "#{Secret | Nope}",
		"unknown token":    "https://host.example/" + token + "#{" + token + "}",
		"open token":       "https://host.example/" + token + "#{Secret",
		"token in host":    "https://#{Secret}.example/" + token,
		"dot segments":     "https://host.example/" + token + "/../x",
		"failing filter":   "https://host.example/" + token + "/#{Secret | FromBase64}",
		"token adds query": "https://host.example/" + token + `/#{Secret | Append "?x"}`,
	} {
		t.Run(name, func(t *testing.T) {
			c := settings.New("drv", "Secret", secret.New("§§ not Base64 §§"))
			assert.Nil(t, c.Endpoint("Endpoint", template))
			err := c.Done()
			require.Error(t, err)
			assert.True(t, strings.HasPrefix(err.Error(), "drv: Config.Endpoint: "), err)
			assert.NotContains(t, err.Error(), token)
			assert.NotContains(t, err.Error(), "§")

			c = settings.New("drv", "Secret", secret.New("§§ not Base64 §§"))
			assert.Nil(t, c.SecretEndpoint("Endpoint", secret.New(template), ""))
			assert.NotContains(t, c.Done().Error(), token)
		})
	}
}

func TestAnUnparsedTemplateIsNotBlamedForNotUsingTheSecret(t *testing.T) {
	c := settings.New("drv", "Secret", secret.New(token))
	c.Endpoint("Endpoint", "https://host.example/#{Secret | Nope}")
	assert.NotContains(t, c.Done().Error(), "nothing uses it")
}

func TestSecretEndpointNeedsAPath(t *testing.T) {
	for _, text := range []string{"https://" + token, "https://" + token + "/", "https://" + token + "//?x=1"} {
		c := settings.New("drv", "Secret", secret.Value{})
		assert.Nil(t, c.SecretEndpoint("Endpoint", secret.New(text), ""))
		require.EqualError(t, c.Done(), "drv: Config.Endpoint: has no path: copy the whole URL, secret part included")
	}
}

func TestPlaintextIsRefused(t *testing.T) {
	tests := map[string]struct {
		endpoint string
		hidden   bool
		secret   string
		headers  sink.Headers
		network  sink.Network
		refused  string
	}{
		"nothing secret":     {endpoint: "http://host.example/v1/logs", headers: sink.Headers{"X-Scope": "eu"}},
		"a secret":           {endpoint: "http://host.example/#{Secret}", secret: token, refused: "Secret"},
		"a templated header": {endpoint: "http://host.example/", secret: token, headers: sink.Headers{"X-Any": "#{Secret}"}, refused: `Headers["X-Any"]`},
		"a literal credential": {
			endpoint: "http://host.example/", headers: sink.Headers{"x-api-key": "abc"}, refused: `Headers["x-api-key"]`,
		},
		"a user name":        {endpoint: "http://user@host.example/", refused: "the user information in Endpoint"},
		"a key in the query": {endpoint: "http://host.example/?apikey=abc", refused: "the query of Endpoint"},
		"a secret URL":       {endpoint: "http://host.example/receiver/abc", hidden: true, refused: "the secret in Endpoint"},
		"https":              {endpoint: "https://host.example/#{Secret}", secret: token},
		"permitted":          {endpoint: "http://host.example/#{Secret}", secret: token, network: sink.Network{AllowPlaintext: true}},
		"localhost":          {endpoint: "http://localhost:8088/#{Secret}", secret: token},
		"LOCALHOST.":         {endpoint: "http://LOCALHOST.:8088/#{Secret}", secret: token},
		"a.localhost":        {endpoint: "http://a.localhost/#{Secret}", secret: token, refused: "Secret"},
		"127.0.0.1.nip.io":   {endpoint: "http://127.0.0.1.nip.io/#{Secret}", secret: token, refused: "Secret"},
		"user of localhost":  {endpoint: "http://127.0.0.1@host.example/#{Secret}", secret: token, refused: "the user information in Endpoint"},
		"127.1":              {endpoint: "http://127.1/#{Secret}", secret: token, refused: "Secret"},
		"0.0.0.0":            {endpoint: "http://0.0.0.0/#{Secret}", secret: token, refused: "Secret"},
		"HTTP":               {endpoint: "HTTP://host.example/#{Secret}", secret: token, refused: "Secret"},
		"127.1.2.3":          {endpoint: "http://127.1.2.3/#{Secret}", secret: token},
		"::1":                {endpoint: "http://[::1]:80/#{Secret}", secret: token},
		"::ffff:127.0.0.1":   {endpoint: "http://[::ffff:127.0.0.1]/#{Secret}", secret: token},
		"not localhost":      {endpoint: "http://localhost.example/#{Secret}", secret: token, refused: "Secret"},
		"private address":    {endpoint: "http://10.0.0.1/#{Secret}", secret: token, refused: "Secret"},
		"loopback of a remote proxy": {
			endpoint: "http://localhost/#{Secret}", secret: token, refused: "Secret",
			network: sink.Network{Proxy: &url.URL{Scheme: "http", Host: "proxy.example:3128"}},
		},
		"loopback of a proxy here": {
			endpoint: "http://localhost/#{Secret}", secret: token,
			network: sink.Network{Proxy: &url.URL{Scheme: "http", Host: "127.0.0.1:3128"}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := settings.New("drv", "Secret", secret.New(test.secret))
			if test.hidden {
				c.SecretEndpoint("Endpoint", secret.New(test.endpoint), "")
			} else {
				c.Endpoint("Endpoint", test.endpoint)
			}
			c.Headers("Headers", test.headers)
			c.Network(test.network)
			if test.refused == "" {
				require.NoError(t, c.Done())
				return
			}
			require.EqualError(t, c.Done(), "drv: Config.Endpoint: begins with http://, which would send "+test.refused+
				" in the clear: write https://")
		})
	}
}

func TestTwoSourcesOfAuthorization(t *testing.T) {
	c := settings.New("drv", "Secret", secret.Value{})
	c.Endpoint("Endpoint", "https://user:pass@host.example/")
	c.Headers("Headers", sink.Headers{"authorization": "Bearer abc"})
	require.EqualError(t, c.Done(), `drv: Config.Endpoint: holds a user name or password while Headers["authorization"] `+
		"gives an Authorization header: keep one of them")
}

func TestScrubberKnowsWhatTheCheckHasSeen(t *testing.T) {
	c := settings.New("drv", "Secret", secret.New(token))
	c.Endpoint("Endpoint", "https://host.example/literal-part-9/#{Secret | ToBase64 | UriDataEscape}/logs")
	c.Headers("Headers", sink.Headers{
		"Authorization": `Basic #{Secret | Prepend "administrator:" | ToBase64}`, "X-Tenant": "tenant-number-5",
	})
	c.Network(sink.Network{Proxy: mustURL(t, "http://u:proxy-password-3@proxy.example:3128")})
	require.NoError(t, c.Done())
	s := c.Scrubber()
	for _, hidden := range []string{
		token, "literal-part-9", "administrator:" + token, "tenant-number-5", "proxy-password-3",
	} {
		assert.Equal(t, `"a [REDACTED] b"`, s.Text("a "+hidden+" b"))
	}
	assert.Equal(t, `"host.example logs Basic"`, s.Text("host.example logs Basic"))
}
