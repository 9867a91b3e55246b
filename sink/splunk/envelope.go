package splunk

import (
	"strconv"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/eventjson"
)

// maxRequest bounds the body of one request before compression. Splunk recommends 1 MB to its cloud's customers, and
// versions up to 6.4 took no more; today's cap is 5 MB or larger.
const maxRequest = 1_000_000

// maxSeconds is the last second whose count since 1970 has 10 digits, in the year 2286. Splunk guesses the unit of a
// time from its magnitude and takes larger ones for milliseconds.
const maxSeconds = 9_999_999_999

// An envelope writes events as HEC takes them: one object each, with nothing but the keys time, host, source,
// sourcetype, index and event. One key more, and Splunk answers 200 while it drops that object and all behind it.
type envelope struct {
	// middle is what stands between the time and the event: the metadata. HEC keeps none of it from one object to the
	// next, so each has it all.
	middle string
}

func newEnvelope(c Config) envelope {
	var b []byte
	for _, field := range []struct{ key, value string }{
		{`,"host":`, c.Host},
		{`,"source":`, c.Source},
		{`,"sourcetype":`, c.SourceType},
		{`,"index":`, c.Index},
	} {
		// A key that is left out takes the setting of the token; an empty string would override it.
		if field.value != "" {
			b = append(b, field.key...)
			b = eventjson.AppendString(b, field.value)
		}
	}
	return envelope{middle: string(append(b, `,"event":`...))}
}

// filling is how far a request was filled.
type filling struct {
	events  int // how many went in
	longest int // the size of the longest in bytes, as Splunk keeps it: without its envelope
}

// fill appends to dst the leading events of batch that fit into one request, each followed by a line feed. None is in
// it when the first is too large for a request of its own; longest is then that event's size.
func (v envelope) fill(dst []byte, batch []sink.Event) ([]byte, filling) {
	var f filling
	for i := range batch {
		start, size := len(dst), 0
		dst, size = v.append(dst, &batch[i])
		dst = append(dst, '\n')
		if len(dst) > maxRequest {
			if i == 0 {
				f.longest = size
			}
			return dst[:start], f
		}
		f.events++
		f.longest = max(f.longest, size)
	}
	return dst, f
}

// append appends one event in its envelope to dst, and returns the size of the event without it.
func (v envelope) append(dst []byte, e *sink.Event) ([]byte, int) {
	dst = append(dst, `{"time":`...)
	dst = appendEpoch(dst, e)
	dst = append(dst, v.middle...)
	start := len(dst)
	dst = eventjson.Append(dst, e)
	size := len(dst) - start
	return append(dst, '}'), size
}

// appendEpoch appends the time of e as seconds since 1970 with as many decimals as it has. It is built from whole
// numbers: a float64 loses everything below a microsecond. Times that Splunk cannot hold become the nearest it can; the
// event has its time within it as well.
func appendEpoch(dst []byte, e *sink.Event) []byte {
	seconds := e.Time.Unix()
	switch {
	case seconds < 0:
		return append(dst, '0')
	case seconds > maxSeconds:
		return strconv.AppendInt(dst, maxSeconds, 10)
	}
	dst = strconv.AppendInt(dst, seconds, 10)
	return eventjson.AppendDecimals(dst, e.Time.Nanosecond())
}
