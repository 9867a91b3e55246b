package siemtest

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/auditstream/auditstream/secret"
)

// protocol is what is particular about one provider over HTTP.
type protocol interface {
	// take answers a request by the rules of the provider, and returns the events taken from it.
	take(in *incoming) (Answer, []Received)

	// publicPath returns the path without credentials.
	publicPath(path string) string

	// maxBody is how many bytes of a body, decoded or not, are read before it counts as too large.
	maxBody() int64
}

// incoming is a request that has been read.
type incoming struct {
	*http.Request
	body    []byte // decoded
	wire    int    // size as sent
	bodyErr error  // errTooLarge, errEncoding, or why the body cannot be decoded
}

var (
	errTooLarge = errors.New("body too large")
	errEncoding = errors.New("unknown Content-Encoding")
)

// serveHTTP returns the function by which a gate starts an HTTP server. The function it returns in turn ends the server
// and waits for its goroutines.
func (s *server) serveHTTP(p protocol) func(*tracker) (stop func()) {
	return func(t *tracker) func() {
		ctx, cancel := context.WithCancel(context.Background())
		var serving, conns, handlers sync.WaitGroup
		var ending sync.RWMutex // orders handlers.Add before handlers.Wait
		h := func(w http.ResponseWriter, r *http.Request) {
			ending.RLock()
			ended := ctx.Err() != nil
			if !ended {
				handlers.Add(1)
			}
			ending.RUnlock()
			if ended {
				panic(http.ErrAbortHandler)
			}
			defer handlers.Done()
			s.handle(w, r, p, t)
		}
		srv := &http.Server{
			Handler:           http.HandlerFunc(h),
			BaseContext:       func(net.Listener) context.Context { return ctx },
			ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
			ReadHeaderTimeout: time.Minute,
			ConnState: func(_ net.Conn, state http.ConnState) {
				switch state {
				case http.StateNew:
					conns.Add(1) // in the goroutine that runs Serve, so before serving.Wait returns
				case http.StateClosed:
					conns.Done()
				case http.StateActive, http.StateIdle, http.StateHijacked:
				}
			},
		}
		if s.cert != nil {
			srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{s.cert.pair}, MinVersion: tls.VersionTLS12}
			serving.Go(func() { _ = srv.ServeTLS(t, "", "") })
		} else {
			serving.Go(func() { _ = srv.Serve(t) })
		}
		return func() {
			ending.Lock()
			cancel()
			ending.Unlock()
			_ = srv.Close()
			serving.Wait()
			conns.Wait()
			handlers.Wait()
		}
	}
}

// handle reads a request, decides about it, records it and answers it.
func (s *server) handle(w http.ResponseWriter, r *http.Request, p protocol, t *tracker) {
	answer, scripted := s.next()
	if scripted && answer.act == actHangUnread {
		s.record(describe(&incoming{Request: r}, p), nil)
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	}
	in := read(r, p.maxBody())
	req := describe(in, p)
	if !scripted {
		answer, scripted = s.ask(req)
	}
	var events []Received
	switch {
	case !scripted:
		answer, events = p.take(in)
	case answer.Accept:
		_, events = p.take(in)
	}
	if answer.act == actAnswer {
		req.Status = answer.httpStatus()
	}
	s.record(req, events)
	send(w, r, answer, t)
}

// send gives an answer, or does to the connection what stands in its place.
func send(w http.ResponseWriter, r *http.Request, a Answer, t *tracker) {
	switch a.act {
	case actHang, actHangUnread:
		<-r.Context().Done()
		panic(http.ErrAbortHandler) // ends the connection without an answer
	case actDrop:
		panic(http.ErrAbortHandler)
	case actReset:
		t.end(r.RemoteAddr, true)
		panic(http.ErrAbortHandler)
	case actAnswer, actCut:
	}
	for name, values := range a.Header {
		w.Header()[http.CanonicalHeaderKey(name)] = values
	}
	if a.RetryAfter > 0 {
		seconds := int64(math.Ceil(a.RetryAfter.Seconds()))
		w.Header().Set("Retry-After", strconv.FormatInt(seconds, 10))
	}
	if a.act == actCut {
		w.Header().Set("Content-Length", strconv.Itoa(len(a.Body)+100))
	}
	w.WriteHeader(a.httpStatus())
	if a.httpStatus() != http.StatusNoContent && a.httpStatus() != http.StatusNotModified {
		_, _ = io.WriteString(w, a.Body)
	}
	if a.act == actCut {
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// read reads and decodes the body. What is over the limit is read to its end and thrown away, for a client that is cut
// off while it sends does not get to see the answer.
func read(r *http.Request, limit int64) *incoming {
	in := &incoming{Request: r}
	raw, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	in.wire = len(raw)
	if err != nil {
		in.bodyErr = err
		return in
	}
	if int64(len(raw)) > limit {
		n, _ := io.Copy(io.Discard, r.Body)
		in.wire += int(n)
		in.bodyErr = errTooLarge
		return in
	}
	in.body, in.bodyErr = decode(raw, r.Header.Get("Content-Encoding"), limit)
	return in
}

// decode undoes a Content-Encoding.
func decode(raw []byte, encoding string, limit int64) ([]byte, error) {
	var d io.Reader
	var err error
	switch strings.ToLower(encoding) {
	case "", "identity":
		return raw, nil
	case "gzip":
		d, err = gzip.NewReader(bytes.NewReader(raw))
	case "deflate":
		d, err = zlib.NewReader(bytes.NewReader(raw))
	default:
		return nil, errEncoding
	}
	if err != nil {
		return nil, fmt.Errorf("body is not %s: %w", encoding, err)
	}
	body, err := io.ReadAll(io.LimitReader(d, limit+1))
	if err != nil {
		return nil, fmt.Errorf("body is not %s: %w", encoding, err)
	}
	if int64(len(body)) > limit {
		return nil, errTooLarge
	}
	return body, nil
}

// describe returns the record of a request, its outcome left open.
func describe(in *incoming, p protocol) Request {
	header := in.Header.Clone()
	return Request{
		Protocol:  in.Proto,
		Method:    in.Method,
		Path:      p.publicPath(in.URL.Path),
		URI:       secret.New(in.RequestURI),
		Header:    redactHeader(header),
		WireBytes: in.wire,
		Bytes:     len(in.body),
		Time:      time.Now(),
		sent:      header.Get,
	}
}

// jsonHeader is the header of an answer in JSON.
func jsonHeader() http.Header {
	return http.Header{"Content-Type": {"application/json; charset=utf-8"}}
}

// htmlHeader is the header of an answer in HTML.
func htmlHeader() http.Header { return http.Header{"Content-Type": {"text/html; charset=utf-8"}} }
