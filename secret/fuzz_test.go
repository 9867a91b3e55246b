package secret_test

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/secret"
)

var fuzzTemplates = []string{
	"", "abc", "#", "##", "###", "#{", "#<", "#{Secret}", "#<Secret>", "##{Secret}", "###{Secret}", "####<Secret>", "#####<Secret>",
	"Bearer #{Secret}", `Basic #{Secret | Prepend "user:" | ToBase64}`, "https://example.com/#{Secret | UriDataEscape}?a=#{Secret}",
	"#{ secret|trim start|TRIM END }", "#{Secret | ToBase64 unicode | FromBase64 unicode}", "#{Secret | FromBase64}",
	"#{Secret | UriEscape | HtmlEscape | XmlEscape | JsonEscape}", "#{Secret | ToUpper | ToLower}", "#{Secret | Truncate 3 \"-\"}",
	"#{Secret | Substring 1 2}", "#{Secret | Substring 99999 1}", "#{Secret | Replace \"(.)(?<n>.)\" \"${n}$1$$$&$`$'$+$_\"}",
	"#{Secret | Append a \"b c\" | Prepend d}", "#{Secret | Md5 4 base64}", "#{Secret | Sha256 utf8 4}", "#{Secret | Sha512 unicode}",
	"#{Token}", "#{Secret | Rot13}", "#{Secret | Append \"#\"}", "#{Secret | Append \\\"a\\\"}", "#{Secret | Replace \"(\"}", "é\xff#{Secret}\x00",
}

// FuzzParse checks that every template is either refused, at a position in it, or renders.
func FuzzParse(f *testing.F) {
	for _, s := range fuzzTemplates {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		tmpl, err := secret.Parse(text)
		if err != nil {
			fault := asFault(t, err)
			assert.Nil(t, tmpl)
			assert.True(t, fault.Pos >= 0 && fault.Pos <= len(text))
			assert.LessOrEqual(t, len(fault.Text), 80)
			if len(text) <= 4096 && fault.Text != "" {
				assert.Contains(t, text, fault.Text)
			}
			return
		}
		if tmpl.UsesSecret() {
			assert.True(t, strings.Contains(text, "#{") || strings.Contains(text, "#<"))
			return
		}
		// Without a token the text stays as it is but for doubled hashes.
		v, err := tmpl.Render(secret.New(canary))
		require.NoError(t, err)
		assert.Equal(t, strings.ReplaceAll(text, "#", ""), strings.ReplaceAll(v.Reveal(), "#", ""))
		if !strings.Contains(text, "##{") && !strings.Contains(text, "##<") {
			assert.Equal(t, text, v.Reveal())
		}
	})
}

// FuzzRender checks that no secret makes a template panic, and that no error shows a secret in any form.
func FuzzRender(f *testing.F) {
	for _, text := range fuzzTemplates {
		for _, s := range []string{"", "a", " \x00é😀\r\n", "\xff", "YWJj", "#{Secret}"} {
			f.Add(text, s)
		}
	}
	f.Fuzz(func(t *testing.T, text, s string) {
		// The fuzzer learns the words of the source, so a canary of its own marks the secret.
		const mark = "zJ8wQx4K"
		if strings.Contains(text, mark[:4]) {
			return
		}
		s = mark + s + mark
		tmpl, err := secret.Parse(text)
		if err != nil {
			return
		}
		for name, render := range map[string]func(secret.Value) (secret.Value, error){
			"Render": tmpl.Render, "RenderURL": tmpl.RenderURL, "RenderHeader": tmpl.RenderHeader,
		} {
			v, err := render(secret.New(s))
			if err == nil {
				checkRendered(t, name, v.Reveal())
				continue
			}
			assert.True(t, v.IsZero())
			fault, ok := errors.AsType[*secret.TemplateError](err)
			require.True(t, ok)
			assert.True(t, fault.Pos >= 0 && fault.Pos <= len(text))
			shown := strings.ToLower(err.Error())
			for _, trace := range []string{
				mark, s, hex.EncodeToString([]byte(mark)), base64.StdEncoding.EncodeToString([]byte(s))[:10],
				base64.StdEncoding.EncodeToString([]byte(mark))[:10], url.QueryEscape(s), url.PathEscape(s),
			} {
				assert.NotContains(t, shown, strings.ToLower(trace), name)
			}
		}
	})
}

// checkRendered checks what a Render method promises of what it returns.
func checkRendered(t *testing.T, method, text string) {
	t.Helper()
	require.LessOrEqual(t, len(text), 1<<20)
	switch method {
	case "RenderHeader":
		assert.Equal(t, strings.Trim(text, " "), text)
		for i := range len(text) {
			assert.True(t, text[i] >= 0x20 && text[i] <= 0x7e)
		}
	case "RenderURL":
		assert.True(t, utf8.ValidString(text))
		u, err := url.Parse(text)
		require.NoError(t, err)
		assert.NotEmpty(t, u.Scheme)
		assert.NotEmpty(t, u.Hostname())
		assert.Empty(t, u.Fragment)
		rest := text[strings.Index(text, "://")+3:]
		i := strings.IndexAny(rest, "/?")
		if i < 0 {
			i = len(rest)
		}
		path, query, _ := strings.Cut(rest[i:], "?")
		assert.Equal(t, path, u.EscapedPath())
		assert.Equal(t, query, u.RawQuery)
	}
}
