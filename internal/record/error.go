package record

import (
	"encoding/binary"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxQuoted bounds what an Error quotes of the host's names, so that a key of a megabyte does not end up in a log.
const maxQuoted = 64

// Error says what is wrong with an event. It names the place and the type, and never holds a value of the event: an
// error is logged, and the value may be what must not be.
type Error struct {
	// Path is where in the event: "Actor.ID", `Attributes["user"]["roles"][3]`, "Changes[0].Before". Keys are the
	// host's, quoted, and cut after 64 bytes.
	Path string

	// Kind is the type of the value as Go writes it, "chan int", cut after 64 bytes.
	Kind string

	// Limit is the limit that was passed, in bytes or levels, or 0 when it was none.
	Limit int

	// Reason says what is wrong and what to do instead.
	Reason string
}

// Error returns `Attributes["done"] (chan int): cannot be recorded`.
func (e *Error) Error() string {
	if e.Kind == "" {
		return e.Path + ": " + e.Reason
	}
	return e.Path + " (" + e.Kind + "): " + e.Reason
}

// fail returns an Error about the value being written.
func (enc *Encoder) fail(kind, reason string) *Error {
	return &Error{Path: enc.path(), Kind: cut(kind), Reason: reason}
}

// tooLarge returns the Error for a value whose copy would pass the limit.
func (enc *Encoder) tooLarge(kind string) *Error {
	return enc.tooLargeAt(enc.path(), kind)
}

func (enc *Encoder) tooLargeAt(path, kind string) *Error {
	return &Error{
		Path:   path,
		Kind:   cut(kind),
		Limit:  enc.limit,
		Reason: "makes the event larger than " + strconv.Itoa(enc.limit) + " bytes: record less, or raise MaxEventBytes",
	}
}

// path describes the position of the copier in the lists and groups that are open. It is built only for an error, from
// the bytes already written.
func (enc *Encoder) path() string {
	var b strings.Builder
	for i := range enc.depth {
		f := &enc.frames[i]
		switch {
		case i == 0 && f.group:
			b.WriteString("Attributes")
		case i == 0:
			b.WriteString("Changes")
		}
		switch {
		case f.count == 0:
		case f.group:
			b.WriteByte('[')
			b.WriteString(strconv.Quote(cut(enc.lastKey(i))))
			b.WriteByte(']')
		default:
			b.WriteByte('[')
			b.WriteString(strconv.Itoa(f.count - 1))
			b.WriteByte(']')
		}
		if i == 0 {
			b.WriteString(enc.member)
		}
	}
	return b.String()
}

// lastKey returns the key that frame i is at. Entries of the frames above it lie behind its own.
func (enc *Encoder) lastKey(i int) string {
	key := enc.keyBytes(enc.entries[enc.frames[i].entries+enc.frames[i].count-1])
	_, n := binary.Uvarint(key)
	return string(key[n:])
}

// cut shortens a long s to maxQuoted bytes or a little less, between runes, and an ellipsis.
func cut(s string) string {
	n := maxQuoted
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
