package secret_test

import (
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/secret"
)

// canary is a secret that no output may hold, in any form.
const canary = "c4n4ry/Zq+7w?y&9"

// traces are the forms of s that a search for a leak looks for.
func traces(s string) []string {
	return []string{
		s,
		s[:8],
		s[len(s)-8:],
		base64.StdEncoding.EncodeToString([]byte(s))[:12],
		base64.RawURLEncoding.EncodeToString([]byte(s))[:12],
		hex.EncodeToString([]byte(s))[:16],
		strings.ToUpper(hex.EncodeToString([]byte(s)))[:16],
		url.QueryEscape(s),
		url.PathEscape(s),
		strings.Trim(fmt.Sprintf("%d", []byte(s)), "[]"),
		strings.Trim(fmt.Sprintf("% x", s), "[]"),
		strings.Trim(fmt.Sprintf("%#v", []byte(s)), "[]byte{}"),
	}
}

func assertNoTrace(t *testing.T, s, output string, about ...any) {
	t.Helper()
	for _, trace := range traces(s) {
		assert.NotContains(t, strings.ToLower(output), strings.ToLower(trace), about...)
	}
}

// Every way in which a program may hold a secret.
type (
	exported struct {
		Name   string       `json:"name" xml:"name,attr"`
		Secret secret.Value `json:"secret" xml:"secret"`
	}
	unexported struct{ secret secret.Value }
	embedded   struct{ secret.Value }
	nested     struct {
		Deep map[string][]*unexported
		Any  any
		self *nested
	}
)

func holders() map[string]any {
	v := secret.New(canary)
	n := &nested{Deep: map[string][]*unexported{"a": {{secret: v}, {secret: v}}}, Any: &v}
	n.self = n
	return map[string]any{
		"value":              v,
		"pointer":            &v,
		"pointer to pointer": new(&v),
		"exported field":     exported{Name: "x", Secret: v},
		"pointer to struct":  &exported{Name: "x", Secret: v},
		"unexported field":   unexported{secret: v},
		"pointer to field":   &unexported{secret: v},
		"embedded":           embedded{v},
		"slice":              []secret.Value{v, v},
		"array":              [1]secret.Value{v},
		"slice of any":       []any{v, &v, unexported{v}},
		"map value":          map[string]secret.Value{"k": v},
		"map key":            map[secret.Value]string{v: "k"},
		"map of unexported":  map[string]unexported{"k": {v}},
		"nested":             n,
		"error":              fmt.Errorf("failed with %v", v),
		"reveal":             v.Reveal,
	}
}

func TestValueFmt(t *testing.T) {
	t.Parallel()
	for name, h := range holders() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for verb := 'A'; verb <= 'z'; verb++ {
				for _, flags := range []string{"", "+", "#", "-", " ", "0", "#+", "+#0", "200", ".40", "-60.50", "# "} {
					format := "%" + flags + string(verb)
					assertNoTrace(t, canary, fmt.Sprintf(format, h), format)
				}
			}
			assertNoTrace(t, canary, fmt.Sprint(h))
			assertNoTrace(t, canary, fmt.Sprintln(h, h))
			assertNoTrace(t, canary, fmt.Errorf("%w", fmt.Errorf("%v", h)).Error())
		})
	}
}

func TestValueFmtText(t *testing.T) {
	t.Parallel()
	v := secret.New(canary)
	assert.Equal(t, "[REDACTED] [REDACTED] [REDACTED] [REDACTED]", fmt.Sprintf("%v %+v %#v %q", v, v, v, v))
	assert.Equal(t, "[REDACTED]", fmt.Sprintf("%200.3x", &v))
	assert.Equal(t, "[REDACTED]", fmt.Sprint(secret.Value{}))
	assert.Equal(t, "[REDACTED]", v.String())
	assert.Equal(t, "[REDACTED]", v.GoString())
	assert.Equal(t, "{x [REDACTED]}", fmt.Sprint(exported{Name: "x", Secret: v}))
}

