package secret_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/secret"
)

// parse returns the template of text, which must be one.
func parse(tb testing.TB, text string) *secret.Template {
	tb.Helper()
	tmpl, err := secret.Parse(text)
	require.NoError(tb, err)
	return tmpl
}

// render returns what the template text makes of s.
func render(tb testing.TB, text, s string) string {
	tb.Helper()
	v, err := parse(tb, text).Render(secret.New(s))
	require.NoError(tb, err)
	return v.Reveal()
}

// asFault returns err as the TemplateError that it must be.
func asFault(tb testing.TB, err error) *secret.TemplateError {
	tb.Helper()
	require.Error(tb, err)
	fault, ok := errors.AsType[*secret.TemplateError](err)
	require.True(tb, ok, "%T", err)
	assert.NotEmpty(tb, fault.Reason)
	return fault
}

func TestRender(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, template, secret, want string }{
		{"empty", "", "s", ""},
		{"no token", "plain text", "s", "plain text"},
		{"token", "#{Secret}", "s", "s"},
		{"token in text", "a #{Secret} b", "s", "a s b"},
		{"tokens", "#{Secret}#{Secret}-#{Secret}", "s", "ss-s"},
		{"blank secret", "a#{Secret}b", "", "ab"},
		{"blank secret with filters", "#{Secret | Append x | ToUpper}", "", "X"},
		{"name without case", "#{secret}#{SECRET}#{sEcReT}", "s", "sss"},
		{"angle brackets", "#<Secret>", "s", "s"},
		{"angle brackets with filters", "#< secret | ToUpper >", "s", "S"},
		{"both spellings", "#{Secret}#<Secret>", "s", "ss"},
		{"white space", "#{ \t\n Secret \u00a0|\u2003 Append \r\n x\v| \f Append y }", "s", "sxy"},
		{"no white space", `#{Secret|Append"a""b"c"d"|ToUpper}`, "s", "SABCD"},
		{"filters without case", "#{Secret | TOBASE64 | frombase64 | tOuPPER}", "s", "S"},
		{"closers in quotes", `#{Secret | Append "}" ">" "|"}#<Secret | Append "}" ">" "|">`, "s", "s}>|s}>|"},
		{"bare argument", "#{Secret | Append aÄ١09_-:/~()@}", "s", "saÄ١09_-:/~()@"},
		{"quoted argument", `#{Secret | Append "a\b\n {}<>|"}`, "s", `sa\b\n {}<>|`},
		{"empty argument", `#{Secret | Append ""}`, "s", "s"},
		{"secret is not a template", "#{Secret}", "#{Secret | Rot13} ##{ #", "#{Secret | Rot13} ##{ #"},
		{"template beyond ASCII", "é#{Secret}漢", "ß", "éß漢"},
		{"text that is not UTF-8", "\xff#{Secret}\xfe", "\xfd", "\xff\xfd\xfe"},

		{"lone hash", "# a #b #}", "s", "# a #b #}"},
		{"hashes before other text", "# ## ### x", "s", "# ## ### x"},
		{"hash at the end", "a#", "s", "a#"},
		{"hashes at the end", "#{Secret}###", "s", "s###"},
		{"braces without a hash", "{Secret} }{", "s", "{Secret} }{"},
		{"brackets without a hash", "<Secret> ><", "s", "<Secret> ><"},
		{"two hashes", "##{Secret}", "s", "#{Secret}"},
		{"three hashes", "###{Secret}", "s", "#s"},
		{"four hashes", "####{Secret}", "s", "###{Secret}"},
		{"five hashes", "#####{Secret}", "s", "###s"},
		{"six hashes", "######{Secret}", "s", "#####{Secret}"},
		{"seven hashes", "#######{Secret}", "s", "#####s"},
		{"two hashes, angle", "##<Secret>", "s", "#<Secret>"},
		{"three hashes, angle", "###<Secret>", "s", "#s"},
		{"four hashes, angle", "####<Secret>", "s", "###<Secret>"},
		{"five hashes, angle", "#####<Secret>", "s", "###s"},
		{"runs in a row", "a##{b}###{Secret}c#{Secret}##<d>", "s", "a#{b}#scs#<d>"},
		{"hashes after a token", "#{Secret}##{Secret}", "s", "s#{Secret}"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tt.want, render(t, tt.template, tt.secret))
		})
	}
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	const (
		unterminated = "the token does not end"
		unknownToken = "the only one is Secret"
		quote        = "put an argument into double quotes"
	)
	tests := []struct {
		name, template string
		pos            int
		text, reason   string
	}{
		{"only an opener", "ab#{", 2, "#{", unterminated},
		{"no closer", "#{Secret", 0, "#{Secret", unterminated},
		{"no closer after a bar", "#{Secret |", 0, "#{Secret |", unterminated},
		{"no closer after a filter", "#{Secret | Trim ", 0, "#{Secret | Trim ", unterminated},
		{"no closer after white space", "é #{Secret  ", 3, "#{Secret  ", unterminated},
		{"other closer", "#<Secret} ", 2, "Secret}", unknownToken},
		{"other closer after a filter", "#<Secret | Trim}", 15, "}", quote},
		{"no name", "#{}", 2, "", unknownToken},
		{"no name but a filter", "#{ | Append foo}", 3, "", unknownToken},
		{"unknown token", "a #{Token}", 4, "Token", unknownToken},
		{"member", "#{Secret.Name}", 2, "Secret.Name", unknownToken},
		{"index", "#{Secret[0]}", 2, "Secret[0]", unknownToken},
		{"two words", "#{My Secret}", 2, "My", unknownToken},
		{"letter that folds to s", "#{\u017fecret}", 2, "\u017fecret", unknownToken},
		{"condition", "#{if Secret}x#{/if}", 2, "if", unknownToken},
		{"unknown angle token", "#<b>", 2, "b", unknownToken},
		{"third token", "#{Secret}##{x}#{Foo}", 16, "Foo", unknownToken},
		{"no bar", "#{Secret Trim}", 9, "T", "expected | and a filter, or } to end the token"},
		{"no bar, angle", "#<Secret Trim>", 9, "T", "or > to end the token"},
		{"quote after the name", `#{Secret"x"}`, 8, `"`, "expected |"},
		{"no filter", "#{Secret |}", 10, "}", "expected a filter: Append, FromBase64,"},
		{"two bars", "#{Secret || Trim}", 10, "|", "expected a filter: Append"},
		{"unknown filter", "#{Secret | Trim | Rot13 x}", 18, "Rot13", "Append, FromBase64, HtmlEscape, JsonEscape, Md5, " +
			"Prepend, Replace, Sha1, Sha256, Sha384, Sha512, Substring, ToBase64, ToLower, ToUpper, Trim, Truncate, " +
			"UriDataEscape, UriEscape, XmlEscape"},
		{"filter of Octostache that is not here", "#{Secret | Markdown}", 11, "Markdown", "unknown filter"},
		{"Kelvin is no K", "#{Secret | ToBase64 | ToUpper | \u212A}", 32, "\u212A", "unknown filter"},
		{"bad character", "#{Secret | Append a.b}", 19, ".", quote},
		{"single quote", "#{Secret | Append 'a'}", 18, "'", quote},
		{"escaped quote", `#{Secret | Append \"a\"}`, 18, `\`, quote},
		{"nested token", "#{Secret | Append #{Secret}}", 18, "#", quote},
		{"bad byte", "#{Secret | Append \xff}", 18, "\xff", quote},
		{"hash in quotes", `#{Secret | Append "a#b"}`, 20, "#", "an argument holds no #"},
		{"no closing quote", `#{Secret | Append "a}`, 18, `"a}`, "close it with a double quote"},

		{"too few: Append", "#{Secret | append}", 11, "append", "too few arguments, write Append text…"},
		{"too few: Prepend", "#{Secret | Prepend | Trim}", 11, "Prepend", "too few arguments, write Prepend text…"},
		{"too few: Replace", "#{Secret | Replace}", 11, "Replace", "write Replace regex [with]"},
		{"too few: Substring", "#{Secret | Substring}", 11, "Substring", "write Substring [start] length"},
		{"too few: Truncate", "#{Secret | Truncate}", 11, "Truncate", "write Truncate length [suffix]"},
		{"too many: ToUpper", "#{Secret | ToUpper x}", 19, "x", "too many arguments, write ToUpper"},
		{"too many: ToLower", "#{Secret | ToLower x}", 19, "x", "too many arguments, write ToLower"},
		{"too many: HtmlEscape", `#{Secret | HtmlEscape ""}`, 22, "", "too many arguments, write HtmlEscape"},
		{"too many: XmlEscape", "#{Secret | XmlEscape x}", 21, "x", "too many arguments, write XmlEscape"},
		{"too many: JsonEscape", "#{Secret | JsonEscape x}", 22, "x", "too many arguments, write JsonEscape"},
		{"too many: UriEscape", "#{Secret | UriEscape x}", 21, "x", "too many arguments, write UriEscape"},
		{"too many: UriDataEscape", "#{Secret | UriDataEscape x}", 25, "x", "too many arguments, write UriDataEscape"},
		{"too many: ToBase64", "#{Secret | ToBase64 utf8 utf8}", 25, "utf8", "too many arguments, write ToBase64 [utf8|unicode]"},
		{"too many: FromBase64", "#{Secret | FromBase64 utf8 x}", 27, "x", "too many arguments, write FromBase64"},
		{"too many: Replace", "#{Secret | Replace a b c}", 23, "c", "too many arguments, write Replace"},
		{"too many: Substring", "#{Secret | Substring 1 2 3}", 25, "3", "too many arguments, write Substring"},
		{"too many: Truncate", "#{Secret | Truncate 1 2 3}", 24, "3", "too many arguments, write Truncate"},
		{"too many: Md5", "#{Secret | Md5 1 utf8 2}", 22, "2", "too many arguments, write Md5 [bytes] [utf8|unicode|base64]"},

		{"ToBase64 of an unknown encoding", "#{Secret | ToBase64 utf16}", 20, "utf16", "utf8, utf-8 and unicode"},
		{"ToBase64 of base64", "#{Secret | ToBase64 base64}", 20, "base64", "utf8, utf-8 and unicode"},
		{"FromBase64 of an unknown encoding", "#{Secret | FromBase64 ascii}", 22, "ascii", "utf8, utf-8 and unicode"},
		{"Trim both", "#{Secret | Trim both}", 16, "both", "the options are start and end"},
		{"Truncate a word", "#{Secret | Truncate a}", 20, "a", "whole number from 0 to 2147483647"},
		{"Truncate below 0", "#{Secret | Truncate -1}", 20, "-1", "whole number from 0"},
		{"Truncate far", "#{Secret | Truncate 2147483648}", 20, "2147483648", "whole number from 0"},
		{"Truncate a fraction", `#{Secret | Truncate "1.5"}`, 20, "1.5", "whole number from 0"},
		{"Substring a word", "#{Secret | Substring a}", 21, "a", "whole number from 0"},
		{"Substring to a word", "#{Secret | Substring 0 a}", 23, "a", "whole number from 0"},
		{"Substring from below 0", "#{Secret | Substring -1 1}", 21, "-1", "whole number from 0"},
		{"hash of 0 bytes", "#{Secret | Md5 0}", 15, "0", "one number of bytes above 0 and one encoding"},
		{"hash of fewer bytes", "#{Secret | Sha1 -1}", 16, "-1", "one number of bytes above 0"},
		{"hash with two numbers", "#{Secret | Sha256 1 2}", 20, "2", "one number of bytes above 0 and one encoding"},
		{"hash with two encodings", "#{Secret | Sha384 utf8 base64}", 23, "base64", "utf8, utf-8, unicode or base64"},
		{"hash with an unknown encoding", "#{Secret | Sha512 8 hex}", 20, "hex", "utf8, utf-8, unicode or base64"},
		{"Replace without a closing bracket", `#{Secret | Replace "a(b"}`, 19, "a(b", "RE2 regular expression, missing closing )"},
		{"Replace with look-ahead", `#{Secret | Replace "a(?=b)"}`, 19, "a(?=b)", "RE2"},
		{"Replace with a back-reference", `#{Secret | Replace "(a)\1"}`, 19, `(a)\1`, "RE2 regular expression, invalid escape sequence"},
		{"Replace with a number for a name", `#{Secret | Replace "(?<2>a)"}`, 19, "(?<2>a)", "the name of a group begins with a digit"},
		{"Replace with a large repetition", `#{Secret | Replace "a{2000}"}`, 19, "a{2000}", "RE2 regular expression, invalid repeat count"},
		{"Replace with many characters", `#{Secret | Replace "([^x]{500}|y{9,500}){2,}z{0,600}"}`, 19, "([^x]{500}|y{9,500}){2,}z{0,600}", "too large"},
		{"Replace with a bad byte", "#{Secret | Replace \"\xff\"}", 19, "\xff", "RE2 regular expression, invalid UTF-8"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tmpl, err := secret.Parse(tt.template)
			fault := asFault(t, err)
			assert.Nil(t, tmpl)
			assert.Equal(t, tt.pos, fault.Pos)
			assert.Equal(t, tt.text, fault.Text)
			assert.Contains(t, fault.Reason, tt.reason)
			want := fmt.Sprintf("secret: template at byte %d, %q: %s", fault.Pos, fault.Text, fault.Reason)
			if tt.text == "" {
				want = fmt.Sprintf("secret: template at byte %d: %s", fault.Pos, fault.Reason)
			}
			assert.EqualError(t, err, want)
		})
	}
}

