package checks

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"github.com/auditstream/auditstream/internal/canary"
	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/otlp"
	"github.com/auditstream/auditstream/sink/siemtest"
	"github.com/auditstream/auditstream/sink/splunk"
	"github.com/auditstream/auditstream/sink/sumologic"
)

// soakServer is what the soak needs of a fake server.
type soakServer interface {
	Close()
	Events() []siemtest.Received
	Requests() []siemtest.Request
	Fail(fn func(siemtest.Request) *siemtest.Answer)
	RejectIf(fn func(siemtest.Received) bool)
	SetOutage(down bool) error
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// station is a server, and the destination that leads to it. Every sink that it opens is watched.
type station struct {
	kind   string
	server soakServer
	cfg    func(sink.Network) sink.Destination
	log    *attemptLog
	sky    *sky
}

func startOTLP(t *testing.T) *station {
	t.Helper()
	srv, err := siemtest.NewOTLP(siemtest.OTLPConfig{InMemory: true})
	require.NoError(t, err)
	srv.SetToken(canary.Secret)
	return &station{kind: "otlp", server: srv, cfg: func(n sink.Network) sink.Destination {
		return otlp.Config{
			Endpoint: srv.URL(), Secret: secret.New(canary.Secret), Network: n,
			Headers: sink.Headers{"Authorization": "Bearer #{Secret}"},
		}
	}}
}

func startGRPC(t *testing.T) *station {
	t.Helper()
	srv, err := siemtest.NewOTLP(siemtest.OTLPConfig{InMemory: true})
	require.NoError(t, err)
	srv.SetToken(canary.Secret)
	return &station{kind: "grpc", server: srv, cfg: func(n sink.Network) sink.Destination {
		return otlp.Config{
			Endpoint: srv.GRPCURL(), Protocol: otlp.GRPC, Secret: secret.New(canary.Secret), Network: n,
			Headers: sink.Headers{"authorization": "Bearer #{Secret}"},
		}
	}}
}

func startSplunk(t *testing.T) *station {
	t.Helper()
	srv, err := siemtest.NewSplunk(siemtest.SplunkConfig{InMemory: true})
	require.NoError(t, err)
	srv.SetToken(canary.Secret)
	return &station{kind: "splunk", server: srv, cfg: func(n sink.Network) sink.Destination {
		return splunk.Config{Endpoint: srv.URL(), Token: secret.New(canary.Secret), Network: n}
	}}
}

func startSumoLogic(t *testing.T) *station {
	t.Helper()
	srv, err := siemtest.NewSumoLogic(siemtest.SumoLogicConfig{InMemory: true})
	require.NoError(t, err)
	srv.SetToken(url.QueryEscape(canary.Secret))
	return &station{kind: "sumologic", server: srv, cfg: func(n sink.Network) sink.Destination {
		return sumologic.Config{
			Endpoint: secret.New(srv.BaseURL() + "/#{Secret | UriDataEscape}"), Secret: secret.New(canary.Secret), Network: n,
		}
	}}
}

// String implements [sink.Destination].
func (s *station) String() string { return s.cfg(sink.Network{}).String() }

// Open implements [sink.Destination]. The dialler is the sink's own, so that whoever still refers to the sink, or to a
// connection or timer of it, refers to the leash.
func (s *station) Open() (sink.Sink, error) {
	own := &leash{dial: s.server.DialContext}
	dst := s.cfg(sink.Network{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := own.dial(ctx, network, address)
		s.log.dialled(err)
		if err != nil {
			return nil, err
		}
		return &laggingConn{Conn: conn, sky: s.sky, closed: sync.OnceFunc(s.log.hungUp)}, nil
	}})
	inner, err := dst.Open()
	if err != nil {
		return nil, err
	}
	return s.log.watch(inner, own), nil
}

// laggingConn is a connection on which answers take their time. What is sent arrives at once: the server has taken the
// events when its answer is late, or too late.
type laggingConn struct {
	net.Conn
	sky    *sky
	closed func()
}

func (c *laggingConn) Close() error {
	c.closed()
	return c.Conn.Close()
}