func TestValueSlog(t *testing.T) {
	t.Parallel()
	for name, h := range holders() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var text, js bytes.Buffer
			for _, handler := range []slog.Handler{
				slog.NewTextHandler(&text, &slog.HandlerOptions{AddSource: true}),
				slog.NewJSONHandler(&js, nil),
			} {
				log := slog.New(handler)
				log.Info("message", "key", h)
				log.With("with", h).WithGroup("g").Info("message", slog.Group("group", "key", h))
			}
			assertNoTrace(t, canary, text.String())
			assertNoTrace(t, canary, js.String())
		})
	}
	var buf bytes.Buffer
	slog.New(slog.NewTextHandler(&buf, nil)).Info("m", "key", secret.New(canary))
	assert.Contains(t, buf.String(), "key=[REDACTED]")
}

func TestValueEncoders(t *testing.T) {
	t.Parallel()
	for name, h := range holders() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name != "nested" { // it holds itself, which gob and xml follow until the stack ends
				var buf bytes.Buffer
				err := gob.NewEncoder(&buf).Encode(h)
				assertNoTrace(t, canary, fmt.Sprint(buf.String(), err))
				x, err := xml.Marshal(h)
				assertNoTrace(t, canary, fmt.Sprint(string(x), err))
			}
			js, err := json.Marshal(h)
			assertNoTrace(t, canary, fmt.Sprint(string(js), err))
		})
	}

	js, err := json.Marshal(exported{Name: "x", Secret: secret.New(canary)})
	require.NoError(t, err)
	assert.JSONEq(t, `{"name":"x","secret":{"hasValue":true}}`, string(js))
	js, err = json.Marshal(exported{Name: "x"})
	require.NoError(t, err)
	assert.JSONEq(t, `{"name":"x","secret":{"hasValue":false}}`, string(js))
	x, err := xml.Marshal(exported{Name: "x", Secret: secret.New(canary)})
	require.NoError(t, err)
	assert.Equal(t, `<exported name="x"><secret>[REDACTED]</secret></exported>`, string(x))
}

// recorder is a testing.T that keeps what testify says. Its diff dumps both values with spew, methods disabled.
type recorder struct{ strings.Builder }

func (r *recorder) Errorf(format string, args ...any) { _, _ = fmt.Fprintf(r, format, args...) }

func TestValueDump(t *testing.T) {
	t.Parallel()
	for name, h := range holders() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var r recorder
			assert.Equal(&r, h, reflect.Zero(reflect.TypeOf(h)).Interface())
			assert.Nil(&r, h)
			assert.Contains(&r, []any{1}, h)
			require.NotEmpty(t, r.String())
			assertNoTrace(t, canary, r.String())
		})
	}
}

// A dumper of whatever kind reads fields, elements and what pointers point to. None leads to the text.
func TestValueReflect(t *testing.T) {
	t.Parallel()
	var walk func(t *testing.T, v reflect.Value, depth int)
	walk = func(t *testing.T, v reflect.Value, depth int) {
		t.Helper()
		if depth > 12 {
			return
		}
		switch v.Kind() {
		case reflect.String:
			assertNoTrace(t, canary, v.String())
		case reflect.Pointer, reflect.Interface:
			if !v.IsNil() {
				walk(t, v.Elem(), depth+1)
			}
		case reflect.Struct:
			for _, field := range v.Fields() {
				walk(t, field, depth+1)
			}
		case reflect.Slice, reflect.Array:
			for i := range v.Len() {
				walk(t, v.Index(i), depth+1)
			}
		case reflect.Map:
			for _, k := range v.MapKeys() {
				walk(t, k, depth+1)
				walk(t, v.MapIndex(k), depth+1)
			}
		default:
		}
	}
	for _, h := range holders() {
		walk(t, reflect.ValueOf(h), 0)
	}
}

// panicking names, in the environment, the holder that a child process panics with.
const panicking = "SECRET_TEST_PANIC"

func TestValuePanic(t *testing.T) {
	if name := os.Getenv(panicking); name != "" {
		panic(holders()[name])
	}
	for _, name := range []string{"value", "pointer", "exported field", "unexported field", "nested", "error"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestValuePanic$")
			cmd.Env = append(os.Environ(), panicking+"="+name, "GOTRACEBACK=all")
			out, err := cmd.CombinedOutput()
			_, ok := errors.AsType[*exec.ExitError](err)
			require.True(t, ok, "%v", err)
			require.Contains(t, string(out), "panic:")
			assertNoTrace(t, canary, string(out))
		})
	}
}

