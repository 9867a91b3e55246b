package httpsend

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/scrub"
	"github.com/auditstream/auditstream/sink/internal/settings"
)

// Options say how a [Client] reaches its destination. They are taken as checked by package settings.
type Options struct {
	// URL is where requests go. User information becomes an Authorization header, unless Header has one.
	URL *url.URL

	// Header goes with every request.
	Header http.Header

	// TLS is the client's side of TLS. It is cloned. Defaults to the system's roots and TLS 1.2 at least.
	TLS *tls.Config

	// Network is the host's policy.
	Network sink.Network

	// Scrub removes the secrets of the configuration from texts.
	Scrub *scrub.Scrubber

	// Gzip compresses requests and sets their Content-Encoding.
	Gzip bool

	// Jar keeps the cookies of answers and gives them to later requests, all of which go to the host of URL. Defaults to
	// none: cookies are ignored.
	Jar http.CookieJar

	_ struct{}
}

// Client sends requests to one destination. Its zero value is not usable; make one with [New]. It is safe for
// concurrent use, owns no goroutine and dials nothing before the first request, and gives back its connections 25 s
// after the last.
type Client struct {
	// Closures, because a Client is part of a sink that somebody may print, and these hold secrets: the URL and the
	// headers; the key of the client certificate and the proxy's password; in the state of connections, the headers of
	// the last request; and cookies. jar is nil without a Jar.
	target func() (*url.URL, http.Header)
	conns  func() *conns
	jar    func() http.CookieJar

	address string // host:port of the URL
	scrub   *scrub.Scrubber
	gzip    bool

	generations generations
}

// New returns a Client. It does no I/O.
func New(o Options) *Client {
	c := &Client{address: settings.HostPort(o.URL), scrub: o.Scrub, gzip: o.Gzip}
	u, header := prepare(o)
	o.URL, o.Header = nil, nil // half a kilobyte that the closures below would keep
	c.target = func() (*url.URL, http.Header) { return u, header }
	open := new(conns)
	c.conns = func() *conns { return open }
	c.generations.transport = func() *http.Transport { return newTransport(o, open.add) }
	if o.Jar != nil {
		c.jar = func() http.CookieJar { return o.Jar }
	}
	return c
}

// prepare returns the URL as the transport takes it, and the headers of every request.
func prepare(o Options) (*url.URL, http.Header) {
	u, header := *o.URL, maps.Clone(o.Header)
	if header == nil {
		header = make(http.Header)
	}
	if u.User != nil {
		if header.Get("Authorization") == "" {
			password, _ := u.User.Password()
			pair := []byte(u.User.Username() + ":" + password)
			header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString(pair))
		}
		u.User = nil
	}
	if header.Get("User-Agent") == "" {
		header.Set("User-Agent", UserAgent)
	}
	if o.Gzip {
		header.Set("Content-Encoding", "gzip")
	}
	return &u, header
}

// Post sends body in one request, with the headers of extra besides those of the Client, and returns the answer whatever
// its status; see [Classify]. The body is compressed if the Client compresses; it is not touched after Post has
// returned.
//
// Without an answer it returns the error of ctx, if ctx has ended, or a [*sink.Error].
func (c *Client) Post(ctx context.Context, body []byte, extra http.Header) (*Response, error) {
	u, header := c.target()
	return c.post(ctx, u, header, newPayload(body, c.gzip), extra)
}

// PostPlain is like Post, for the URL that has name in place of the last segment of the Client's path and no query, and
// never compresses.
func (c *Client) PostPlain(ctx context.Context, name string, body []byte, extra http.Header) (*Response, error) {
	u, header := c.target()
	header = maps.Clone(header)
	header.Del("Content-Encoding")
	return c.post(ctx, u.ResolveReference(&url.URL{Path: name}), header, newPayload(body, false), extra)
}

func (c *Client) post(ctx context.Context, u *url.URL, header http.Header, p *payload, extra http.Header) (*Response, error) {
	g := c.generations.join()
	defer c.generations.leave(g)
	defer p.release()
	var last lastConn
	resp, err := g.transport.RoundTrip(c.request(last.watch(ctx), u, header, p, extra))
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		e := Diagnose(last.explain(err), c.address, c.scrub)
		if begun := p.release(); !begun {
			e.NotTaken = true
		}
		return nil, e
	}
	defer resp.Body.Close()
	if c.jar != nil {
		c.jar().SetCookies(u, resp.Cookies())
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable:
		// A balancer may give the next attempt another server than the one that is too busy to answer.
		c.generations.moveOn(g)
	}
	return c.read(resp), nil
}

func (c *Client) request(ctx context.Context, u *url.URL, header http.Header, p *payload, extra http.Header) *http.Request {
	header = maps.Clone(header)
	maps.Copy(header, extra)
	req := &http.Request{
		Method: http.MethodPost, URL: u, Host: u.Host, Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: p.reader(), ContentLength: int64(len(p.data)), GetBody: p.replay,
	}
	if c.jar != nil {
		for _, cookie := range c.jar().Cookies(u) {
			req.AddCookie(cookie)
		}
	}
	return req.WithContext(ctx)
}

// Close gives back the connections, at once and whatever state they are in: no request is under way when it is called.
// The Client stays usable.
func (c *Client) Close() {
	c.generations.close()
	c.conns().closeAll()
}
