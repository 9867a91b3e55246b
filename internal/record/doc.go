// Package record turns an audit event into the compact bytes that the queue holds, and back.
//
// [Encoder.Append] takes a full snapshot of a [sink.Event] on the caller's goroutine: it walks whatever the host put
// into Attributes and Changes with a copier that is limited in depth and size, converts it to the plain values that
// sink.Event documents, and refuses what has no plain form with an [*Error] that names the place and never the value.
// [Decoder.Decode] gives the snapshot back; its strings are substrings of the record.
//
// # Why bytes
//
// A queue of encoded records retains nothing of the caller's, has exact bounds in bytes, and holds no pointers for the
// garbage collector to walk. A queue that survives a restart can write the same records.
//
// # What becomes of a value
//
// The first rule that fits decides, for the value and for everything inside:
//
//  1. nil of any type is nil. No method of a nil pointer is called.
//  2. LogValue, on the type or on a pointer to it, is called at most 8 times in a row.
//  3. time.Time, time.Duration, slog.Value, slog.Attr and []slog.Attr are what they are; json.Number becomes a number if
//     that loses nothing and stays a string otherwise; json.RawMessage becomes what it says, or a string if it is not
//     valid JSON; an error becomes its text; an encoding.TextMarshaler too.
//  4. Booleans, numbers and strings of any name become bool, int64, uint64, float64 and string; NaN and the infinities
//     become strings. Slices and arrays of bytes become []byte, others []any. Maps become groups sorted by key, with
//     keys as encoding/json has them. Structs become groups of the fields that encoding/json writes, in its order and
//     under its names. Pointers and interfaces are followed.
//  5. Channels, functions, complex numbers and unsafe pointers are an Error.
//
// MarshalJSON, String, GoString and Format are never called, and neither fmt nor encoding/json walks a value: both
// follow a cycle until the process dies.
//
// In every list of attributes, map and JSON object the last of several members with one key stays, where it stands. A
// map with two keys that MarshalText gives the same text is an Error, because neither of them is the last.
//
// # The record, version 1
//
// Fixed-width numbers are little-endian. A varint is the base-128 form of package encoding/binary, signed ones in
// zig-zag. A string is a varint length and that many bytes of valid UTF-8.
//
//	offset  size      field
//	0       1         version: 1
//	1       12        ObservedTime: seconds since 1970 (int64), nanoseconds (uint32)
//	13      12        Time: likewise
//	25      1         flags: bit 0, a TraceID follows; bit 1, a SpanID follows; bits 2 and 3, the Outcome
//	                  (0 unknown, 1 success, 2 failure); the others are zero
//	26      16, 0     TraceID, if it is not zero
//	        8, 0      SpanID, if it is not zero
//	        string    ID
//	        string    Action
//	        string    Actor.ID, Actor.Type, Actor.Name
//	        string    Source.Address, Source.UserAgent
//	        string    Message
//	        varint    number of targets; for each of them the strings ID, Type and Name
//	        varint    number of changes; for each of them the string Path and the values Before and After
//	        uint32    number of attributes; for each of them a string key and a value
//
// A value is one tag byte and what it says:
//
//	tag  value            what follows
//	0    nil              nothing
//	1    false            nothing
//	2    true             nothing
//	3    int64            a signed varint
//	4    uint64           a varint
//	5    float64, finite  8 bytes
//	6    string           a string
//	7    []byte           a varint length and the bytes
//	8    time.Time        seconds since 1970 (int64) and nanoseconds (uint32)
//	9    time.Duration    a signed varint of nanoseconds
//	10   []any            a uint32 count and the values
//	11   []slog.Attr      a uint32 count, and for each a string key and a value
//
// Keys are neither empty nor repeated within one list. Lists and groups are nested at most [MaxDepth] deep. Times lie
// in the years 1 to 9999, so that RFC 3339 can write them, and are UTC. There is no Sequence and no StreamID: the queue
// knows them.
//
// Decode accepts exactly what Append can have written. A change of anything above needs a new version byte.
package record
