// Package audithttp tells audit events where an HTTP request came from: [Source] reads the client's address and user
// agent, and [Handler] puts them into the request's context, from which [auditstream.Stream.Begin] and the handler of
// package auditslog take them.
//
//	trusted := audithttp.TrustedProxies{Networks: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}}
//	mux.HandleFunc("DELETE /projects/{id}", func(w http.ResponseWriter, r *http.Request) {
//		rec := stream.Begin(r.Context(), auditstream.Event{
//			Action:  "project.delete",
//			Targets: []auditstream.Target{{ID: r.PathValue("id"), Type: "project"}},
//		})
//		defer rec.End(nil)
//		…
//		rec.Succeed()
//	})
//	http.ListenAndServe(addr, audithttp.Handler(mux, audithttp.Options{Trusted: trusted}))
//
// # Whose word is taken
//
// Every client can send an X-Forwarded-For of its own. So a header counts only as far as the proxies wrote it that the
// host names: the addresses in it are read from the end, where the nearest proxy has added the one that it saw, and the
// first that is no trusted proxy is the client's. Without [TrustedProxies] it is the address of the connection.
//
// What a trusted proxy has written and nobody can read ("unknown", a hidden name, a fragment) ends the search at that
// proxy: its own address is the answer, and never one from further left, which the client may have made up. A Source
// holds addresses only, without a port and without a zone, and no other text of a header but the user agent.
package audithttp
