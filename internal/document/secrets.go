package document

import (
	"crypto/rand"
	"reflect"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
)

// A Secret is a field of a configuration that holds one.
type Secret struct {
	Path  string // "tls.key"
	Value *secret.Value
}

// Secrets returns the secrets of the struct that v points to, in order of its fields.
func Secrets(v any) []Secret { return secretsOf("", reflect.ValueOf(v).Elem()) }

func secretsOf(path string, v reflect.Value) []Secret {
	var all []Secret
	for _, f := range fieldsOf(v.Type()) {
		member := v.Field(f.index)
		if value, ok := reflect.TypeAssert[*secret.Value](member.Addr()); ok {
			all = append(all, Secret{path + f.name, value})
		} else if member.Kind() == reflect.Struct {
			all = append(all, secretsOf(path+f.name+".", member)...)
		}
	}
	return all
}

// untouched takes the place of a secret while a document is read, to see whether the document sets it.
var untouched = secret.New(rand.Text())

// Update reads a document into a configuration whose secrets only stay as they are while scope, which names the server
// and the headers that they go to, does: otherwise whoever may edit a configuration, and not read it, could have its
// secrets sent to a server of their own. It returns what is wrong as [*sink.ConfigError] values and leaves c as it was.
//
// The sent are the paths of the secrets that go to the server; others, such as the key of a client certificate, stay.
func Update[C any](name string, data []byte, c *C, scope func(C) string, sent ...string) error {
	next := *c
	kept := make(map[string]secret.Value)
	for _, s := range Secrets(&next) {
		kept[s.Path] = *s.Value
		*s.Value = untouched
	}
	if err := Decode(name, data, &next); err != nil {
		return err
	}
	missing := make(map[string]bool)
	for _, s := range Secrets(&next) {
		if s.Value.Equal(untouched) {
			*s.Value = kept[s.Path]
			missing[s.Path] = !s.Value.IsZero()
		}
	}
	if before, after := scope(*c), scope(next); before != after {
		for _, path := range sent {
			if missing[path] {
				return &sink.ConfigError{
					Field: name + "." + path,
					Reason: "has to be given again, because the endpoint has another scheme, host or port now, " +
						"or other headers use it",
				}
			}
		}
	}
	*c = next
	return nil
}
