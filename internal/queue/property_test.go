package queue

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A program is random bytes read as operations. At its end it yields zeros.
type program struct {
	data []byte
}

func (p *program) byte() int {
	if len(p.data) == 0 {
		return 0
	}
	b := p.data[0]
	p.data = p.data[1:]
	return int(b)
}

// record returns record bytes that no other record has, and a measured size. Lengths cross the boundaries of chunks.
func (p *program) record(serial int) (rec []byte, size int) {
	kind, n := p.byte(), p.byte()
	switch {
	case kind < 8:
		n = 0
	case kind < 32:
		n *= 160 // Up to 40 KiB: some get a chunk of their own.
	case kind < 96:
		n *= 16
	}
	rec = make([]byte, n)
	fill := binary.AppendUvarint(nil, uint64(serial)*2654435761)
	for i := 0; i < n; i += len(fill) {
		copy(rec[i:], fill)
	}
	return rec, p.byte() % 32
}

// driver runs a program against a Queue and a model.
type driver struct {
	t      *testing.T
	p      program
	q      *Queue
	m      *model
	serial int
	leases []uint64 // current ones, and some that have ended
	gone   []*modelWaiter
	copies map[uint64][]Segment
	want   map[uint64][]modelEvent // what copies must still hold
}

func drive(t *testing.T, data []byte) {
	t.Helper()
	p := program{data: data}
	limits := Limits{Events: 1 + p.byte(), Bytes: 1 + p.byte()*16}
	small := p.byte()%4 != 0
	d := &driver{
		t: t, p: p, q: New(limits), m: &model{limits: limits},
		copies: map[uint64][]Segment{}, want: map[uint64][]modelEvent{},
	}
	if small { // Every event crosses a boundary, and compaction has work.
		d.q.store.full = 512
	}
	for step := 0; len(d.p.data) > 0; step++ {
		name := d.step()
		d.compare(fmt.Sprintf("after step %d: %s", step, name), step)
	}
	// Whatever happened, everything can be leased and answered for, in order, and then nothing is left.
	for _, id := range d.leases {
		require.Equal(t, d.m.commit(id, 0), d.q.Release(id))
	}
	d.q.RefuseWaiters(errRefused)
	last := uint64(0)
	for {
		l, ok := d.q.Lease(7, 1<<20)
		if !ok {
			break
		}
		require.Greater(t, l.First, last)
		last = l.Last
		require.True(t, d.q.Commit(l.ID, l.Len))
	}
	require.Zero(t, d.q.Len())
	require.Zero(t, d.q.Bytes())
	d.q.Trim()
	require.Equal(t, store{full: d.q.store.full}, d.q.store)
}

func (d *driver) step() (name string) {
	switch op := d.p.byte() % 64; {
	case op < 24:
		d.serial++
		return d.put(d.p.record(d.serial))
	case op < 28:
		return d.putDropOldest()
	case op < 34:
		return d.wait()
	case op < 36:
		return d.leave()
	case op < 45:
		return d.lease(d.p.byte()%48, d.p.byte()*4)
	case op < 46:
		return d.fragment()
	case op < 58:
		return d.commit()
	case op < 60:
		require.Equal(d.t, d.m.admitDropOldest(), d.q.AdmitDropOldest())
		return "AdmitDropOldest"
	case op < 62:
		d.q.Trim()
		return "Trim"
	case op < 63:
		return d.refuse()
	default:
		return d.clear()
	}
}

func (d *driver) put(rec []byte, size int) string {
	var want uint64
	wantOK := len(d.m.waiters) == 0 && d.m.fits(size)
	if wantOK {
		want = d.m.put(rec, size)
	}
	seq, ok := d.q.Put(slices.Clone(rec), size)
	require.Equal(d.t, wantOK, ok, "Put(%d bytes, size %d)", len(rec), size)
	require.Equal(d.t, want, seq)
	return "Put"
}

func (d *driver) putDropOldest() string {
	d.serial++
	rec, size := d.p.record(d.serial)
	want, wantDropped, wantOK := d.m.putDropOldest(rec, size)
	seq, dropped, ok := d.q.PutDropOldest(rec, size)
	require.Equal(d.t, wantOK, ok)
	require.Equal(d.t, want, seq)
	require.Equal(d.t, wantDropped, dropped)
	return "PutDropOldest"
}

