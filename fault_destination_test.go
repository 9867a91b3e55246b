package auditstream_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/sink/siemtest"
)

// Nobody listens, for seconds or for hours. Nothing is lost, nothing is doubtful, and the network is left in peace.
func TestFaultConnectionRefused(t *testing.T) {
	for _, down := range []time.Duration{2 * time.Second, 6 * time.Hour} {
		t.Run(down.String(), func(t *testing.T) {
			inEveryDriver(t, func(t *testing.T, _ driver, f *trial) {
				f.publish(t, 3)
				f.drain(t)
				time.Sleep(time.Second)
				require.NoError(t, f.siem.SetOutage(true))
				synctest.Wait()
				before := len(f.dialled())
				f.publish(t, 3)
				time.Sleep(down)
				status := f.Status()
				assert.Equal(t, auditstream.ConditionRetrying, status.Condition)
				assert.EqualValues(t, 3, status.Totals.Pending)
				assert.Equal(t, "connect", f.sinkError(t).Code)
				assert.NotEmpty(t, f.sinkError(t).Remedy)
				assert.LessOrEqual(t, len(f.dialled())-before, 12+int(down/(15*time.Second)), "some two attempts a minute")

				require.NoError(t, f.siem.SetOutage(false))
				time.Sleep(time.Minute)
				f.checkArrival(t)
				assert.Len(t, f.siem.IDs(), 6)
				assert.Zero(t, f.Status().Totals.InDoubt, "nobody was reached")
			})
		})
	}
}

// The name leads elsewhere from some moment on, while the old server goes on answering. A stream that never rests notices
// after five minutes, one that rests for half a minute at once.
func TestFaultMovedEndpoint(t *testing.T) {
	for name, tt := range map[string]struct{ pause, most time.Duration }{
		"busy": {time.Second, 5*time.Minute + time.Second}, "at rest": {26 * time.Second, 26 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inEveryDriver(t, func(t *testing.T, d driver, f *trial) {
				moved := newTrial(t, d, served{}, auditstream.Config{})
				for range 3 {
					f.publish(t, 1)
					time.Sleep(tt.pause)
				}
				f.route(moved.siem.DialContext)
				start := time.Now()
				for len(moved.siem.IDs()) == 0 && time.Since(start) < time.Hour {
					f.publish(t, 1)
					time.Sleep(tt.pause)
				}
				assert.LessOrEqual(t, time.Since(start), tt.most+tt.pause)
				f.drain(t)
				once, duplicates := arrived(append(f.siem.IDs(), moved.siem.IDs()...))
				assert.Equal(t, span(1, f.last), once)
				assert.Zero(t, duplicates)
				assert.Equal(t, []string{"enabled/healthy"}, f.journal.moves(), "nobody noticed but the network")
			})
		})
	}
}

// A TLS handshake that hangs ends after ten seconds, and what comes next dials again.
func TestFaultHandshakeHangs(t *testing.T) {
	for _, d := range drivers {
		t.Run(d.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newTrial(t, d, served{tls: true}, auditstream.Config{})
				f.route(serving(swallow))
				f.publish(t, 3)
				time.Sleep(200*time.Millisecond + 10*time.Second)
				synctest.Wait()
				status := f.Status()
				assert.Equal(t, auditstream.ConditionRetrying, status.Condition)
				assert.EqualValues(t, 3, status.Totals.Pending)
				assert.Equal(t, "timeout", f.sinkError(t).Code)
				f.route(nil)
				f.drain(t)
				f.checkArrival(t)
				assert.Zero(t, f.Status().Totals.InDoubt)
			})
		})
	}
}

