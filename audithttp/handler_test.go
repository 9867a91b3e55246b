package audithttp_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/audithttp"
	"github.com/auditstream/auditstream/sink/sinktest"
)

// TestHandler carries requests through the middleware to a handler that audits what it does.
func TestHandler(t *testing.T) {
	siem := &sinktest.Recorder{}
	stream, err := auditstream.New(auditstream.Config{})
	require.NoError(t, err)
	require.NoError(t, stream.Configure(siem))

	mux := http.NewServeMux()
	mux.HandleFunc("DELETE /projects/{id}", func(w http.ResponseWriter, r *http.Request) {
		rec := stream.Begin(r.Context(), auditstream.Event{
			Action: "project.delete", Targets: []auditstream.Target{{ID: r.PathValue("id"), Type: "project"}},
		})
		defer rec.End(nil)
		switch r.PathValue("id") {
		case "missing":
			http.NotFound(w, r)
			return
		case "broken":
			panic(http.ErrAbortHandler)
		case "late": // what authenticates it is further in
			rec.Event().Actor = auditstream.Actor{ID: "late"}
		}
		rec.Succeed()
		w.WriteHeader(http.StatusNoContent)
	})
	h := audithttp.Handler(mux, audithttp.Options{
		Trusted: audithttp.TrustedProxies{Networks: prefixes("192.0.2.0/24")}, // where httptest's requests are from
		Actor: func(r *http.Request) auditstream.Actor {
			name, _, _ := r.BasicAuth()
			return auditstream.Actor{ID: name}
		},
	})
	request := func(id, user string) *http.Request {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodDelete, "/projects/"+id, nil)
		r.Header.Set("X-Forwarded-For", "203.0.113.7")
		r.Header.Set("User-Agent", "curl/8")
		if user != "" {
			r.SetBasicAuth(user, "")
		}
		return r
	}
	for _, id := range []string{"p-1", "missing"} {
		h.ServeHTTP(httptest.NewRecorder(), request(id, "alice"))
	}
	assert.PanicsWithValue(t, http.ErrAbortHandler, func() { h.ServeHTTP(httptest.NewRecorder(), request("broken", "alice")) })
	h.ServeHTTP(httptest.NewRecorder(), request("late", ""))

	require.NoError(t, stream.Shutdown(t.Context()))
	got := siem.Events()
	require.Len(t, got, 4)
	for i, want := range []auditstream.Outcome{
		auditstream.OutcomeSuccess, auditstream.OutcomeFailure, auditstream.OutcomeFailure, auditstream.OutcomeSuccess,
	} {
		assert.Equal(t, want, got[i].Outcome, "event %d", i)
		assert.Equal(t, auditstream.Source{Address: "203.0.113.7", UserAgent: "curl/8"}, got[i].Source)
	}
	assert.Equal(t, "alice", got[0].Actor.ID)
	assert.Equal(t, "late", got[3].Actor.ID)
}

// TestHandlerKeepsTheActor checks that an actor whom somebody further out has put into the context stays.
func TestHandlerKeepsTheActor(t *testing.T) {
	for name, actor := range map[string]func(*http.Request) auditstream.Actor{
		"no option": nil, "nobody": func(*http.Request) auditstream.Actor { return auditstream.Actor{} },
	} {
		t.Run(name, func(t *testing.T) {
			var got auditstream.Actor
			h := audithttp.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				got = auditstream.ActorFrom(r.Context())
			}), audithttp.Options{Actor: actor})
			r := httptest.NewRequestWithContext(auditstream.WithActor(t.Context(), auditstream.Actor{ID: "alice"}), http.MethodGet, "/", nil)
			h.ServeHTTP(nil, r)
			assert.Equal(t, "alice", got.ID)
		})
	}
}
