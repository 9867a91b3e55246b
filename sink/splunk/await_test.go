package splunk

import (
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/httpsend"
)

func TestJudgeAcks(t *testing.T) {
	const in = `{"acks":{"7":true}}`
	for name, test := range map[string]struct {
		status    int
		body      string
		broke     bool
		confirmed bool
		disabled  bool
		refused   bool
	}{
		"in":                     {status: 200, body: in, confirmed: true},
		"in, and broke off then": {status: 200, body: in, broke: true, confirmed: true},
		"broke off":              {status: 200, body: in[:10], broke: true},
		"in, but a failure":      {status: 503, body: in},
		"in, but a refusal":      {status: 403, body: in, refused: true},
		"in, but a redirect":     {status: 302, body: in, refused: true},
		"disabled":               {status: 400, body: body(14, none), disabled: true},
		"disabled, it claims":    {status: 403, body: body(14, none), refused: true},
		"disabled, for now":      {status: 503, body: body(14, none)},
		"strange":                {status: 200, body: body(0, none), refused: true},
		"no status of HTTP":      {status: 600, body: in},
	} {
		t.Run(name, func(t *testing.T) {
			r := &httpsend.Response{Status: test.status, Body: []byte(test.body)}
			if test.broke {
				r.BodyErr = io.ErrUnexpectedEOF
			}
			got := judgeAcks(r)
			assert.Equal(t, test.confirmed, len(got.confirmed) > 0)
			assert.Equal(t, test.disabled, got.disabled)
			assert.Equal(t, test.refused, got.refused)
			assert.Equal(t, !test.confirmed && !test.disabled, got.err != nil)
		})
	}
}

// FuzzJudgeAcks checks that no answer to a question for acknowledgements makes the sink panic, or take what nobody said
// for an acknowledgement.
func FuzzJudgeAcks(f *testing.F) {
	for code := range codes {
		f.Add(400, []byte(body(code, none)), false)
	}
	f.Add(200, []byte(`{"acks":{"0":true,"1":false}}`), false)
	f.Add(200, []byte(`{"acks":{"0":tr`), true)
	f.Add(403, []byte(`{"acks":{"0":true}}`), false)
	f.Fuzz(func(t *testing.T, status int, body []byte, broke bool) {
		r := &httpsend.Response{Status: status, Body: body}
		if broke {
			r.BodyErr = io.ErrUnexpectedEOF
		}
		got := judgeAcks(r)
		if status/100 != 2 {
			require.Empty(t, got.confirmed)
		}
		if got.disabled {
			require.Equal(t, http.StatusBadRequest, status)
		}
		if !got.refused {
			return
		}
		e, ok := errors.AsType[*sink.Error](got.err)
		require.True(t, ok)
		require.Equal(t, sink.VerdictBlock, e.Verdict)
		require.False(t, e.NotTaken)
		require.NotEmpty(t, e.Remedy)
		require.Less(t, len(e.Error()), 400)
	})
}
