package auditstream_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/internal/canary"
)

// The codes of DNS answers.
const (
	dnsSuccess  = 0
	dnsServFail = 2
	dnsNXDomain = 3
	dnsSilence  = 99 // no code: there is no answer
)

// nameServer answers every question in the same way, over connections in memory.
type nameServer struct {
	code    atomic.Int32
	queries atomic.Int32
	v4, v6  netip.Addr // what every name leads to
}

// dialer dials by names that this DNS resolves.
func (d *nameServer) dialer() dialer {
	resolver := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		d.queries.Add(1)
		if d.code.Load() == dnsSilence {
			return nil, os.ErrDeadlineExceeded
		}
		near, far := net.Pipe()
		go d.serve(far)
		return near, nil
	}}
	return (&net.Dialer{Resolver: resolver}).DialContext
}

// serve answers the question of one connection, framed as over TCP.
func (d *nameServer) serve(conn net.Conn) {
	defer conn.Close()
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return
	}
	query := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(conn, query); err != nil {
		return
	}
	answer := d.answer(query)
	_, _ = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
}

func (d *nameServer) answer(query []byte) []byte {
	end := 12 // after the header comes the name, then its type and class
	for query[end] != 0 {
		end += int(query[end]) + 1
	}
	question := query[12 : end+5]
	code := byte(d.code.Load())
	var address []byte
	switch kind := question[len(question)-3]; {
	case code != dnsSuccess:
	case kind == 1 && d.v4.IsValid():
		address = d.v4.AsSlice()
	case kind == 28 && d.v6.IsValid():
		address = d.v6.AsSlice()
	}
	answer := []byte{query[0], query[1], 0x81, 0x80 | code, 0, 1, 0, 0, 0, 0, 0, 0}
	answer = append(answer, question...)
	if address != nil {
		answer[7] = 1
		answer = append(answer, 0xc0, 12, 0, question[len(question)-3], 0, 1, 0, 0, 0, 0, 0, byte(len(address)))
		answer = append(answer, address...)
	}
	return answer
}

// newNamedTrial starts a fake SIEM on a socket and a Stream to it, by a name that dns resolves.
func newNamedTrial(t *testing.T, d driver, dns *nameServer) *trial {
	t.Helper()
	f := &trial{}
	var base string
	f.siem, base = d.serve(t, served{socket: true})
	t.Cleanup(f.siem.Close)
	u, err := url.Parse(base)
	require.NoError(t, err)
	f.place.base = "http://siem.test:" + u.Port()
	f.place.network.AllowPlaintext = true
	f.place.network.DialContext = dns.dialer()
	f.dst = d.config(f.place)
	f.delivery = deliverTo(t, f.dst, new(canary.Log), auditstream.Config{
		BatchDelay: time.Nanosecond, RetryMin: time.Millisecond, RetryMax: time.Millisecond,
	})
	return f
}

// The name does not resolve. It is asked for anew with each attempt, and the error says no more than the host.
func TestFaultDNS(t *testing.T) {
	for name, tt := range map[string]struct {
		code int32
		text string
	}{
		"NXDOMAIN": {dnsNXDomain, "the name siem.test is not known to DNS"},
		"SERVFAIL": {dnsServFail, "DNS could not resolve the name siem.test"},
		"silence":  {dnsSilence, "DNS did not answer for the name siem.test"},
	} {
		for _, d := range drivers {
			t.Run(name+"/"+d.name, func(t *testing.T) {
				dns := &nameServer{v4: netip.MustParseAddr("127.0.0.1")}
				dns.code.Store(tt.code)
				f := newNamedTrial(t, d, dns)
				f.publish(t, 3)
				require.Eventually(t, func() bool { return f.Status().LastError != nil }, time.Minute, time.Millisecond)
				asked := dns.queries.Load()
				require.Eventually(t, func() bool { return dns.queries.Load() > asked+10 }, time.Minute, time.Millisecond)
				status := f.Status()
				assert.Equal(t, auditstream.ConditionRetrying, status.Condition)
				assert.EqualValues(t, 3, status.Totals.Pending)
				require.ErrorContains(t, status.LastError, tt.text)
				assert.NotContains(t, status.LastError.Error(), "/")
				assert.Equal(t, "dns", f.sinkError(t).Code)
				assert.Contains(t, f.sinkError(t).Remedy, "DNS")

				dns.code.Store(dnsSuccess)
				f.drain(t)
				f.checkArrival(t)
				assert.Zero(t, f.Status().Totals.InDoubt)
			})
		}
	}
}

// The name has an address of IPv6 at which nobody is, and one of IPv4 that works.
func TestFaultBrokenIPv6(t *testing.T) {
	for _, d := range drivers {
		t.Run(d.name, func(t *testing.T) {
			f := newNamedTrial(t, d, &nameServer{v4: netip.MustParseAddr("127.0.0.1"), v6: netip.MustParseAddr("::1")})
			f.publish(t, 3)
			f.drain(t)
			f.checkArrival(t)
			assert.Equal(t, []string{"enabled/healthy"}, f.journal.moves(), "nobody noticed")
		})
	}
}
