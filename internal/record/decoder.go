package record

import (
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/auditstream/auditstream/sink"
)

// The fewest bytes that the parts of a record take. They bound what a count can make Decode allocate.
const (
	minTarget = 3 // three empty strings
	minChange = 4 // a path of one byte and two tags
	minMember = 3 // a key of one byte and a tag
	minValue  = 1 // a tag
)

// Decoder reads records. It cuts the slices of the events from slabs that it shares out and never reuses: keeping one
// event keeps up to 512 neighbours' attributes. The zero Decoder is ready for use, by one goroutine at a time.
type Decoder struct {
	targets slab[sink.Target]
	changes slab[sink.Change]
	attrs   slab[slog.Attr]
	values  slab[any]
	keys    keyIndex
}

// Decode returns the event of a record, Sequence and StreamID left zero. Its strings are substrings of rec. A record
// that [Encoder.Append] cannot have written is an error, which does not quote it; nothing makes Decode panic or allocate
// out of proportion to the length of rec.
func (d *Decoder) Decode(rec string) (sink.Event, error) {
	var e sink.Event
	err := d.DecodeTo(&e, rec)
	return e, err
}

// DecodeTo is Decode into e, which is zero, and stays zero when it returns an error. It spares copying events, which are
// large.
func (d *Decoder) DecodeTo(e *sink.Event, rec string) error {
	r := reader{Decoder: d, rec: rec}
	r.event(e)
	if r.wrong == "" && r.at != len(rec) {
		r.fail("bytes follow the event")
	}
	if r.wrong != "" {
		*e = sink.Event{}
		return fmt.Errorf("record: corrupt at byte %d of %d: %s", r.at, len(rec), r.wrong)
	}
	return nil
}

// reader is one call of Decode. After the first fault nothing follows, and it reads only zeros.
type reader struct {
	*Decoder
	rec   string
	at    int
	wrong string
}

func (r *reader) fail(reason string) {
	if r.wrong == "" {
		r.wrong = reason
		r.rec = r.rec[:r.at]
	}
}

func (r *reader) event(e *sink.Event) {
	if v := r.byte(); v != version {
		r.fail("unknown version")
	}
	e.ObservedTime = r.time()
	e.Time = r.time()
	if e.Time.IsZero() && !e.ObservedTime.IsZero() {
		r.fail("no Time")
	}
	flags := r.byte()
	outcome := int(flags >> outcomeShift)
	if flags&^flagsUsed != 0 || outcome >= len(outcomes) {
		r.fail("unknown flags")
		return
	}
	e.Outcome = outcomes[outcome]
	if flags&flagTrace != 0 {
		copy(e.TraceID[:], r.nonZero(len(e.TraceID)))
	}
	if flags&flagSpan != 0 {
		copy(e.SpanID[:], r.nonZero(len(e.SpanID)))
	}
	e.ID = r.name()
	e.Action = r.name()
	e.Actor = sink.Actor{ID: r.name(), Type: sink.ActorType(r.string()), Name: r.string()}
	e.Source = sink.Source{Address: r.string(), UserAgent: r.string()}
	e.Message = r.string()
	e.Targets = r.targets.take(r.shortCount(minTarget))
	for i := range e.Targets {
		e.Targets[i] = sink.Target{ID: r.string(), Type: sink.TargetType(r.string()), Name: r.string()}
	}
	e.Changes = r.changes.take(r.shortCount(minChange))
	for i := range e.Changes {
		e.Changes[i] = sink.Change{Path: r.name(), Before: r.any(0), After: r.any(0)}
	}
	e.Attributes = r.attrs.take(r.count(minMember))
	r.members(e.Attributes, 0)
}

// members reads the members of a group into list.
func (r *reader) members(list []slog.Attr, depth int) {
	var seen uint64 // classes of keys
	for i := range list {
		key := r.name()
		if key == "" {
			return
		}
		if c := class(key); seen&c == 0 {
			seen |= c
		} else if i < fewKeys && hasKey(list[:i], key) {
			r.fail("a key is repeated")
			return
		}
		list[i].Key = key
		list[i].Value = r.value(depth)
	}
	if len(list) > fewKeys && r.wrong == "" {
		repeats(&r.keys, len(list), func(i int) string { return list[i].Key }, func(int) { r.fail("a key is repeated") })
	}
}

func hasKey(list []slog.Attr, key string) bool {
	for i := range list {
		if list[i].Key == key {
			return true
		}
	}
	return false
}

// value reads the value of an attribute.
func (r *reader) value(depth int) slog.Value {
	switch tag := r.byte(); tag {
	case tagFalse, tagTrue:
		return slog.BoolValue(tag == tagTrue)
	case tagInt:
		return slog.Int64Value(r.varint())
	case tagUint:
		return slog.Uint64Value(r.uvarint())
	case tagFloat:
		return slog.Float64Value(r.float())
	case tagString:
		return slog.StringValue(r.string())
	case tagTime:
		return slog.TimeValue(r.time())
	case tagDuration:
		return slog.DurationValue(time.Duration(r.varint()))
	case tagGroup:
		return r.group(depth)
	default:
		return slog.AnyValue(r.other(tag, depth))
	}
}

