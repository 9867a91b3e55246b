package scrub_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink/internal/scrub"
)

// canary has what encoders change: characters of URLs, JSON, HTML and Base64, and a letter beyond ASCII.
const canary = `c4N4ry+T0k/en=<&"ü>zq`

func of(secrets ...string) scrub.Sources {
	var src scrub.Sources
	for _, s := range secrets {
		src.Secrets = append(src.Secrets, secret.New(s))
	}
	return src
}

func utf16LE(s string) []byte {
	var b []byte
	for _, r := range s {
		b = append(b, byte(r), byte(r>>8))
	}
	return b
}

func jsonOf(t *testing.T, s string) string {
	t.Helper()
	b, err := json.Marshal(s)
	require.NoError(t, err)
	return string(b)
}

func TestTextReplacesEveryFormOfASecret(t *testing.T) {
	forms := map[string]string{
		"itself":                 canary,
		"upper case":             strings.ToUpper(canary),
		"lower case":             strings.ToLower(canary),
		"Base64":                 base64.StdEncoding.EncodeToString([]byte(canary)),
		"raw Base64":             base64.RawStdEncoding.EncodeToString([]byte(canary)),
		"URL Base64":             base64.URLEncoding.EncodeToString([]byte(canary)),
		"raw URL Base64":         base64.RawURLEncoding.EncodeToString([]byte(canary)),
		"Base64 of UTF-16":       base64.StdEncoding.EncodeToString(utf16LE(canary)),
		"Base64 behind one byte": base64.StdEncoding.EncodeToString([]byte("u" + canary)),
		"Base64 behind two":      base64.StdEncoding.EncodeToString([]byte("u:" + canary + ":")),
		"Base64 behind three":    base64.StdEncoding.EncodeToString([]byte("us:" + canary + "...")),
		"query escape":           url.QueryEscape(canary),
		"path escape":            url.PathEscape(canary),
		"lower-case escape":      strings.ToLower(url.QueryEscape(canary)),
		"hex":                    hex.EncodeToString([]byte(canary)),
		"upper-case hex":         fmt.Sprintf("%X", canary),
		"JSON":                   jsonOf(t, canary),
		"HTML":                   html.EscapeString(canary),
		"quoted":                 fmt.Sprintf("%q", canary),
		"in a sentence":          "token " + canary + " is not valid",
		"twice":                  canary + canary,
		"broken by a line":       canary[:5] + "\r\n" + canary[5:],
		"broken by controls":     canary[:3] + "\x00" + canary[3:6] + "\u200b" + canary[6:12] + "\x1b" + canary[12:],
		"its first 8 bytes":      "no " + canary[:8] + " here",
		"its last 8 bytes":       "no " + canary[len(canary)-8:] + " here",
		"8 bytes of it":          "no " + canary[4:12] + " here",
	}
	s := scrub.New(of(canary))
	for name, text := range forms {
		t.Run(name, func(t *testing.T) {
			got := s.Text(text)
			assert.Contains(t, got, scrub.Redacted)
			assertNothingOf(t, canary, got)
			rest := strings.ReplaceAll(got, scrub.Redacted, "")
			assert.LessOrEqual(t, len(strings.Trim(rest, `"`)), len("token is not valid")+2, "what is left: %s", rest)
		})
	}
}

// assertNothingOf fails if text has 6 bytes in common with the secret or its Base64.
func assertNothingOf(t *testing.T, s, text string) {
	t.Helper()
	for _, form := range []string{s, base64.StdEncoding.EncodeToString([]byte(s)), url.QueryEscape(s)} {
		for i := range len(form) - 5 {
			assert.NotContains(t, text, form[i:i+6])
		}
	}
}

func TestTextReplacesASecretCutByTheEndOfTheText(t *testing.T) {
	const token = "8f3b1c9e-77aa-4d2e-b0a1-5c6d7e8f9a0b"
	s := scrub.New(of(token))
	for n := 3; n < len(token); n++ {
		for _, end := range []string{"", "...", "…", `"`, `'.`, " "} {
			assert.Equal(t, `"bad token [REDACTED]`+strings.ReplaceAll(end, `"`, `\"`)+`"`, s.Text("bad token "+token[:n]+end), n)
		}
		assert.Equal(t, `"[REDACTED] is bad"`, s.Text(token[len(token)-n:]+" is bad"), n)
		assert.Equal(t, `"...[REDACTED] is bad"`, s.Text("..."+token[len(token)-n:]+" is bad"), n)
	}
	assert.Equal(t, `"short 8f"`, s.Text("short 8f"), "two bytes are anybody's")
}