func (d *driver) wait() string {
	d.serial++
	rec, size := d.p.record(d.serial)
	w := &modelWaiter{modelEvent: modelEvent{rec: rec, size: size}}
	if size > d.m.limits.Bytes {
		w.done = true
		d.gone = append(d.gone, w)
	} else {
		d.m.waiters = append(d.m.waiters, w)
		d.m.admit()
	}
	w.real = d.q.Wait(rec, size)
	if w.done {
		d.checkWaiter(w)
	}
	return "Wait"
}

func (d *driver) leave() string {
	if len(d.gone) > 0 && d.p.byte()%4 == 0 {
		require.False(d.t, d.q.Leave(d.gone[0].real), "a waiter that was let in or refused left")
		return "Leave (late)"
	}
	if len(d.m.waiters) == 0 {
		return "Leave (nobody)"
	}
	i := d.p.byte() % len(d.m.waiters)
	w := d.m.waiters[i]
	d.m.waiters = slices.Delete(slices.Clone(d.m.waiters), i, i+1)
	d.m.admit()
	require.True(d.t, d.q.Leave(w.real))
	d.checkWaiter(w)
	return "Leave"
}

func (d *driver) refuse() string {
	for _, w := range d.m.waiters {
		w.done = true
		d.gone = append(d.gone, w)
	}
	require.Equal(d.t, len(d.m.waiters), d.q.RefuseWaiters(errRefused))
	for _, w := range d.m.waiters {
		d.checkWaiter(w)
	}
	d.m.waiters = nil
	return "RefuseWaiters"
}

// fragment empties the queue, then leaves single events in chunks whose other events have been answered for: for each of
// them, it commits the events behind it while one lease holds it and those left before.
func (d *driver) fragment() string {
	for _, id := range d.leases {
		require.Equal(d.t, d.m.commit(id, 0), d.q.Release(id))
	}
	d.lease(1<<20, 1<<20)
	d.commitLast()
	for left := range d.p.byte() % 48 {
		for range 12 {
			d.serial++
			d.put(fmt.Appendf(nil, "small record %020d", d.serial), 1)
		}
		d.lease(left+1, 1<<20)
		keep := d.m.leases
		d.lease(1<<20, 1<<20)
		d.commitLast()
		require.Equal(d.t, d.m.commit(keep, 0), d.q.Release(keep))
	}
	d.leases = d.leases[:0] // All of them have ended.
	return "fragment"
}

func (d *driver) commitLast() {
	id, n := d.m.leases, len(d.m.held(d.m.leases))
	require.Equal(d.t, d.m.commit(id, n), d.q.Commit(id, n))
}

func (d *driver) lease(maxEvents, maxBytes int) string {
	want, wantOK := d.m.lease(max(1, maxEvents), maxBytes)
	l, ok := d.q.Lease(maxEvents, maxBytes)
	require.Equal(d.t, wantOK, ok)
	require.Equal(d.t, want, l)
	if ok {
		d.leases = append(d.leases, l.ID)
		d.copies[l.ID] = d.q.Segments(l.ID)
		d.want[l.ID] = d.m.held(l.ID)
		requireRecords(d.t, d.want[l.ID], d.copies[l.ID])
	}
	return "Lease"
}

func (d *driver) commit() string {
	if len(d.leases) == 0 {
		require.False(d.t, d.q.Commit(d.m.leases+1, 1))
		return "Commit (no lease)"
	}
	i := d.p.byte() % len(d.leases)
	id, n := d.leases[i], 0
	switch kind := d.p.byte(); {
	case kind < 96:
		n = len(d.m.held(id))
	case kind < 240:
		n = kind % (len(d.m.held(id)) + 1)
	default:
		n = kind - 245 // Nonsense: negative, or mostly too large.
	}
	want := d.m.commit(id, n)
	require.Equal(d.t, want, d.q.Commit(id, n), "Commit(%d, %d)", id, n)
	if copies, ok := d.copies[id]; ok { // Copies outlive the memory they were taken from.
		requireRecords(d.t, d.want[id], copies)
		delete(d.copies, id)
	}
	if !want || len(d.leases) > 24 { // Ended leases stay a while, for late answers.
		d.leases = slices.Delete(d.leases, i, i+1)
	}
	return fmt.Sprintf("Commit(%d, %d)", id, n)
}

func (d *driver) clear() string {
	if d.p.byte()%4 != 0 {
		return "nothing"
	}
	require.Equal(d.t, len(d.m.events), d.q.Clear())
	d.m.events = nil
	d.m.admit()
	return "Clear"
}

