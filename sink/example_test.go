package sink_test

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/auditstream/auditstream/sink"
)

// A guard for tenants who type endpoints, and one on-premises network that they may reach.
func ExampleGuard() {
	guard := &sink.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("10.20.0.0/16")}}
	for _, address := range []string{"93.184.216.34", "10.20.3.4", "10.0.0.1", "169.254.169.254"} {
		fmt.Println(address, guard.Check(netip.MustParseAddr(address)))
	}
	// Output:
	// 93.184.216.34 <nil>
	// 10.20.3.4 <nil>
	// 10.0.0.1 the host resolves to a private address: the outbound guard refuses such addresses
	// 169.254.169.254 the host resolves to a link-local address: the outbound guard refuses such addresses
}

// What a driver makes of the answers that it gets.
func ExampleError() {
	busy := sink.Retry(errors.New("the destination answered 503"), 30*time.Second)
	wrongToken := &sink.Error{
		Verdict: sink.VerdictBlock, NotTaken: true, Code: "401",
		Err:    errors.New("the destination answered 401"),
		Remedy: "Check the token: it may be mistyped or revoked.",
	}
	for _, err := range []error{busy, wrongToken, sink.Reject(errors.New("event 3 is too large"), 3)} {
		if e, ok := errors.AsType[*sink.Error](err); ok {
			fmt.Printf("%s after %s, index %v, remedy %q\n", e.Verdict, e.After, e.Index, e.Remedy)
		}
	}
	// Output:
	// retry after 30s, index [], remedy ""
	// block after 0s, index [], remedy "Check the token: it may be mistyped or revoked."
	// reject after 0s, index [3], remedy ""
}
