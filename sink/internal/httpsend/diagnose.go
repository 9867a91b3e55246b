package httpsend

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/scrub"
)

// The codes of failures that came without an answer.
const (
	CodeCertificate = "certificate"
	CodeConnect     = "connect"
	CodeDNS         = "dns"
	CodeProtocol    = "protocol"
	CodeProxy       = "proxy"
	CodeReset       = "reset"
	CodeTimeout     = "timeout"
	CodeTLS         = "tls"
)

const (
	remedyWait    = "Nothing needs to be done unless it lasts; then check the destination and the network on the way to it."
	remedyConnect = "Check the host and port of the endpoint, that the destination is up, and that no firewall is in the way."
	remedyName    = "Check the host name of the endpoint, and the DNS settings of this server."
	remedyTLS     = "Check the port of the endpoint, and that the destination offers TLS 1.2 or later."

	remedyDowngrade = "Something on the way changes the TLS handshake: look for a proxy or firewall that inspects TLS between " +
		"this server and the destination."
)

// dialError is a failure to connect, before TLS. Its text comes from this machine alone.
type dialError struct {
	address string
	err     error
}

// Error implements [error]. The text is for debuggers; Diagnose makes its own.
func (e *dialError) Error() string { return "dial " + e.address + ": " + e.err.Error() }

// Unwrap returns the cause.
func (e *dialError) Unwrap() error { return e.err }

// ProxyError is a proxy's refusal to connect, for [Diagnose] to word. Drivers that speak to proxies themselves return
// one as a pointer.
type ProxyError struct {
	// Status is the status code of the proxy's answer to CONNECT.
	Status int
}

// Error implements [error].
func (e *ProxyError) Error() string { return "the proxy answered " + statusText(e.Status) }

// Diagnose returns the [*sink.Error] for a request to address, as host:port, that ended without an answer though its
// context had not. The error is built anew from the kind of the failure: texts of net/http repeat what a server sent.
// Failures that pass by themselves are Retry, those that somebody has to see to are Block. Whether something of the
// request was sent is the caller's to know; NotTaken is set where that does not matter.
func Diagnose(err error, address string, s *scrub.Scrubber) *sink.Error {
	d := diagnosis{err: err, peer: address, scrub: s}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "proxyconnect" {
		d.peer = theProxy
	}
	// The order matters: a certificate that is not trusted is a TLS failure too, and both may come out of a dial.
	for _, kind := range []func() *sink.Error{d.proxy, d.certificate, d.tls, d.dial, d.timeout, d.broken} {
		e := kind()
		if e == nil {
			continue
		}
		if e.Code == CodeCertificate && d.peer == theProxy {
			e.Remedy = "Have the proxy show a certificate that this server's system trusts."
		}
		return e
	}
	// Not HTTP at all, headers without end, an HTTP/2 error. The text may repeat what came, so it stays here.
	return d.retry(CodeProtocol, "Check that the endpoint is the destination's HTTP port, and no proxy answers in its place.",
		"%s did not answer with HTTP, or broke off its answer", d.peer)
}

// theProxy is the peer of failures on the way to the proxy and before it has connected.
const theProxy = "the proxy"

type diagnosis struct {
	err   error
	peer  string // host:port of the destination, or "the proxy"
	scrub *scrub.Scrubber
}

func (d diagnosis) retry(code, remedy, format string, args ...any) *sink.Error {
	return &sink.Error{Verdict: sink.VerdictRetry, Code: code, Remedy: remedy, Err: fmt.Errorf(format, args...)}
}

func (d diagnosis) block(code, remedy, format string, args ...any) *sink.Error {
	e := d.retry(code, remedy, format, args...)
	e.Verdict = sink.VerdictBlock
	return e
}

// proxy words what a proxy said to CONNECT, or in the SOCKS protocol.
func (d diagnosis) proxy() *sink.Error {
	const remedy = "Check the proxy in the server's network settings, its user name and password, and what it allows."
	if pe, ok := errors.AsType[*ProxyError](d.err); ok {
		code := strconv.Itoa(pe.Status)
		if e := classify(&Response{Status: pe.Status}); e != nil && e.Verdict == sink.VerdictBlock {
			return d.block(code, remedy, "the proxy refused to connect: it answered %s", statusText(pe.Status))
		}
		return d.retry(code, remedy, "the proxy could not connect: it answered %s", statusText(pe.Status))
	}
	op, ok := errors.AsType[*net.OpError](d.err)
	if !ok || !strings.HasPrefix(op.Op, "socks") {
		return nil
	}
	if strings.Contains(op.Err.Error(), "authentication") {
		return d.block(CodeProxy, remedy, "the SOCKS proxy refused the user name and password")
	}
	return d.retry(CodeProxy, remedy, "the SOCKS proxy could not connect to %s", d.peer)
}

