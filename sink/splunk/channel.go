package splunk

import (
	"maps"
	"math"
	"net/http"
	"slices"

	"github.com/google/uuid"
)

// channelHeader carries the GUID of a channel.
const channelHeader = "X-Splunk-Request-Channel"

// channel is one of Splunk's channels: the space in which an indexer numbers the acknowledgements that it owes, from 0
// on, in memory. So a number means nothing at another indexer, and nothing at the same one after a restart; but if the
// wrong one is asked, it may have given the number to another request, and say that it is acknowledged. A channel whose
// numbers are in doubt is therefore never used again.
type channel struct {
	header http.Header

	retired bool // for new requests there is another one
	lost    bool // its numbers cannot be trusted, because two indexers gave some

	last   ackID            // the highest number so far, or none
	begun  int              // requests so far
	flying map[int]struct{} // those of them without an answer
	owed   map[ackID]*receipt
}

// ackID is the number of an acknowledgement.
type ackID int64

// receipt is the acknowledgement of one request, which Deliver waits for.
type receipt struct {
	channel    *channel
	id         ackID
	start, end int           // the events of the batch that the request carried
	done       chan struct{} // closed when it is in, or err says why it cannot be had
	err        error

	confirmed bool // it is in, but counts only when all requests up to the one of this number are answered
	through   int
}

func newChannel() *channel {
	return &channel{header: http.Header{channelHeader: {uuid.NewString()}}, last: none}
}

// idle reports whether nothing is outstanding.
func (c *channel) idle() bool { return len(c.owed) == 0 && len(c.flying) == 0 }

// begin notes that a request goes out, and returns its number and the highest acknowledgement that was known before it.
func (c *channel) begin() (number int, floor ackID) {
	if c.idle() {
		// Nothing can be confused any more. An indexer forgets a channel that was idle for 10 minutes, and numbers it anew.
		c.last = none
	}
	if c.flying == nil {
		c.flying = make(map[int]struct{})
	}
	c.begun++
	c.flying[c.begun] = struct{}{}
	return c.begun, c.last
}

// owe notes the number that an answer brought, and reports false if it shows that the channel is lost: an indexer
// counts up, so a request that was begun when floor was known gets a higher number, and never one that is outstanding.
func (c *channel) owe(id, floor ackID, r *receipt) bool {
	if c.lost || id <= floor || c.owed[id] != nil {
		c.lose()
		return false
	}
	if c.owed == nil {
		c.owed = make(map[ackID]*receipt)
	}
	c.last = max(c.last, id)
	c.owed[id] = r
	return true
}

// lose gives up all that is outstanding. Nothing tells which of two indexers a number is from, that of the answer that
// has shown it included.
func (c *channel) lose() {
	c.lost, c.retired, c.owed = true, true, nil
}

// answered notes that a request is over.
func (c *channel) answered(number int) {
	delete(c.flying, number)
	c.release()
	if c.idle() {
		c.flying, c.owed = nil, nil
	}
}

// confirm notes that an indexer has acknowledged a number.
//
// It may be the number of a request that is still without an answer: the indexer has been restarted, and has given
// that request the number of an older one. So the acknowledgement counts when all requests that were begun by now are
// answered, and none of the answers has shown such a thing.
func (c *channel) confirm(id ackID) {
	if r := c.owed[id]; r != nil {
		r.confirmed, r.through = true, c.begun
	}
}

// release settles what is confirmed and need not wait any longer.
func (c *channel) release() {
	oldest := math.MaxInt
	for number := range c.flying {
		oldest = min(oldest, number)
	}
	for _, r := range c.owed {
		if r.confirmed && r.through < oldest {
			c.settle(r, nil)
		}
	}
}

// settle ends the wait for a receipt.
func (c *channel) settle(r *receipt, err error) {
	delete(c.owed, r.id)
	r.err = err
	close(r.done)
}

// settleAll ends the wait for all receipts.
func (c *channel) settleAll(err error) {
	for _, r := range c.owed {
		c.settle(r, err)
	}
}

// open returns the numbers that are still to be asked for, the lowest first.
func (c *channel) open() []ackID {
	ids := slices.Sorted(maps.Keys(c.owed))
	return slices.DeleteFunc(ids, func(id ackID) bool { return c.owed[id].confirmed })
}