// Packets to the destination disappear. A host's dialler stands for the library's own, which gives up after ten seconds.
func TestFaultPacketsDisappear(t *testing.T) {
	inEveryDriver(t, func(t *testing.T, _ driver, f *trial) {
		f.route(func(ctx context.Context, network, _ string) (net.Conn, error) {
			select {
			case <-time.After(10 * time.Second):
				return nil, &net.OpError{Op: "dial", Net: network, Err: os.ErrDeadlineExceeded}
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		})
		f.publish(t, 3)
		time.Sleep(200*time.Millisecond + 10*time.Second)
		synctest.Wait()
		assert.Equal(t, auditstream.ConditionRetrying, f.Status().Condition)
		assert.Equal(t, "timeout", f.sinkError(t).Code)
		assert.Contains(t, f.sinkError(t).Remedy, "firewall")
		time.Sleep(time.Hour)
		assert.EqualValues(t, 3, f.Status().Totals.Pending)
		f.route(nil)
		f.drain(t)
		f.checkArrival(t)
		assert.Zero(t, f.Status().Totals.InDoubt)
	})
}

// A firewall forgets a connection that was in use. One attempt is lost to it, and no more: the next one dials. HTTP/1 finds
// out by the end of the attempt, HTTP/2 and gRPC by a ping.
func TestFaultHalfOpenConnection(t *testing.T) {
	for _, tls := range []bool{false, true} {
		for _, d := range drivers {
			t.Run(fmt.Sprintf("%s/TLS %t", d.name, tls), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var hole *blackHole // of the connection dialled last
					f := newTrial(t, d, served{tls: tls}, auditstream.Config{})
					f.route(func(ctx context.Context, network, address string) (net.Conn, error) {
						conn, err := f.siem.DialContext(ctx, network, address)
						hole = &blackHole{Conn: conn, gone: make(chan struct{}), closed: make(chan struct{})}
						return hole, err
					})
					f.publish(t, 3)
					f.drain(t)
					pings := strings.HasPrefix(f.siem.Requests()[0].Protocol, "HTTP/2") || d.name == otlpGRPC
					assert.Equal(t, tls || d.name == otlpGRPC, pings)
					close(hole.gone)
					start := time.Now()
					f.publish(t, 3)
					for f.Status().Totals.Pending > 0 {
						time.Sleep(100 * time.Millisecond)
					}
					most := time.Minute
					if pings {
						most = 30 * time.Second
					}
					assert.LessOrEqual(t, time.Since(start), most+2*time.Second)
					f.checkArrival(t)
					assert.Len(t, f.dialled(), 2)
					assert.Equal(t, []string{"enabled/healthy", "enabled/retrying", "enabled/healthy"}, f.journal.moves())
					assert.EqualValues(t, 3, f.Status().Totals.InDoubt)
				})
			})
		}
	}
}

// The answer comes byte by byte and has no end. The attempt has one.
func TestFaultSlowAnswer(t *testing.T) {
	inEveryDriver(t, func(t *testing.T, d driver, f *trial) {
		start := "HTTP/1.1 200 OK\r\nX-Slow: "
		if d.name == otlpGRPC {
			start = "\x00\x00\x00\x04\x00\x00\x00\x00\x00" + // SETTINGS
				"\x00\x3f\xff\x01\x04\x00\x00\x00\x01" // HEADERS, of which there will be 16 KB
		}
		f.route(serving(func(conn net.Conn) {
			if _, err := conn.Read(make([]byte, 1)); err != nil {
				return
			}
			hungUp := make(chan struct{})
			go func() {
				swallow(conn)
				close(hungUp)
			}()
			for answer := start; ; answer = answer[1:] + "a" {
				select {
				case <-time.After(20 * time.Millisecond):
					_, _ = conn.Write([]byte(answer[:1]))
				case <-hungUp:
					return
				}
			}
		}))
		f.publish(t, 3)
		time.Sleep(62 * time.Second)
		status := f.Status()
		assert.Equal(t, auditstream.ConditionRetrying, status.Condition)
		assert.EqualValues(t, 3, status.Totals.Pending)
		if d.name != otlpGRPC { // whose pings find out earlier
			require.ErrorContains(t, status.LastError, "AttemptTimeout")
		}
		assert.NotZero(t, status.Totals.InDoubt)
		f.route(nil)
		f.drain(t)
		f.checkArrival(t)
	})
}

