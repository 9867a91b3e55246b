package secret_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/secret"
)

func TestRenderURL(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, template, secret, want string }{
		{"literal", "https://example.com", "", "https://example.com"},
		{"literal with everything", "https://us:pw@example.com:8443/a/b%20c?d=e&f=%26", "", "https://us:pw@example.com:8443/a/b%20c?d=e&f=%26"},
		{"scheme and host keep their case", "HTTPS://Example.COM/", "", "HTTPS://Example.COM/"},
		{"IPv4", "http://127.0.0.1:4318/v1/logs", "", "http://127.0.0.1:4318/v1/logs"},
		{"IPv6", "http://[::1]:4318/v1/logs", "", "http://[::1]:4318/v1/logs"},
		{"IPv6 with a zone", "http://[fe80::1%25eth0]/x", "", "http://[fe80::1%25eth0]/x"},
		{"empty path and query", "https://example.com?a=#{Secret}", "s", "https://example.com?a=s"},
		{"empty query", "https://example.com/#{Secret}?", "s", "https://example.com/s?"},
		{"question mark in the query", "https://example.com/?a=?#{Secret}", "?", "https://example.com/?a=??"},
		{"path", "https://example.com/receiver/v1/http/#{Secret}", "ZaVnC4dh==", "https://example.com/receiver/v1/http/ZaVnC4dh=="},
		{"two segments", "https://example.com/#{Secret}/x", "a/b", "https://example.com/a/b/x"},
		{"slashes", "https://example.com/#{Secret}", "/a//b/", "https://example.com//a//b/"},
		{"escapes", "https://example.com/#{Secret}?a=#{Secret}", "a%2Fb%00%3f", "https://example.com/a%2Fb%00%3f?a=a%2Fb%00%3f"},
		{"an escape of two halves", "https://example.com/%4#{Secret}", "1", "https://example.com/%41"},
		{"all a path takes", "https://example.com/#{Secret}", "az-._~!$&'()*+,;=:@[]/", "https://example.com/az-._~!$&'()*+,;=:@[]/"},
		{"all a query takes", "https://example.com/?#{Secret}", `az-._~!$'()*+,;=:@[]/?"<>^{|}` + "`", `https://example.com/?az-._~!$'()*+,;=:@[]/?"<>^{|}` + "`"},
		{"data escape", "https://example.com/#{Secret | UriDataEscape}?#{Secret | UriDataEscape}", "?#&/%é \\", "https://example.com/%3F%23%26%2F%25%C3%A9%20%5C?%3F%23%26%2F%25%C3%A9%20%5C"},
		{"user", "https://#{Secret}@example.com/", "token", "https://token@example.com/"},
		{"password", "https://user:#{Secret | UriDataEscape}@example.com/", "p@ss:/?#", "https://user:p%40ss%3A%2F%3F%23@example.com/"},
		{"user and password", "https://#{Secret}:#{Secret}@example.com/#{Secret}", "t", "https://t:t@example.com/t"},
		{"blank secret", "https://#{Secret}@example.com/a#{Secret}?b=#{Secret}", "", "https://@example.com/a?b="},
		{"blank secret ends the path", "https://example.com/#{Secret}", "", "https://example.com/"},
		{"at sign in the path", "https://example.com/a@b/#{Secret}", "s", "https://example.com/a@b/s"},
		{"colon in the path", "https://example.com/a:b/#{Secret}", "c:d", "https://example.com/a:b/c:d"},
		{"dots that are no segment", "https://example.com/#{Secret}/.x/x./...", "..a", "https://example.com/..a/.x/x./..."},
		{"dots in the query", "https://example.com/?x=../#{Secret}", "../..", "https://example.com/?x=../../.."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v, err := parse(t, tt.template).RenderURL(secret.New(tt.secret))
			require.NoError(t, err)
			assert.Equal(t, tt.want, v.Reveal())
		})
	}
}