// certificate finds what is wrong with the server's certificate. Names in it are the server's text and are left out.
func (d diagnosis) certificate() *sink.Error {
	if errors.Is(d.err, sink.ErrPinMismatch) {
		return d.block(CodeCertificate,
			"If the certificate was renewed, compare the new fingerprint with the server's own and enter it as TLS.PinSHA256.",
			"%s: %w", d.peer, sink.ErrPinMismatch)
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](d.err); ok {
		return d.block(CodeCertificate,
			"Enter the certificate of the authority that signed it as TLS.RootCAs, or pin it by TLS.PinSHA256.",
			"the certificate of %s is signed by an unknown authority", d.peer)
	}
	if _, ok := errors.AsType[x509.HostnameError](d.err); ok {
		return d.block(CodeCertificate,
			"Use a host name that the certificate is made for, or pin the certificate by TLS.PinSHA256.",
			"the certificate of %s is for other host names", d.peer)
	}
	if ie, ok := errors.AsType[x509.CertificateInvalidError](d.err); ok {
		if ie.Reason == x509.Expired {
			return d.block(CodeCertificate, "Have the certificate of the destination renewed, and check the clock of this server.",
				"the certificate of %s has expired or is not valid yet", d.peer)
		}
		return d.block(CodeCertificate, "Have the certificate of the destination replaced by one made for servers.",
			"the certificate of %s is not valid", d.peer)
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](d.err); ok {
		return d.block(CodeCertificate, "Check TLS.RootCAs, and the root certificates of this server.",
			"the certificate of %s could not be verified", d.peer)
	}
	return nil
}

// remoteAlert is the Op of the errors that package tls makes of the server's alerts.
const remoteAlert = "remote error"

// clientAlerts and versionAlerts are words of the TLS alerts by which a server refuses a client certificate, or
// everything that a client offered. No other alert stays the same next time.
var (
	clientAlerts  = []string{"certificate", "access denied"}
	versionAlerts = []string{
		"protocol version", "handshake failure", "insufficient security", "unrecognized name", "no application protocol",
	}
)

// tls finds the other reasons why a handshake fails for good. A handshake that was cut short is a broken connection.
func (d diagnosis) tls() *sink.Error {
	if _, ok := errors.AsType[tls.RecordHeaderError](d.err); ok {
		return d.block(CodeTLS, "If the destination does not use TLS, begin the endpoint with http://; otherwise check its port.",
			"%s does not speak TLS", d.peer)
	}
	op, ok := errors.AsType[*net.OpError](d.err)
	if ok && op.Op == remoteAlert {
		return d.alert(op.Err.Error())
	}
	// Such as "tls: server selected unsupported protocol version 302". What follows another colon may quote the server's
	// certificate: "tls: failed to parse certificate from server: x509: cannot parse URI …".
	if text, ok := strings.CutPrefix(innermost(d.err).Error(), "tls: "); ok {
		what, _, _ := strings.Cut(text, ":")
		remedy := remedyTLS
		if strings.HasPrefix(what, "downgrade attempt") {
			remedy = remedyDowngrade
		}
		return d.block(CodeTLS, remedy, "no TLS connection to %s: tls: %s", d.peer, what)
	}
	return nil
}

func (d diagnosis) alert(text string) *sink.Error {
	alert := strings.TrimPrefix(text, "tls: ")
	switch {
	case containsAny(alert, clientAlerts):
		e := d.block(CodeCertificate, "Enter a client certificate that the destination accepts as TLS.Certificate and TLS.Key.",
			"%s refused the client certificate, or the lack of one: %s", d.peer, alert)
		// In TLS 1.3 the request may be on its way by then. The server's side of the handshake has failed, so nobody reads it.
		e.NotTaken = true
		return e
	case containsAny(alert, versionAlerts):
		return d.block(CodeTLS, remedyTLS, "%s refused the TLS handshake: %s", d.peer, alert)
	}
	return d.retry(CodeTLS, remedyWait, "%s ended the TLS connection: %s", d.peer, alert)
}

