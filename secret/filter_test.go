package secret_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/secret"
)

// filterTest is what a filter, as written after the bar, makes of in.
type filterTest struct{ name, filter, in, want string }

func testFilters(t *testing.T, tests []filterTest) {
	t.Helper()
	t.Parallel()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tt.want, render(t, "#{Secret | "+tt.filter+"}", tt.in))
			assert.Equal(t, tt.want, render(t, "#<Secret|"+tt.filter+">", tt.in))
		})
	}
}

func TestBase64Filters(t *testing.T) {
	testFilters(t, []filterTest{
		{"encode", "ToBase64", "Bar", "QmFy"},
		{"encode nothing", "ToBase64", "", ""},
		{"encode with padding", "ToBase64", "user:pass?>", "dXNlcjpwYXNzPz4="},
		{"encode in utf8", "ToBase64 utf8", "é", "w6k="},
		{"encode in UTF-8", "ToBase64 UTF-8", "é", "w6k="},
		{"encode in Unicode", "ToBase64 Unicode", "Baz", "QgBhAHoA"},
		{"encode surrogates in unicode", "ToBase64 unicode", "😀", "PdgA3g=="},
		{"encode bytes that are no text", "ToBase64", "\xff\x00", "/wA="},
		{"encode bytes that are no text in unicode", "ToBase64 unicode", "\xff", "/f8="},
		{"decode", "FromBase64", "QmF6", "Baz"},
		{"decode nothing", "FromBase64", "", ""},
		{"decode in unicode", "FromBase64 unicode", "QgBhAHoA", "Baz"},
		{"decode surrogates in unicode", "FromBase64 UNICODE", "PdgA3g==", "😀"},
		{"decode white space", "FromBase64", " Q\tm\r\nF  6 \n", "Baz"},
		{"decode left-over bits", "FromBase64", "QmG=", "Ba"},
		{"decode a bad byte", "FromBase64", "Qf9C", "A\ufffdB"},
		{"decode bad bytes one by one", "FromBase64", "//79", "\ufffd\ufffd\ufffd"},
		{"decode a character that breaks off", "FromBase64", "4oI=", "\ufffd"},
		{"decode broken characters and text", "FromBase64", "8J+YQfCfmMOpgA==", "\ufffdA\ufffdé\ufffd"},
		{"decode a surrogate in UTF-8", "FromBase64", "7aCA", "\ufffd\ufffd\ufffd"},
		{"decode a mark", "FromBase64", "77u/QQ==", "\ufeffA"},
		{"decode a lone surrogate in unicode", "FromBase64 unicode", "PdhBAA==", "\ufffdA"},
		{"decode half a unit", "FromBase64 unicode", "QQBC", "A\ufffd"},
		{"there and back", "ToBase64 | FromBase64", "a😀\n", "a😀\n"},
	})
}

func TestFromBase64Errors(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"Q", "Qm", "QmF", "Qm=", "Q===", "====", "QmFy=", "QmFyQ", "Qm-_", "Qm\u00a0Fy", "Qm\fFy", "QmF\xff", "Qm=y", "QQ==QQ==",
		canary,
	} {
		_, err := parse(t, "#{Secret | FromBase64}").Render(secret.New(in))
		assert.Contains(t, asFault(t, err).Reason, "not Base64", in)
		if len(in) > 8 {
			assertNoTrace(t, in, err.Error())
		}
	}
}

func TestUriFilters(t *testing.T) {
	const unreserved = "AZaz09-._~"
	testFilters(t, []filterTest{
		{"data, unreserved", "UriDataEscape", unreserved, unreserved},
		{"data, reserved", "UriDataEscape", ":/?#[]@!$&'()*+,;=", "%3A%2F%3F%23%5B%5D%40%21%24%26%27%28%29%2A%2B%2C%3B%3D"},
		{"data, others", "UriDataEscape", " %\"<>\\^`{|}\n\x00\x7f", "%20%25%22%3C%3E%5C%5E%60%7B%7C%7D%0A%00%7F"},
		{"data, beyond ASCII", "UriDataEscape", "é漢😀", "%C3%A9%E6%BC%A2%F0%9F%98%80"},
		{"data, bytes that are no text", "UriDataEscape", "\xff\xc3", "%FF%C3"},
		{"data, twice", "UriDataEscape | UriDataEscape", "a b", "a%2520b"},
		{"whole, unreserved", "UriEscape", unreserved, unreserved},
		{"whole, reserved", "UriEscape", ":/?#[]@!$&'()*+,;=", ":/?#[]@!$&'()*+,;="},
		{"whole, others", "UriEscape", " %\"<>\\^`{|}", "%20%25%22%3C%3E%5C%5E%60%7B%7C%7D"},
		{"whole, twice", "UriEscape | UriEscape", "é", "%25C3%25A9"},
		{"whole, a URL", "UriEscape", "http://octopus.com/a b?x=%20", "http://octopus.com/a%20b?x=%2520"},
	})
}

