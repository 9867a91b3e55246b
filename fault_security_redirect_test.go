package auditstream_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/internal/canary"
)

// TestRedirectsAreNotFollowed lets every driver meet every kind of redirect: to another server, which must not even be
// dialled, and back to the one that was asked. Nothing is sent on, and what the operator is told names the host alone.
func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	for driver, destination := range secured {
		for _, status := range []int{301, 302, 303, 307, 308} {
			for _, way := range []string{"elsewhere", "loop"} {
				t.Run(fmt.Sprintf("%s/%d %s", driver, status, way), func(t *testing.T) {
					t.Parallel()
					other := newSentinel(t, nil, nil)
					target := other.host()
					server := newSentinel(t, nil, func(w http.ResponseWriter, r *http.Request) {
						w.Header().Set("Location", "http://user:"+url.QueryEscape(canary.Secret)+"@"+target+r.RequestURI+"&p="+
							url.QueryEscape(canary.Secret)+"#fragment-of-the-location")
						w.WriteHeader(status)
					})
					if way == "loop" {
						target = server.host()
					}
					j := &journal{}
					s := newStream(t, auditstream.Config{BatchDelay: time.Nanosecond, Logger: j.logger(), OnTransition: j.onTransition})
					require.NoError(t, s.Configure(destination(route{url: "http://" + server.host()})))
					publish(t, s, 1, 2)
					require.Eventually(t, func() bool { return s.Status().LastError != nil }, time.Minute, time.Millisecond)
					got := s.Status()
					assert.Equal(t, auditstream.ConditionBlocked, got.Condition)
					assert.EqualValues(t, 2, got.Totals.Pending)
					if driver != overGRPC { // gRPC's library keeps the headers of such an answer to itself
						require.ErrorContains(t, got.LastError, target)
					}
					require.ErrorContains(t, got.LastError, strconv.Itoa(status))
					checkNothingOfTheLocation(t, got.LastError, j)

					requests, _ := server.seen()
					assert.Equal(t, 1, requests, "the attempt is one request")
					_, conns := other.seen()
					assert.Zero(t, conns, "somebody was sent on")
				})
			}
		}
	}
}

func checkNothingOfTheLocation(t *testing.T, err error, j *journal) {
	t.Helper()
	e, ok := asSinkError(err)
	require.True(t, ok)
	assert.NotEmpty(t, e.Remedy)
	text := err.Error() + e.Remedy + j.log()
	for _, part := range []string{"user:", "@", "/v1/logs", "/services", "/receiver", "&p=", "fragment-of"} {
		assert.False(t, strings.Contains(text, part), "the error shows more than a host: %q", part)
	}
	requireSilence(t, text, err, *e)
}
