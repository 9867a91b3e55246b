package record

import (
	"math"
	"strconv"

	"github.com/auditstream/auditstream/sink"
)

// MaxDepth is how many lists and groups the value of an attribute, or of one side of a change, may be nested in each
// other.
const MaxDepth = 32

const (
	version    = 1
	observedAt = 1 // offset of ObservedTime

	flagTrace    = 1 << 0
	flagSpan     = 1 << 1
	outcomeShift = 2
	flagsUsed    = 0b1111

	headerSize = 1 + 2*timeLength + 1 + 16 + 8 // at most

	// valueSize is what every value adds to Info.Size beside its text. It covers tags, counts and lengths, so that a
	// record is never longer than its Size.
	valueSize = 16

	// eventSize is what the event's own fields add beside their text: ID, both times, Action, Outcome, Actor, Source,
	// Message, TraceID and SpanID.
	eventSize = 10 * valueSize
)

// outcomes are the words of sink.Outcome by their code in the record.
var outcomes = [...]sink.Outcome{sink.OutcomeUnknown, sink.OutcomeSuccess, sink.OutcomeFailure}

// Info describes a record.
type Info struct {
	// Size is the sum of string, key and byte lengths plus 16 per value: the measure of MaxEventBytes and QueueBytes.
	// The event's own fields count as ten values, a target as one. A record is never longer than its Size.
	Size int

	// Repaired is the number of strings and keys in which invalid UTF-8 was replaced by U+FFFD.
	Repaired int

	// Clamped says that the event's Time was set to one that some protocol cannot carry.
	Clamped bool
}

// Encoder writes records. It keeps scratch space between calls and nothing of an event. The zero Encoder is ready for
// use, by one goroutine at a time.
//
// While the garbage collector marks, a store of a pointer costs many times as much as otherwise. buf = append(buf, …)
// makes none unless buf has to grow; buf = f(buf) would make one each time.
type Encoder struct {
	buf      []byte
	limit    int
	size     int
	repaired int
	clamped  bool

	// frames[:depth] are the lists and groups being written. The first is Attributes or Changes itself.
	frames [MaxDepth + 1]frame
	depth  int
	member string // of the change: "", ".Before" or ".After"

	// entries are the members of the open groups, innermost last.
	entries []entry
	keys    keyIndex
	scratch []byte // unescaped JSON
}

// Append appends the record of e to dst and returns the extended slice.
//
// The caller sets e.ObservedTime. A zero Time means ObservedTime, an empty ID a new one; what e says about Sequence and
// StreamID is ignored. limit bounds Info.Size: the copy stops where it would be passed, before copying what passes it.
// Values that a later duplicate of their key replaces are checked and count until their list is complete.
//
// Nothing of e is retained. An error is an [*Error]; the bytes of dst beyond its length are then garbage.
//
// LogValue, Error, MarshalText and IsZero methods of the event's values run on the caller's goroutine; one that panics
// is an Error. Changing a map while Append reads it ends the process, as everywhere in Go.
func (enc *Encoder) Append(dst []byte, e *sink.Event, limit int) (rec []byte, info Info, err error) {
	enc.start(dst, limit)
	if err := enc.event(e); err != nil {
		enc.start(nil, 0)
		return dst, Info{}, err
	}
	rec, info = enc.buf, Info{Size: enc.size, Repaired: enc.repaired, Clamped: enc.clamped}
	enc.start(nil, 0)
	return rec, info, nil
}

// start makes enc ready for an event, whatever state a Goexit in a host's method has left it in.
func (enc *Encoder) start(dst []byte, limit int) {
	enc.buf = dst
	enc.limit = min(limit, math.MaxInt32) // counts and lengths have 32 bits
	enc.size, enc.repaired, enc.clamped = 0, 0, false
	enc.depth, enc.member = 0, ""
	if cap(enc.entries) > maxScratch {
		enc.entries = nil
	}
	enc.entries = enc.entries[:0]
	if cap(enc.scratch) > maxScratch {
		enc.scratch = nil
	}
}

// maxScratch bounds the elements of each scratch buffer that an Encoder keeps: one huge event must not pin memory for
// the life of a pool.
const maxScratch = 4096