func TestEscapeFilters(t *testing.T) {
	const in = "A&'b\"c<d>e/f\\\r\n\tg\x00\b\u2028é"
	testFilters(t, []filterTest{
		{"HTML", "HtmlEscape", in, "A&amp;&apos;b&quot;c&lt;d&gt;e&#x2F;f\\\r\n\tg\x00\b\u2028é"},
		{"XML", "XmlEscape", in, "A&amp;&apos;b&quot;c&lt;d&gt;e/f\\\r\n\tg\x00\b\u2028é"},
		{"JSON", "JsonEscape", in, `A&'b\"c<d>e/f\\\r\n\tg` + "\x00\b\u2028é"},
		{"HTML twice", "HtmlEscape | HtmlEscape", "<", "&amp;lt;"},
		{"bytes that are no text", "XmlEscape", "\xff<", "\xff&lt;"},
		{"nothing", "JsonEscape", "", ""},
	})
}

func TestCaseFilters(t *testing.T) {
	testFilters(t, []filterTest{
		{"upper", "ToUpper", "aZé ß ÿ σς ǆ ﬀ", "AZÉ ß Ÿ ΣΣ Ǆ ﬀ"},
		{"upper, dotless i", "ToUpper", "iı", "Iı"},
		{"upper, beyond U+FFFF", "ToUpper", "𐐨", "𐐀"},
		{"lower", "ToLower", "AZÉ ẞ Σ ǅ", "azé ß σ ǆ"},
		{"lower, dotted I", "ToLower", "Iİ", "iİ"},
		{"bytes that are no text", "ToUpper", "a\xffa\xc3", "A\xffA\xc3"},
		{"the replacement character", "ToUpper", "a\ufffda", "A\ufffdA"},
	})
}

func TestTrimFilter(t *testing.T) {
	const in = "\t \u00a0\u2003\u3000\u0085a b\u200b\u1680 \r\n"
	testFilters(t, []filterTest{
		{"both", "Trim", in, "a b\u200b"},
		{"start", "Trim start", in, "a b\u200b\u1680 \r\n"},
		{"end", "Trim End", in, "\t \u00a0\u2003\u3000\u0085a b\u200b"},
		{"reads its first option", "Trim START both x", " a ", "a "},
		{"zero-width no-break space stays", "Trim", "\ufeff a", "\ufeff a"},
		{"nothing but white space", "Trim", " \n ", ""},
		{"bytes that are no text", "Trim", " \xff ", "\xff"},
	})
}

func TestTruncateFilter(t *testing.T) {
	testFilters(t, []filterTest{
		{"longer", "Truncate 7", "Octopus Deploy", "Octopus..."},
		{"as long", "Truncate 14", "Octopus Deploy", "Octopus Deploy"},
		{"shorter", "Truncate 50", "Octopus Deploy", "Octopus Deploy"},
		{"suffix", `Truncate 7 "<|>"`, "Octopus Deploy", "Octopus<|>"},
		{"no suffix", `Truncate 7 ""`, "Octopus Deploy", "Octopus"},
		{"suffix when nothing is cut", `Truncate 50 "<|>"`, "Octopus Deploy", "Octopus Deploy"},
		{"to nothing", "Truncate 0", "abc", "..."},
		{"nothing", "Truncate 0", "", ""},
		{"white space and sign", `Truncate " +2 "`, "abc", "ab..."},
		{"leading zeros", "Truncate 0002", "abc", "ab..."},
		{"counts characters", "Truncate 2", "éàè", "éà..."},
		{"counts UTF-16 units", "Truncate 2", "😀😀", "😀..."},
		{"as long in units", "Truncate 4", "😀😀", "😀😀"},
		{"half a character", "Truncate 3", "😀😀", "😀\ufffd..."},
		{"bytes that are no text", "Truncate 2", "\xff\xfe\xfd", "\xff\xfe..."},
	})
}

