package siemtest

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// indexerCookie is the cookie by which the balancer before several indexers knows its clients.
const indexerCookie = "siemtest-indexer"

// Ack is an acknowledgement that a client asks a [Splunk] server for.
type Ack struct {
	// Indexer is the number of the indexer that promised it, from 0 on, Channel the channel, and ID its number there.
	Indexer int
	Channel string
	ID      int

	// Taken is when the events of its request were taken.
	Taken time.Time

	// Asked is how often it was asked for before.
	Asked int

	_ struct{}
}

// indexer is what one indexer knows of acknowledgements. It is memory only, in real life too.
type indexer struct {
	channels map[string]*ackChannel
}

// ackChannel holds what a channel has to acknowledge.
type ackChannel struct {
	next    int
	pending map[int]*Ack
}

// AckIf makes fn decide whether an acknowledgement is given: with false the client hears that it is not known, as it
// does for one that was never promised. A nil fn, as in the beginning, gives them all at once. fn may be called
// concurrently.
func (s *Splunk) AckIf(fn func(Ack) bool) {
	s.hec.Lock()
	defer s.hec.Unlock()
	s.ackIf = fn
}

// ForgetAcks makes every indexer lose the acknowledgements that it owes, as it does for a channel that was idle for
// long. The numbers go on.
func (s *Splunk) ForgetAcks() {
	s.hec.Lock()
	defer s.hec.Unlock()
	for _, ix := range s.indexers {
		for _, c := range ix.channels {
			clear(c.pending)
		}
	}
}

// RestartIndexers makes every indexer lose what it knows of acknowledgements: it owes none, and its numbers begin at 0.
func (s *Splunk) RestartIndexers() {
	s.hec.Lock()
	defer s.hec.Unlock()
	for i := range s.indexers {
		s.indexers[i] = newIndexer()
	}
}

func newIndexer() *indexer { return &indexer{channels: make(map[string]*ackChannel)} }

// balance chooses the indexer for a request: that of its cookie, or the next in turn.
func (s *Splunk) balance(in *incoming) int {
	s.hec.Lock()
	defer s.hec.Unlock()
	if cookie, err := in.Cookie(indexerCookie); err == nil && !s.cfg.NotSticky {
		if i, err := strconv.Atoi(cookie.Value); err == nil && 0 <= i && i < len(s.indexers) {
			return i
		}
	}
	i := s.turn % len(s.indexers)
	s.turn++
	return i
}

// sticky lets an answer bring the cookie of an indexer, if there are several.
func (s *Splunk) sticky(a Answer, i int) Answer {
	if s.cfg.Indexers > 1 {
		cookie := http.Cookie{Name: indexerCookie, Value: strconv.Itoa(i), Path: "/", HttpOnly: true} //nolint:gosec // Clients may come over plain HTTP.
		a.Header = a.Header.Clone()
		if a.Header == nil {
			a.Header = make(http.Header)
		}
		a.Header.Add("Set-Cookie", cookie.String())
	}
	return a
}

// acknowledgeable returns the ackId of a request of which n events were taken; nil if the token does without.
func (s *Splunk) acknowledgeable(to hecTarget, n int) *int {
	if !to.token.UseACK || n == 0 {
		return nil
	}
	s.hec.Lock()
	defer s.hec.Unlock()
	channels := s.indexers[to.indexer].channels
	c := channels[to.channel]
	if c == nil {
		c = &ackChannel{pending: make(map[int]*Ack)}
		channels[to.channel] = c
	}
	id := c.next
	c.pending[id] = &Ack{Indexer: to.indexer, Channel: to.channel, ID: id, Taken: time.Now()}
	c.next++
	return &id
}

// acknowledge answers a request to /ack: an ID is true once, and false before and after, and so is an unknown one.
func (s *Splunk) acknowledge(in *incoming, to hecTarget) Answer {
	switch {
	case !to.token.UseACK:
		return HEC(14)
	case to.channel == "":
		return HEC(10)
	case !isGUID(to.channel):
		return HEC(11)
	}
	var query struct {
		Acks []int `json:"acks"`
	}
	if in.bodyErr != nil || json.Unmarshal(in.body, &query) != nil {
		return HEC(6)
	}
	answer := make(map[string]bool, len(query.Acks))
	for _, id := range query.Acks {
		answer[strconv.Itoa(id)] = s.acknowledged(to, id)
	}
	body, err := json.Marshal(map[string]any{"acks": answer})
	if err != nil {
		panic(err) // A map of booleans can be marshalled.
	}
	return Answer{Header: jsonHeader(), Body: string(body)}
}

// acknowledged answers for one ID, and forgets it if the answer is yes.
func (s *Splunk) acknowledged(to hecTarget, id int) bool {
	s.hec.Lock()
	c, fn := s.indexers[to.indexer].channels[to.channel], s.ackIf
	if c == nil || c.pending[id] == nil {
		s.hec.Unlock()
		return false
	}
	ack := *c.pending[id]
	c.pending[id].Asked++
	s.hec.Unlock()
	if fn != nil && !fn(ack) {
		return false
	}
	s.hec.Lock()
	defer s.hec.Unlock()
	if c.pending[id] == nil {
		return false // somebody else was told meanwhile, or it is forgotten
	}
	delete(c.pending, id)
	return true
}
