package main

import (
	"fmt"
	"sync"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/sink/siemtest"
)

// A tally follows every event by its ID, independently of the stream's own ledger.
type tally struct {
	published map[string]int
	arrived   map[string]int

	mu       sync.Mutex
	rejected map[string]int
	news     []auditstream.Rejection // not reported yet
}

func (t *tally) publish(id string) { count(&t.published, id) }

// reject is the stream's callback: the dead letter.
func (t *tally) reject(r auditstream.Rejection) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range r.Events {
		count(&t.rejected, r.Events[i].ID)
	}
	t.news = append(t.news, r)
}

// rejections returns those that it has not returned yet.
func (t *tally) rejections() []auditstream.Rejection {
	t.mu.Lock()
	defer t.mu.Unlock()
	news := t.news
	t.news = nil
	return news
}

// arrive counts what a server has. Events of Stream.Test carry no sequence number and are not counted.
func (t *tally) arrive(events []siemtest.Received) {
	for i := range events {
		if events[i].Sequence != 0 {
			count(&t.arrived, events[i].ID)
		}
	}
}

// check compares what was published with what arrived and what was rejected, and both with the ledger.
func (t *tally) check(account *report, totals auditstream.Totals) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var published, rejected, delivered, missing, repeats int
	for id, n := range t.published {
		published += n
		rejected += t.rejected[id]
		delivered += n - t.rejected[id]
		if surplus := t.arrived[id] + t.rejected[id] - n; surplus < 0 {
			missing -= surplus
			account.line("missing", "%s", id)
		} else {
			repeats += surplus
		}
	}
	unknown := 0
	for id := range t.arrived {
		if t.published[id] == 0 {
			unknown++
			account.line("unknown", "%s", id)
		}
	}
	account.line("by ID", "%d published = %d at the servers + %d rejected; %d missing, %d unknown, %d repeats",
		published, delivered-missing, rejected, missing, unknown, repeats)
	switch {
	case missing > 0 || unknown > 0:
		return errUnaccounted
	case !balanced(totals):
		return fmt.Errorf("%w: the ledger does not add up", errUnaccounted)
	case totals.Accepted != uint64(published), totals.Rejected != uint64(rejected), totals.Discarded+totals.Pending != 0:
		return fmt.Errorf("%w: the ledger says something else", errUnaccounted)
	}
	account.line("verdict", "every event is accounted for")
	return nil
}

// count adds one to m[id], and makes m where there is none.
func count(m *map[string]int, id string) {
	if *m == nil {
		*m = make(map[string]int)
	}
	(*m)[id]++
}