func (c *laggingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if lag := c.sky.lag.Load(); lag > 0 && err == nil {
		time.Sleep(time.Duration(lag))
	}
	return n, err
}

// sky is the weather at all the servers: what they answer, and whether they are there.
type sky struct {
	stations []*station
	lag      atomic.Int64 // by which answers are late

	mu     sync.Mutex
	random *rand.Rand
	mode   func(*rand.Rand, siemtest.Request) (string, *siemtest.Answer)
	counts map[string]int
	asked  []asked
}

func newSky(stations []*station, random *rand.Rand) *sky {
	s := &sky{stations: stations, random: random, counts: make(map[string]int)}
	for _, st := range stations {
		st.server.Fail(s.answer)
		st.server.RejectIf(func(r siemtest.Received) bool { return r.Action == poison })
	}
	return s
}

// answer decides about a request.
func (s *sky) answer(r siemtest.Request) *siemtest.Answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mode == nil {
		return nil
	}
	name, a := s.mode(s.random, r)
	if a != nil {
		s.counts[name]++
	}
	return a
}

func (s *sky) faults() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, count := range s.counts {
		n += count
	}
	return n
}

// describe returns how many faults of each kind there were.
func (s *sky) describe() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, name := range slices.Sorted(maps.Keys(s.counts)) {
		all = append(all, fmt.Sprintf("%s %d", name, s.counts[name]))
	}
	return strings.Join(all, ", ")
}

func (s *sky) set(mode func(*rand.Rand, siemtest.Request) (string, *siemtest.Answer)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mode = mode
}

// outage takes all servers away, or brings them back.
func (s *sky) outage(down bool) {
	for _, st := range s.stations {
		if err := st.server.SetOutage(down); err != nil {
			panic(err)
		}
	}
	if down {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.counts["outage"]++
	}
}

// pick draws a duration; see between.
func (s *sky) pick(low, high time.Duration) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return between(s.random, low, high)
}

// storm is the weather of ten hours, with the long outage in the midst, and fair at the end.
func (s *sky) storm() {
	end := time.Now().Add(soakTime)
	long := time.Now().Add(s.pick(30*time.Minute, 2*time.Hour))
	phases := []func(time.Time){s.calm, s.calm, s.calm, s.flap, s.away, s.throttle, s.fail, s.block, s.late}
	for time.Now().Before(end) {
		if !long.IsZero() && time.Now().After(long) {
			long = time.Time{}
			s.outage(true)
			time.Sleep(longOutage)
			s.outage(false)
			continue
		}
		s.mu.Lock()
		phase := phases[s.random.IntN(len(phases))]
		s.mu.Unlock()
		phase(end)
	}
}

// spend waits for d, but not beyond end.
func spend(d time.Duration, end time.Time) { time.Sleep(min(d, max(time.Until(end), 0))) }

func (s *sky) calm(end time.Time) { spend(s.pick(time.Minute, 15*time.Minute), end) }

// flap takes the servers away and brings them back every few seconds.
func (s *sky) flap(end time.Time) {
	for until := time.Now().Add(s.pick(time.Minute, 3*time.Minute)); time.Now().Before(until) && time.Now().Before(end); {
		s.outage(true)
		spend(s.pick(500*time.Millisecond, 8*time.Second), end)
		s.outage(false)
		spend(s.pick(500*time.Millisecond, 8*time.Second), end)
	}
}

func (s *sky) away(end time.Time) {
	s.outage(true)
	spend(s.pick(2*time.Second, 30*time.Minute), end)
	s.outage(false)
}

// during answers by mode for a while.
func (s *sky) during(d time.Duration, end time.Time, mode func(*rand.Rand, siemtest.Request) (string, *siemtest.Answer)) {
	s.set(mode)
	spend(d, end)
	s.set(nil)
}

// asked is the least time that an answer asks to wait.
type asked struct {
	at   time.Time
	wait time.Duration
}