func TestSubstringFilter(t *testing.T) {
	testFilters(t, []filterTest{
		{"length", "Substring 7", "Octopus Deploy", "Octopus"},
		{"start and length", "Substring 8 6", "Octopus Deploy", "Deploy"},
		{"length past the end", "Substring 20", "Octopus Deploy", "Octopus Deploy"},
		{"length past the end, from a start", "Substring 8 7", "Octopus Deploy", "Deploy"},
		{"largest length", "Substring 1 2147483647", "abc", "bc"},
		{"start at the end", "Substring 14 5", "Octopus Deploy", ""},
		{"no length", "Substring 0", "abc", ""},
		{"counts UTF-16 units", "Substring 2 3", "😀a😀b", "a😀"},
		{"second half of a character", "Substring 1 2", "😀a", "\ufffda"},
		{"first half of a character", "Substring 0 2", "a😀", "a\ufffd"},
		{"half a character alone", "Substring 1 1", "a😀b", "\ufffd"},
		{"two halves", "Substring 1 2", "😀😀", "\ufffd\ufffd"},
		{"bytes that are no text", "Substring 1 1", "\xff\xfe\xfd", "\xfe"},
	})
}

// The units of a cut are those of the whole text, with halves of characters replaced.
func TestSubstringAgainstUTF16(t *testing.T) {
	t.Parallel()
	const in = "a😀é\U0010ffff漢\ufffdz"
	whole := utf16.Encode([]rune(in))
	for start := range len(whole) + 1 {
		for end := start; end <= len(whole); end++ {
			want := string(utf16.Decode(whole[start:end]))
			got := render(t, fmt.Sprintf("#{Secret | Substring %d %d}", start, end-start), in)
			require.Equal(t, want, got, "%d to %d", start, end)
		}
	}
}

func TestAppendFilters(t *testing.T) {
	testFilters(t, []filterTest{
		{"append", "Append b", "a", "ab"},
		{"append several", `Append b " " c`, "a", "ab c"},
		{"prepend", `Prepend "user:"`, "pass", "user:pass"},
		{"prepend several", "Prepend a b", "c", "abc"},
		{"to nothing", "Append a | Prepend b", "", "ba"},
	})
}

func TestReplaceFilter(t *testing.T) {
	testFilters(t, []filterTest{
		{"text", "Replace abc def", "abc", "def"},
		{"by nothing", "Replace a", "abca", "bc"},
		{"no match", "Replace abc def", "ABC", "ABC"},
		{"with white space", `Replace "ab c" "d ef"`, "ab c", "d ef"},
		{"range", `Replace "[a-z]+" 1`, "a'b", "1'1"},
		{"escaped character", `Replace "a\(b" "d(e"`, "a(b", "d(e"},
		{"start", `Replace "^a" x`, "ababa", "xbaba"},
		{"end", `Replace "a$" x`, "ababa", "ababx"},
		{"without case", `Replace "(?i)ABC" x`, "abcABC", "xx"},
		{"line break", `Replace "\r?\n" ""`, "a\r\nb\n", "ab"},
		{"groups", `Replace "o(.+)o([a-z]*)s" "o$2o$1s"`, "opuocts", "octopus"},
		{"group and digits after it", `Replace "(a)" "${1}0"`, "a", "a0"},
		{"group of two digits", `Replace "(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)" "$10-$1"`, "abcdefghij", "j-a"},
		{"group that does not exist", `Replace "(a)" "$10 $2 ${2} ${x} ${1a}"`, "a", "$10 $2 ${2} ${x} ${1a}"},
		{"number beyond all numbers", `Replace a "$99999999999999999999"`, "a", "$99999999999999999999"},
		{"leading zero", `Replace "(a)" "$01${001}"`, "a", "aa"},
		{"whole match", `Replace "b." "[$0$&${0}]"`, "abc", "a[bcbcbc]"},
		{"dollars", `Replace a "$$1$"`, "a", "$1$"},
		{"three dollars", `Replace "(a)" "$$$1"`, "a", "$a"},
		{"unclosed brace", `Replace "(a)" "${1"`, "a", "${1"},
		{"empty and odd braces", `Replace "(a)" "${}${+}${ 1}$-"`, "a", "${}${+}${ 1}$-"},
		{"before and after", "Replace b \"[$`|$']\"", "abc", "a[a|c]c"},
		{"whole text", `Replace b "[$_]"`, "abc", "a[abc]c"},
		{"last group", `Replace "(a)(b)" "$+"`, "ab", "b"},
		{"last group of none", `Replace "ab" "$+"`, "ab", "ab"},
		{"group that took no part", `Replace "(a)|(b)" "[$1$2]"`, "ab", "[a][b]"},
		{"named group", `Replace "(?<first>a)(?P<second>b)" "${second}$1${first}"`, "ab", "baa"},
		{"named groups come last", `Replace "(?<n>a)(b)" "$1$2"`, "ab", "ba"},
		{"last group is the named one", `Replace "(?<n>a)(b)" "$+"`, "ab", "a"},
		{"empty matches", `Replace "x*" "-"`, "abc", "-a-b-c-"},
		{"characters, not bytes", `Replace "." "-"`, "é😀", "--"},
		{"bytes that are no text", `Replace "a" "b"`, "\xffa\xfe", "\xffb\xfe"},
		{"nothing", "Replace a b", "", ""},
		{"many states", `Replace "(a{40}b{40}){20}"`, "ab", "ab"},
		{"many short matches", `Replace "[^b]" ""`, strings.Repeat("ab", 6<<10), strings.Repeat("b", 6<<10)},
	})
}

