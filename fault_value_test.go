package auditstream_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
)

// hostileTexts are what people put into names and comments. None of it may be lost, for it is evidence, and none of it
// may be anything but text.
var hostileTexts = map[string]string{
	"line":      "first\nsecond\r\nthird\u2028fourth",
	"JSON":      `","outcome":"success","x":{"` + "}\n{\"event\":\"forged\"}\n",
	"envelope":  `"}{"time":0,"event":{"action":"forged"}}`,
	"terminal":  "\x1b[2J\x1b]0;owned\x07\x9b31m",
	"NUL":       "before\x00after",
	"controls":  "\x01\x08\x0b\x0c\x1f\x7f\u0085",
	"bidi":      "user\u202Etxt.exe\u2066\u2069\u200f",
	"surrogate": "half \xed\xa0\x80 of a pair",
	"bytes":     "\xff\xfe and \xc3\x28",
	"cut":       "é"[:1],
	"markup":    "<script>alert(1)</script>&amp;",
	"wide":      "世界 😀 \U0010ffff",
	"template":  "#{Secret} ${jndi:ldap://x} %s%n {{.}}",
}

func TestFaultHostileText(t *testing.T) {
	inEveryDriver(t, func(t *testing.T, _ driver, f *trial) {
		names, repaired := []string{}, 0
		for name, text := range hostileTexts {
			e := with(slog.String(text, text), slog.Group("g", slog.Any("list", []string{text})))
			e.ID = name
			e.Message, e.Actor.Name, e.Targets = text, text, []auditstream.Target{{ID: text, Name: text}}
			e.Source.UserAgent = text
			e.Changes = []auditstream.Change{{Path: text, Before: text, After: json.RawMessage(`"\ud800 \u0000"`)}}
			require.NoError(t, f.Publish(e))
			names = append(names, name)
			repaired++ // the half of a pair in the JSON text
			if !utf8.ValidString(text) {
				repaired += 10 // every other place
			}
		}
		f.drain(t)
		received := f.taken(t)
		require.Len(t, received, len(names), "no text has become an event")
		for i, name := range names {
			want := strings.ToValidUTF8(hostileTexts[name], "\ufffd")
			r := received[i]
			assert.Equal(t, name, r.ID)
			assert.Equal(t, "project.edit", r.Action)
			got := attributesOf(t, r)
			assert.Equal(t, want, got[want])
			assert.Equal(t, map[string]any{"list": []any{want}}, got["g"])
			if r.Record != nil {
				assert.Equal(t, want, r.Record.GetBody().GetStringValue())
				assert.Equal(t, want, got["audit.actor.name"])
				change := got["audit.changes"].([]any)[0].(map[string]any)
				assert.Equal(t, map[string]any{"path": want, "before": want, "after": "\ufffd \x00"}, change)
				continue
			}
			assert.Equal(t, want, r.Document["message"])
			assert.Equal(t, "unknown", r.Document["outcome"])
			assert.NotContains(t, r.Document, "x")
			for _, c := range string(r.Raw) {
				assert.False(t, c < 0x20 || c >= 0x7f && c < 0xa0 || strings.ContainsRune("\u2028\u202e\u2066\u200f", c),
					"%s: %U is in the JSON as it is", name, c)
			}
		}
		assert.EqualValues(t, repaired, f.Status().Totals.Repaired)
	})
}

// nest returns a list in a list in a list.
func nest(depth int) any {
	var v any = "bottom"
	for range depth {
		v = []any{v}
	}
	return v
}

type node struct {
	Next *node
	Any  any
}

func TestFaultCyclesAndDepth(t *testing.T) {
	cyclicMap, cyclicList, ring := map[string]any{}, make([]any, 1), &node{}
	cyclicMap["self"], cyclicList[0], ring.Next = cyclicMap, cyclicList, ring
	var pointer any
	pointer = &pointer
	for name, v := range map[string]any{
		"map":               cyclicMap,
		"list":              cyclicList,
		"struct":            ring,
		"pointer to itself": pointer,
		"33 lists":          nest(33),
		"a million lists":   nest(1_000_000),
		"33 in JSON":        json.RawMessage(strings.Repeat("[", 33) + strings.Repeat("]", 33)),
		"9,000 in JSON":     json.RawMessage(strings.Repeat("[", 9000) + strings.Repeat("]", 9000)),
		"LogValue":          lasting{},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(accept)
				s := enabled(t, auditstream.Config{}, f)
				inChange := event(1)
				inChange.Changes = []auditstream.Change{{Path: "p", After: v}}
				for _, e := range []auditstream.Event{with(slog.Any("k", v)), with(slog.Group("g", slog.Any("k", v))), inChange} {
					var invalid *auditstream.EventError
					require.ErrorAs(t, s.Publish(e), &invalid)
					assert.Positive(t, invalid.Limit)
				}
				require.NoError(t, s.Publish(with(slog.Any("k", nest(32)))), "32 are not too deep")
				require.NoError(t, s.Flush(t.Context()))
				assert.Equal(t, auditstream.Totals{Accepted: 1, Delivered: 1, RefusedInvalid: 3}, s.Status().Totals)
			})
		})
	}
}

// lasting has a LogValue that leads to another, for ever.
type lasting struct{}

func (lasting) LogValue() slog.Value { return slog.AnyValue(lasting{}) }

