package splunk

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/sink/internal/httpsend"
)

// Splunk indexes what comes before a bad event. An answer that does not say which one that is leaves all in doubt.
func TestJudgeNotTaken(t *testing.T) {
	for name, tt := range map[string]struct {
		status, code, number int
		want                 bool
	}{
		"invalid token":               {403, 4, none, true},
		"bad event, named":            {400, 6, 2, true},
		"bad event, not named":        {400, 6, none, false},
		"bad event, out of range":     {400, 12, 9, false},
		"incorrect index":             {400, 7, 2, true},
		"incorrect index, not named":  {400, 7, none, false},
		"incorrect index, before all": {400, 7, 0, false},
		"no data":                     {400, 5, none, true},
		"no channel":                  {400, 10, none, true},
		"internal error":              {500, 8, none, false},
		"busy":                        {503, 9, 0, false},
		"queue full":                  {429, 26, none, false},
		"a proxy's 429":               {429, none, none, true},
		"too large":                   {413, none, none, true},
		"login page":                  {200, none, none, false},
	} {
		t.Run(name, func(t *testing.T) {
			body := "<html>"
			if tt.code != none {
				body = fmt.Sprintf(`{"code":%d,"invalid-event-number":%d}`, tt.code, tt.number)
			}
			r := &httpsend.Response{Status: tt.status, Body: []byte(body)}
			_, e := judge(request{events: 3, bytes: 100}, r, readAnswer(r.Body))
			require.NotNil(t, e)
			assert.Equal(t, tt.want, e.NotTaken)
		})
	}
}