// A template may be a secret, so what is shown of an error about it holds none of it.
func TestParseErrorReasonHoldsNoTemplate(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"#{" + canary, "#{" + canary + "}", "#{Secret | " + canary + "}", `#{Secret | Append "` + canary,
		`#{Secret | Replace "(` + canary + `"}`, `#{Secret | Replace "` + canary + `(?=x)"}`,
		`#{Secret | Trim "` + canary + `"}`, `#{Secret | Truncate "` + canary + `"}`, `#{Secret | ToBase64 "` + canary + `"}`,
		`#{Secret | Md5 "` + canary + `"}`, `#{Secret | ToUpper "` + canary + `"}`, `#{Secret | Replace "(?<9` + canary + `>x)"}`,
		"#{Secret " + canary + "}",
	} {
		_, err := secret.Parse(text)
		assertNoTrace(t, canary, asFault(t, err).Reason, text)
	}
}

func TestParseErrorIsCut(t *testing.T) {
	t.Parallel()
	_, err := secret.Parse("#{a" + strings.Repeat("é", 500) + "}")
	fault := asFault(t, err)
	assert.Equal(t, "a"+strings.Repeat("é", 39), fault.Text, "at most 80 bytes, and no half character")

	_, err = secret.Parse("#{" + strings.Repeat("\xbf", 500) + "}")
	assert.LessOrEqual(t, len(asFault(t, err).Text), 80)
}

