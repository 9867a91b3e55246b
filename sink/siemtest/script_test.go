package siemtest_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/sink/siemtest"
)

// onBoth runs a test on both kinds of server.
func onBoth(t *testing.T, test func(t *testing.T, s *siemtest.SumoLogic)) {
	t.Helper()
	t.Run("in memory", func(t *testing.T) {
		t.Parallel()
		test(t, newSumoLogic(t, siemtest.SumoLogicConfig{InMemory: true}))
	})
	t.Run("on a socket", func(t *testing.T) {
		t.Parallel()
		test(t, newSumoLogic(t, siemtest.SumoLogicConfig{}))
	})
}

func post(s *siemtest.SumoLogic) request {
	return request{method: http.MethodPost, url: s.URL(), body: `{"id":"a"}`}
}

func TestRespondAnswersInOrder(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s *siemtest.SumoLogic) {
		t.Helper()
		c := newClient(t, s)
		s.Respond(
			siemtest.Status(http.StatusServiceUnavailable, "later"),
			siemtest.Throttle(1500*time.Millisecond),
			siemtest.LoginPage(),
			siemtest.Redirect(http.StatusTemporaryRedirect, "https://elsewhere.example/x"),
			siemtest.Answer{Status: http.StatusNoContent, Body: "not sent", Accept: true},
		)
		resp := post(s).send(t, c)
		assert.Equal(t, http.StatusServiceUnavailable, resp.status)
		assert.Equal(t, "later", resp.body)
		resp = post(s).send(t, c)
		assert.Equal(t, http.StatusTooManyRequests, resp.status)
		assert.Equal(t, "2", resp.header.Get("Retry-After"))
		resp = post(s).send(t, c)
		assert.Equal(t, http.StatusOK, resp.status)
		assert.Equal(t, "text/html; charset=utf-8", resp.header.Get("Content-Type"))
		assert.Contains(t, resp.body, "<html>")
		resp = post(s).send(t, c)
		assert.Equal(t, http.StatusTemporaryRedirect, resp.status)
		assert.Equal(t, "https://elsewhere.example/x", resp.header.Get("Location"))
		assert.Empty(t, s.Events(), "scripted requests are not taken")
		assert.Equal(t, http.StatusNoContent, post(s).send(t, c).status)
		assert.Len(t, s.Events(), 1, "Accept takes")
		assert.Equal(t, http.StatusOK, post(s).send(t, c).status)
		assert.Len(t, s.Events(), 2, "the script is over")
		assert.Equal(t, 5, s.Events()[1].Request)
		assert.Len(t, s.Requests(), 6)
	})
}

func TestNoAnswer(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s *siemtest.SumoLogic) {
		t.Helper()
		for name, a := range map[string]siemtest.Answer{"drop": siemtest.Drop(), "reset": siemtest.Reset()} {
			s.Respond(a)
			_, err := post(s).try(t.Context(), newClient(t, s))
			require.Error(t, err, name)
		}
		s.Respond(siemtest.Cut(http.StatusOK, `{"cut":`))
		resp, err := post(s).try(t.Context(), newClient(t, s))
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		assert.Equal(t, http.StatusOK, resp.status)
		assert.Equal(t, `{"cut":`, resp.body)
		for _, r := range s.Requests() {
			assert.Zero(t, r.Status)
		}
	})
}

func TestResetIsAnRST(t *testing.T) {
	t.Parallel()
	s := newSumoLogic(t, siemtest.SumoLogicConfig{})
	s.Respond(siemtest.Reset())
	_, err := post(s).try(t.Context(), newClient(t, s))
	require.ErrorIs(t, err, syscall.ECONNRESET)
}

func TestHangEndsWithItsClient(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]siemtest.Answer{"read": siemtest.Hang(), "unread": siemtest.HangUnread()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSumoLogic(t, siemtest.SumoLogicConfig{InMemory: true})
				s.Respond(a)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				start := time.Now()
				_, err := post(s).try(ctx, newClient(t, s))
				require.ErrorIs(t, err, context.DeadlineExceeded)
				assert.Equal(t, time.Minute, time.Since(start))
				assert.Len(t, s.Requests(), 1)
				assert.Empty(t, s.Events())
			})
		})
	}
}

