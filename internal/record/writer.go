package record

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The tags of the values in a record.
const (
	tagNil = iota
	tagFalse
	tagTrue
	tagInt
	tagUint
	tagFloat
	tagString
	tagBytes
	tagTime
	tagDuration
	tagList
	tagGroup
)

// countLength is the width of the count of a list or group, which is filled in when the list is complete.
const countLength = 4

// frame is a list or group being written.
type frame struct {
	group   bool
	doubt   bool   // for a group: a key may have come twice
	count   int    // members begun
	at      int    // offset of the count in buf
	entries int    // for a group: where its members start in Encoder.entries
	seen    uint64 // for a group: the classes of its keys
}

// entry is one member of a group being written. With a fifth field the compiler would build it in memory.
type entry struct {
	start    int  // offset of the member in buf, which begins with its key
	end      int  // offset behind the key
	size     int  // Encoder.size before it
	replaced bool // by a later member with its key
}

// keyBytes returns the key of a member as written, its length included.
func (enc *Encoder) keyBytes(e entry) []byte { return enc.buf[e.start:e.end] }

// room is how much Info.Size may still grow.
func (enc *Encoder) room() int { return enc.limit - enc.size }

// charge adds n to Info.Size, or reports false when that would pass the limit.
func (enc *Encoder) charge(n int) bool {
	if n > enc.room() {
		return false
	}
	enc.size += n
	return true
}

// text writes s without a tag, invalid UTF-8 replaced. It reports false when it would pass the limit, as given or as
// repaired; the first check comes before anything is read, so that a gigabyte costs nothing.
//
// Nearly every string is short and ASCII: those are checked by the words in which they are copied, without a call. Words
// may overlap: what a loop to the very end would cost is the branch that nobody can predict.
func (enc *Encoder) text(s string) bool {
	if len(s) > enc.room() {
		return false
	}
	at := len(enc.buf)
	if len(s) >= 0x80 || len(s) >= cap(enc.buf)-at {
		return enc.anyText(s)
	}
	enc.buf = enc.buf[:at+1+len(s)]
	enc.buf[at] = byte(len(s)) //nolint:gosec // below 0x80
	n := len(s)
	dst := enc.buf[at+1:][:n]
	var bits uint64
	switch {
	case n >= 8:
		bits = move(dst, s, 0) | move(dst, s, n-8)
		if n > 16 {
			bits |= move(dst, s, 8) | move(dst, s, n-16)
		}
		for i := 16; i < n-16; i += 8 {
			bits |= move(dst, s, i)
		}
	case n >= 4:
		first, last := halfWord(s), halfWord(s[n-4:])
		binary.LittleEndian.PutUint32(dst, first)
		binary.LittleEndian.PutUint32(dst[n-4:], last)
		bits = uint64(first | last)
	default:
		for i := range n {
			dst[i] = s[i]
			bits |= uint64(s[i])
		}
	}
	if bits&highBits != 0 && !utf8.ValidString(s) {
		enc.buf = enc.buf[:at]
		return enc.anyText(s)
	}
	enc.size += len(s)
	return true
}

// move copies the word of s at i to the same place of dst, and returns it.
func move(dst []byte, s string, i int) uint64 {
	w := word(s[i:])
	binary.LittleEndian.PutUint64(dst[i:], w)
	return w
}

// anyText is text for strings of any length and content that are known to fit as given.
func (enc *Encoder) anyText(s string) bool {
	if !valid(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
		if enc.repaired++; len(s) > enc.room() {
			return false
		}
	}
	enc.size += len(s)
	enc.length(len(s))
	enc.buf = append(enc.buf, s...)
	return true
}

// length writes n as a varint.
func (enc *Encoder) length(n int) { enc.putUvarint(uint64(n)) } //nolint:gosec // never negative

func (enc *Encoder) putUvarint(n uint64) {
	for ; n >= 0x80; n >>= 7 {
		enc.buf = append(enc.buf, byte(n)|0x80)
	}
	enc.buf = append(enc.buf, byte(n))
}

// putVarint writes n in zig-zag.
func (enc *Encoder) putVarint(n int64) { enc.putUvarint(uint64(n)<<1 ^ uint64(n>>63)) } //nolint:gosec // the bits

// tag begins a value.
func (enc *Encoder) tag(t byte) bool {
	if !enc.charge(valueSize) {
		return false
	}
	enc.buf = append(enc.buf, t)
	return true
}

func (enc *Encoder) putNil() *Error {
	if !enc.tag(tagNil) {
		return enc.tooLarge("nil")
	}
	return nil
}

func (enc *Encoder) putBool(b bool) *Error {
	t := byte(tagFalse)
	if b {
		t = tagTrue
	}
	if !enc.tag(t) {
		return enc.tooLarge("bool")
	}
	return nil
}

func (enc *Encoder) putInt(n int64) *Error {
	if !enc.tag(tagInt) {
		return enc.tooLarge("int64")
	}
	enc.putVarint(n)
	return nil
}

func (enc *Encoder) putUint(n uint64) *Error {
	if !enc.tag(tagUint) {
		return enc.tooLarge("uint64")
	}
	enc.putUvarint(n)
	return nil
}