func (d *driver) checkWaiter(w *modelWaiter) {
	done := false
	select {
	case <-w.real.Done():
		done = true
	default:
	}
	seq, ok := w.real.Seq()
	if done != w.done || seq != w.seq || ok != (w.seq != 0) {
		require.FailNow(d.t, "wrong waiter", "done %t, want %t; sequence %d, want %d", done, w.done, seq, w.seq)
	}
}

// compare checks everything that can be asked of a Queue.
func (d *driver) compare(when string, step int) {
	t, q, m := d.t, d.q, d.m
	t.Helper()
	unleased, unleasedBytes := q.Unleased()
	wantUnleased, wantUnleasedBytes := 0, 0
	for _, e := range m.events {
		if e.lease == 0 {
			wantUnleased++
			wantUnleasedBytes += e.size
		}
	}
	got := []int{q.Len(), q.Bytes(), unleased, unleasedBytes, int(q.LastSeq()), q.Waiters()}
	want := []int{len(m.events), m.size(), wantUnleased, wantUnleasedBytes, int(m.lastSeq), len(m.waiters)}
	require.Equal(t, want, got, when)
	require.LessOrEqual(t, q.Len(), m.limits.Events, when)
	require.LessOrEqual(t, q.Bytes(), m.limits.Bytes, when)

	through := m.lastSeq - min(m.lastSeq, uint64(step%97))
	require.Equal(t, m.through(through, false), q.Pending(through), when)
	require.Equal(t, m.through(through, true), q.UnleasedThrough(through), when)
	require.Equal(t, len(m.events), q.Pending(m.lastSeq), when)

	rec, ok := q.Oldest()
	require.Equal(t, len(m.events) > 0, ok, when)
	if ok {
		require.True(t, bytes.Equal(m.events[0].rec, rec), when)
	}
	for _, id := range d.leases {
		if q.Current(id) != (len(m.held(id)) > 0) {
			require.FailNow(t, "wrong Current", "lease %d %s", id, when)
		}
	}
	for _, w := range m.waiters {
		d.checkWaiter(w)
	}
	if q.store.live < 16<<10 || step%16 == 0 {
		requireRecords(t, m.events, q.All())
	}
	requireSound(t, q)
}

func requireRecords(t *testing.T, want []modelEvent, got []Segment) {
	t.Helper()
	i := 0
	for _, s := range got {
		n := 0
		for seq, rec := range s.Records() {
			if i == len(want) || want[i].seq != seq || string(want[i].rec) != rec { // require is slow for each record.
				require.FailNow(t, "wrong record", "number %d, sequence %d, %d bytes", i, seq, len(rec))
			}
			i++
			n++
		}
		require.Equal(t, s.Len, n)
	}
	require.Len(t, want, i, "fewer records than expected")
}

// requireSound checks the invariants of the storage.
func requireSound(t *testing.T, q *Queue) {
	t.Helper()
	live := map[*chunk]int{}
	if q.store.tail != nil {
		live[q.store.tail] = 0
	}
	visit := func(spans []span) {
		for i, s := range spans {
			live[s.chunk] += s.end - s.off
			if s.n < 1 || i > 0 && (spans[i-1].last() >= s.seq || spans[i-1].joins(s)) {
				require.FailNow(t, "spans empty, out of order or not joined", "%d of %d", i, len(spans))
			}
		}
	}
	visit(q.unleased.all())
	for _, l := range q.leases {
		visit(l.spans)
	}
	sum, capacity := 0, 0
	for c, n := range live {
		require.Equal(t, n, c.live)
		sum += n
		capacity += cap(c.data)
	}
	require.Equal(t, sum, q.store.live)
	require.Equal(t, capacity, q.store.capacity)
	require.LessOrEqual(t, capacity, 2*sum+(slackChunks+1)*q.store.full, "too much memory held back")
	removed := slices.Concat(q.unleased.buf[:q.unleased.head], q.unleased.buf[len(q.unleased.buf):cap(q.unleased.buf)])
	require.False(t, slices.ContainsFunc(removed, func(s span) bool { return s != span{} }), "a removed span holds its chunk back")
}

// TestQueueAgainstModel runs random programs. To repeat a failure, put its seed into the list.
func TestQueueAgainstModel(t *testing.T) {
	seeds := []uint64{1, 2, 3, uint64(time.Now().UnixNano())}
	for range 30 {
		seeds = append(seeds, rand.Uint64())
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 0))
			data := make([]byte, 3000)
			for i := range data {
				data[i] = byte(r.Uint32())
			}
			drive(t, data)
		})
	}
}

func FuzzQueue(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{10, 100, 1000} {
		data := make([]byte, n)
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) { drive(t, data[:min(len(data), 1000)]) })
}
