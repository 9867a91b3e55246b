package audithttp_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/audithttp"
	"github.com/auditstream/auditstream/sink/sinktest"
)

// A handler that is audited as failed unless it says that it succeeded, behind a proxy.
func ExampleHandler() {
	siem := &sinktest.Recorder{} // stands in for the customer's
	stream, err := auditstream.New(auditstream.Config{})
	if err := errors.Join(err, stream.Configure(siem)); err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("DELETE /projects/{id}", func(w http.ResponseWriter, r *http.Request) {
		rec := stream.Begin(r.Context(), auditstream.Event{
			Action:  "project.delete",
			Targets: []auditstream.Target{{ID: r.PathValue("id"), Type: "project"}},
		})
		defer rec.End(nil)
		if r.PathValue("id") != "p-77" {
			http.NotFound(w, r)
			return
		}
		rec.Succeed()
	})
	server := audithttp.Handler(mux, audithttp.Options{
		Trusted: audithttp.TrustedProxies{Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}},
		Actor: func(r *http.Request) auditstream.Actor {
			return auditstream.Actor{ID: r.Header.Get("X-Test-User"), Type: auditstream.ActorUser}
		},
	})

	for _, id := range []string{"p-77", "p-78"} {
		r := httptest.NewRequest(http.MethodDelete, "/projects/"+id, nil)
		r.Header.Set("X-Test-User", "u-1842")
		r.Header.Set("X-Forwarded-For", "198.51.100.1, 203.0.113.9") // the first is what the client made up
		server.ServeHTTP(httptest.NewRecorder(), r)
	}

	_ = stream.Shutdown(context.Background())
	for _, e := range siem.Events() {
		fmt.Println(e.Actor.ID, e.Source.Address, e.Action, e.Targets[0].ID, e.Outcome)
	}
	// Output:
	// u-1842 203.0.113.9 project.delete p-77 success
	// u-1842 203.0.113.9 project.delete p-78 failure
}
