// Package metrics holds the tests that look at a stream's metrics from the other end: through OpenTelemetry's SDK and its
// Prometheus exporter, with Prometheus' own parser of rules and its engine. The names in docs/metrics.md, in the dashboard
// and in the rules are held against what comes out there, and the rules are run. It is a module of its own, so that none
// of those enters the module graph of a host, and it has no code but tests.
//
//	go test -C internal/checks/metrics ./...
package metrics