func TestRenderURLErrors(t *testing.T) {
	t.Parallel()
	const (
		noHost    = "write it as https://host/path"
		hostToken = "the host or port of the URL holds a token"
		remedy    = "end the token with | UriDataEscape"
		dots      = "a segment of the path of the URL is . or .."
		fragment  = "the URL has a fragment"
		bytes     = "holds a space, a control character, a backslash or a letter beyond ASCII"
	)
	tests := []struct {
		name, template, secret string
		pos                    int
		text                   string
		reasons                []string
	}{
		{"nothing", "", canary, 0, "", []string{noHost}},
		{"no scheme", "example.com/x", canary, 0, "", []string{noHost}},
		{"no scheme but a port", "example.com:4317", canary, 0, "", []string{noHost}},
		{"no host", "https:///x", canary, 8, "", []string{noHost}},
		{"no host but a port", "https://:443/x", canary, 8, "", []string{noHost}},
		{"no host but a user", "https://user@/x", canary, 8, "", []string{noHost}},
		{"one slash", "https:/example.com", canary, 0, "", []string{noHost}},
		{"opaque", "mailto:a@example.com", canary, 0, "", []string{noHost}},
		{"relative scheme", "//example.com", canary, 0, "", []string{noHost}},
		{"bad scheme", "ht^tp://example.com", canary, 8, "", []string{noHost}},
		{"scheme that begins with a digit", "1http://example.com", canary, 8, "", []string{noHost}},
		{"bad port", "https://example.com:x/", canary, 8, "", []string{noHost}},
		{"bad address", "https://[::1/", canary, 8, "", []string{noHost}},
		{"escape in the host", "https://ex%41mple.com/", canary, 8, "", []string{noHost}},

		{"all of it a token", "#{Secret}", "https://example.com/" + canary, 0, "#{Secret}", []string{noHost}},
		{"token as the scheme", "#{Secret}://example.com/", "https", 0, "#{Secret}", []string{noHost}},
		{"token in the scheme", "http#{Secret}://example.com/", "s", 0, "", []string{noHost}},
		{"token as the slashes", "https:#{Secret}example.com/", "//", 0, "", []string{noHost}},
		{"blank token between the slashes", "https:/#{Secret}/example.com/", "", 0, "", []string{noHost}},
		{"token as the host", "https://#{Secret}/x", "example.com", 8, "#{Secret}", []string{hostToken}},
		{"token at the start of the host", "https://#{Secret}.com/x", "example", 8, "#{Secret}", []string{hostToken}},
		{"token at the end of the host", "https://example#{Secret}/x", ".com", 15, "#{Secret}", []string{hostToken}},
		{"token that would begin the path", "https://example.com#{Secret}", "/x", 19, "#{Secret}", []string{hostToken}},
		{"token that would begin the query", "https://example.com#{Secret}?x", "?x", 19, "#{Secret}", []string{hostToken}},
		{"token as the port", "https://example.com:#{Secret}/", "443", 20, "#{Secret}", []string{hostToken}},
		{"token that would end the user", "https://#{Secret}example.com/", "user@", 8, "#{Secret}", []string{hostToken}},
		{"blank token in the host", "https://example.com#{Secret}/", "", 19, "#{Secret}", []string{hostToken}},
		{"token after the user", "https://user@#{Secret}example.com/", "", 13, "#{Secret}", []string{hostToken}},

		{"query out of the path", "https://example.com/#{Secret}", canary + "?x=1", 20, "#{Secret}", []string{"delimiters ?# to the path", remedy}},
		{"fragment out of the path", "https://example.com/#{Secret}/x", canary + "#", 20, "#{Secret}", []string{"delimiters ?# to the path", remedy}},
		{"fragment out of the query", "https://example.com/?a=#{Secret}", canary + "#x", 23, "#{Secret}", []string{"delimiters #& to the query", remedy}},
		{"parameter", "https://example.com/?a=#{Secret}&b", canary + "&c", 23, "#{Secret}", []string{"delimiters #& to the query", remedy}},
		{"host out of the user", "https://#{Secret}@example.com/", canary + "@evil.example", 8, "#{Secret}", []string{"delimiters @/:?# to the user information", remedy}},
		{"path out of the user", "https://#{Secret}@example.com/", "evil.example/" + canary, 8, "#{Secret}", []string{"user information", remedy}},
		{"password out of the user", "https://#{Secret}@example.com/", "a:" + canary, 8, "#{Secret}", []string{"user information", remedy}},
		{"query out of the password", "https://u:#{Secret}@example.com/", canary + "?", 10, "#{Secret}", []string{"user information", remedy}},
		{"second token", "https://example.com/#{Secret | Md5}/#{Secret}", canary + "?", 36, "#{Secret}", []string{"path", remedy}},

		{"space in the path", "https://example.com/#{Secret}", canary[:6] + " x", 20, "#{Secret}", []string{"the path", bytes, remedy}},
		{"space in the query", "https://example.com/?#{Secret}", "a b", 21, "#{Secret}", []string{"the query", bytes, remedy}},
		{"backslash in the path", "https://example.com/#{Secret}", `..\x`, 20, "#{Secret}", []string{"the path", bytes, remedy}},
		{"line break in the user", "https://#{Secret}@example.com/", "a\n", 8, "#{Secret}", []string{"the user information", bytes, remedy}},
		{"letter in the query", "https://example.com/?#{Secret}", "é", 21, "#{Secret}", []string{"the query", bytes, remedy}},
		{"NUL in the path", "https://example.com/#{Secret}", "\x00", 20, "#{Secret}", []string{"the path", bytes, remedy}},
		{"space in literal text", "https://example.com/a b/#{Secret}", canary[:6], 21, "", []string{"the path", bytes, "write it as %XX"}},
		{"letter in the host", "https://exämple.com/", "", 10, "", []string{"the scheme, host or port", bytes, "xn--"}},
		{"backslash in the host", `https://example.com\@evil.example/`, "", 19, "", []string{bytes}},
		{"brace in the path", "https://example.com/#{Secret}", `"{`, 20, "#{Secret}", []string{"the path", "sent in another form", remedy}},
		{"brace in literal text", "https://example.com/{x}", "", 20, "", []string{"the path", "sent in another form"}},
		{"bracket in the user", "https://#{Secret}@example.com/", "[x]", 8, "#{Secret}", []string{"the user information", "sent in another form", remedy}},

		{"percent sign in the path", "https://example.com/#{Secret}", canary[:6] + "%", 20, "#{Secret}", []string{"the path", "begins no %XX", remedy}},
		{"percent sign in the query", "https://example.com/?#{Secret}", "%zz", 21, "#{Secret}", []string{"the query", "begins no %XX", remedy}},
		{"percent sign in the user", "https://#{Secret}@example.com/", "%4", 8, "#{Secret}", []string{"the user information", "begins no %XX", remedy}},
		{"percent sign in literal text", "https://example.com/100%", "", 23, "", []string{"begins no %XX", "%25"}},
		{"escape across the parts", "https://example.com/%?41", "", 20, "", []string{"begins no %XX"}},

		{"two dots", "https://example.com/x/#{Secret}/y", "..", 22, "#{Secret}", []string{dots, "the secret cannot stand there"}},
		{"one dot", "https://example.com/#{Secret}", ".", 20, "#{Secret}", []string{dots}},
		{"dots between slashes", "https://example.com/#{Secret}", "a/../" + canary[:6], 20, "#{Secret}", []string{dots}},
		{"dots at the end", "https://example.com/#{Secret}", "a/..", 20, "#{Secret}", []string{dots}},
		{"escaped dots", "https://example.com/#{Secret}", "%2e%2E", 20, "#{Secret}", []string{dots}},
		{"dot and escaped dot", "https://example.com/#{Secret}/", ".%2e", 20, "#{Secret}", []string{dots}},
		{"half a segment", "https://example.com/.#{Secret}/y", ".", 21, "#{Secret}", []string{dots}},
		{"half an escape", "https://example.com/.%2#{Secret}/y", "e", 23, "#{Secret}", []string{dots}},
		{"dots behind an escaped slash", "https://example.com/#{Secret}", "a%2f..%2Fb", 20, "#{Secret}", []string{dots}},
		{"dots behind an escaped backslash", "https://example.com/#{Secret}", "..%5Cb", 20, "#{Secret}", []string{dots}},
		{"dots with parameters", "https://example.com/#{Secret}/b", "..;a=b", 20, "#{Secret}", []string{dots}},
		{"data escape keeps dots", "https://example.com/#{Secret | UriDataEscape}", "..", 20, "#{Secret | UriDataEscape}", []string{dots}},
		{"dots in literal text", "https://example.com/a/../#{Secret}", "b", 22, "", []string{dots, "remove it"}},
		{"dots around a blank secret", "https://example.com/.#{Secret}.", "", 21, "#{Secret}", []string{dots, "the secret cannot stand there"}},

		{"fragment", "https://example.com/#x", canary, 20, "", []string{fragment}},
		{"empty fragment", "https://example.com/#{Secret}#", canary[:6], 29, "", []string{fragment}},
		{"fragment after the host", "https://example.com#x/#{Secret}", canary[:6], 19, "", []string{fragment}},
		{"text that looks like a token", "https://example.com/##{Secret}", canary, 21, "", []string{fragment}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v, err := parse(t, tt.template).RenderURL(secret.New(tt.secret))
			fault := asFault(t, err)
			assert.True(t, v.IsZero())
			assert.Equal(t, tt.pos, fault.Pos)
			assert.Equal(t, tt.text, fault.Text)
			for _, reason := range tt.reasons {
				assert.Contains(t, fault.Reason, reason)
			}
			assertNoTrace(t, canary, err.Error())
		})
	}
}

