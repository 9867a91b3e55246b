package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/auditstream/auditstream/sink"
)

// Decode reads a JSON object into the struct that target points to. What the object does not have, and null, leaves a
// field as it is; a map is replaced as a whole. It returns every problem as [*sink.ConfigError] values, whose fields
// begin with name and go on with the path: "splunk: Config.tls.rootCAs". Target is undefined then.
func Decode(name string, data []byte, target any) error {
	d := decoder{}
	d.object(name, data, reflect.ValueOf(target).Elem())
	return errors.Join(d.problems...)
}

type decoder struct{ problems []error }

func (d *decoder) fail(path, reason string) {
	d.problems = append(d.problems, &sink.ConfigError{Field: path, Reason: reason})
}

// object reads data into the struct v.
func (d *decoder) object(path string, data []byte, v reflect.Value) {
	fields := fieldsOf(v.Type())
	d.members(path, data, func(name string, raw json.RawMessage) {
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == name })
		if i < 0 {
			d.fail(join(path, name), "is not known"+suggestion(name, fields))
			return
		}
		d.value(join(path, name), raw, v.Field(fields[i].index))
	})
}

// members calls each for every member of the object in data.
func (d *decoder) members(path string, data []byte, each func(name string, raw json.RawMessage)) {
	if kindOf(data) != "an object" {
		d.fail(path, "is "+kindOf(data)+": want an object")
		return
	}
	seen := make(map[string]bool)
	j := json.NewDecoder(bytes.NewReader(data))
	_, _ = j.Token() // the brace
	for j.More() {
		token, err := j.Token()
		name, ok := token.(string)
		var raw json.RawMessage
		if err != nil || !ok || j.Decode(&raw) != nil {
			d.fail(path, "is not valid JSON")
			return
		}
		if seen[name] {
			d.fail(join(path, name), "is there twice")
			continue
		}
		seen[name] = true
		each(name, raw)
	}
	if _, err := j.Token(); err != nil {
		d.fail(path, "is not valid JSON")
		return
	}
	if _, err := j.Token(); !errors.Is(err, io.EOF) {
		d.fail(path, "has something behind the object")
	}
}

// value reads data into a field.
func (d *decoder) value(path string, data []byte, v reflect.Value) {
	if kindOf(data) == "null" {
		return
	}
	if own, ok := reflect.TypeAssert[json.Unmarshaler](v.Addr()); ok {
		if err := own.UnmarshalJSON(data); err != nil {
			d.fail(path, strings.TrimPrefix(err.Error(), "secret: "))
		}
		return
	}
	switch {
	case v.Type() == durationType:
		d.duration(path, data, v)
	case v.Kind() == reflect.Struct:
		d.object(path, data, v)
	case v.Kind() == reflect.Map:
		d.texts(path, data, v)
	default:
		if json.Unmarshal(data, v.Addr().Interface()) != nil {
			d.fail(path, "is "+kindOf(data)+": want "+wanted(v.Kind()))
		}
	}
}

func (d *decoder) duration(path string, data []byte, v reflect.Value) {
	var text string
	if json.Unmarshal(data, &text) != nil {
		d.fail(path, "is "+kindOf(data)+`: want a text such as "1m30s"`)
		return
	}
	t, err := time.ParseDuration(text)
	if err != nil {
		d.problems = append(d.problems, &sink.ConfigError{
			Field: path, Value: strconv.Quote(text), Reason: `is no duration: write one such as "1m30s"`,
		})
		return
	}
	v.SetInt(int64(t))
}

// texts reads an object of texts into a map from text to text.
func (d *decoder) texts(path string, data []byte, v reflect.Value) {
	all := reflect.MakeMap(v.Type())
	d.members(path, data, func(name string, raw json.RawMessage) {
		var text string
		if kindOf(raw) == "null" || json.Unmarshal(raw, &text) != nil {
			d.fail(join(path, name), "is "+kindOf(raw)+": want a text")
			return
		}
		all.SetMapIndex(reflect.ValueOf(name), reflect.ValueOf(text))
	})
	v.Set(all)
}

// join adds a name to a path. One that is not plain is quoted, and cut: it may be anything.
func join(path, name string) string {
	const longest = 64
	if len(name) > longest {
		name = name[:longest] + "…"
	}
	if strings.ContainsFunc(name, func(r rune) bool { return r < '!' || r > '~' || r == '.' || r == '"' }) || name == "" {
		name = strconv.Quote(name)
	}
	return path + "." + name
}

// suggestion names the field that was probably meant.
func suggestion(name string, fields []field) string {
	for _, f := range fields {
		if strings.EqualFold(f.name, name) {
			return ": write " + f.name
		}
	}
	return ""
}

// kindOf says what a JSON text is.
func kindOf(data []byte) string {
	data = bytes.TrimSpace(data)
	switch {
	case len(data) == 0:
		return "empty"
	case data[0] == '{':
		return "an object"
	case data[0] == '[':
		return "a list"
	case data[0] == '"':
		return "a text"
	case data[0] == 't', data[0] == 'f':
		return "true or false"
	case data[0] == 'n':
		return "null"
	case data[0] == '-', '0' <= data[0] && data[0] <= '9':
		return "a number"
	}
	return "not valid JSON"
}

func wanted(k reflect.Kind) string {
	switch k { //nolint:exhaustive // what configurations have
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "true or false"
	}
	return "a whole number"
}