func TestParseLength(t *testing.T) {
	t.Parallel()
	_, err := secret.Parse(strings.Repeat("x", 4096))
	require.NoError(t, err)
	_, err = secret.Parse(strings.Repeat("x", 4097))
	fault := asFault(t, err)
	assert.Contains(t, fault.Reason, "4096 bytes")
	assert.Equal(t, 4096, fault.Pos)
	assert.Empty(t, fault.Text)
}

func TestRenderErrors(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 64<<10)
	tests := []struct {
		name, template, secret string
		pos                    int
		text, reason           string
	}{
		{"FromBase64", "a #{Secret | frombase64}", canary, 13, "frombase64", "FromBase64: the text that it is given is not Base64"},
		{"later filter", "#{Secret | Trim | FromBase64}", canary, 18, "FromBase64", "FromBase64: the text"},
		{"hash of bad Base64", "#{Secret | Md5 base64}", canary, 11, "Md5", "Md5: the text that it is given is not Base64"},
		{"Substring past the end", "#{Secret | Substring 17 1}", canary, 11, "Substring", "Substring: the text that it is given ends before the start"},
		{"Append", "#{Secret | Append x}", long, 11, "Append", "Append: it puts out more than 64 KiB"},
		{"Prepend", "#{Secret | Prepend x}", long, 11, "Prepend", "64 KiB"},
		{"Truncate", "#{Secret | Truncate 65535}", long, 11, "Truncate", "64 KiB"},
		{"ToBase64", "#{Secret | ToBase64}", long, 11, "ToBase64", "64 KiB"},
		{"ToBase64 unicode", "#{Secret | ToBase64 unicode}", long[:33<<10], 11, "ToBase64", "64 KiB"},
		{"JsonEscape", "#{Secret | JsonEscape}", long + `"`, 11, "JsonEscape", "64 KiB"},
		{"UriEscape", "#{Secret | UriEscape}", strings.Repeat(" ", 22<<10), 11, "UriEscape", "64 KiB"},
		{"Trim", "#{Secret | Trim}", long + "x", 11, "Trim", "64 KiB"},
		{"Replace", "#{Secret | Replace a " + strings.Repeat("b", 100) + "}", strings.Repeat("a", 700), 11, "Replace", "64 KiB"},
		{"Replace, before the first match", "#{Secret | Replace a bbb}", long + "xa", 11, "Replace", "64 KiB"},
		{"Replace, after the last match", "#{Secret | Replace a bbb}", "a" + long, 11, "Replace", "64 KiB"},
		{"Replace by the text itself", `#{Secret | Replace a "$_$_"}`, strings.Repeat("a", 300), 11, "Replace", "64 KiB"},
		{"Replace with too much work", `#{Secret | Replace "(a.*b|a){100}"}`, long, 11, "Replace", "takes too long"},
		{"Replace with many searches", `#{Secret | Replace "a+"}`, strings.Repeat("a ", 30<<10), 11, "Replace", "takes too long"},
		{"all of it", strings.Repeat("#{Secret}", 17), long, 9 * 16, "", "exceeds 1 MiB"},
		{"too long a secret", "a #{Secret | Md5}", strings.Repeat(long, 16) + "x", 2, "", "the secret exceeds 1 MiB"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tmpl := parse(t, tt.template)
			for _, render := range []func(secret.Value) (secret.Value, error){tmpl.Render, tmpl.RenderURL, tmpl.RenderHeader} {
				v, err := render(secret.New(tt.secret))
				fault := asFault(t, err)
				assert.True(t, v.IsZero())
				assert.Equal(t, tt.pos, fault.Pos)
				assert.Equal(t, tt.text, fault.Text)
				assert.Contains(t, fault.Reason, tt.reason)
				assertNoTrace(t, canary, err.Error())
			}
		})
	}
}