// afters are values of Retry-After, sensible ones and others, with the least wait that each asks for.
var afters = []struct {
	value string
	wait  time.Duration
}{
	{"0", 0},
	{"1", time.Second},
	{"7", 7 * time.Second},
	{"45", 45 * time.Second},
	{"120", 2 * time.Minute},
	{"-5", 0},
	{"3600", soakMaxAfter},
	{"99999999999999999999", soakMaxAfter},
	{"1e9", 0},
	{"soon", 0},
	{"", 0},
	{"Mon, 02 Jan 2006 15:04:05 GMT", 0},
	{"Fri, 31 Dec 9999 23:59:59 GMT", soakMaxAfter},
}

// infos are the same for RetryInfo.
var infos = []time.Duration{time.Nanosecond, time.Second, 45 * time.Second, 2 * time.Minute, 9000 * time.Hour, -5 * time.Second}

// throttle is a storm of 429 and 503 with a time to wait.
func (s *sky) throttle(end time.Time) {
	s.during(s.pick(30*time.Second, 15*time.Minute), end, func(r *rand.Rand, req siemtest.Request) (string, *siemtest.Answer) {
		a := siemtest.Status([]int{429, 503}[r.IntN(2)], "slow down")
		ask := asked{at: time.Now()}
		after := afters[r.IntN(len(afters))]
		switch n := r.IntN(8); {
		case req.Protocol == "gRPC":
			a.RetryAfter = infos[r.IntN(len(infos))]
			ask.wait = min(a.RetryAfter, soakMaxAfter)
		case n == 0:
			a.Header = http.Header{"Retry-After": {after.value, "17"}}
			ask.wait = max(after.wait, 17*time.Second)
		case n == 1:
			a.Header = http.Header{"Retry-After": {ask.at.Add(40 * time.Second).UTC().Format(http.TimeFormat)}}
			ask.wait = 39 * time.Second // such a date has no fractions
		default:
			a.Header = http.Header{"Retry-After": {after.value}}
			ask.wait = after.wait
		}
		s.asked = append(s.asked, ask)
		return "throttled", &a
	})
}

// failures are answers after which the same events are offered again, or may have been taken.
var failures = map[string]siemtest.Answer{
	"500":         siemtest.Status(500, "oops"),
	"502":         siemtest.Status(502, "<html>bad gateway</html>"),
	"504":         siemtest.Status(504, ""),
	"drop":        siemtest.Drop(),
	"reset":       siemtest.Reset(),
	"no answer":   siemtest.Hang(),
	"lost answer": lost(siemtest.Drop()),
	"late crash":  lost(siemtest.Status(500, "crashed")),
	"cut":         lost(siemtest.Cut(503, "{")),
	"canceled":    siemtest.GRPC(codes.Canceled, "going away"),
}

// lost makes the server take the events before it fails.
func lost(a siemtest.Answer) siemtest.Answer {
	a.Accept = true
	return a
}

// fail fails half of the requests.
func (s *sky) fail(end time.Time) {
	names := slices.Sorted(maps.Keys(failures))
	s.during(s.pick(30*time.Second, 10*time.Minute), end, func(r *rand.Rand, _ siemtest.Request) (string, *siemtest.Answer) {
		if r.IntN(2) == 0 {
			return "", nil
		}
		name := names[r.IntN(len(names))]
		a := failures[name]
		return name, &a
	})
}

// block answers as if somebody had changed the token, the path, or the way out.
func (s *sky) block(end time.Time) {
	answers := []siemtest.Answer{
		siemtest.Status(401, ""), siemtest.Status(403, ""), siemtest.Status(404, ""), siemtest.LoginPage(),
		siemtest.Redirect(302, "https://login.example/"),
	}
	s.mu.Lock()
	a := answers[s.random.IntN(len(answers))]
	s.mu.Unlock()
	a.Code = cmp.Or(a.Code, codes.PermissionDenied)
	s.during(s.pick(30*time.Second, 20*time.Minute), end, func(*rand.Rand, siemtest.Request) (string, *siemtest.Answer) {
		return "blocked", &a
	})
}

// late lets answers take a second, or longer than anybody waits.
func (s *sky) late(end time.Time) {
	s.lag.Store(int64(s.pick(time.Second, 100*time.Second)))
	s.mu.Lock()
	s.counts["late answers"]++
	s.mu.Unlock()
	spend(s.pick(time.Minute, 8*time.Minute), end)
	s.lag.Store(0)
}
