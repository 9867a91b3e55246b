package httpsend

import "time"

// How connections are used, over HTTP here and over gRPC in the OTLP driver.
const (
	// HandshakeTimeout ends a TLS handshake with a server that accepts connections and says nothing.
	HandshakeTimeout = 10 * time.Second

	// IdleTimeout is how long a connection outlives its last request. It is shorter than the 30 s after which common
	// balancers drop one silently, so that a request seldom meets a connection that is being closed.
	IdleTimeout = 25 * time.Second

	// MaxConnAge is how long a connection is used. A load balancer that got a new member, or a name that moved, is
	// noticed no later; a busy stream would otherwise stay on one connection for ever.
	MaxConnAge = 5 * time.Minute

	// UserAgent is the User-Agent header unless the configuration has one.
	UserAgent = "auditstream"
)