// The URL may be a secret as a whole, without a token: what is shown of an error holds none of it.
func TestRenderURLReasonHoldsNoTemplate(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		canary, "https:" + canary, "https://exa mple.com/" + canary, "https://example.com/" + canary + " ",
		"https://example.com:x/" + canary, "https://example.com/" + canary + "%", "https://example.com/../" + canary,
		"https://example.com/" + canary + "#x", "https://[" + canary, "https://example.com/{" + canary + "}",
		`https://example.com/#{Secret | Append "` + canary + `"}`,
	} {
		_, err := parse(t, text).RenderURL(secret.New("?"))
		assertNoTrace(t, canary, asFault(t, err).Reason, text)
	}
}

// What goes over the wire is what was rendered, whichever bytes the secret is made of.
func TestRenderURLOnTheWire(t *testing.T) {
	t.Parallel()
	var got string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.RequestURI }))
	defer server.Close()
	for _, place := range []string{"/a/#{Secret}/b", "/a?b=#{Secret}&c=d", "/#{Secret}?#{Secret}", "?#{Secret}"} {
		sent := 0
		for c := range 256 {
			for _, s := range []string{string([]byte{byte(c)}), "/" + string([]byte{byte(c)}), "%2F" + string([]byte{byte(c)}) + "//"} {
				v, err := parse(t, server.URL+place).RenderURL(secret.New(s))
				if err != nil {
					continue
				}
				sent++
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, v.Reveal(), http.NoBody)
				require.NoError(t, err)
				resp, err := server.Client().Do(req)
				require.NoError(t, err)
				require.NoError(t, resp.Body.Close())
				want := strings.TrimPrefix(v.Reveal(), server.URL)
				if strings.HasPrefix(want, "?") {
					want = "/" + want
				}
				require.Equal(t, want, got)
			}
		}
		assert.Greater(t, sent, 200, place)
	}
}