func TestCloseEndsWhatHangs(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]siemtest.Answer{"read": siemtest.Hang(), "unread": siemtest.HangUnread()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSumoLogic(t, siemtest.SumoLogicConfig{InMemory: true})
				c := newClient(t, s)
				s.Respond(a)
				var err error
				done := make(chan struct{})
				go func() {
					defer close(done)
					_, err = post(s).try(t.Context(), c)
				}()
				synctest.Wait()
				s.Close()
				<-done
				require.Error(t, err)
				s.Close()
				require.ErrorIs(t, s.SetOutage(true), siemtest.ErrClosed)
				require.ErrorIs(t, s.SetOutage(false), siemtest.ErrClosed)
			})
		})
	}
}

func TestFailDecidesEachRequest(t *testing.T) {
	t.Parallel()
	s := newSumoLogic(t, siemtest.SumoLogicConfig{InMemory: true})
	c := newClient(t, s)
	s.Fail(func(r siemtest.Request) *siemtest.Answer {
		if r.Method == http.MethodPut {
			a := siemtest.Status(http.StatusTeapot, "")
			return &a
		}
		return nil
	})
	put := post(s)
	put.method = http.MethodPut
	assert.Equal(t, http.StatusTeapot, put.send(t, c).status)
	assert.Equal(t, http.StatusOK, post(s).send(t, c).status)
	s.Respond(siemtest.Status(http.StatusBadGateway, ""))
	assert.Equal(t, http.StatusBadGateway, put.send(t, c).status, "the queue goes first")
	s.Fail(nil)
	assert.Equal(t, http.StatusMethodNotAllowed, put.send(t, c).status)
}

func TestOutageRefusesAndReturnsToThePort(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s *siemtest.SumoLogic) {
		t.Helper()
		c := newClient(t, s)
		url := s.URL()
		assert.Equal(t, http.StatusOK, post(s).send(t, c).status)
		require.NoError(t, s.SetOutage(true))
		require.NoError(t, s.SetOutage(true))
		c.CloseIdleConnections() // They are dead, and using one would end in another error.
		_, err := post(s).try(t.Context(), c)
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
		require.NoError(t, s.SetOutage(false))
		require.NoError(t, s.SetOutage(false))
		assert.Equal(t, url, s.URL())
		assert.Equal(t, http.StatusOK, post(s).send(t, c).status)
		assert.Len(t, s.Events(), 2)
		assert.Equal(t, 2, s.Connections())
	})
}

// In a bubble a dial that waited for a lock would stop the clock, and with it the handler that the outage waits for.
func TestOutageWaitsForHandlersAndKeepsNobodyFromDialling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSumoLogic(t, siemtest.SumoLogicConfig{InMemory: true})
		s.Fail(func(siemtest.Request) *siemtest.Answer {
			time.Sleep(time.Second)
			return nil
		})
		c := newClient(t, s)
		go func() { _, _ = post(s).try(t.Context(), c) }()
		synctest.Wait()
		var outage sync.WaitGroup
		outage.Go(func() { assert.NoError(t, s.SetOutage(true)) })
		synctest.Wait()
		start := time.Now()
		_, err := s.DialContext(t.Context(), "tcp", hostOf(t, s.URL()))
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
		assert.Equal(t, 1, s.Connections())
		assert.Zero(t, time.Since(start))
		outage.Wait()
		assert.Equal(t, time.Second, time.Since(start))
	})
}

func TestOutageTellsThatThePortIsTaken(t *testing.T) {
	t.Parallel()
	s := newSumoLogic(t, siemtest.SumoLogicConfig{})
	conn, err := s.DialContext(t.Context(), "tcp", hostOf(t, s.URL()))
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	require.NoError(t, s.SetOutage(true))
	l, err := net.Listen("tcp", hostOf(t, s.URL()))
	require.NoError(t, err)
	var taken *siemtest.ListenError
	require.ErrorAs(t, s.SetOutage(false), &taken)
	assert.Equal(t, hostOf(t, s.URL()), taken.Address)
	assert.Contains(t, taken.Error(), taken.Address)
	require.ErrorIs(t, taken, syscall.EADDRINUSE)
	require.NoError(t, l.Close())
	require.NoError(t, s.SetOutage(false))
}

func hostOf(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	return req.URL.Host
}