func TestFaultNilAndKindsWithoutAValue(t *testing.T) {
	var (
		noPointer *node
		noError   error
		noMap     map[string]any
		noList    []string
		noText    *slog.LevelVar
	)
	nils := []slog.Attr{
		slog.Any("interface", nil), slog.Any("pointer", noPointer), slog.Any("error", noError), slog.Any("map", noMap),
		slog.Any("list", noList), slog.Any("method", noText), slog.Any("pointer to nil", &noPointer),
		slog.Any("func", (func())(nil)), slog.Any("chan", (chan int)(nil)),
	}
	inEveryDriver(t, func(t *testing.T, _ driver, f *trial) {
		require.NoError(t, f.Publish(with(nils...)))
		f.drain(t)
		got := attributesOf(t, f.taken(t)[0])
		for _, a := range nils {
			value, there := got[a.Key]
			assert.True(t, there, a.Key)
			assert.Nil(t, value, a.Key)
		}
	})
	for name, v := range map[string]any{
		"chan": make(chan int), "func": func() {}, "complex": complex(1, 2), "complex64": complex64(1),
		"in a struct": node{Any: make(chan int)}, "in a map": map[string]any{"c": func() {}}, "in a list": []any{1i},
	} {
		t.Run(name, func(t *testing.T) {
			s := enabled(t, auditstream.Config{}, newFake(accept))
			var invalid *auditstream.EventError
			require.ErrorAs(t, s.Publish(with(slog.Any("k", v))), &invalid)
			assert.True(t, strings.HasPrefix(invalid.Path, `Attributes["k"]`), invalid.Path)
			assert.Equal(t, auditstream.Totals{RefusedInvalid: 1}, s.Status().Totals)
		})
	}
}

// The methods of a host's types, each as it should not be.
type (
	logValue func() slog.Value
	text     func() ([]byte, error)
	failure  func() string

	// unasked has methods that must not be called.
	unasked struct{ Name string }
)

func (f logValue) LogValue() slog.Value      { return f() }
func (f text) MarshalText() ([]byte, error)  { return f() }
func (f failure) Error() string              { return f() }
func (unasked) MarshalJSON() ([]byte, error) { panic("MarshalJSON was called") }
func (unasked) String() string               { panic("String was called") }
func (unasked) GoString() string             { panic("GoString was called") }

func TestFaultMethodsOfValues(t *testing.T) {
	huge := strings.Repeat("x", 1<<20)
	for name, v := range map[string]any{
		"LogValue panics":       logValue(func() slog.Value { panic("s3cr3t") }),
		"LogValue panics (nil)": logValue(func() slog.Value { panicWith(nil); return slog.Value{} }),
		"LogValue is huge":      logValue(func() slog.Value { return slog.StringValue(huge) }),
		"LogValue recurses":     lasting{},
		"MarshalText panics":    text(func() ([]byte, error) { panic("s3cr3t") }),
		"MarshalText fails":     text(func() ([]byte, error) { return nil, errors.New("s3cr3t") }),
		"MarshalText is huge":   text(func() ([]byte, error) { return []byte(huge), nil }),
		"Error panics":          failure(func() string { panic(errors.New("s3cr3t")) }),
		"Error is huge":         failure(func() string { return huge }),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := enabled(t, auditstream.Config{}, newFake(accept))
				err := s.Publish(with(slog.Any("k", v)))
				var invalid *auditstream.EventError
				require.ErrorAs(t, err, &invalid)
				assert.NotContains(t, err.Error(), "s3cr3t")
				publish(t, s, 2, 2)
				require.NoError(t, s.Flush(t.Context()))
				assert.Equal(t, auditstream.Totals{Accepted: 1, Delivered: 1, RefusedInvalid: 1}, s.Status().Totals)
			})
		})
	}
	t.Run("not asked", func(t *testing.T) {
		inEveryDriver(t, func(t *testing.T, _ driver, f *trial) {
			require.NoError(t, f.Publish(with(slog.Any("k", unasked{"plain"}), slog.Any("p", &unasked{"behind"}))))
			f.drain(t)
			got := attributesOf(t, f.taken(t)[0])
			assert.Equal(t, map[string]any{"Name": "plain"}, got["k"])
			assert.Equal(t, map[string]any{"Name": "behind"}, got["p"])
		})
	})
}

func TestFaultMethodThatDoesNotReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		f := newFake(accept)
		s := enabled(t, auditstream.Config{}, f)
		var returned atomic.Bool
		go func() {
			e := with(slog.Any("k", logValue(func() slog.Value { <-release; return slog.StringValue("late") })))
			assert.NoError(t, s.Publish(e))
			returned.Store(true)
		}()
		go func() {
			_ = s.Publish(with(slog.Any("k", logValue(func() slog.Value { runtime.Goexit(); return slog.Value{} }))))
			t.Error("Goexit does not return")
		}()
		time.Sleep(time.Hour)
		assert.False(t, returned.Load(), "it holds up its own publisher")
		publish(t, s, 2, 3)
		require.NoError(t, s.Flush(t.Context()))
		assert.Equal(t, [][]string{span(2, 3)}, f.attempts(), "and nobody else")
		close(release)
		synctest.Wait()
		require.NoError(t, s.Flush(t.Context()))
		assert.True(t, returned.Load())
		assert.EqualValues(t, 3, s.Status().Totals.Delivered)
	})
}