// checkURL reports what is wrong with a URL that prefix and suffix were to surround the secret in: the oracle of the
// fuzz test, which shares nothing with the code it checks.
func checkURL(t *testing.T, got string, part int, prefix, suffix string) {
	t.Helper()
	require.True(t, strings.HasPrefix(got, prefix) && strings.HasSuffix(got, suffix), "concatenated")
	u, err := url.Parse(got)
	require.NoError(t, err)
	assert.Equal(t, "https", u.Scheme)
	assert.Equal(t, "example.com:8443", u.Host)
	assert.Equal(t, "8443", u.Port())
	assert.Empty(t, u.Fragment)
	assert.NotContains(t, got, "#")
	assert.NotContains(t, got, `\`)
	for _, c := range []byte(got) {
		require.True(t, c > ' ' && c < 0x7f)
	}
	path, query, _ := strings.Cut(strings.SplitN(got, "/", 4)[3], "?")
	assert.Equal(t, "/"+path, u.EscapedPath())
	assert.Equal(t, query, u.RawQuery)
	assert.True(t, strings.HasPrefix(u.Path, "/base/"), "the segments before the token")
	assert.True(t, strings.HasPrefix(u.JoinPath().Path, "/base/"), "and after clearing dots")
	switch part {
	case inPath:
		assert.Equal(t, "k=v", u.RawQuery)
		assert.Nil(t, u.User)
	case inQuery:
		assert.Equal(t, "/base/x", u.Path)
		assert.Equal(t, 1, strings.Count(u.RawQuery, "&"))
		assert.Nil(t, u.User)
	case inUser:
		assert.Equal(t, "/base/x", u.Path)
		assert.Empty(t, u.RawQuery)
		assert.Equal(t, "user", u.User.Username())
	}
}

// Where the token of FuzzRenderURL stands.
const (
	inPath = iota
	inQuery
	inUser
)

var fuzzURLs = [][2]string{
	inPath:  {"https://example.com:8443/base/", "/x?k=v"},
	inQuery: {"https://example.com:8443/base/x?k=", "&l=m"},
	inUser:  {"https://user:", "@example.com:8443/base/x"},
}

func FuzzRenderURL(f *testing.F) {
	for _, s := range []string{
		"", "a", "a/b", "..", "../..", "%2e%2e", "a%2f..%2f..", ".", "..;", "?x", "&x=y", "#x", "@evil.example/", "//", "///evil",
		"a b", "a\r\nb", "é", "\\", "%", "%4", "%zz", "%00", "{}", "[::1]", ":443", "a:b", "\xff", "+", ";", "%252e", canary,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for part, around := range fuzzURLs {
			for _, token := range []string{"#{Secret}", "#{Secret | UriDataEscape}"} {
				v, err := parse(t, around[0]+token+around[1]).RenderURL(secret.New(s))
				if err == nil {
					checkURL(t, v.Reveal(), part, around[0], around[1])
					continue
				}
				fault := asFault(t, err)
				assert.Equal(t, len(around[0]), fault.Pos)
				assert.Equal(t, token, fault.Text)
				assert.True(t, v.IsZero())
			}
		}
	})
}
