// Package hostile holds the tests of the drivers behind a bad network: Toxiproxy, in this process, stands between each
// of them and its server, and slows, swallows, cuts and resets what they say to each other while events are published.
// It has no code but tests.
//
// The figures are what this prints:
//
//	go test -C internal/checks -race -count=1 -v -run TestHostileNetwork ./hostile | grep figures:
package hostile
