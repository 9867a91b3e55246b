package record

import (
	"encoding"
	"encoding/json"
	"log/slog"
	"reflect"
	"strconv"
	"time"
)

const (
	// maxLogValues is how many LogValue methods are called in a row to get at a value.
	maxLogValues = 8

	// maxPointers is how many pointers and interfaces are followed in a row to get at a value.
	maxPointers = 32
)

// putAttrs writes the members of the innermost group.
func (enc *Encoder) putAttrs(list []slog.Attr) *Error {
	if len(list) > enc.room()/valueSize {
		return enc.tooLargeAt(enc.container(), "[]slog.Attr")
	}
	for i := range list {
		if err := enc.key(list[i].Key); err != nil {
			return err
		}
		if err := enc.putValue(list[i].Value); err != nil {
			return err
		}
	}
	return nil
}

// putValue writes a value of slog's.
func (enc *Encoder) putValue(v slog.Value) *Error {
	switch v.Kind() {
	case slog.KindString:
		return enc.putString(v.String())
	case slog.KindInt64:
		return enc.putInt(v.Int64())
	case slog.KindUint64:
		return enc.putUint(v.Uint64())
	case slog.KindFloat64:
		return enc.putFloat(v.Float64())
	case slog.KindBool:
		return enc.putBool(v.Bool())
	case slog.KindDuration:
		return enc.putDuration(v.Duration())
	case slog.KindTime:
		return enc.putTime(v.Time())
	case slog.KindGroup:
		return enc.putGroup(v.Group())
	case slog.KindAny, slog.KindLogValuer:
	}
	return enc.putAny(v.Any())
}

func (enc *Encoder) putGroup(list []slog.Attr) *Error {
	if err := enc.openGroup("[]slog.Attr", len(list)); err != nil {
		return err
	}
	if err := enc.putAttrs(list); err != nil {
		return err
	}
	enc.close()
	return nil
}

// putAny writes a value of any type. The frequent types without methods take the short way.
func (enc *Encoder) putAny(v any) *Error {
	switch v := v.(type) {
	case nil:
		return enc.putNil()
	case string:
		return enc.putString(v)
	case bool:
		return enc.putBool(v)
	case int:
		return enc.putInt(int64(v))
	case int64:
		return enc.putInt(v)
	case float64:
		return enc.putFloat(v)
	case time.Time:
		return enc.putTime(v)
	}
	return enc.putReflect(reflect.ValueOf(v))
}

// putReflect writes a value of any type. It follows LogValue methods, pointers and interfaces to what is behind them,
// each a bounded number of times, because all three can go round in circles.
func (enc *Encoder) putReflect(v reflect.Value) *Error {
	resolved, followed := 0, 0
	for {
		if isNil(v) {
			return enc.putNil()
		}
		plan := planOf(v.Type())
		switch {
		case plan.form == formLogValuer, plan.form == formValue:
			if resolved++; resolved > maxLogValues {
				return enc.tooDeep(v, maxLogValues, "LogValue methods")
			}
			inner, err := enc.resolve(v, plan)
			if err != nil {
				return err
			}
			if k := inner.Kind(); k != slog.KindAny && k != slog.KindLogValuer {
				return enc.putValue(inner)
			}
			v = reflect.ValueOf(inner.Any())
		case plan.form == formKind && (v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface):
			if followed++; followed > maxPointers {
				return enc.tooDeep(v, maxPointers, "pointers")
			}
			v = v.Elem()
		default:
			return enc.putForm(v, plan)
		}
	}
}

// isNil reports whether v is nil, of whatever type. A nil pointer's methods are not called: most would panic.
func isNil(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Pointer, reflect.Interface, reflect.Map, reflect.Slice, reflect.Chan, reflect.Func, reflect.UnsafePointer:
		return v.IsNil()
	default:
		return false
	}
}

func (enc *Encoder) tooDeep(v reflect.Value, limit int, what string) *Error {
	err := enc.fail(v.Type().String(), "is behind more than "+strconv.Itoa(limit)+" "+what+" in a row: is it a cycle?")
	err.Limit = limit
	return err
}

// resolve returns the slog.Value that v is or that its LogValue method makes.
func (enc *Encoder) resolve(v reflect.Value, plan *plan) (slog.Value, *Error) {
	x := receiver(v, plan)
	if plan.form == formValue {
		return x.(slog.Value), nil
	}
	inner, done := logValue(x.(slog.LogValuer))
	if !done {
		return slog.Value{}, enc.fail(v.Type().String(), "has a LogValue method that panicked")
	}
	return inner, nil
}

// putForm writes a value that nothing is behind.
func (enc *Encoder) putForm(v reflect.Value, plan *plan) *Error {
	if plan.form == formKind {
		return enc.putKind(v, plan)
	}
	x := receiver(v, plan)
	switch x := x.(type) {
	case time.Time:
		return enc.putTime(x)
	case time.Duration:
		return enc.putDuration(x)
	case slog.Attr:
		return enc.putGroup([]slog.Attr{x})
	case []slog.Attr:
		return enc.putGroup(x)
	case error:
		text, done := errorText(x)
		if !done {
			return enc.fail(v.Type().String(), "has an Error method that panicked")
		}
		return enc.putString(text)
	case json.Number:
		return enc.putNumber(string(x))
	case json.RawMessage:
		return enc.putJSON(x)
	}
	text, err := enc.marshalText(x.(encoding.TextMarshaler), v.Type())
	if err != nil {
		return err
	}
	return enc.putString(text)
}

// marshalText returns the text of x, which is a v, or a pointer to one.
func (enc *Encoder) marshalText(x encoding.TextMarshaler, t reflect.Type) (string, *Error) {
	text, err, done := marshalText(x)
	switch {
	case !done:
		return "", enc.fail(t.String(), "has a MarshalText method that panicked")
	case err != nil:
		return "", enc.fail(t.String(), "has a MarshalText method that returned an error")
	case len(text) > enc.room():
		return "", enc.tooLarge(t.String())
	}
	return string(text), nil
}

// receiver returns what to call a method of v on: a pointer to v, or to a copy of it, if it is the pointer that has the
// methods. So a type that hides itself in LogValue does so whether the host passes it, or a struct that holds it, by
// pointer or by value.
func receiver(v reflect.Value, plan *plan) any {
	switch {
	case !plan.byPointer:
		return v.Interface()
	case v.CanAddr():
		return v.Addr().Interface()
	}
	p := reflect.New(v.Type())
	p.Elem().Set(v)
	return p.Interface()
}

// The methods of the host's types are called here and nowhere else. A deferred function that looks at done instead of
// at what recover returns also catches panic(nil), and lets Goexit pass without an answer being taken for one. What was
// panicked with is dropped: it may hold the value.

func logValue(x slog.LogValuer) (v slog.Value, done bool) {
	defer func() { _ = recover() }()
	return x.LogValue(), true
}

func errorText(x error) (s string, done bool) {
	defer func() { _ = recover() }()
	return x.Error(), true
}

func marshalText(x encoding.TextMarshaler) (b []byte, err error, done bool) {
	defer func() { _ = recover() }()
	b, err = x.MarshalText()
	return b, err, true
}

func isZero(x interface{ IsZero() bool }) (zero, done bool) {
	defer func() { _ = recover() }()
	return x.IsZero(), true
}
