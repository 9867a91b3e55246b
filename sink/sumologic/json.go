package sumologic

import (
	"github.com/auditstream/auditstream/internal/document"
	"github.com/auditstream/auditstream/sink/internal/settings"
)

// SecretScope names where the secret goes: scheme, host and port of the endpoint. While it stays
// the same, an edit may leave the secret out.
func (c Config) SecretScope() string { return settings.Scope(c.String(), nil) }

// MarshalJSON implements [encoding/json.Marshaler]. The keys are the fields' names with a small first letter, all of them
// are there, and a secret is {"hasValue":true} or {"hasValue":false}. Network and Logger are the host's and not in it.
func (c Config) MarshalJSON() ([]byte, error) { return document.Encode(c) }

// UnmarshalJSON implements [encoding/json.Unmarshaler]. It reads an edit onto c: what the object does not have stays as it
// is. A secret is set by {"newValue":"…"} or a string, cleared by an empty one, and kept by anything else, but only while
// SecretScope stays the same: whoever edits where Endpoint and Secret goes has to know the secret. Unknown and repeated keys
// and wrong types are errors too. All are [*sink.ConfigError] values with the path of the key, joined by [errors.Join],
// and leave c as it was. Whether the values make sense is for Open to say.
func (c *Config) UnmarshalJSON(b []byte) error {
	return document.Update("sumologic: Config", b, c, Config.SecretScope, "endpoint", "secret")
}
