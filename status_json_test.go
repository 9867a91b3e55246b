package auditstream_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/siemtest"
	"github.com/auditstream/auditstream/sink/splunk"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// goldenStatus compares the JSON of a status with a file.
func goldenStatus(t *testing.T, name string, status auditstream.Status) {
	t.Helper()
	raw, err := json.Marshal(status)
	require.NoError(t, err)
	var text bytes.Buffer
	require.NoError(t, json.Indent(&text, raw, "", "  "))
	text.WriteByte('\n')
	path := filepath.Join("testdata", "status", name+".json")
	if *update {
		require.NoError(t, os.WriteFile(path, text.Bytes(), 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run the test with -update to write it")
	assert.Equal(t, string(want), text.String())
}

// TestStatusJSON compares the stages of a stream's life with golden files. The clock of the bubble begins with the year
// 2000.
func TestStatusJSON(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, err := siemtest.NewSplunk(siemtest.SplunkConfig{InMemory: true})
		require.NoError(t, err)
		defer srv.Close()
		s, err := auditstream.New(auditstream.Config{})
		require.NoError(t, err)
		time.Sleep(1500 * time.Millisecond)
		goldenStatus(t, "unconfigured", s.Status())

		dst := splunk.Config{
			Endpoint: srv.URL(), Token: secret.New("0b7c1a9e-0000-4000-8000-000000000000"),
			Network: sink.Network{DialContext: srv.DialContext},
		}
		srv.SetToken("another")
		require.NoError(t, s.Configure(dst))
		publish(t, s, 1, 2)
		_ = s.Publish(auditstream.Event{})
		time.Sleep(time.Second)
		status := s.Status()
		status.NextAttempt = status.LastErrorTime.Add(time.Minute) // random, by a fifth
		goldenStatus(t, "blocked", status)

		srv.SetToken(dst.Token.Reveal())
		require.NoError(t, s.Configure(dst))
		require.NoError(t, s.Flush(t.Context()))
		goldenStatus(t, "healthy", s.Status())
		require.NoError(t, s.Shutdown(t.Context()))
	})
}

// TestStatusJSONIsWhole looks for fields that were added to a Status and forgotten in its JSON.
func TestStatusJSONIsWhole(t *testing.T) {
	raw, err := json.Marshal(auditstream.Status{})
	require.NoError(t, err)
	var doc map[string]any
	require.NoError(t, json.Unmarshal(raw, &doc))
	assert.Len(t, doc, reflect.TypeFor[auditstream.Status]().NumField())
	assert.Len(t, doc["queue"], reflect.TypeFor[auditstream.QueueStatus]().NumField())
	totals, ok := doc["totals"].(map[string]any)
	require.True(t, ok)
	assert.Len(t, totals, reflect.TypeFor[auditstream.Totals]().NumField())
	for key := range totals {
		assert.Regexp(t, "^[a-z][A-Za-z]*$", key)
	}
	assert.Nil(t, doc["lastError"])
	assert.Nil(t, doc["stateSince"])
}

// TestStatusJSONErrors gives every kind of error that can be a stream's last one a message, a verdict and a remedy.
func TestStatusJSONErrors(t *testing.T) {
	const timeout = "Nothing needs to be done unless it lasts; then check how busy"
	const unreached = "Nothing needs to be done unless it lasts; then check that the destination is up"
	const driver = "This is a fault of the driver"
	tests := map[string]struct {
		script                         deliverFunc
		message, code, verdict, remedy string // the beginnings of the first and the last
	}{
		"plain":             {fail(errFake), "fake: refused", "", "retry", unreached},
		"retry":             {fail(sink.Retry(errFake, 0)), "fake: refused", "", "retry", unreached},
		"block":             {fail(sink.Block(errFake)), "fake: refused", "", "block", "Check the URL, the secret"},
		"with a code":       {fail(&sink.Error{Verdict: sink.VerdictBlock, Err: errFake, Code: "403", Remedy: "Do."}), "fake: refused", "403", "block", "Do."},
		"wrapped":           {fail(fmt.Errorf("again: %w", &sink.Error{Err: errFake, Code: "503", Remedy: "Wait."})), "again: fake: refused", "503", "retry", "Wait."},
		"empty":             {fail(&sink.Error{}), "sink: retry", "", "retry", unreached},
		"refuses all":       {fail(sink.Split(errFake)), "auditstream: the destination refuses every event, a test event too: fake: refused", "", "block", "The destination does not take"},
		"time-out":          {untilDone, "auditstream: the attempt took longer than Config.AttemptTimeout", "", "retry", timeout},
		"hung":              {nil, "auditstream: the sink does not return", "", "block", "Its driver does not honour"},
		"nonsense":          {func(context.Context, []sink.Event) (int, error) { return 99, nil }, "auditstream: the sink answered for 99 of 3 events: this is a fault of its driver", "", "retry", driver},
		"silent":            {func(context.Context, []sink.Event) (int, error) { return 0, nil }, "auditstream: the sink answered for 0 of 3 events and returned no error: this is", "", "retry", driver},
		"rejects nothing":   {fail(sink.Reject(errFake)), "auditstream: the sink rejected an event but answered for none: this is a fault of its driver: fake: refused", "", "retry", driver},
		"panic":             {func(context.Context, []sink.Event) (int, error) { panic("boom") }, "auditstream: the sink panicked (string)", "", "retry", driver},
		"panics in Error()": {fail(hostileError{}), "auditstream: the sink panicked (string)", "", "retry", driver},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				defer close(release)
				if test.script == nil {
					test.script = hang(release)
				}
				s := enabled(t, auditstream.Config{}, newFake(test.script))
				publish(t, s, 1, 3)
				time.Sleep(62 * time.Second)
				var doc struct{ LastError map[string]string }
				raw, err := json.Marshal(s.Status())
				require.NoError(t, err)
				require.NoError(t, json.Unmarshal(raw, &doc))
				require.Len(t, doc.LastError, 4)
				assert.True(t, strings.HasPrefix(doc.LastError["message"], test.message), doc.LastError["message"])
				assert.Equal(t, test.code, doc.LastError["code"])
				assert.Equal(t, test.verdict, doc.LastError["verdict"])
				assert.True(t, strings.HasPrefix(doc.LastError["remedy"], test.remedy), doc.LastError["remedy"])
			})
		})
	}
}

// TestStatusJSONOfAHostileError shows a status whose error panics only then.
func TestStatusJSONOfAHostileError(t *testing.T) {
	var nothing *sink.Error
	for name, err := range map[string]error{"panics": hostileError{}, "nil pointer": nothing, "joined": errors.Join(errFake, nothing)} {
		t.Run(name, func(t *testing.T) {
			raw, err := json.Marshal(auditstream.Status{LastError: err})
			require.NoError(t, err)
			var doc struct {
				LastError struct{ Message, Remedy string }
			}
			require.NoError(t, json.Unmarshal(raw, &doc))
			assert.NotEmpty(t, doc.LastError.Message)
			assert.NotEmpty(t, doc.LastError.Remedy)
		})
	}
}
