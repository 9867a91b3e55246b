package queue

import "slices"

// model is the queue as one would write it without caring for cost: a slice of events, each with the lease that holds
// it. The driver of property_test.go runs the same program of random bytes against both and compares them after every step.
type model struct {
	limits  Limits
	events  []modelEvent // pending, by sequence
	waiters []*modelWaiter
	lastSeq uint64
	leases  uint64
}

type modelEvent struct {
	seq   uint64
	rec   []byte
	size  int
	lease uint64 // 0: not leased
}

type modelWaiter struct {
	modelEvent         // seq is 0 until accepted
	done       bool    // accepted or refused
	real       *Waiter // its counterpart
}

func (m *model) size() (n int) {
	for _, e := range m.events {
		n += e.size
	}
	return n
}

func (m *model) fits(size int) bool {
	return len(m.events) < m.limits.Events && m.size()+size <= m.limits.Bytes
}

func (m *model) put(rec []byte, size int) uint64 {
	m.lastSeq++
	m.events = append(m.events, modelEvent{seq: m.lastSeq, rec: rec, size: size})
	return m.lastSeq
}

// dropping returns the events left and the number dropped once an event of this size fits.
func (m *model) dropping(size int) (left []modelEvent, dropped int, ok bool) {
	trial := model{limits: m.limits, events: slices.Clone(m.events)}
	for !trial.fits(size) {
		i := slices.IndexFunc(trial.events, func(e modelEvent) bool { return e.lease == 0 })
		if i < 0 {
			return nil, 0, false
		}
		trial.events = slices.Delete(trial.events, i, i+1)
		dropped++
	}
	return trial.events, dropped, true
}

func (m *model) admit() {
	for len(m.waiters) > 0 && m.fits(m.waiters[0].size) {
		m.admitFirst()
	}
}

func (m *model) admitFirst() {
	w := m.waiters[0]
	m.waiters = m.waiters[1:]
	w.seq, w.done = m.put(w.rec, w.size), true
}

func (m *model) admitDropOldest() (dropped int) {
	for len(m.waiters) > 0 {
		left, n, ok := m.dropping(m.waiters[0].size)
		if !ok {
			break
		}
		m.events = left
		dropped += n
		m.admitFirst()
	}
	return dropped
}

func (m *model) putDropOldest(rec []byte, size int) (seq uint64, dropped int, ok bool) {
	for _, need := range append([]int{size}, sizes(m.waiters)...) {
		if _, _, ok := m.dropping(need); !ok {
			return 0, 0, false
		}
	}
	dropped = m.admitDropOldest()
	left, n, _ := m.dropping(size)
	m.events = left
	return m.put(rec, size), dropped + n, true
}

func sizes(ws []*modelWaiter) (out []int) {
	for _, w := range ws {
		out = append(out, w.size)
	}
	return out
}

func (m *model) lease(maxEvents, maxBytes int) (l Lease, ok bool) {
	for i := range m.events {
		e := &m.events[i]
		if e.lease != 0 {
			continue
		}
		if l.Len > 0 && (l.Len >= maxEvents || l.Bytes+e.size > maxBytes) {
			break
		}
		if l.Len == 0 {
			m.leases++
			l.ID, l.First = m.leases, e.seq
		}
		e.lease = l.ID
		l.Len++
		l.Bytes += e.size
		l.Last = e.seq
	}
	return l, l.Len > 0
}

func (m *model) held(id uint64) (out []modelEvent) {
	for _, e := range m.events {
		if e.lease == id {
			out = append(out, e)
		}
	}
	return out
}

func (m *model) commit(id uint64, n int) bool {
	held := m.held(id)
	if len(held) == 0 {
		return false
	}
	if n < 0 || n > len(held) {
		n = 0
	}
	var left []modelEvent
	for _, e := range m.events {
		if e.lease == id {
			e.lease = 0
			if n > 0 {
				n--
				continue
			}
		}
		left = append(left, e)
	}
	m.events = left
	m.admit()
	return true
}

func (m *model) through(seq uint64, unleasedOnly bool) (n int) {
	for _, e := range m.events {
		if e.seq <= seq && (!unleasedOnly || e.lease == 0) {
			n++
		}
	}
	return n
}