// event writes all of e. It must let no string of e itself flow to the heap, an error's path for instance: the compiler
// does not tell the fields of a struct apart, and would move the host's slices of attributes and targets there, too.
// What the slices refer to is at one remove, and free to go.
func (enc *Encoder) event(e *sink.Event) *Error {
	outcome, err := check(e)
	if err != nil {
		return err
	}
	if !enc.charge(eventSize) {
		return enc.tooLargeAt("ID", "string")
	}
	enc.header(e, outcome)
	switch {
	case !enc.id(e):
		return enc.tooLargeAt("ID", "string")
	case !enc.text(e.Action):
		return enc.tooLargeAt("Action", "string")
	case !enc.text(e.Actor.ID):
		return enc.tooLargeAt("Actor.ID", "string")
	case !enc.text(string(e.Actor.Type)):
		return enc.tooLargeAt("Actor.Type", "string")
	case !enc.text(e.Actor.Name):
		return enc.tooLargeAt("Actor.Name", "string")
	case !enc.text(e.Source.Address):
		return enc.tooLargeAt("Source.Address", "string")
	case !enc.text(e.Source.UserAgent):
		return enc.tooLargeAt("Source.UserAgent", "string")
	case !enc.text(e.Message):
		return enc.tooLargeAt("Message", "string")
	}
	if err := enc.targets(e.Targets); err != nil {
		return err
	}
	if err := enc.changes(e.Changes); err != nil {
		return err
	}
	enc.push(true)
	if err := enc.putAttrs(e.Attributes); err != nil {
		return err
	}
	enc.close()
	return nil
}

// check finds what is missing, and the code of the outcome.
func check(e *sink.Event) (outcome byte, err *Error) {
	if e.Action == "" {
		return 0, &Error{Path: "Action", Kind: "string", Reason: "is required: say what was done, like project.delete"}
	}
	if e.Actor.ID == "" {
		return 0, &Error{Path: "Actor.ID", Kind: "string", Reason: "is required: say who did it"}
	}
	if e.Outcome == "" {
		return 0, nil
	}
	for code, word := range outcomes {
		if e.Outcome == word {
			return byte(code), nil
		}
	}
	return 0, &Error{Path: "Outcome", Kind: "sink.Outcome", Reason: "is not one of success, failure and unknown"}
}

// header writes everything of a fixed place or width.
func (enc *Encoder) header(e *sink.Event, outcome byte) {
	at := e.Time
	if at.IsZero() {
		at = e.ObservedTime
	} else {
		enc.clamped = !carried(at)
	}
	flags := outcome << outcomeShift
	if e.TraceID != [16]byte{} {
		flags |= flagTrace
	}
	if e.SpanID != [8]byte{} {
		flags |= flagSpan
	}
	var space [headerSize]byte
	head := appendTime(append(space[:0], version), e.ObservedTime)
	head = append(appendTime(head, at), flags)
	if flags&flagTrace != 0 {
		head = append(head, e.TraceID[:]...)
	}
	if flags&flagSpan != 0 {
		head = append(head, e.SpanID[:]...)
	}
	enc.buf = append(enc.buf, head...)
}

func (enc *Encoder) id(e *sink.Event) bool {
	if e.ID != "" {
		return enc.text(e.ID)
	}
	if !enc.charge(idLength) {
		return false
	}
	var space [idLength]byte
	enc.length(idLength)
	enc.buf = append(enc.buf, AppendID(space[:0], e.ObservedTime)...)
	return true
}

func (enc *Encoder) targets(list []sink.Target) *Error {
	if len(list) > enc.room()/valueSize {
		return enc.tooLargeAt("Targets", "[]sink.Target")
	}
	enc.length(len(list))
	for i := range list {
		t := &list[i]
		if !enc.charge(valueSize) || !enc.text(t.ID) || !enc.text(string(t.Type)) || !enc.text(t.Name) {
			return enc.tooLargeAt("Targets["+strconv.Itoa(i)+"]", "sink.Target")
		}
	}
	return nil
}

func (enc *Encoder) changes(list []sink.Change) *Error {
	if len(list) > enc.room()/(2*valueSize) {
		return enc.tooLargeAt("Changes", "[]sink.Change")
	}
	enc.length(len(list))
	enc.frames[0] = frame{}
	enc.depth = 1
	for i := range list {
		enc.frames[0].count++
		c := &list[i]
		enc.member = ".Path"
		if c.Path == "" {
			return enc.fail("string", "is required: say which property changed")
		}
		if !enc.text(c.Path) {
			return enc.tooLarge("string")
		}
		enc.member = ".Before"
		if err := enc.putAny(c.Before); err != nil {
			return err
		}
		enc.member = ".After"
		if err := enc.putAny(c.After); err != nil {
			return err
		}
	}
	enc.depth, enc.member = 0, ""
	return nil
}
