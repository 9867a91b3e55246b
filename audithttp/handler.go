package audithttp

import (
	"net/http"

	"github.com/auditstream/auditstream"
)

// Options are options of [Handler]. The zero Options trust no proxy.
type Options struct {
	// Trusted says whose word about the client's address is taken. Defaults to nobody's.
	Trusted TrustedProxies

	// Actor returns who acts in a request, or the zero Actor if that is not known (yet): what authenticates the request
	// further in may call [auditstream.WithActor] by itself. Defaults to none.
	Actor func(r *http.Request) auditstream.Actor

	_ struct{}
}

// Handler returns a handler that calls next with a context that says where the request came from, and who acts if
// Options.Actor does. It belongs outside of whatever changes RemoteAddr, and inside of what starts the trace, whose span
// is in the context as well.
func Handler(next http.Handler, opts Options) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := auditstream.WithSource(r.Context(), Source(r, opts.Trusted))
		if opts.Actor != nil {
			if a := opts.Actor(r); a != (auditstream.Actor{}) {
				ctx = auditstream.WithActor(ctx, a)
			}
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}
