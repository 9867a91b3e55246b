// Package webhook is a driver in some sixty lines: it posts audit events as lines of JSON to a URL, with a bearer token.
// Its test runs the conformance suite of sinktest.
package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
)

// Config is a destination: what an administrator types, and the host's network.
type Config struct {
	Endpoint string
	Token    secret.Value
	Network  sink.Network `json:"-"`
}

// String implements [sink.Destination]. It leaves out the path and whatever else of the URL may be a credential.
func (c Config) String() string {
	u, err := url.Parse(c.Endpoint)
	if err != nil {
		return "webhook"
	}
	return "webhook " + u.Scheme + "://" + u.Host
}

// Format implements [fmt.Formatter]: no verb shows more than String.
func (c Config) Format(s fmt.State, _ rune) { _, _ = fmt.Fprint(s, c.String()) }

// Open implements [sink.Destination]. It does no I/O.
func (c Config) Open() (sink.Sink, error) {
	problems := []error{c.Network.Validate()}
	if u, err := url.Parse(c.Endpoint); err != nil || u.Scheme != "https" && !c.Network.AllowPlaintext || u.Host == "" {
		problems = append(problems, &sink.ConfigError{Field: "webhook: Config.Endpoint", Reason: "is no https:// URL"})
	}
	if c.Token.IsZero() {
		problems = append(problems, &sink.ConfigError{Field: "webhook: Config.Token", Reason: "is missing"})
	}
	transport := &http.Transport{DialContext: c.Network.Dial, IdleConnTimeout: 25 * time.Second, DisableCompression: true}
	stop := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &webhook{c, &http.Client{Transport: transport, CheckRedirect: stop}}, errors.Join(problems...)
}

type webhook struct {
	cfg    Config
	client *http.Client
}

// Deliver implements [sink.Sink]: one request for the whole batch, and what its status means for the events.
func (w *webhook) Deliver(ctx context.Context, batch []sink.Event) (int, error) {
	var body bytes.Buffer
	for _, e := range batch {
		line := map[string]any{"id": e.ID, "sequence": e.Sequence, "time": e.Time, "action": e.Action, "actor": e.Actor.ID}
		if err := json.NewEncoder(&body).Encode(line); err != nil {
			return 0, errors.New("webhook: an event cannot be encoded")
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.cfg.Endpoint, &body)
	if err != nil {
		return 0, sink.Block(errors.New("webhook: the request cannot be made"))
	}
	req.Header.Set("Authorization", "Bearer "+w.cfg.Token.Reveal())
	resp, err := w.client.Do(req)
	switch {
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case err != nil: // its text has the whole URL in it
		return 0, sink.Retry(errors.New("webhook: the destination does not answer"), 0)
	}
	_ = resp.Body.Close()
	answered := fmt.Errorf("webhook: the destination answered %d", resp.StatusCode)
	switch status := resp.StatusCode; {
	case status < 300:
		return len(batch), nil
	case status == 408 || status == 429 || status >= 500:
		return 0, sink.Retry(answered, 0)
	case status == 400 || status == 413 || status == 422:
		return 0, sink.Split(answered) // halved until the bad event is alone
	default:
		return 0, sink.Block(answered) // kept until somebody has put the token or the URL right
	}
}

// Close gives back the connections.
func (w *webhook) Close() error {
	w.client.CloseIdleConnections()
	return nil
}