// group reads a group as the value of an attribute.
func (r *reader) group(depth int) slog.Value {
	list := r.attrs.take(r.nested(minMember, depth))
	// GroupValue leaves out members that are empty groups, but to the customer an empty map is an answer, too. So it
	// gets the slice before there is anything in it to leave out, and keeps that very slice.
	v := slog.GroupValue(list...)
	r.members(list, depth+1)
	if kept := v.Group(); len(list) > 0 && (len(kept) == 0 || &kept[0] != &list[0]) {
		v = slog.GroupValue(list...)
	}
	return v
}

// any reads a value of a list or of a change.
func (r *reader) any(depth int) any {
	switch tag := r.byte(); tag {
	case tagFalse, tagTrue:
		return tag == tagTrue
	case tagInt:
		return r.varint()
	case tagUint:
		return r.uvarint()
	case tagFloat:
		return r.float()
	case tagString:
		return r.string()
	case tagTime:
		return r.time()
	case tagDuration:
		return time.Duration(r.varint())
	case tagGroup:
		list := r.attrs.take(r.nested(minMember, depth))
		r.members(list, depth+1)
		if list == nil {
			list = []slog.Attr{}
		}
		return list
	default:
		return r.other(tag, depth)
	}
}

// other reads the values that have no form of their own in slog.
func (r *reader) other(tag byte, depth int) any {
	switch tag {
	case tagNil:
		return nil
	case tagBytes:
		return []byte(r.bytes(r.length()))
	case tagList:
		list := r.values.take(r.nested(minValue, depth))
		for i := range list {
			list[i] = r.any(depth + 1)
		}
		if list == nil {
			list = []any{}
		}
		return list
	}
	r.fail("unknown tag")
	return nil
}

// bytes reads n bytes, or none when there are not as many.
func (r *reader) bytes(n int) string {
	if n > len(r.rec)-r.at {
		r.fail("it ends too early")
		return ""
	}
	b := r.rec[r.at : r.at+n]
	r.at += n
	return b
}

func (r *reader) byte() byte {
	if r.at == len(r.rec) {
		r.fail("it ends too early")
		return 0
	}
	r.at++
	return r.rec[r.at-1]
}

func (r *reader) time() time.Time {
	b := r.bytes(timeLength)
	if b == "" {
		return time.Time{}
	}
	t, ok := readTime(b)
	if !ok {
		r.fail("a time is out of range")
	}
	return t
}

func (r *reader) float() float64 {
	b := r.bytes(8)
	if b == "" {
		return 0
	}
	f := math.Float64frombits(word(b))
	if math.IsNaN(f) || math.IsInf(f, 0) {
		r.fail("a number is not finite")
	}
	return f
}

// nonZero reads n bytes that are not all zero.
func (r *reader) nonZero(n int) string {
	b := r.bytes(n)
	for i := range len(b) {
		if b[i] != 0 {
			return b
		}
	}
	r.fail("a trace is marked and not there")
	return b
}

func (r *reader) uvarint() uint64 {
	if r.at < len(r.rec) && r.rec[r.at] < 0x80 {
		r.at++
		return uint64(r.rec[r.at-1])
	}
	var n uint64
	for shift := 0; shift < 64; shift += 7 {
		b := r.byte()
		if shift == 63 && b > 1 {
			break
		}
		n |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return n
		}
	}
	r.fail("a number is too long")
	return 0
}

// varint undoes the zig-zag of binary.AppendVarint.
func (r *reader) varint() int64 {
	u := r.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

// length reads the length of a string.
func (r *reader) length() int {
	n := r.uvarint()
	if n > uint64(len(r.rec)-r.at) { //nolint:gosec // never negative.
		r.fail("it ends too early")
		return 0
	}
	return int(n) //nolint:gosec // at most len(rec).
}

func (r *reader) string() string {
	// Nearly every string is short, and its length one byte.
	if at := r.at; at < len(r.rec) && r.rec[at] < 0x80 && int(r.rec[at]) < len(r.rec)-at {
		n := int(r.rec[at])
		s := r.rec[at+1 : at+1+n]
		r.at = at + 1 + n
		if !valid(s) {
			r.fail("a string is not UTF-8")
		}
		return s
	}
	s := r.bytes(r.length())
	if !valid(s) {
		r.fail("a string is not UTF-8")
	}
	return s
}

// name reads a string that is not empty.
func (r *reader) name() string {
	s := r.string()
	if s == "" {
		r.fail("a name is empty")
	}
	return s
}

// nested reads the count of a list or group inside of depth others.
func (r *reader) nested(size, depth int) int {
	if depth >= MaxDepth {
		r.fail("it is nested too deep")
	}
	return r.count(size)
}

// count reads the number of members of a list or group, each of at least size bytes.
func (r *reader) count(size int) int {
	b := r.bytes(countLength)
	if b == "" {
		return 0
	}
	return r.bounded(uint64(halfWord(b)), size)
}

// shortCount reads a count that is a varint.
func (r *reader) shortCount(size int) int { return r.bounded(r.uvarint(), size) }

// bounded returns n if that many things of at least size bytes can follow, and otherwise 0.
func (r *reader) bounded(n uint64, size int) int {
	if n > uint64((len(r.rec)-r.at)/size) { //nolint:gosec // never negative.
		r.fail("it ends too early")
		return 0
	}
	return int(n) //nolint:gosec // at most len(rec).
}
