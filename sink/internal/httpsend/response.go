package httpsend

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"
)

// maxBody is how much of an answer is read.
const maxBody = 64 << 10

// ErrBodyTooLarge is the BodyErr of an answer longer than the 64 KiB that are read.
var ErrBodyTooLarge = errors.New("httpsend: the answer is longer than 64 KiB")

// Response is the answer to a request. Its body is the destination's own text and must not get into an error; see
// [scrub.Scrubber.Text] for structured parts of it.
type Response struct {
	// Status is the status code.
	Status int

	// ContentType is the Content-Type header, as sent.
	ContentType string

	// Body is what could be read of the body: at most 64 KiB, never decompressed.
	Body []byte

	// BodyErr is nil if Body is whole, [ErrBodyTooLarge], or why reading it ended early. The status is the answer; that
	// a body broke off does not take it back.
	BodyErr error

	// RetryAfter is how long the destination asked to be left alone, from 0 to 5 min.
	RetryAfter time.Duration

	// LocationHost is the scrubbed and quoted host, with port, to which a redirect would have led, or empty. Redirects
	// are not followed.
	LocationHost string
}

// BrokeOff reports whether the body ended before it was whole.
func (r *Response) BrokeOff() bool { return r.BodyErr != nil && !errors.Is(r.BodyErr, ErrBodyTooLarge) }

// The warning of drivers about an answer with a good status whose body broke off: its message, and its code. The events
// are delivered, but a remark on some of them may have been lost.
const (
	UnparsedMessage = "the destination took the events, and its answer broke off: what it said about them is not known"
	UnparsedCode    = "unparsed_response"
)

func (c *Client) read(resp *http.Response) *Response {
	r := &Response{
		Status:       resp.StatusCode,
		ContentType:  resp.Header.Get("Content-Type"),
		RetryAfter:   ParseRetryAfter(resp.Header, time.Now()),
		LocationHost: c.locationHost(resp.Header.Get("Location")),
	}
	// A connection that switched protocols has no body but what the server may say some day.
	if r.Status < http.StatusOK {
		return r
	}
	// One byte more than wanted tells a long body from one that just fits. What follows is not read: the connection is
	// closed with the body instead.
	r.Body, r.BodyErr = io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if len(r.Body) > maxBody {
		r.Body, r.BodyErr = r.Body[:maxBody], ErrBodyTooLarge
	}
	return r
}

func (c *Client) locationHost(location string) string {
	u, err := url.Parse(location)
	if err != nil || u.Host == "" {
		return ""
	}
	return c.scrub.Text(u.Host)
}
