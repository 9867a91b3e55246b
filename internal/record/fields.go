package record

import (
	"cmp"
	"encoding"
	"encoding/json"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
)

// form is which rule a type is written by. The order is that of precedence.
type form uint8

const (
	formKind      form = iota // by its reflect.Kind
	formLogValuer             // by its LogValue method
	formValue                 // it is a slog.Value
	formOther                 // one of the types and methods that putForm knows
)

// plan is how values of one type are written.
type plan struct {
	form      form
	byPointer bool    // the method is the pointer's
	fields    []field // of a struct
}

// field is a struct field that becomes a member of a group.
type field struct {
	name      string
	index     []int // as reflect.Value.FieldByIndex takes it
	tagged    bool
	omitEmpty bool
	omitZero  bool
	asString  bool // the tag's option "string"
}

var (
	logValuerType     = reflect.TypeFor[slog.LogValuer]()
	errorType         = reflect.TypeFor[error]()
	textMarshalerType = reflect.TypeFor[encoding.TextMarshaler]()
	zeroerType        = reflect.TypeFor[interface{ IsZero() bool }]()

	slogValueType = reflect.TypeFor[slog.Value]()

	otherTypes = []reflect.Type{
		reflect.TypeFor[time.Time](), reflect.TypeFor[time.Duration](),
		reflect.TypeFor[slog.Attr](), reflect.TypeFor[[]slog.Attr](),
		reflect.TypeFor[json.Number](), reflect.TypeFor[json.RawMessage](),
	}
)

// plans caches a *plan for each reflect.Type seen. A program has finitely many.
var plans sync.Map

func planOf(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	p, _ := plans.LoadOrStore(t, newPlan(t))
	return p.(*plan)
}

func newPlan(t reflect.Type) *plan {
	// Pointers and interfaces have the methods of what is behind them, so that is where to look. A pointer's methods are
	// found again there: receiver takes the address.
	if t.Kind() == reflect.Interface || t.Kind() == reflect.Pointer {
		return &plan{}
	}
	p := reflect.PointerTo(t)
	switch {
	case p.Implements(logValuerType):
		return &plan{form: formLogValuer, byPointer: !t.Implements(logValuerType)}
	case t == slogValueType:
		return &plan{form: formValue}
	case slices.Contains(otherTypes, t):
		return &plan{form: formOther}
	case p.Implements(errorType):
		return &plan{form: formOther, byPointer: !t.Implements(errorType)}
	case p.Implements(textMarshalerType):
		return &plan{form: formOther, byPointer: !t.Implements(textMarshalerType)}
	case t.Kind() == reflect.Struct:
		return &plan{fields: structFields(t)}
	}
	return &plan{}
}

// embedded is a struct whose fields are promoted.
type embedded struct {
	typ    reflect.Type
	index  []int
	repeat bool // embedded more than once at this depth, so that its fields hide each other
}

// structFields returns the fields of t that encoding/json would write, under the names that it would give them, in
// order of declaration: the shallowest field of a name wins, among those the one whose tag names it, and if that leaves
// several, none.
func structFields(t reflect.Type) []field {
	var all []field
	visited := map[reflect.Type]bool{}
	for level := []embedded{{typ: t}}; len(level) > 0; {
		var next []embedded
		for _, s := range level {
			if visited[s.typ] {
				continue
			}
			visited[s.typ] = true
			for sf := range s.typ.Fields() {
				f, inner, ok := structField(sf, s.index)
				switch {
				case !ok:
				case inner != nil:
					next = addEmbedded(next, *inner)
				case s.repeat:
					all = append(all, f, f)
				default:
					all = append(all, f)
				}
			}
		}
		level = next
	}
	return dominant(all)
}

// addEmbedded adds s to the structs of the next level.
func addEmbedded(level []embedded, s embedded) []embedded {
	for i := range level {
		if level[i].typ == s.typ {
			level[i].repeat = true
			return level
		}
	}
	return append(level, s)
}

// structField returns the field that sf becomes, or the struct whose fields it promotes; ok is false for one that is
// left out.
func structField(sf reflect.StructField, parent []int) (f field, inner *embedded, ok bool) {
	base := sf.Type
	if sf.Anonymous && base.Kind() == reflect.Pointer {
		base = base.Elem()
	}
	// The exported fields of an unexported embedded struct are promoted all the same.
	if !sf.IsExported() && (!sf.Anonymous || base.Kind() != reflect.Struct) {
		return field{}, nil, false
	}
	tag := sf.Tag.Get("json")
	if tag == "-" {
		return field{}, nil, false
	}
	name, options, _ := strings.Cut(tag, ",")
	if !validName(name) {
		name = ""
	}
	index := append(slices.Clone(parent), sf.Index...)
	if name == "" && sf.Anonymous && base.Kind() == reflect.Struct {
		return field{}, &embedded{typ: base, index: index}, true
	}
	f = field{name: cmp.Or(name, sf.Name), index: index, tagged: name != ""}
	for option := range strings.SplitSeq(options, ",") {
		switch option {
		case "omitempty":
			f.omitEmpty = true
		case "omitzero":
			f.omitZero = true
		case "string":
			f.asString = isScalar(sf.Type)
		}
	}
	return f, nil, true
}

// isScalar reports whether the tag's option "string" means anything for t.
func isScalar(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Kind() >= reflect.Bool && t.Kind() <= reflect.Float64 || t.Kind() == reflect.String
}

// validName reports whether encoding/json accepts name from a tag.
func validName(name string) bool {
	for _, r := range name {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", r) {
			return false
		}
	}
	return name != ""
}

// dominant removes the fields that others hide.
func dominant(all []field) []field {
	slices.SortStableFunc(all, func(a, b field) int {
		return cmp.Or(strings.Compare(a.name, b.name), cmp.Compare(a.rank(), b.rank()))
	})
	fields := all[:0]
	for i := 0; i < len(all); {
		n := 1
		for i+n < len(all) && all[i+n].name == all[i].name {
			n++
		}
		first := all[i]
		if n == 1 || first.rank() != all[i+1].rank() {
			fields = append(fields, first)
		}
		i += n
	}
	slices.SortFunc(fields, func(a, b field) int { return slices.Compare(a.index, b.index) })
	return fields
}

// rank is lower for a shallower field, and at one depth for one that its tag names.
func (f *field) rank() int {
	r := 2 * len(f.index)
	if f.tagged {
		r--
	}
	return r
}
