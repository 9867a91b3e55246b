package document

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"time"
)

var durationType = reflect.TypeFor[time.Duration]()

// Encode returns the JSON object of a struct: every field with a json tag, in order, whatever its value, so that a reader
// sees what there is. Durations are text such as "1m30s". Fields that marshal themselves, such as secrets, do.
func Encode(v any) ([]byte, error) {
	var b bytes.Buffer
	if err := encodeStruct(&b, reflect.ValueOf(v)); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func encodeStruct(b *bytes.Buffer, v reflect.Value) error {
	b.WriteByte('{')
	for i, f := range fieldsOf(v.Type()) {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(f.name)
		if err != nil {
			return err
		}
		b.Write(name)
		b.WriteByte(':')
		if err := encodeValue(b, v.Field(f.index)); err != nil {
			return err
		}
	}
	b.WriteByte('}')
	return nil
}

func encodeValue(b *bytes.Buffer, v reflect.Value) error {
	_, own := reflect.TypeAssert[json.Marshaler](v)
	switch {
	case v.Type() == durationType:
		b.WriteString(`"` + v.Interface().(time.Duration).String() + `"`)
		return nil
	case v.Kind() == reflect.Struct && !own:
		return encodeStruct(b, v)
	case v.Kind() == reflect.Map && v.IsNil():
		b.WriteString("{}")
		return nil
	}
	text, err := json.Marshal(v.Interface())
	b.Write(text)
	return err
}

// field is a field with a json tag.
type field struct {
	name  string
	index int
}

// fieldsOf returns the fields of a struct that a document has.
func fieldsOf(t reflect.Type) []field {
	var all []field
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if name != "" && name != "-" {
			all = append(all, field{name, i})
		}
	}
	return all
}
