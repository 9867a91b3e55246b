package record

import (
	"encoding"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// putKind writes a value by its kind. It is not nil, and no pointer or interface.
func (enc *Encoder) putKind(v reflect.Value, plan *plan) *Error {
	switch k := v.Kind(); {
	case k == reflect.Bool:
		return enc.putBool(v.Bool())
	case v.CanInt():
		return enc.putInt(v.Int())
	case v.CanUint():
		return enc.putUint(v.Uint())
	case v.CanFloat():
		return enc.putFloat(v.Float())
	case k == reflect.String:
		return enc.putString(v.String())
	case k == reflect.Slice, k == reflect.Array:
		return enc.putList(v)
	case k == reflect.Map:
		return enc.putMap(v)
	case k == reflect.Struct:
		return enc.putStruct(v, plan)
	}
	return enc.fail(v.Type().String(), "cannot be recorded: it has no value that means anything elsewhere")
}

func (enc *Encoder) putList(v reflect.Value) *Error {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		return enc.putByteList(v)
	}
	if err := enc.openList(v.Type().String(), v.Len()); err != nil {
		return err
	}
	for i := range v.Len() {
		enc.element()
		if err := enc.putReflect(v.Index(i)); err != nil {
			return err
		}
	}
	enc.close()
	return nil
}

// putByteList writes a slice or array of bytes, whatever their type is called.
func (enc *Encoder) putByteList(v reflect.Value) *Error {
	if v.Len() > enc.room() {
		return enc.tooLarge(v.Type().String())
	}
	if v.Kind() == reflect.Slice {
		return enc.putBytes(v.Bytes())
	}
	b := make([]byte, v.Len())
	for i := range b {
		b[i] = byte(v.Index(i).Uint()) //nolint:gosec // of kind uint8.
	}
	return enc.putBytes(b)
}

// member is a member of a map.
type member struct {
	key   string
	value reflect.Value
}

// putMap writes the members of a map in the order of their keys.
func (enc *Encoder) putMap(v reflect.Value) *Error {
	if err := enc.openGroup(v.Type().String(), v.Len()); err != nil {
		return err
	}
	members := make([]member, 0, v.Len())
	for it := v.MapRange(); it.Next(); {
		key, err := enc.keyText(it.Key())
		if err != nil {
			return err
		}
		members = append(members, member{key, it.Value()})
	}
	slices.SortFunc(members, func(a, b member) int { return strings.Compare(a.key, b.key) })
	for i, m := range members {
		// Two keys of a map are never equal, but what MarshalText makes of them may be. Nothing tells which of the two
		// would be the last.
		if i > 0 && m.key == members[i-1].key {
			return &Error{
				Path: enc.container(), Kind: cut(v.Type().String()),
				Reason: "has two keys with the same text",
			}
		}
		if err := enc.key(m.key); err != nil {
			return err
		}
		if err := enc.putReflect(m.value); err != nil {
			return err
		}
	}
	enc.close()
	return nil
}

// keyText returns the text of a map's key, by the rules of encoding/json.
func (enc *Encoder) keyText(k reflect.Value) (string, *Error) {
	switch {
	case k.Kind() == reflect.String:
		return k.String(), nil
	case k.Type().Implements(textMarshalerType):
		if isNil(k) {
			return "", nil
		}
		return enc.marshalText(k.Interface().(encoding.TextMarshaler), k.Type())
	case k.CanInt():
		return strconv.FormatInt(k.Int(), 10), nil
	case k.CanUint():
		return strconv.FormatUint(k.Uint(), 10), nil
	}
	return "", enc.fail(k.Type().String(), "cannot be the key of a map: use strings, integers or TextMarshalers")
}

func (enc *Encoder) putStruct(v reflect.Value, plan *plan) *Error {
	if err := enc.openGroup(v.Type().String(), 0); err != nil {
		return err
	}
	for i := range plan.fields {
		f := &plan.fields[i]
		fv, ok := fieldOf(v, f.index)
		if !ok {
			continue
		}
		omit, done := f.omits(fv)
		if !done {
			return enc.fail(v.Type().String(), "has a field with an IsZero method that panicked")
		}
		if omit {
			continue
		}
		if err := enc.key(f.name); err != nil {
			return err
		}
		if err := enc.putField(fv, f); err != nil {
			return err
		}
	}
	enc.close()
	return nil
}

// fieldOf returns the field of v at index; ok is false when it lies in an embedded struct whose pointer is nil.
func fieldOf(v reflect.Value, index []int) (f reflect.Value, ok bool) {
	for i, x := range index {
		if i > 0 && v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return reflect.Value{}, false
			}
			v = v.Elem()
		}
		v = v.Field(x)
	}
	return v, true
}

// omits reports whether the field's tag leaves v out; done is false when an IsZero method of the host panicked.
func (f *field) omits(v reflect.Value) (omit, done bool) {
	if f.omitEmpty && isEmpty(v) {
		return true, true
	}
	if !f.omitZero {
		return false, true
	}
	t := v.Type()
	byPointer := !t.Implements(zeroerType) && reflect.PointerTo(t).Implements(zeroerType)
	if isNil(v) || !byPointer && !t.Implements(zeroerType) {
		return v.IsZero(), true
	}
	return isZero(receiver(v, &plan{byPointer: byPointer}).(interface{ IsZero() bool }))
}

// isEmpty is what omitempty means.
func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return false
	default:
		return v.IsZero()
	}
}

// putField writes the value of a field, as a string if its tag asks for that.
func (enc *Encoder) putField(v reflect.Value, f *field) *Error {
	if !f.asString {
		return enc.putReflect(v)
	}
	if v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if isNil(v) || planOf(v.Type()).form != formKind {
		return enc.putReflect(v)
	}
	switch {
	case v.Kind() == reflect.Bool:
		return enc.putString(strconv.FormatBool(v.Bool()))
	case v.CanInt():
		return enc.putString(strconv.FormatInt(v.Int(), 10))
	case v.CanUint():
		return enc.putString(strconv.FormatUint(v.Uint(), 10))
	case v.Kind() == reflect.Float32:
		return enc.putFloatText(v.Float(), 32)
	case v.Kind() == reflect.Float64:
		return enc.putFloatText(v.Float(), 64)
	}
	return enc.putReflect(v)
}
