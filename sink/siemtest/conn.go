package siemtest

import (
	"context"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
)

// tracker is a listener that knows its open connections by the client's address, so that a handler, which gets to see
// only that address, can end the connection below it.
type tracker struct {
	net.Listener
	accepted *atomic.Int64 // counts over all openings of a gate
	mu       sync.Mutex
	conns    map[string]net.Conn
	ended    bool
}

func newTracker(l net.Listener, accepted *atomic.Int64) *tracker {
	return &tracker{Listener: l, accepted: accepted, conns: make(map[string]net.Conn)}
}

// Accept implements [net.Listener].
func (t *tracker) Accept() (net.Conn, error) {
	c, err := t.Listener.Accept()
	if err != nil {
		return nil, err
	}
	t.accepted.Add(1)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		_ = c.Close()
	}
	t.conns[c.RemoteAddr().String()] = c
	return &trackedConn{Conn: c, tracker: t}, nil
}

// end closes the connection with the client at addr; reset makes the client see an RST instead of a proper end.
func (t *tracker) end(addr string, reset bool) {
	t.mu.Lock()
	c := t.conns[addr]
	t.mu.Unlock()
	if c == nil {
		return
	}
	if tcp, ok := c.(*net.TCPConn); ok && reset {
		// With nothing to linger for, the kernel discards what is unsent and sends an RST.
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

// endAll closes the listener and all connections, one that has just been accepted included.
func (t *tracker) endAll() {
	_ = t.Close()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
	for _, c := range t.conns {
		_ = c.Close()
	}
}

// trackedConn takes itself off the tracker's list when it is closed.
type trackedConn struct {
	net.Conn
	tracker *tracker
}

// Close implements [net.Conn].
func (c *trackedConn) Close() error {
	c.tracker.mu.Lock()
	delete(c.tracker.conns, c.RemoteAddr().String())
	c.tracker.mu.Unlock()
	return c.Conn.Close()
}

// pipeListener is a listener without a socket: its dial gives the client one end of a [net.Pipe].
type pipeListener struct {
	addr  net.Addr
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
	mu    sync.Mutex
	last  int
}

func newPipeListener(addr net.Addr) *pipeListener {
	return &pipeListener{addr: addr, conns: make(chan net.Conn), done: make(chan struct{})}
}

// Accept implements [net.Listener].
func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr implements [net.Listener].
func (l *pipeListener) Addr() net.Addr { return l.addr }

// dial hands one end of a new pipe to Accept and returns the other.
func (l *pipeListener) dial(ctx context.Context) (net.Conn, error) {
	l.mu.Lock()
	l.last++
	name := pipeAddr(l.addr.String() + "#" + strconv.Itoa(l.last))
	l.mu.Unlock()
	client, server := net.Pipe()
	select {
	case l.conns <- pipeConn{Conn: server, local: l.addr, remote: name}:
		return pipeConn{Conn: client, local: name, remote: l.addr}, nil
	case <-l.done:
		return nil, refused(l.addr)
	case <-ctx.Done():
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: l.addr, Err: ctx.Err()}
	}
}

// refused is the error of a dial to an address where nobody listens.
func refused(addr net.Addr) error {
	return &net.OpError{Op: "dial", Net: "tcp", Addr: addr, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
}

// pipeConn is an end of a pipe with addresses of its own; the two ends of a [net.Pipe] are all called "pipe".
type pipeConn struct {
	net.Conn
	local, remote net.Addr
}

// LocalAddr implements [net.Conn].
func (c pipeConn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements [net.Conn].
func (c pipeConn) RemoteAddr() net.Addr { return c.remote }

// pipeAddr is an address in memory.
type pipeAddr string

// Network implements [net.Addr].
func (pipeAddr) Network() string { return "tcp" }

// String implements [net.Addr].
func (a pipeAddr) String() string { return string(a) }
