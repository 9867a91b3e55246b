// Package peers holds the tests against software that was not written here: the OpenTelemetry Collector's own receivers,
// run in this process, and VictoriaLogs, a log database, run beside it. Every driver delivers the bundled events of
// examples/quickstart, and odd ones made by hand, through a Stream to the receiver of its protocol, and the tests compare
// field by field what came out with what was published.
//
// It is a module of its own, so that none of what it needs enters the module graph of a host, and it has no code but
// tests. All of them, VictoriaLogs included, which is built on the first run, need Go and a shell and are run by
//
//	go test -C peers ./...
package peers
