package sinktest

import (
	"testing"

	"github.com/auditstream/auditstream/sink"
)

// Behavior is how a server is to behave in a part of the suite.
type Behavior string

// The behaviours that a [Harness] has to provide.
const (
	// Accepting is to take everything.
	Accepting Behavior = "accepting"

	// Busy is to answer every request so that it is tried again later: 503.
	Busy Behavior = "busy"

	// Forbidding is to refuse every request because of its credentials, and to repeat the credentials, and whatever
	// else Harness.Secrets holds, in the body of the answer: 401 or 403.
	Forbidding Behavior = "forbidding"

	// Poisoned is to refuse the events whose action is PoisonAction, and to take the others, in whatever way the
	// protocol has for it: naming the event, counting it, or refusing all that came with it.
	Poisoned Behavior = "poisoned"

	// BusyLater is to take the first request, and to answer those after it like Busy.
	BusyLater Behavior = "busy later"

	// Hanging is to take connections and requests, and never to answer.
	Hanging Behavior = "hanging"

	// Cutting is to close the connection when a request has been read, without an answer.
	Cutting Behavior = "cutting"

	// Refusing is not to listen.
	Refusing Behavior = "refusing"
)

// PoisonAction is the action of an event that a server is to refuse when it is Poisoned.
const PoisonAction = "sinktest.poison"

// Server is how the suite sees what happens at a server.
type Server struct {
	// IDs returns the IDs of the events that the server has taken, in order of arrival, repeats included. Required.
	IDs func() []string

	// Requests returns how many requests have reached the server. Optional: without it, retries go unnoticed.
	Requests func() int

	// Connections returns how many connections the server has accepted. Optional: without it, it goes unnoticed when
	// Open dials.
	Connections func() int
}

// Harness is what [TestSink] needs to know about a driver.
type Harness struct {
	// Start starts a server and returns a destination that points to it, complete with credentials. It is called for
	// each part of the suite; what it starts has to end with t, by t.Cleanup. A nil destination leaves the part out.
	// Required.
	Start func(t testing.TB, b Behavior) (sink.Destination, Server)

	// Invalid are destinations that Open has to refuse. The more different, the better.
	Invalid []sink.Destination

	// Secrets are the credentials in the destinations of Start and Invalid. They must show nowhere and in no form, as
	// they are, encoded or escaped. Make them long and full of special characters: one under 8 bytes is an error, for
	// it could be found by accident. Required.
	Secrets []string

	// Paths are what else is in the URLs of the destinations after the port: paths, queries, user names. They must not
	// show in errors and in the printed forms of a destination. Texts under 8 bytes are an error here too.
	Paths []string

	// MaxEventBytes is the size of an event that the driver refuses by itself: no encoding of an event with a text of
	// this size is small enough. 0 means that there is no such limit.
	MaxEventBytes int

	_ struct{}
}
