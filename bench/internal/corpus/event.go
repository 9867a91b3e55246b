// Package corpus makes the events that every contender ships: the same ones for everybody, from a seed, realistic and
// not trivially repetitive.
package corpus

import "time"

// Attributes is how many attributes an event has beside who did what to which thing.
const Attributes = 10

// Event is the raw material of one audit event: what a server has at hand where something auditable happens, before it
// is put into the form that one library or another wants. Its strings are parts of one large text, so filling it in
// allocates nothing.
type Event struct {
	ID         string
	Time       time.Time
	Action     string
	Outcome    string
	ActorID    string
	ActorType  string
	ActorName  string
	TargetID   string
	TargetType string
	TargetName string
	Address    string
	UserAgent  string
	Message    string

	Attributes [Attributes]Attribute
}

// Kind is the type of an attribute's value.
type Kind uint8

// The kinds of value.
const (
	Text Kind = iota
	Number
	Flag
)

// Attribute is one key and its value. Number and Flag have their value in Number, Text in Text.
type Attribute struct {
	Key    string
	Kind   Kind
	Text   string
	Number int64
}

// IsSet reports the value of a Flag.
func (a *Attribute) IsSet() bool { return a.Number != 0 }