func TestHashFilters(t *testing.T) {
	const (
		md5abc    = "900150983cd24fb0d6963f7d28e17f72"
		sha1abc   = "a9993e364706816aba3e25717850c26c9cd0d89d"
		sha256abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	)
	testFilters(t, []filterTest{
		{"MD5", "Md5", "abc", md5abc},
		{"SHA-1", "Sha1", "abc", sha1abc},
		{"SHA-256", "Sha256", "abc", sha256abc},
		{"SHA-384", "Sha384", "abc", "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed" +
			"8086072ba1e7cc2358baeca134c825a7"},
		{"SHA-512", "Sha512", "abc", "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a" +
			"2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
		{"of nothing", "Md5", "", "d41d8cd98f00b204e9800998ecf8427e"},
		{"bytes of it", "Sha256 4", "abc", sha256abc[:8]},
		{"all its bytes", "Sha1 20", "abc", sha1abc},
		{"more bytes than it has", "Md5 1000", "abc", md5abc},
		{"encoding", "Sha256 utf8", "abc", sha256abc},
		{"other name of the encoding", "Sha256 Utf-8", "abc", sha256abc},
		{"bytes and encoding", "Sha256 4 utf8", "abc", sha256abc[:8]},
		{"encoding and bytes", "Sha256 utf8 4", "abc", sha256abc[:8]},
		{"unicode", "Md5 unicode", "abc", "ce1473cf80c6b3fda8e3dfc006adc315"},
		{"Base64", "Sha1 BASE64", " YW\r\nJj", sha1abc},
		{"bytes and Base64", "Md5 2 base64", "YWJj", md5abc[:4]},
		{"Base64 of bytes that are no text", "Md5 base64", "/w==", "00594fd4f42ba43fc1ca0427a0576295"},
		{"bytes that are no text", "Md5", "\xff", "00594fd4f42ba43fc1ca0427a0576295"},
		{"signed number", `Md5 "+2"`, "abc", md5abc[:4]},
	})
}

// The standard library panics for some hash functions in a process that is held to FIPS 140.
func TestHashFilterFIPS(t *testing.T) {
	const child = "SECRET_TEST_FIPS"
	if os.Getenv(child) != "" {
		_, err := parse(t, "#{Secret | Md5}").Render(secret.New(canary))
		fmt.Fprintln(os.Stderr, "error:", err)
		v, err := parse(t, "#{Secret | Sha256 1}").Render(secret.New("abc"))
		fmt.Fprintln(os.Stderr, "hash:", v.Reveal(), err)
		return
	}
	t.Parallel()
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHashFilterFIPS$")
	cmd.Env = append(os.Environ(), child+"=1", "GODEBUG=fips140=only")
	cmd.Stdout, cmd.Stderr = &out, &out
	require.NoError(t, cmd.Run(), out.String())
	assert.Contains(t, out.String(), "Md5: this process is set up to refuse the hash function (FIPS 140)")
	assert.Contains(t, out.String(), "hash: ba <nil>")
	assertNoTrace(t, canary, out.String())
}

func TestFilterChains(t *testing.T) {
	testFilters(t, []filterTest{
		{"basic", `Prepend "user:" | ToBase64`, "pass", "dXNlcjpwYXNz"},
		{"in order", "Append b | ToUpper | Append b", "a", "ABb"},
		{"long", "Substring 8 | Trim | Prepend x | Md5 1", "Octopus Deploy", "be"},
		{"many", strings.Repeat("Trim|", 700) + "Trim", " a ", "a"},
	})
}
