package secret

import (
	"bytes"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// redacted is what every printed form of a Value shows.
const redacted = "[REDACTED]"

// Value holds a secret: a token, a password, a private key, a URL that is itself a credential.
//
// The zero Value is the empty secret. A Value is immutable and safe for concurrent use; copying it is cheap and copies
// compare equal with ==, while two Values made apart do not even when they hold the same text: use [Value.Equal].
//
// Nothing but [Value.Reveal] gives the text back. Every verb of package fmt, log/slog, encoding/json, encoding/xml,
// encoding/gob, spew and the like show "[REDACTED]", a JSON object {"hasValue":true}, or an address; so does a struct
// that holds a Value in an unexported field, where no method of ours is called.
//
// Memory is not erased: Go strings are immutable and may be copied by the garbage collector or by transports. Dropping
// the last reference is all that can be promised.
type Value struct{ b *box }

// A box hides the text in a closure. A string field would be printed by %+v of a struct with an unexported Value, where
// fmt cannot call Format, and a pointer to a string would be followed by spew; neither looks into a func. The pointer
// around it keeps Value comparable: a bare func field would make == panic.
type box struct{ reveal func() string }

// New returns a Value that holds s. New("") is the zero Value.
func New(s string) Value {
	if s == "" {
		return Value{}
	}
	return Value{b: &box{reveal: func() string { return s }}}
}

// Reveal returns the secret text. Call it where the text goes onto the wire and nowhere else.
func (v Value) Reveal() string {
	if v.b == nil {
		return ""
	}
	return v.b.reveal()
}

// IsZero reports whether v holds no text.
func (v Value) IsZero() bool { return v.b == nil }

// Equal reports whether v and w hold the same text. It takes the same time for all texts of one length.
func (v Value) Equal(w Value) bool {
	return subtle.ConstantTimeCompare([]byte(v.Reveal()), []byte(w.Reveal())) == 1
}

// Format implements [fmt.Formatter]: it writes "[REDACTED]" for every verb and flag.
func (v Value) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// String returns "[REDACTED]".
func (v Value) String() string { return redacted }

// GoString returns "[REDACTED]".
func (v Value) GoString() string { return redacted }

// LogValue implements [slog.LogValuer] and returns "[REDACTED]".
func (v Value) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements [encoding.TextMarshaler] and returns "[REDACTED]", which UnmarshalText refuses: a secret does
// not survive a round trip through a text format, and its redacted form never becomes one.
func (v Value) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// UnmarshalText implements [encoding.TextUnmarshaler]: v holds the text of b afterwards. The text "[REDACTED]" is an
// error and leaves v as it was.
func (v *Value) UnmarshalText(b []byte) error {
	if string(b) == redacted {
		return errRedacted
	}
	*v = New(string(b))
	return nil
}

// MarshalJSON implements [json.Marshaler]. It returns {"hasValue":true}, or {"hasValue":false} for the zero Value.
func (v Value) MarshalJSON() ([]byte, error) {
	if v.IsZero() {
		return []byte(`{"hasValue":false}`), nil
	}
	return []byte(`{"hasValue":true}`), nil
}

var (
	errRedacted = errors.New("secret: " + redacted + " is the printed form of a secret, not a secret: " +
		"send the secret itself, or leave it out to keep the one that is set")
	errJSON = errors.New(`secret: want a JSON string, or an object {"newValue":"…"}; ` +
		`an object without newValue keeps the secret that is set`)
)

// UnmarshalJSON implements [json.Unmarshaler]. A string, or an object {"newValue":"…"}, sets the secret; an empty one
// clears it. An object without newValue, as MarshalJSON writes it, and null leave v as it was. The text "[REDACTED]"
// is an error. Errors never quote the input.
func (v *Value) UnmarshalJSON(b []byte) error {
	b = bytes.TrimSpace(b)
	if string(b) == "null" {
		return nil
	}
	var text *string
	if len(b) > 0 && b[0] == '{' {
		var doc struct {
			NewValue *string `json:"newValue"`
		}
		if json.Unmarshal(b, &doc) != nil {
			return errJSON
		}
		text = doc.NewValue
	} else if json.Unmarshal(b, &text) != nil {
		return errJSON
	}
	if text == nil {
		return nil
	}
	return v.UnmarshalText([]byte(*text))
}
