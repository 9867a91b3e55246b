package httpsend

import (
	"net/http"
	"sync"
	"time"
)

// A generation is a transport with its connections. Connections grow old together: the transport can close idle ones
// only, and with several requests in flight some are never idle, over HTTP/2 the only one. So a new generation takes
// over, and the old one ends with the requests that are under way on it.
type generation struct {
	transport *http.Transport
	made      time.Time

	// Guarded by the mutex of generations.
	users int // requests under way
	left  bool
}

// generations holds the current generation of a Client, while requests are under way and for a while after the last. A
// transport costs an idle sink 5 KB, of which net/http gives nothing back with the last connection.
type generations struct {
	// A closure, like those of Client and for the same reasons.
	transport func() *http.Transport

	mu      sync.Mutex
	current func() *generation // nil when the next request has to make one
	idle    *time.Timer        // of the current generation while it has no users
}

// join returns the generation for a request. The caller must leave it.
func (p *generations) join() *generation {
	p.mu.Lock()
	var old *generation
	if p.current != nil {
		if g := p.current(); g.left || time.Since(g.made) >= MaxConnAge {
			old = g
			p.drop()
		}
	}
	if p.current == nil {
		g := &generation{transport: p.transport(), made: time.Now()}
		p.current = func() *generation { return g }
	}
	p.stop()
	g := p.current()
	g.users++
	p.mu.Unlock()
	if old != nil {
		// Now, and not when its last request ended: a connection becomes idle only some time after its answer was read.
		old.transport.CloseIdleConnections()
	}
	return g
}

// leave ends a request on g.
func (p *generations) leave(g *generation) {
	p.mu.Lock()
	g.users--
	mine := p.current != nil && p.current() == g
	if mine && g.users == 0 {
		p.idle = time.AfterFunc(IdleTimeout, func() { p.expire(g) })
	}
	p.mu.Unlock()
	if !mine {
		g.transport.CloseIdleConnections() // the others end by IdleTimeout
	}
}

// moveOn makes g the last generation of its connections.
func (p *generations) moveOn(g *generation) {
	p.mu.Lock()
	g.left = true
	p.mu.Unlock()
}

// expire forgets g if it still has no users. A request may have joined between the timer's firing and this call.
func (p *generations) expire(g *generation) {
	p.mu.Lock()
	if p.current != nil && p.current() == g && g.users == 0 {
		p.drop()
	}
	p.mu.Unlock()
}

// close forgets the current generation and closes its idle connections.
func (p *generations) close() {
	p.mu.Lock()
	var old *generation
	if p.current != nil {
		old = p.current()
		p.drop()
	}
	p.mu.Unlock()
	if old != nil {
		old.transport.CloseIdleConnections()
	}
}

func (p *generations) drop() {
	p.current = nil
	p.stop()
}

func (p *generations) stop() {
	if p.idle != nil {
		p.idle.Stop()
		p.idle = nil
	}
}