// The server accepts connections and never reads. Each attempt ends, and leaves no goroutine behind.
func TestFaultServerDoesNotRead(t *testing.T) {
	inEveryDriver(t, func(t *testing.T, _ driver, f *trial) {
		release := make(chan struct{})
		f.route(serving(func(net.Conn) { <-release }))
		var left []int // goroutines, less one of this test's server for each connection
		for range 10 {
			f.publish(t, 1)
			time.Sleep(10 * time.Minute)
			require.NoError(t, f.Pause())
			time.Sleep(2 * time.Minute) // the attempt in progress has ended
			left = append(left, goroutines()-len(f.dialled()))
			require.NoError(t, f.Resume())
		}
		assert.LessOrEqual(t, slices.Max(left[5:]), slices.Max(left[:5]))
		assert.Equal(t, auditstream.ConditionRetrying, f.Status().Condition)
		assert.EqualValues(t, 10, f.Status().Totals.Pending)
		close(release)
		f.route(nil)
		f.drain(t)
		f.checkArrival(t)
	})
}

// Informational answers without end are cut off, and a few of them are nothing.
func TestFaultFloodOfInformation(t *testing.T) {
	inDrivers(t, without(otlpGRPC), auditstream.Config{}, func(t *testing.T, _ driver, f *trial) {
		hint := "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"
		f.route(answeringWith(strings.Repeat(hint, 1<<14)))
		f.publish(t, 3)
		time.Sleep(5 * time.Second)
		assert.Equal(t, auditstream.ConditionRetrying, f.Status().Condition)
		assert.Equal(t, "protocol", f.sinkError(t).Code)
		assert.EqualValues(t, 3, f.Status().Totals.Pending)
		f.route(answeringWith(strings.Repeat(hint, 3) + "HTTP/1.1 204 No Content\r\n\r\n"))
		f.drain(t)
		assert.EqualValues(t, 3, f.Status().Totals.Delivered)
		assert.Equal(t, auditstream.ConditionHealthy, f.Status().Condition)
		f.route(nil)
	})
}

// The connection is reset in the midst of a request that has been taken. On a socket, for a pipe knows no RST.
func TestFaultReset(t *testing.T) {
	for _, d := range drivers {
		t.Run(d.name, func(t *testing.T) {
			f := newTrial(t, d, served{socket: true}, auditstream.Config{
				BatchDelay: time.Nanosecond, RetryMin: time.Millisecond, RetryMax: time.Millisecond,
			})
			taken := siemtest.Reset()
			taken.Accept = true
			f.siem.Respond(taken, siemtest.Reset(), taken)
			f.publish(t, 3)
			f.drain(t)
			f.checkArrival(t)
			_, duplicates := arrived(f.siem.IDs())
			assert.Positive(t, duplicates)
			assert.Contains(t, []string{"reset", "UNAVAILABLE"}, f.sinkError(t).Code)
		})
	}
}

// The status of an answer arrives and its body breaks off. The events are delivered, and there is a warning.
func TestFaultAnswerBreaksOff(t *testing.T) {
	inDrivers(t, without(otlpGRPC), auditstream.Config{}, func(t *testing.T, _ driver, f *trial) {
		for _, body := range []string{"", `{"te`, "<html>"} {
			cut := siemtest.Cut(200, body)
			cut.Accept = true
			f.siem.Respond(cut)
			f.publish(t, 3)
			f.drain(t)
		}
		f.checkArrival(t)
		assert.Len(t, f.siem.Requests(), 3, "nothing is sent again")
		assert.Zero(t, f.Status().Totals.InDoubt)
		assert.Equal(t, []string{"enabled/healthy"}, f.journal.moves())
		assert.Equal(t, 1, strings.Count(f.log.String(), "code=unparsed_response"), "once for a sink")
	})
	t.Run("OTLP over gRPC", func(t *testing.T) { // where the status comes last
		inDrivers(t, only(otlpGRPC), auditstream.Config{}, func(t *testing.T, _ driver, f *trial) {
			cut := siemtest.Cut(200, "")
			cut.Accept = true
			f.siem.Respond(cut)
			f.publish(t, 3)
			f.drain(t)
			f.checkArrival(t)
			assert.EqualValues(t, 3, f.Status().Totals.InDoubt)
		})
	})
}
