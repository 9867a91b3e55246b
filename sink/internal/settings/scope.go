package settings

import (
	"slices"
	"strings"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
)

// Scope names where the secret of a configuration goes: what String shows of the endpoint, and the headers whose values
// use the secret. A value that is no template counts as one that does.
func Scope(public string, headers sink.Headers) string {
	var using []string
	for name, value := range headers {
		if t, err := secret.Parse(value); err != nil || t.UsesSecret() {
			using = append(using, strings.ToLower(name))
		}
	}
	slices.Sort(using)
	return strings.Join(append([]string{public}, using...), "\n")
}
