package siemtest

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync/atomic"
)

// gate is one loopback address of a server, which can be closed and opened again on the same port.
type gate struct {
	addr   net.Addr // fixed once the gate has been open
	bound  bool     // addr has the port of the kernel's choice
	memory bool
	serve  func(*tracker) (stop func())

	accepted atomic.Int64

	// stop ends what belongs to the time between open and close.
	stop func()

	// pipe is the listener in memory, nil on a closed gate. A dial looks for it while the gate may be closing, which can
	// take as long as a handler does.
	pipe atomic.Pointer[pipeListener]
}

// newGate returns a gate that is not open yet. port is the one to show for a server in memory; a real one gets its port
// from the kernel.
func newGate(memory bool, port int, serve func(*tracker) (stop func())) *gate {
	if !memory {
		port = 0
	}
	return &gate{addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}, memory: memory, serve: serve}
}

// open starts to listen. It does nothing on an open gate.
func (g *gate) open() error {
	if g.stop != nil {
		return nil
	}
	var l net.Listener
	if g.memory {
		pipe := newPipeListener(g.addr)
		g.pipe.Store(pipe)
		l = pipe
	} else {
		var err error
		if l, err = new(net.ListenConfig).Listen(context.Background(), "tcp", g.addr.String()); err != nil {
			return &ListenError{Address: g.addr.String(), Err: err}
		}
		if !g.bound {
			g.addr, g.bound = l.Addr(), true
		}
	}
	g.stop = g.serve(newTracker(l, &g.accepted))
	return nil
}

// close ends the listener and every connection, and returns when the goroutines have ended. It does nothing on a closed
// gate.
func (g *gate) close() {
	if g.stop != nil {
		g.stop()
		g.stop = nil
		g.pipe.Store(nil)
	}
}

// url returns scheme, host and port.
func (g *gate) url(tls bool) string {
	if tls {
		return "https://" + g.addr.String()
	}
	return "http://" + g.addr.String()
}

// open opens the gates, and closes them again if one cannot be opened.
func (s *server) open(gates ...*gate) error {
	s.life.Lock()
	defer s.life.Unlock()
	s.gates = gates
	var errs []error
	for _, g := range gates {
		errs = append(errs, g.open())
	}
	err := errors.Join(errs...)
	if err != nil {
		s.closeGates()
	}
	return err
}

func (s *server) closeGates() {
	for _, g := range s.gates {
		g.close()
	}
}

// SetOutage closes the listener and every connection if down is true, so that clients are refused, and listens again on
// the same port if it is false. Requests in progress are cut off. It returns ErrClosed on a closed server, and a
// [*ListenError] if somebody else has taken the port in the meantime.
func (s *server) SetOutage(down bool) error {
	s.life.Lock()
	defer s.life.Unlock()
	if s.isClosed() {
		return ErrClosed
	}
	if down {
		s.closeGates()
		return nil
	}
	var errs []error
	for _, g := range s.gates {
		errs = append(errs, g.open())
	}
	return errors.Join(errs...)
}

// Connections returns how many connections the server has accepted, those that have ended included.
func (s *server) Connections() int {
	n := int64(0)
	for _, g := range s.gates {
		n += g.accepted.Load()
	}
	return int(n)
}

// Close ends the server, its connections and its goroutines. What was recorded stays readable. Later calls do nothing.
func (s *server) Close() {
	s.life.Lock()
	defer s.life.Unlock()
	s.closeGates()
	s.markClosed()
}

// DialContext connects to the server. For a server in memory there is no other way; for one with a socket it is an
// ordinary dial. It fits sink.Network.DialContext. An address that is not the server's is refused.
func (s *server) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	g, pipe := s.findGate(host, port)
	switch {
	case g == nil || (g.memory && pipe == nil):
		return nil, refused(pipeAddr(address))
	case g.memory:
		return pipe.dial(ctx)
	}
	return new(net.Dialer).DialContext(ctx, "tcp", g.addr.String())
}

// findGate returns the gate at an address, and its listener if it is an open one in memory.
func (s *server) findGate(host, port string) (*gate, *pipeListener) {
	if host != "127.0.0.1" && host != "localhost" {
		return nil, nil
	}
	for _, g := range s.gates {
		if a, ok := g.addr.(*net.TCPAddr); ok && strconv.Itoa(a.Port) == port {
			return g, g.pipe.Load()
		}
	}
	return nil, nil
}
