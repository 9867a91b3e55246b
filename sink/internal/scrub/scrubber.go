package scrub

import (
	"strings"
	"unicode"

	"github.com/auditstream/auditstream/secret"
)

const (
	// Redacted stands where a secret was.
	Redacted = "[REDACTED]"

	// Withheld is what [Scrubber.Text] returns, quotes included, when nothing of the text may be let through.
	Withheld = `"(text withheld)"`

	// shortest is the length below which a secret cannot be told from other text: replacing "id" wherever it stands
	// would spell the secret out. It is also the length from which a part of a secret counts as one.
	shortest = 8

	// shortestPlain is the same for values that are not known to be secret: "prod" is worth replacing, "1" is not.
	shortestPlain = 4

	// maxInput bounds the work for one text. It is what a transport reads of an answer.
	maxInput = 64 << 10

	// maxOutput is the length in bytes of the longest text let through, quotes included.
	maxOutput = 256
)

// Sources are the texts of one configuration that must not be seen.
type Sources struct {
	// Secrets are the secret itself, rendered header values that hold it or a credential, and passwords. If one of
	// them is shorter than 8 bytes, the word "Bearer" or the like in front apart, no remote text is let through.
	Secrets []secret.Value

	// Plain are values that may be credentials without anybody having said so, such as literal header values. Those
	// of at least 4 bytes are replaced.
	Plain []secret.Value

	// URL is the rendered endpoint. Its host is not secret; user information, path segments and query values count
	// as Secrets.
	URL secret.Value

	// Public is the text that short parts of the URL may come from without being secret, such as "/v1/logs": the
	// template of the URL, or what is the same for every customer of a provider.
	Public string
}

// Scrubber removes the secrets of one configuration from texts. It keeps them where no print verb finds them. A nil
// *Scrubber knows no secret. It is safe for concurrent use.
type Scrubber struct {
	// The forms are made anew for each text, which is rare, so that an idle sink keeps nothing but the values.
	forms func() *forms
}

// New returns a Scrubber of the given sources.
func New(src Sources) *Scrubber {
	return &Scrubber{forms: func() *forms { return collect(src) }}
}

// Text returns what may be shown of a text that a destination sent: every secret, part of a secret of at least 8 bytes
// and derived form replaced, control characters removed, in the quotes of [strconv.Quote] and at most 256 bytes long.
// When a secret of the configuration is shorter than 8 bytes, it returns [Withheld].
func (s *Scrubber) Text(remote string) string {
	f := s.collected()
	if f.short() {
		return Withheld
	}
	return quote(clean(f, remote))
}

// Error returns the text of a local error, such as that of a dialler, scrubbed and shortened like a remote text but not
// quoted. When a secret is shorter than 8 bytes and the text holds it, by chance or not, it returns a fixed phrase.
func (s *Scrubber) Error(err error) string {
	f := s.collected()
	text := err.Error()
	if f.short() && f.holdsShort(text) {
		return "(text withheld)"
	}
	return cut(clean(f, text))
}

func (s *Scrubber) collected() *forms {
	if s == nil {
		return &forms{}
	}
	return s.forms()
}

// clean replaces secrets, removes control characters, and replaces again: a secret that was broken up by control
// characters is whole only now.
func clean(f *forms, text string) string {
	// The end of a long text goes before the first comparison: a secret cut there is still found, as one cut at the end.
	if len(text) > maxInput {
		text = text[:maxInput]
	}
	text = f.replace(strings.ToValidUTF8(text, "\uFFFD"))
	bare := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, text)
	if bare == text {
		return text
	}
	return f.replace(bare)
}