func TestDialContextKnowsItsAddress(t *testing.T) {
	t.Parallel()
	s := newSumoLogic(t, siemtest.SumoLogicConfig{InMemory: true})
	for _, address := range []string{"127.0.0.1:1", "192.0.2.1:8443", "no port"} {
		_, err := s.DialContext(t.Context(), "tcp", address)
		var op *net.OpError
		require.ErrorAs(t, err, &op, address)
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	conn, err := s.DialContext(done, "tcp", "localhost:8443")
	if err == nil { // Both were ready.
		require.NoError(t, conn.Close())
	} else {
		require.ErrorIs(t, err, context.Canceled)
	}
}

func TestWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSumoLogic(t, siemtest.SumoLogicConfig{InMemory: true})
		c := newClient(t, s)
		var got []siemtest.Received
		var err error
		done := make(chan struct{})
		go func() {
			defer close(done)
			got, err = s.Wait(t.Context(), 2)
		}()
		synctest.Wait()
		post(s).send(t, c)
		synctest.Wait()
		post(s).send(t, c)
		<-done
		require.NoError(t, err)
		assert.Len(t, got, 2)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		got, err = s.Wait(ctx, 3)
		assert.Len(t, got, 2)
		var wait *siemtest.WaitError
		require.ErrorAs(t, err, &wait)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, "siemtest: 2 of 3 events have arrived: context deadline exceeded", err.Error())

		s.Close()
		_, err = s.Wait(t.Context(), 3)
		require.ErrorIs(t, err, siemtest.ErrClosed)
		_, err = s.Wait(t.Context(), 2)
		require.NoError(t, err, "what was recorded stays")
	})
}

func TestTLS(t *testing.T) {
	t.Parallel()
	plain := newSumoLogic(t, siemtest.SumoLogicConfig{InMemory: true})
	assert.Empty(t, plain.CertPEM())
	assert.Empty(t, plain.Fingerprint())

	s := newSumoLogic(t, siemtest.SumoLogicConfig{TLS: true})
	assert.Contains(t, s.URL(), "https://127.0.0.1:")
	block, _ := pem.Decode([]byte(s.CertPEM()))
	require.NotNil(t, block)
	sum := sha256.Sum256(block.Bytes)
	assert.Equal(t, hex.EncodeToString(sum[:]), s.Fingerprint())

	_, err := post(s).try(t.Context(), newClient(t, s))
	var unknown x509.UnknownAuthorityError
	require.ErrorAs(t, err, &unknown)

	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM([]byte(s.CertPEM())))
	tr := &http.Transport{
		DialContext: s.DialContext, ForceAttemptHTTP2: true,
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
	}
	t.Cleanup(tr.CloseIdleConnections)
	c := &http.Client{Transport: tr}
	assert.Equal(t, http.StatusOK, post(s).send(t, c).status)
	assert.Equal(t, "HTTP/2.0", s.Requests()[0].Protocol)
	for _, a := range []siemtest.Answer{siemtest.Drop(), siemtest.Reset()} {
		s.Respond(a)
		_, err = post(s).try(t.Context(), c)
		require.Error(t, err)
	}
	s.Respond(siemtest.Hang())
	ctx, cancel := context.WithCancel(t.Context())
	s.Fail(func(siemtest.Request) *siemtest.Answer { return nil })
	var wg sync.WaitGroup
	wg.Go(func() { _, err = post(s).try(ctx, c) })
	require.Eventually(t, func() bool { return len(s.Requests()) == 4 }, 10*time.Second, time.Millisecond)
	cancel()
	wg.Wait()
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, http.StatusOK, post(s).send(t, c).status)
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	s := newSumoLogic(t, siemtest.SumoLogicConfig{})
	var wg sync.WaitGroup
	for range 4 {
		c := newClient(t, s)
		wg.Go(func() {
			for range 25 {
				_, err := post(s).try(t.Context(), c)
				assert.NoError(t, err)
			}
		})
	}
	wg.Go(func() {
		for range 50 {
			s.RejectIf(func(siemtest.Received) bool { return false })
			s.Fail(func(siemtest.Request) *siemtest.Answer { _ = s.Requests(); return nil })
			_, _, _ = s.Events(), s.IDs(), s.Requests()
		}
	})
	got, err := s.Wait(t.Context(), 100)
	require.NoError(t, err)
	wg.Wait()
	assert.Len(t, got, 100)
}

func TestOutageCutsRequestsInProgress(t *testing.T) {
	t.Parallel()
	s := newSumoLogic(t, siemtest.SumoLogicConfig{})
	s.Respond(siemtest.Hang())
	var err error
	var wg sync.WaitGroup
	c := newClient(t, s)
	wg.Go(func() { _, err = post(s).try(t.Context(), c) })
	require.Eventually(t, func() bool { return len(s.Requests()) == 1 }, 10*time.Second, time.Millisecond)
	require.NoError(t, s.SetOutage(true))
	wg.Wait()
	require.Error(t, err)
	assert.False(t, errors.Is(err, context.Canceled))
}
