package hostile

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/auditstream/auditstream/sink/siemtest"
)

// A fault is what the network does to every connection for a while.
type fault struct {
	name string

	// toxics are the fault in Toxiproxy's own words. Upstream is from the driver to the server. Where one needs a number
	// of bytes that lie within the first answers, it has %d.
	toxics []string

	// answers are what the server does to its next requests meanwhile.
	answers []siemtest.Answer

	// spoils says that attempts fail of it; otherwise they are only slow. swallows says that nobody notices but by time.
	spoils, swallows bool
}

// attemptTimeout is how long an attempt may take. Only where the network swallows things is it what ends an attempt, and
// there it has to suffice for a new connection on a busy machine: a driver may begin from there each time.
func (f fault) attemptTimeout() time.Duration {
	if f.swallows {
		return 2 * time.Second
	}
	return patience
}

// poison puts the toxics of a fault into the network before a peer.
func (f fault) poison(t *testing.T, p peer, network proxy) {
	t.Helper()
	for _, toxic := range f.toxics {
		if strings.Contains(toxic, "%d") {
			toxic = fmt.Sprintf(toxic, p.hello+answers)
		}
		network.add(t, toxic)
	}
}

// answers is how many bytes of answers a limit lets pass: the first few, and not all of the next.
const answers = 500

// faults are what Toxiproxy can do.
var faults = []fault{
	{
		name: "latency with jitter",
		toxics: []string{
			`{"name":"up","type":"latency","stream":"upstream","attributes":{"latency":30,"jitter":25}}`,
			`{"name":"down","type":"latency","stream":"downstream","attributes":{"latency":30,"jitter":25}}`,
		},
	},
	{
		name: "20 kilobytes a second",
		toxics: []string{
			`{"name":"up","type":"bandwidth","stream":"upstream","attributes":{"rate":20}}`,
			`{"name":"down","type":"bandwidth","stream":"downstream","attributes":{"rate":20}}`,
		},
	},
	{
		name: "slices of 64 bytes",
		toxics: []string{
			`{"name":"up","type":"slicer","stream":"upstream","attributes":{"average_size":64,"size_variation":32,"delay":10}}`,
			`{"name":"down","type":"slicer","stream":"downstream","attributes":{"average_size":64,"size_variation":32,"delay":10}}`,
		},
	},
	{
		// The server ends connections, and whoever is at the other end hears of it late.
		name: "slow close",
		toxics: []string{
			`{"name":"up","type":"slow_close","stream":"upstream","attributes":{"delay":50}}`,
			`{"name":"down","type":"slow_close","stream":"downstream","attributes":{"delay":50}}`,
		},
		answers: []siemtest.Answer{siemtest.Drop(), siemtest.Drop(), siemtest.Drop(), siemtest.Drop()},
		spoils:  true,
	},
	{
		name:   "end of the connection within a request",
		toxics: []string{`{"name":"up","type":"limit_data","stream":"upstream","attributes":{"bytes":2500}}`},
		spoils: true,
	},
	{
		name:   "end of the connection within an answer",
		toxics: []string{`{"name":"down","type":"limit_data","stream":"downstream","attributes":{"bytes":%d}}`},
		spoils: true,
	},
	{
		// Of itself a limit closes in an orderly way. A reset_peer that never acts makes of every end an RST.
		name: "reset after 2500 bytes",
		toxics: []string{
			`{"name":"down","type":"reset_peer","stream":"downstream","toxicity":0}`,
			`{"name":"up","type":"limit_data","stream":"upstream","attributes":{"bytes":2500}}`,
		},
		spoils: true,
	},
	{
		name:   "reset at the first byte",
		toxics: []string{`{"name":"up","type":"reset_peer","stream":"upstream","attributes":{"timeout":0}}`},
		spoils: true,
	},
	{
		// The server has taken the events, and nobody hears of it.
		name:   "reset in place of the answer",
		toxics: []string{`{"name":"down","type":"reset_peer","stream":"downstream","attributes":{"timeout":10}}`},
		spoils: true,
	},
	{
		name:   "requests swallowed",
		toxics: []string{`{"name":"up","type":"timeout","stream":"upstream","attributes":{"timeout":0}}`},
		spoils: true, swallows: true,
	},
	{
		name:   "answers swallowed",
		toxics: []string{`{"name":"down","type":"timeout","stream":"downstream","attributes":{"timeout":0}}`},
		spoils: true, swallows: true,
	},
	{
		name: "everything swallowed, then the end of the connection",
		toxics: []string{
			`{"name":"up","type":"timeout","stream":"upstream","attributes":{"timeout":100}}`,
			`{"name":"down","type":"timeout","stream":"downstream","attributes":{"timeout":100}}`,
		},
		spoils: true,
	},
}
