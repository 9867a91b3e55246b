package sink_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/sink"
)

var errCause = errors.New("the cause")

func TestConstructorsOfErrors(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		want sink.Error
	}{
		"Retry":             {sink.Retry(errCause, time.Minute), sink.Error{Verdict: sink.VerdictRetry, After: time.Minute}},
		"Block":             {sink.Block(errCause), sink.Error{Verdict: sink.VerdictBlock, NotTaken: true}},
		"Reject":            {sink.Reject(errCause, 3, 1), sink.Error{Verdict: sink.VerdictReject, Index: []int{3, 1}, Count: 2, NotTaken: true}},
		"Reject, no index":  {sink.Reject(errCause), sink.Error{Verdict: sink.VerdictReject, NotTaken: true}},
		"RejectCount":       {sink.RejectCount(errCause, 7), sink.Error{Verdict: sink.VerdictReject, Count: 7, NotTaken: true}},
		"Split":             {sink.Split(errCause), sink.Error{Verdict: sink.VerdictSplit, NotTaken: true}},
		"the zero Verdict":  {&sink.Error{Err: errCause}, sink.Error{Verdict: sink.VerdictRetry}},
		"wrapped by others": {errors.Join(context.Canceled, sink.Block(errCause)), sink.Error{Verdict: sink.VerdictBlock, NotTaken: true}},
	} {
		t.Run(name, func(t *testing.T) {
			e, ok := errors.AsType[*sink.Error](tt.err)
			require.True(t, ok)
			tt.want.Err = errCause
			assert.Equal(t, tt.want, *e)
			require.ErrorIs(t, tt.err, errCause)
			assert.Equal(t, "the cause", e.Error())
		})
	}
}

func TestRejectKeepsItsOwnIndex(t *testing.T) {
	index := []int{1, 2}
	err := sink.Reject(errCause, index...)
	index[0] = 99
	e, _ := errors.AsType[*sink.Error](err)
	assert.Equal(t, []int{1, 2}, e.Index)
}

func TestErrorWithoutACause(t *testing.T) {
	for verdict, want := range map[sink.Verdict]string{
		sink.VerdictRetry: "sink: retry", sink.VerdictBlock: "sink: block", sink.VerdictReject: "sink: reject",
		sink.VerdictSplit: "sink: split", 9: "sink: verdict 9",
	} {
		e := &sink.Error{Verdict: verdict}
		assert.Equal(t, want, e.Error())
		assert.NoError(t, errors.Unwrap(e))
	}
}

func TestConfigErrorText(t *testing.T) {
	e := &sink.ConfigError{Field: "splunk: Config.Index", Value: `"A"`, Reason: "holds capitals"}
	assert.Equal(t, `splunk: Config.Index ("A"): holds capitals`, e.Error())
	e.Value = ""
	assert.Equal(t, "splunk: Config.Index: holds capitals", e.Error())
}
