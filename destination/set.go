package destination

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/auditstream/auditstream/internal/document"
	"github.com/auditstream/auditstream/sink"
)

// Set is the providers that a host offers, by the name that documents have. It must not be changed while it is in use.
type Set map[string]Provider

// Provider makes configurations of one driver. The zero Provider is of no use: make one with [For].
type Provider struct {
	config  reflect.Type
	prepare func(c any) // sets what is the host's in the Config that c points to
}

// edit returns a pointer to a Config: a copy of current if that is one, or a new one.
func (p Provider) edit(current sink.Destination) any {
	c := reflect.New(p.config)
	if current != nil && reflect.TypeOf(current) == p.config {
		c.Elem().Set(reflect.ValueOf(current))
	}
	p.prepare(c.Interface())
	return c.Interface()
}

// Config is what a driver's Config is to this package: a destination, by value, that reads its edits by the rule for
// secrets. SecretScope names where its secrets go.
type Config interface {
	sink.Destination
	SecretScope() string
}

// For returns the provider of a driver, For[splunk.Config]. Prepare may be nil; otherwise it gets every Config before a
// document is read into it, to set what is the host's: Network and Logger.
//
// A driver of one's own takes part if its Config has SecretScope and reads JSON by the rule for secrets in UnmarshalJSON.
func For[C Config](prepare func(*C)) Provider {
	return Provider{
		config: reflect.TypeFor[C](),
		prepare: func(c any) {
			if prepare != nil {
				prepare(c.(*C))
			}
		},
	}
}

// Names returns the names of the providers, sorted.
func (s Set) Names() []string { return slices.Sorted(maps.Keys(s)) }

// envelope is a document. Secrets are there in a stored one only.
type envelope struct {
	Provider string            `json:"provider"`
	Config   json.RawMessage   `json:"config"`
	Secrets  map[string]string `json:"secrets"`
}

// Encode returns the document of a destination, without its secrets: what a settings page shows. A destination that is
// none of the set's is an error.
func (s Set) Encode(d sink.Destination) ([]byte, error) {
	name, err := s.nameOf(d)
	if err != nil {
		return nil, err
	}
	config, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	return json.Marshal(struct {
		Provider string          `json:"provider"`
		Config   json.RawMessage `json:"config"`
	}{name, config})
}

// Decode returns the destination that a document describes, as an edit of current, which may be nil: what the document
// leaves out stays as it is in current, secrets by the rule in the package documentation. With another provider than
// current's, nothing stays.
//
// What is wrong is returned as [*sink.ConfigError] values, joined by [errors.Join], whose fields name the path. Whether
// the values make sense is for Open, or Stream.Configure and Stream.Test, to say.
func (s Set) Decode(doc []byte, current sink.Destination) (sink.Destination, error) {
	e, err := open(doc)
	if err != nil {
		return nil, err
	}
	if e.Secrets != nil {
		return nil, &sink.ConfigError{Field: "destination: secrets", Reason: "is not known: it belongs to Restore"}
	}
	p, err := s.provider(e.Provider)
	if err != nil {
		return nil, err
	}
	c := p.edit(current)
	if err := json.Unmarshal(e.Config, c); err != nil {
		return nil, err
	}
	return valueOf(c), nil
}

// open reads what is common to documents.
func open(doc []byte) (envelope, error) {
	var e envelope
	if err := document.Decode("destination", doc, &e); err != nil {
		return e, err
	}
	if len(e.Config) == 0 {
		e.Config = json.RawMessage("{}")
	}
	return e, nil
}

func (s Set) provider(name string) (Provider, error) {
	if p, ok := s[name]; ok {
		return p, nil
	}
	value := ""
	if name != "" {
		value = fmt.Sprintf("%.40q", name)
	}
	return Provider{}, &sink.ConfigError{
		Field: "destination: provider", Value: value, Reason: "is not one of " + strings.Join(s.Names(), ", "),
	}
}

// nameOf returns the name of the provider that d is of.
func (s Set) nameOf(d sink.Destination) (string, error) {
	for _, name := range s.Names() {
		if s[name].config == reflect.TypeOf(d) {
			return name, nil
		}
	}
	return "", &sink.ConfigError{
		Field: "destination: provider", Reason: fmt.Sprintf("there is none for %T among %s", d, strings.Join(s.Names(), ", ")),
	}
}

// valueOf returns the Config that c points to.
func valueOf(c any) Config { return reflect.ValueOf(c).Elem().Interface().(Config) }