// dial finds why no connection was made. A dialler of the host's may say by a *sink.Error of its own what it means.
func (d diagnosis) dial() *sink.Error {
	de, ok := d.asDial()
	if !ok {
		return nil
	}
	if e, ok := errors.AsType[*sink.Error](de.err); ok {
		own := *e // the host may hand it out again
		return &own
	}
	peer := de.address
	if d.peer == theProxy {
		peer = theProxy + " " + de.address
	}
	if ne, ok := errors.AsType[*net.DNSError](de.err); ok {
		host, _, _ := net.SplitHostPort(de.address)
		switch {
		case ne.IsNotFound:
			return d.retry(CodeDNS, remedyName, "the name %s is not known to DNS", host)
		case ne.IsTimeout:
			return d.retry(CodeDNS, remedyName, "DNS did not answer for the name %s", host)
		}
		return d.retry(CodeDNS, remedyName, "DNS could not resolve the name %s", host)
	}
	if isTimeout(de.err) {
		return d.retry(CodeTimeout, remedyConnect, "connecting to %s took too long", peer)
	}
	return d.retry(CodeConnect, remedyConnect, "cannot connect to %s: %s", peer, d.scrub.Error(innermost(de.err)))
}

// asDial returns the failure to connect, if it is one. Drivers with transports of their own hand in what package net
// says, which is then about the destination itself.
func (d diagnosis) asDial() (*dialError, bool) {
	if de, ok := errors.AsType[*dialError](d.err); ok {
		return de, true
	}
	op, ok := errors.AsType[*net.OpError](d.err)
	if _, dns := errors.AsType[*net.DNSError](d.err); dns || (ok && op.Op == "dial") {
		return &dialError{address: d.peer, err: d.err}, true
	}
	return nil, false
}

func (d diagnosis) timeout() *sink.Error {
	if !isTimeout(d.err) {
		return nil
	}
	return d.retry(CodeTimeout, remedyConnect, "%s accepted the connection and then took too long to answer", d.peer)
}

// broken finds connections that ended before the answer. The request may have arrived.
func (d diagnosis) broken() *sink.Error {
	for _, cause := range []error{syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNABORTED} {
		if errors.Is(d.err, cause) {
			return d.retry(CodeReset, remedyWait, "%s reset the connection before it answered", d.peer)
		}
	}
	text := d.err.Error()
	switch {
	case errors.Is(d.err, io.EOF), errors.Is(d.err, io.ErrUnexpectedEOF), errors.Is(d.err, net.ErrClosed),
		errors.Is(d.err, io.ErrClosedPipe), strings.Contains(text, "server closed idle connection"), strings.Contains(text, notEstablished):
		return d.retry(CodeReset, remedyWait, "%s closed the connection before it answered", d.peer)
	case strings.Contains(text, "http2: client connection lost"):
		return d.retry(CodeTimeout, remedyWait, "the connection to %s leads nowhere: a ping was not answered", d.peer)
	case strings.Contains(text, "GOAWAY"):
		return d.retry(CodeReset, remedyWait, "%s closed the HTTP/2 connection before it answered", d.peer)
	case strings.Contains(text, "response headers exceeded"):
		return d.retry(CodeProtocol, "Check that the endpoint is the destination's.",
			"%s sent more than %d bytes of headers", d.peer, maxHeader)
	}
	return nil
}

func isTimeout(err error) bool {
	ne, ok := errors.AsType[net.Error](err)
	return ok && ne.Timeout()
}

// innermost returns the cause that net puts its names and addresses around.
func innermost(err error) error {
	for {
		op, ok := errors.AsType[*net.OpError](err)
		if !ok || op.Err == nil {
			return err
		}
		err = op.Err
	}
}

func containsAny(text string, words []string) bool {
	for _, w := range words {
		if strings.Contains(text, w) {
			return true
		}
	}
	return false
}

// Named puts the name of a driver in front of what an error of [Client.Post] or [Classify] says. The end of the context
// is the Stream's to word, and stays as it is. The error itself is not changed: it may be one that the host's own
// DialContext hands out again.
func Named(driver string, err error) error {
	e, ok := errors.AsType[*sink.Error](err)
	if !ok {
		return err
	}
	named := *e
	if e.Err != nil {
		named.Err = fmt.Errorf("%s: %w", driver, e.Err)
	}
	return &named
}