func TestRenderOfLongSecret(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1<<20)
	assert.Len(t, render(t, "#{Secret}", long), 1<<20)
	assert.Len(t, render(t, "#{Secret | Sha256}", long), 64)
	assert.Equal(t, "xxx...", render(t, "#{Secret | Truncate 3}", long))
}

func TestUsesSecret(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"": false, "abc": false, "# #": false, "##{Secret}": false, "####<Secret>": false,
		"#{Secret}": true, "x#<Secret>": true, "###{Secret | Trim}": true,
	} {
		assert.Equal(t, want, parse(t, text).UsesSecret(), text)
	}
}

func TestZeroTemplate(t *testing.T) {
	t.Parallel()
	var tmpl secret.Template
	assert.False(t, tmpl.UsesSecret())
	v, err := tmpl.Render(secret.New("s"))
	require.NoError(t, err)
	assert.True(t, v.IsZero())
	v, err = tmpl.RenderHeader(secret.New("s"))
	require.NoError(t, err)
	assert.True(t, v.IsZero())
	_, err = tmpl.RenderURL(secret.New("s"))
	assert.Contains(t, asFault(t, err).Reason, "https://host/path")
}

// The text of a template may be a secret: Sumo Logic's URL is.
func TestTemplateShowsNothing(t *testing.T) {
	t.Parallel()
	type holder struct{ tmpl *secret.Template }
	tmpl := parse(t, canary+"#{Secret | Append "+`"`+canary+`"`+"}")
	for _, h := range []any{tmpl, *tmpl, holder{tmpl}, &holder{tmpl}, []*secret.Template{tmpl}} {
		var r recorder
		assert.Nil(&r, h)
		assert.Equal(&r, h, 1)
		js, err := json.Marshal(h)
		require.NoError(t, err)
		assertNoTrace(t, canary, fmt.Sprintf("%v %+v %#v %s %q %x", h, h, h, h, h, h)+r.String()+string(js))
	}
}

func TestTemplateIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	tmpl := parse(t, `https://example.com/#{Secret | Replace "(b)" "$1$1" | Sha256 | Truncate 9 ""}`)
	for range 4 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			for range 50 {
				v, err := tmpl.RenderURL(secret.New("abc"))
				require.NoError(t, err)
				assert.Equal(t, "https://example.com/762cb46ea", v.Reveal())
			}
		})
	}
}

// The searches of the other tests would find something if it were there.
func TestTraces(t *testing.T) {
	t.Parallel()
	for _, shown := range []string{
		fmt.Sprint([]string{canary}), fmt.Sprintf("%x", canary), fmt.Sprintf("% X", canary), fmt.Sprintf("%d", []byte(canary)),
		fmt.Sprintf("%#v", []byte(canary)), render(t, "#{Secret | ToBase64}", canary),
		render(t, "#{Secret | UriDataEscape}", canary), render(t, "#{Secret | Truncate 8}", canary),
	} {
		found := false
		for _, trace := range traces(canary) {
			found = found || strings.Contains(strings.ToLower(shown), strings.ToLower(trace))
		}
		assert.True(t, found, shown)
	}
}