// A digit of an encoding says less than a byte of the secret, and three of them often end a port by chance.
func TestTextReplacesAnEncodedSecretCutByTheEndOfTheText(t *testing.T) {
	s := scrub.New(of(canary))
	for form, shortest := range map[string]int{
		hex.EncodeToString([]byte(canary)):                6,
		base64.StdEncoding.EncodeToString([]byte(canary)): 4,
	} {
		for n := 1; n < len(form); n++ {
			got := s.Text("127.0.0.1:41" + form[:n])
			if n < shortest {
				assert.Equal(t, `"127.0.0.1:41`+form[:n]+`"`, got)
			} else {
				assert.Equal(t, `"127.0.0.1:41[REDACTED]"`, got)
			}
		}
	}
}

func TestTextReplacesASecretCutByTheLimits(t *testing.T) {
	const token = "8f3b1c9e-77aa-4d2e-b0a1-5c6d7e8f9a0b"
	s := scrub.New(of(token))
	for n := 0; n < len(token); n += 5 {
		got := s.Text(strings.Repeat("x", 64<<10-n) + token)
		assert.NotContains(t, got, token[:4])
		// Where 256 bytes end, the secret is long gone.
		got = s.Text(strings.Repeat("x", 256-n) + token)
		assert.NotContains(t, got, token[:3])
		assert.LessOrEqual(t, len(got), 256)
	}
}

func TestTextLetsOtherTextThrough(t *testing.T) {
	s := scrub.New(of(canary))
	for _, text := range []string{"", "Invalid token", "Daten ungültig: Zeile 3", "日本語", `a "quoted" word`, `back\slash`} {
		assert.Equal(t, fmt.Sprintf("%q", text), s.Text(text))
	}
	var none *scrub.Scrubber
	assert.Equal(t, `"anything"`, none.Text("anything"))
	assert.Equal(t, "anything", none.Error(errors.New("anything")))
}

func TestTextIsOneQuotedLine(t *testing.T) {
	s := scrub.New(of(canary))
	assert.Equal(t, `"ab[31mcd\"e"`, s.Text("a\r\nb\x1b[31m\x00c\u202ed\"e\u0085"))
	assert.Equal(t, `"a�b"`, s.Text("a\xff\xfeb"))
}

func TestTextIsCutBetweenRunes(t *testing.T) {
	s := scrub.New(of(canary))
	for _, unit := range []string{"a", "é", "日", "😀", `"`, "\U0010ffff", "ab\"日"} {
		for n := range 4 {
			text := strings.Repeat("x", n) + strings.Repeat(unit, 300)
			got := s.Text(text)
			assert.LessOrEqual(t, len(got), 256)
			assert.Greater(t, len(got), 256-16, unit)
			assert.True(t, utf8.ValidString(got))
			assert.True(t, strings.HasPrefix(got, `"`) && strings.HasSuffix(got, `…"`), got)
			assert.Regexp(t, `^"(\\["\\Uu]|[^"\\])*"$`, got, "quotes and escapes are whole")
		}
	}
	assert.Equal(t, `"`+strings.Repeat("a", 254)+`"`, s.Text(strings.Repeat("a", 254)), "fits exactly")
	assert.Equal(t, `"`+strings.Repeat("a", 251)+`…"`, s.Text(strings.Repeat("a", 255)))
}

func TestTextIsWithheldWhenASecretIsShort(t *testing.T) {
	for name, src := range map[string]scrub.Sources{
		"secret":          of("hunter2"),
		"one of several":  of(canary, "x"),
		"bearer":          of("Bearer hunter2"),
		"splunk":          of("Splunk abc"),
		"basic":           of("Basic " + base64.StdEncoding.EncodeToString([]byte("administrator:pw"))),
		"password in URL": {URL: secret.New("https://administrator:pw@host.example/v1/logs"), Public: "/v1/logs"},
		"query value":     {URL: secret.New("https://host.example/v1/logs?k=abc"), Public: "/v1/logs"},
		"query name":      {URL: secret.New("https://host.example/v1/logs?abc"), Public: "/v1/logs"},
		"path":            {URL: secret.New("https://host.example/v1/abc/logs"), Public: "/v1//logs"},
	} {
		t.Run(name, func(t *testing.T) {
			s := scrub.New(src)
			assert.Equal(t, scrub.Withheld, s.Text("any text, even without it"))
			assert.Equal(t, scrub.Withheld, s.Text(""))
		})
	}
}

