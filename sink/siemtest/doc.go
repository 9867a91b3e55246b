// Package siemtest runs fake SIEM servers on loopback, for tests, demonstrations and examples: a Splunk HTTP Event
// Collector ([NewSplunk]), a Sumo Logic HTTP source ([NewSumoLogic]) and an OpenTelemetry receiver over HTTP and gRPC
// ([NewOTLP]). It does not import package testing, so that programs may link it.
//
// The servers speak the real protocols, with their odd corners and error bodies, and keep what arrived in decoded form:
//
//	srv, err := siemtest.NewSplunk(siemtest.SplunkConfig{})
//	if err != nil { … }
//	defer srv.Close()
//	// deliver to srv.URL() with srv.Token()
//	events, err := srv.Wait(ctx, 3)
//
// # Scripts
//
// Every server has the same means to misbehave:
//
//   - Respond queues answers for the next requests: a status, an answer of the provider's own such as [HEC](9), a
//     login page, a redirect, or no answer at all ([Hang], [Drop], [Reset], [Cut]).
//   - Fail decides about each request by a function.
//   - RejectIf refuses events for their content, in the way of the provider.
//   - SetToken rotates the credential.
//   - AckIf, ForgetAcks and RestartIndexers delay, refuse and lose the acknowledgements of a Splunk server.
//   - SetOutage refuses connections, and takes them again on the same port.
//
// A request that is answered by a script is recorded in Requests, but its events are not taken, unless
// [Answer.Accept] says so.
//
// # Time and goroutines
//
// A server with InMemory set has no socket: clients reach it through DialContext, which fits the field of the same name
// in sink.Network. Such a server works in a bubble of testing/synctest, where sockets hang. Close ends everything that
// a server has started.
//
// All methods of the servers may be called concurrently, from handlers and functions passed to Fail and RejectIf too,
// except SetOutage and Close, which wait for the requests in progress.
//
// What the servers do is what providers document or were seen to do; a corner about which nothing is known is answered
// strictly, and the comment there says so. They hold everything in memory and are made for tests, not for load.
package siemtest
