package siemtest

import (
	"encoding/json"
	"strconv"
)

// ackChannel holds what a channel has to acknowledge. Real collectors keep it for each indexer; this one is a single
// indexer and acknowledges at once.
type ackChannel struct {
	next    int
	pending map[int]bool
}

// acknowledgeable returns the ackId of a request of which n events were taken; nil if the token does without.
func (s *Splunk) acknowledgeable(token HECToken, channel string, n int) *int {
	if !token.UseACK || n == 0 {
		return nil
	}
	s.hec.Lock()
	defer s.hec.Unlock()
	c := s.acks[channel]
	if c == nil {
		c = &ackChannel{pending: make(map[int]bool)}
		s.acks[channel] = c
	}
	id := c.next
	c.pending[id] = true
	c.next++
	return &id
}

// acknowledge answers a request to /ack: an ID is true once, and false before and after, and so is an unknown one.
func (s *Splunk) acknowledge(in *incoming, token HECToken, channel string) Answer {
	switch {
	case !token.UseACK:
		return HEC(14)
	case channel == "":
		return HEC(10)
	}
	var query struct {
		Acks []int `json:"acks"`
	}
	if in.bodyErr != nil || json.Unmarshal(in.body, &query) != nil {
		return HEC(6)
	}
	answer := make(map[string]bool, len(query.Acks))
	s.hec.Lock()
	defer s.hec.Unlock()
	for _, id := range query.Acks {
		c := s.acks[channel]
		answer[strconv.Itoa(id)] = c != nil && c.pending[id]
		if c != nil {
			delete(c.pending, id)
		}
	}
	body, err := json.Marshal(map[string]any{"acks": answer})
	if err != nil {
		panic(err) // A map of booleans can be marshalled.
	}
	return Answer{Header: jsonHeader(), Body: string(body)}
}