func TestSourcesOfAURL(t *testing.T) {
	s := scrub.New(scrub.Sources{
		URL: secret.New("https://user-name-1:pass%2Fword-2@host.example:8088/v1/t0ken%2Fse%67ment-3/logs" +
			"?v=2&key=quer%2By-value-4&flag-number-5"),
		Public: "https://#{Secret}@host.example:8088/v1/#{Secret}/logs?v=2&key=#{Secret}",
	})
	for _, hidden := range []string{
		"user-name-1", "pass/word-2", "t0ken%2Fse%67ment-3", "t0ken/segment-3", "segment-3", "quer%2By-value-4", "quer+y-value-4",
		"flag-number-5",
	} {
		assert.Equal(t, `"a [REDACTED] b"`, s.Text("a "+hidden+" b"))
	}
	for _, public := range []string{"host.example:8088", "https", "/v1/", "logs", "v=2"} {
		assert.Equal(t, `"a `+public+` b"`, s.Text("a "+public+" b"))
	}
}

func TestAURLThatCannotBeParsedIsSecretAsAWhole(t *testing.T) {
	s := scrub.New(scrub.Sources{URL: secret.New("https://host.example/%zz/segment")})
	assert.Equal(t, `"[REDACTED]"`, s.Text("https://host.example/%zz/segment"))
}

func TestPlainValues(t *testing.T) {
	s := scrub.New(scrub.Sources{Plain: []secret.Value{secret.New("1"), secret.New("prod"), secret.New("customer-77")}})
	assert.Equal(t, `"1 of [REDACTED]uction [REDACTED] [REDACTED]"`, s.Text("1 of production PRODprod customer-77"))
	assert.Equal(t, `"custom is"`, s.Text("custom is"), "too little of it")
}

func TestDecodedFormsOfABasicHeader(t *testing.T) {
	s := scrub.New(of("Basic " + base64.StdEncoding.EncodeToString([]byte("administrator:correct-horse"))))
	assert.Equal(t, `"user [REDACTED] may not"`, s.Text("user administrator:correct-horse may not"))
	assert.Equal(t, `"password [REDACTED] is wrong"`, s.Text("password correct-horse is wrong"))
	assert.Equal(t, `"Basic auth failed"`, s.Text("Basic auth failed"))
}

func TestError(t *testing.T) {
	s := scrub.New(of(canary))
	assert.Equal(t, "no route to host", s.Error(errors.New("no route to host")))
	assert.Equal(t, "dial [REDACTED]: no", s.Error(errors.New("dial "+canary+": no")))
	assert.Equal(t, "onetwo", s.Error(errors.New("one\ntwo")))
	long := s.Error(errors.New(strings.Repeat("é", 200)))
	assert.Equal(t, strings.Repeat("é", 126)+"…", long)

	short := scrub.New(of("refus"))
	assert.Equal(t, "(text withheld)", short.Error(errors.New("connection REFUSED")))
	assert.Equal(t, "no route to host", short.Error(errors.New("no route to host")))
}

func TestScrubberShowsNoSecret(t *testing.T) {
	s := scrub.New(scrub.Sources{
		Secrets: []secret.Value{secret.New(canary)}, Plain: []secret.Value{secret.New(canary)},
		URL: secret.New("https://host.example/" + url.PathEscape(canary)),
	})
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		assertNothingOf(t, canary, fmt.Sprintf(verb, s))
		assertNothingOf(t, canary, fmt.Sprintf(verb, *s))
	}
}

func FuzzText(f *testing.F) {
	f.Add("secret-token", "the secret-token is bad", uint8(3))
	f.Add(canary, "text", uint8(0))
	f.Add("", "", uint8(9))
	f.Add("\xff\xfe\xfd12345678", "\xff", uint8(1))
	f.Fuzz(func(t *testing.T, token, text string, at uint8) {
		i := min(int(at), len(text))
		got := scrub.New(of(token)).Text(text[:i] + token + text[i:])
		if len(got) > 256 || !utf8.ValidString(got) || got[0] != '"' || got[len(got)-1] != '"' {
			t.Fatalf("%d bytes, valid %t", len(got), utf8.ValidString(got))
		}
		low := strings.ToLower(token)
		if len(token) >= 12 && utf8.ValidString(token) && !strings.Contains(scrub.Redacted+strings.ToLower(text), low[:8]) &&
			strings.Contains(strings.ToLower(got), low) {
			t.Fatal("the secret shows")
		}
	})
}
