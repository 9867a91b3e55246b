package settings

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/scrub"
)

// Check collects what is wrong with one configuration, and what of it is secret. Its methods may be called in any
// order, [Check.Done] last. It is for one goroutine, and for the duration of one call of Open: it holds secrets.
type Check struct {
	pkg         string
	secretField string
	secret      secret.Value

	errs     []error
	sources  scrub.Sources
	users    []string // the fields whose templates use the secret
	unparsed bool     // some template cannot be parsed, so that users may lack one

	endpointField string
	endpoint      *url.URL
	credential    string // what must not cross the network in the clear; the last one found
	authorization string // the field that gave an Authorization header
	tlsSet        bool
	network       sink.Network
}

// New returns a Check for a Config of package pkg, whose templates take the secret from field secretField.
func New(pkg, secretField string, s secret.Value) *Check {
	c := &Check{pkg: pkg, secretField: secretField, secret: s}
	c.hide(s)
	if !s.IsZero() {
		c.credential = secretField
	}
	return c
}

// Fail reports a problem with a field. The value is a Go literal, or empty when it is, or could hold, a secret; the
// reason says what to write instead.
func (c *Check) Fail(field, value, reason string) {
	c.errs = append(c.errs, &sink.ConfigError{Field: c.pkg + ": Config." + field, Value: value, Reason: reason})
}

// Failf is Fail for a field that could hold a secret, with a reason put together.
func (c *Check) Failf(field, format string, args ...any) {
	c.Fail(field, "", fmt.Sprintf(format, args...))
}

// Done makes the checks that concern several fields and returns every problem found, joined, or nil.
func (c *Check) Done() error {
	c.checkSecret()
	c.checkPlaintext()
	c.checkGuard()
	if c.tlsSet && c.endpoint != nil && c.endpoint.Scheme == "http" {
		c.Failf("TLS", "is set while %s begins with http://: write https://, or leave the TLS settings empty",
			c.endpointField)
	}
	if c.endpoint != nil && c.endpoint.User != nil && c.authorization != "" {
		c.Failf(c.endpointField, "holds a user name or password while %s gives an Authorization header: keep one of them",
			c.authorization)
	}
	return errors.Join(c.errs...)
}

// Scrubber returns a scrubber that knows every secret the Check has seen. Call it after all settings are checked.
func (c *Check) Scrubber() *scrub.Scrubber { return scrub.New(c.sources) }

// checkSecret finds a token without a secret and a secret without a token: both mean that the administrator believes
// in a protection that is not there.
func (c *Check) checkSecret() {
	switch {
	case c.secret.IsZero() && len(c.users) > 0:
		c.Failf(c.secretField, "is empty while the secret is used in %s: type the secret in", strings.Join(c.users, ", "))
	case !c.secret.IsZero() && len(c.users) == 0 && !c.unparsed:
		c.Failf(c.secretField, "is set, but nothing uses it: write #{Secret} where it belongs, or clear it")
	}
}

func (c *Check) hide(v secret.Value) {
	if !v.IsZero() {
		c.sources.Secrets = append(c.sources.Secrets, v)
	}
}

// parse reads a template and notes whether it uses the secret.
func (c *Check) parse(field, text string) (*secret.Template, bool) {
	t, err := secret.Parse(text)
	if err != nil {
		c.unparsed = true
		c.failTemplate(field, err)
		return nil, false
	}
	if t.UsesSecret() {
		c.users = append(c.users, field)
	}
	return t, true
}

// rendered reports whether a template was rendered. A failure to render a blank secret is not worth a word: that the
// secret is blank is a problem of its own.
func (c *Check) rendered(field string, t *secret.Template, err error) bool {
	if err == nil {
		return true
	}
	if !t.UsesSecret() || !c.secret.IsZero() {
		c.failTemplate(field, err)
	}
	return false
}

// failTemplate reports an error of package secret by its position and reason, which hold no text of the template.
func (c *Check) failTemplate(field string, err error) {
	te, ok := errors.AsType[*secret.TemplateError](err)
	if !ok {
		c.Fail(field, "", "cannot be rendered with this secret")
		return
	}
	c.Failf(field, "at byte %d: %s", te.Pos, te.Reason)
}