func TestValueEqual(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		a, b secret.Value
		want bool
	}{
		{"same text", secret.New("abc"), secret.New("abc"), true},
		{"other text", secret.New("abc"), secret.New("abd"), false},
		{"prefix", secret.New("abc"), secret.New("ab"), false},
		{"empty and zero", secret.New(""), secret.Value{}, true},
		{"zero and text", secret.Value{}, secret.New("a"), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tt.want, tt.a.Equal(tt.b))
			assert.Equal(t, tt.want, tt.b.Equal(tt.a))
		})
	}
	v := secret.New("abc")
	w := v
	assert.True(t, v == w, "copies compare equal")
	assert.False(t, v == secret.New("abc"), "values made apart do not")
	assert.Len(t, map[secret.Value]int{v: 1, w: 2}, 1)
}

func TestValueZero(t *testing.T) {
	t.Parallel()
	assert.True(t, secret.Value{}.IsZero())
	assert.True(t, secret.New("").IsZero())
	assert.Empty(t, secret.Value{}.Reveal())
	assert.False(t, secret.New("x").IsZero())
	assert.Equal(t, "x", secret.New("x").Reveal())
}

func TestValueUnmarshalJSON(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in string
		want     string // what a Value that held "old" holds afterwards
		fails    bool
	}{
		{name: "string", in: `"new"`, want: "new"},
		{name: "empty string", in: `""`, want: ""},
		{name: "null", in: `null`, want: "old"},
		{name: "new value", in: ` {"newValue":"new"} `, want: "new"},
		{name: "empty new value", in: `{"newValue":""}`, want: ""},
		{name: "null new value", in: `{"newValue":null}`, want: "old"},
		{name: "both", in: `{"hasValue":true,"newValue":"new"}`, want: "new"},
		{name: "what MarshalJSON writes", in: `{"hasValue":true}`, want: "old"},
		{name: "what MarshalJSON writes of none", in: `{"hasValue":false}`, want: "old"},
		{name: "empty object", in: `{}`, want: "old"},
		{name: "redacted", in: `"[REDACTED]"`, want: "old", fails: true},
		{name: "redacted new value", in: `{"newValue":"[REDACTED]"}`, want: "old", fails: true},
		{name: "number", in: `123456789`, want: "old", fails: true},
		{name: "array", in: `["` + canary + `"]`, want: "old", fails: true},
		{name: "new value of another type", in: `{"newValue":["` + canary + `"]}`, want: "old", fails: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			doc := struct{ Secret secret.Value }{secret.New("old")}
			err := json.Unmarshal([]byte(`{"Secret":`+tt.in+`}`), &doc)
			assert.Equal(t, tt.want, doc.Secret.Reveal())
			if !tt.fails {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			assertNoTrace(t, canary, err.Error())
			assert.NotContains(t, err.Error(), "123456789")
		})
	}
	// The decoder checks the syntax first; a direct call meets what it would not let through.
	v := secret.New("old")
	require.Error(t, v.UnmarshalJSON([]byte(`{"newValue":"`+canary)))
	require.Error(t, v.UnmarshalJSON(nil))
	assert.Equal(t, "old", v.Reveal())
}

func TestValueUnmarshalText(t *testing.T) {
	t.Parallel()
	var v secret.Value
	b := []byte("text")
	require.NoError(t, v.UnmarshalText(b))
	b[0] = 'X'
	assert.Equal(t, "text", v.Reveal(), "the caller's bytes are its own")
	require.Error(t, v.UnmarshalText([]byte("[REDACTED]")))
	assert.Equal(t, "text", v.Reveal())
	require.NoError(t, v.UnmarshalText(nil))
	assert.True(t, v.IsZero())

	v = secret.New(canary)
	text, err := v.MarshalText()
	require.NoError(t, err)
	require.Error(t, v.UnmarshalText(text), "a printed secret does not come back as one")
	assert.Equal(t, canary, v.Reveal())
}
