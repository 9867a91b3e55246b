package auditslog

import (
	"encoding"
	"log/slog"
	"reflect"
	"strconv"
)

// maxLogValues is how many LogValue methods are called in a row to get at a value, as Publish does.
const maxLogValues = 8

// resolve returns what the LogValue methods of v lead to. If they do not end, or one panics, it returns v itself: Publish
// then says so, with the place of it.
func resolve(v slog.Value) slog.Value {
	r := v
	for range maxLogValues {
		if r.Kind() != slog.KindLogValuer {
			return r
		}
		next, done := logValue(r.LogValuer())
		if !done {
			return v
		}
		r = next
	}
	if r.Kind() == slog.KindLogValuer {
		return v
	}
	return r
}

// The methods of the host's types are called here and nowhere else, and what they panic with is dropped.

func logValue(x slog.LogValuer) (v slog.Value, done bool) {
	defer func() { _ = recover() }()
	return x.LogValue(), true
}

func errorText(x error) (s string, done bool) {
	defer func() { _ = recover() }()
	return x.Error(), true
}

func marshalText(x encoding.TextMarshaler) (s string, done bool) {
	defer func() { _ = recover() }()
	b, err := x.MarshalText()
	return string(b), err == nil
}

// text returns the text of a value that is one, or that has an obvious one: an id may be a number or a UUID.
func text(v slog.Value) (string, bool) {
	switch v.Kind() {
	case slog.KindString:
		return v.String(), true
	case slog.KindInt64, slog.KindUint64, slog.KindFloat64, slog.KindBool, slog.KindDuration, slog.KindTime:
		return v.String(), true
	case slog.KindAny:
		return textOf(v.Any())
	default:
		return "", false
	}
}

func textOf(x any) (string, bool) {
	switch x := x.(type) {
	case nil:
		return "", false
	case error:
		return errorText(x)
	case encoding.TextMarshaler:
		return marshalText(x)
	}
	switch v := reflect.ValueOf(x); v.Kind() {
	case reflect.String:
		return v.String(), true
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.FormatInt(v.Int(), 10), true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strconv.FormatUint(v.Uint(), 10), true
	default:
		return "", false
	}
}

// appendTidy appends a, whose value is resolved, as the contract of slog.Handler has it: without the groups in it that
// are empty, and with the members of groups without a name in the place of those. depth is how many groups a is in.
func appendTidy(dst []slog.Attr, a slog.Attr, depth int) []slog.Attr {
	if a.Value.Kind() == slog.KindGroup && depth < maxDepth {
		members := tidy(a.Value.Group(), depth)
		switch {
		case len(members) == 0:
			return dst
		case a.Key == "":
			return append(dst, members...)
		}
		return append(dst, slog.Attr{Key: a.Key, Value: slog.GroupValue(members...)})
	}
	if a.Key == "" {
		if a.Equal(slog.Attr{}) {
			return dst
		}
		a.Key = badKey
	}
	return append(dst, a)
}

// tidy returns the members of a group, put right. It copies them only if there is something to put right.
func tidy(members []slog.Attr, depth int) []slog.Attr {
	if isTidy(members, depth) {
		return members
	}
	list := make([]slog.Attr, 0, len(members))
	for _, m := range members {
		m.Value = resolve(m.Value)
		list = appendTidy(list, m, depth+1)
	}
	return list
}

func isTidy(members []slog.Attr, depth int) bool {
	for _, m := range members {
		switch {
		case m.Key == "", m.Value.Kind() == slog.KindLogValuer:
			return false
		case m.Value.Kind() == slog.KindGroup && depth < maxDepth:
			if inner := m.Value.Group(); len(inner) == 0 || !isTidy(inner, depth+1) {
				return false
			}
		}
	}
	return true
}

// cloneAttrs returns a copy of list and of the groups in it.
func cloneAttrs(list []slog.Attr) []slog.Attr {
	var clone []slog.Attr
	for _, a := range list {
		if a.Value.Kind() == slog.KindGroup {
			a.Value = slog.GroupValue(cloneAttrs(a.Value.Group())...)
		}
		clone = append(clone, a)
	}
	return clone
}
