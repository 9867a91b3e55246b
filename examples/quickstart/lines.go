package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"reflect"
	"strings"
	"time"

	"github.com/auditstream/auditstream"
)

// maxLine is the longest line that is read. A Kubernetes API server at level RequestResponse writes lines of several
// hundred kilobytes.
const maxLine = 1 << 20

// A lineError says which line of the input is no event, and why.
type lineError struct {
	line int
	err  error
}

func (e *lineError) Error() string { return fmt.Sprintf("line %d %v", e.line, e.err) }
func (e *lineError) Unwrap() error { return e.err }

var (
	errLong  = fmt.Errorf("is longer than %d bytes", maxLine)
	errShape = errors.New(`is neither an event of ours (it has no "action") ` +
		`nor a Kubernetes audit event (its "apiVersion" is not "audit.k8s.io/v1")`)
)

// An entry is an event and the number of its line.
type entry struct {
	auditstream.Event

	line int
}

// parse yields the events of newline-delimited JSON, each as soon as its line is there. A line that is no event yields
// a *lineError and the next line goes on; any other error is one of reading, and the last thing yielded. Blank lines
// are passed over.
func parse(r io.Reader) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		in := bufio.NewReaderSize(r, 64<<10)
		for number := 1; ; number++ {
			line, err := readLine(in)
			if number == 1 {
				line = bytes.TrimPrefix(line, []byte("\ufeff"))
			}
			line = bytes.TrimSpace(line)
			ended := errors.Is(err, io.EOF)
			switch {
			case err != nil && !ended && !errors.Is(err, errLong):
				yield(entry{}, fmt.Errorf("reading line %d: %w", number, err))
				return
			case errors.Is(err, errLong):
				if !yield(entry{}, &lineError{line: number, err: errLong}) {
					return
				}
			case len(line) > 0:
				e, err := parseLine(line)
				if err != nil {
					err = &lineError{line: number, err: err}
				}
				if !yield(entry{Event: e, line: number}, err) {
					return
				}
			}
			if ended {
				return
			}
		}
	}
}

// readLine returns the next line, which is valid until the next call only if it fits the buffer of in. Of a line that
// is too long it reads everything, keeps nothing, and returns errLong. The last line comes with io.EOF.
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	long := false
	for {
		part, err := in.ReadSlice('\n')
		if len(line)+len(bytes.TrimSuffix(part, []byte("\n"))) > maxLine {
			line, long = nil, true
		}
		if !long {
			line = append(line, part...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if long && (err == nil || errors.Is(err, io.EOF)) {
			// At the end of the input the next call returns io.EOF again.
			return nil, errLong
		}
		return line, err
	}
}

// parseLine tells the two forms apart by their shape.
func parseLine(line []byte) (auditstream.Event, error) {
	var shape struct {
		APIVersion string          `json:"apiVersion"`
		Kind       string          `json:"kind"`
		Action     json.RawMessage `json:"action"`
	}
	if err := decode(line, &shape); err != nil {
		return auditstream.Event{}, err
	}
	switch {
	case shape.APIVersion == kubernetesVersion && shape.Kind == "Event":
		return parseKubernetes(line)
	case shape.APIVersion == kubernetesVersion:
		return auditstream.Event{}, fmt.Errorf("is a Kubernetes audit %q: write one Event a line", shape.Kind)
	case shape.Action != nil:
		return parseOwn(line)
	}
	return auditstream.Event{}, errShape
}

// decode reads line, which must be one JSON object and nothing more, into v. Numbers in values of type any stay as they
// are written.
func decode(line []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	err := d.Decode(v)
	if err == nil {
		if _, err := d.Token(); !errors.Is(err, io.EOF) {
			return errors.New("has something after the JSON object")
		}
		return nil
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if wrong.Field == "" {
			return fmt.Errorf("is a JSON %s, not an object", wrong.Value)
		}
		return fmt.Errorf("has a JSON %s in %q, where %s belongs", wrong.Value, wrong.Field, kindInJSON(wrong))
	}
	if _, ok := errors.AsType[*time.ParseError](err); ok {
		return errors.New("has a time that is not in the form of RFC 3339")
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("is not JSON: it ends in the middle")
	}
	return fmt.Errorf("is not JSON: %s", strings.TrimPrefix(err.Error(), "json: "))
}

// kindInJSON names what should stand where a value of another type was found.
func kindInJSON(wrong *json.UnmarshalTypeError) string {
	switch wrong.Type.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Slice:
		return "an array"
	case reflect.Struct, reflect.Map:
		return "an object"
	default:
		return "a whole number"
	}
}