// putFloat writes f, or the word for it when it is not finite: neither JSON nor every receiver has a number for those.
func (enc *Encoder) putFloat(f float64) *Error {
	switch {
	case math.IsNaN(f):
		return enc.putString("NaN")
	case math.IsInf(f, 1):
		return enc.putString("Infinity")
	case math.IsInf(f, -1):
		return enc.putString("-Infinity")
	}
	if !enc.tag(tagFloat) {
		return enc.tooLarge("float64")
	}
	enc.buf = binary.LittleEndian.AppendUint64(enc.buf, math.Float64bits(f))
	return nil
}

func (enc *Encoder) putString(s string) *Error {
	if !enc.tag(tagString) || !enc.text(s) {
		return enc.tooLarge("string")
	}
	return nil
}

func (enc *Encoder) putBytes(b []byte) *Error {
	if !enc.tag(tagBytes) || !enc.charge(len(b)) {
		return enc.tooLarge("[]byte")
	}
	enc.length(len(b))
	enc.buf = append(enc.buf, b...)
	return nil
}

func (enc *Encoder) putTime(t time.Time) *Error {
	if !enc.tag(tagTime) {
		return enc.tooLarge("time.Time")
	}
	enc.buf = appendTime(enc.buf, t)
	return nil
}

func (enc *Encoder) putDuration(d time.Duration) *Error {
	if !enc.tag(tagDuration) {
		return enc.tooLarge("time.Duration")
	}
	enc.putVarint(int64(d))
	return nil
}

// openList begins a list of at least n values of the given type. It refuses at once what cannot fit.
func (enc *Encoder) openList(kind string, n int) *Error { return enc.open(false, kind, n) }

// openGroup begins a group of at least n members.
func (enc *Encoder) openGroup(kind string, n int) *Error { return enc.open(true, kind, n) }

func (enc *Encoder) open(group bool, kind string, n int) *Error {
	if enc.depth > MaxDepth {
		err := enc.fail(kind, "is nested deeper than "+strconv.Itoa(MaxDepth)+" levels: is it a cycle?")
		err.Limit = MaxDepth
		return err
	}
	t := byte(tagList)
	if group {
		t = tagGroup
	}
	if !enc.tag(t) || n > enc.room()/valueSize {
		return enc.tooLarge(kind)
	}
	enc.push(group)
	return nil
}

// push begins a list or group without a tag.
func (enc *Encoder) push(group bool) {
	enc.frames[enc.depth] = frame{group: group, at: len(enc.buf), entries: len(enc.entries)}
	enc.depth++
	enc.buf = append(enc.buf, 0, 0, 0, 0)
}

// element begins the next value of the innermost list.
func (enc *Encoder) element() { enc.frames[enc.depth-1].count++ }

// key begins the next member of the innermost group.
func (enc *Encoder) key(key string) *Error {
	f := &enc.frames[enc.depth-1]
	if key == "" {
		at := f.count // container forgets it
		return &Error{
			Path:   enc.container(),
			Reason: "has an empty key at position " + strconv.Itoa(at) + ": name every attribute",
		}
	}
	start, size := len(enc.buf), enc.size
	if !enc.text(key) {
		return enc.tooLargeAt(enc.container(), "key")
	}
	e := entry{start: start, end: len(enc.buf), size: size}
	if c := class(enc.buf[e.end-(enc.size-size) : e.end]); f.seen&c == 0 {
		f.seen |= c
	} else if !f.doubt {
		f.doubt = enc.mayRepeat(f, e)
	}
	enc.entries = append(enc.entries, e)
	f.count++
	return nil
}

// mayRepeat reports whether a member of f has the key of e, or whether those are too many to look.
func (enc *Encoder) mayRepeat(f *frame, e entry) bool {
	members := enc.entries[f.entries:]
	if len(members) >= fewKeys {
		return true
	}
	for _, m := range members {
		if bytes.Equal(enc.keyBytes(m), enc.keyBytes(e)) {
			return true
		}
	}
	return false
}

// container is the path of the innermost list or group, without the member it is at.
func (enc *Encoder) container() string {
	enc.frames[enc.depth-1].count = 0
	return enc.path()
}

// close completes the innermost list or group: in a group the last of several members with the same key stays.
func (enc *Encoder) close() {
	enc.depth--
	f := &enc.frames[enc.depth]
	if f.group {
		if f.doubt {
			f.count -= enc.dropRepeated(enc.entries[f.entries:])
		}
		enc.entries = enc.entries[:f.entries]
	}
	binary.LittleEndian.PutUint32(enc.buf[f.at:], uint32(f.count)) //nolint:gosec // at most limit/16.
}

// dropRepeated cuts the members out of buf whose key comes again later, and returns their number. The members are the
// last thing in buf. Keys are compared as written, so two that differ only in invalid UTF-8 are the same.
func (enc *Encoder) dropRepeated(members []entry) int {
	dropped := 0
	repeats(&enc.keys, len(members),
		func(i int) []byte { return enc.keyBytes(members[i]) },
		func(earlier int) { members[earlier].replaced = true; dropped++ })
	if dropped == 0 {
		return 0
	}
	to, size := members[0].start, members[0].size
	for i := range members {
		end, endSize := len(enc.buf), enc.size
		if i+1 < len(members) {
			end, endSize = members[i+1].start, members[i+1].size
		}
		if !members[i].replaced {
			to += copy(enc.buf[to:], enc.buf[members[i].start:end])
			size += endSize - members[i].size
		}
	}
	enc.buf, enc.size = enc.buf[:to], size
	return dropped
}
