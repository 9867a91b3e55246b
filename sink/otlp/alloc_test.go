//go:build !race

// The race detector makes sync.Pool forget at random, so allocations are counted without it.

package otlp

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/discard"
)

// The rest of what a delivery allocates is the exporter's: three objects for an attribute.
func TestAllocations(t *testing.T) {
	const batch = 512
	events := benchEvents(batch)

	m := newMapper()
	_ = m.fill(events) // which makes the slices
	assert.LessOrEqual(t, testing.AllocsPerRun(10, func() { _ = m.fill(events) }), float64(batch),
		"one for an event: the attributes beyond the five that a record has room for")

	request := requestOf(t, events...)
	buf, ok := encodeRequest(nil, request)
	require.True(t, ok)
	assert.Zero(t, testing.AllocsPerRun(10, func() { buf, _ = encodeRequest(buf[:0], request) }))

	resource, err := proto.Marshal(request.GetResourceLogs()[0].GetResource())
	require.NoError(t, err)
	replaced, err := replaceResource(nil, buf, resource)
	require.NoError(t, err)
	assert.LessOrEqual(t, testing.AllocsPerRun(10, func() { replaced, err = replaceResource(replaced[:0], buf, resource) }), 2.0)
}

// TestAllocationsOfDeliver counts the exporter's, too. A later version of it that takes more fails here.
func TestAllocationsOfDeliver(t *testing.T) {
	const batch = 512
	events := benchEvents(batch)
	m := newMapper()
	_ = record(m, &events[0])
	for _, compression := range []Compression{Gzip, None} {
		t.Run(string(compression), func(t *testing.T) {
			s := open(t, Config{
				Endpoint: "http://127.0.0.1/v1/logs", Compression: compression,
				Network: sink.Network{DialContext: discard.Dialer("")},
			})
			deliver := func() {
				_, err := s.Deliver(t.Context(), events)
				require.NoError(t, err)
			}
			deliver()
			perEvent := 3*len(m.attrs) + 8 // for an attribute; for the record, its body, ids and slices
			assert.LessOrEqual(t, testing.AllocsPerRun(10, deliver), float64(batch*perEvent+200))
		})
	}
}
