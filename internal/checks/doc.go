// Package checks holds the tests that need more than the library's own dependencies: a JSON Schema validator, a
// property-testing engine, a detector of leaked goroutines. It is a module of its own, so that none of them enters the
// module graph of a host, and it has no code but tests.
//
//	go test -C internal/checks ./...
package checks
