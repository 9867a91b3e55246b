package siemtest

import (
	"net/http"
	"time"

	"google.golang.org/grpc/codes"
)

// Answer is what a server says to one request in place of its own answer. The zero Answer is an empty 200.
//
// An OTLP server answers over gRPC with Code and over HTTP with Status; if only one of them is set, the other follows
// from it.
type Answer struct {
	// Status is the HTTP status. Defaults to 200.
	Status int

	// Header is added to the answer.
	Header http.Header

	// Body is the body of an HTTP answer, or the message of a gRPC status.
	Body string

	// Code is the gRPC code. Defaults to what fits Status.
	Code codes.Code

	// RetryAfter is how long the client is to wait: the header Retry-After in whole seconds, or RetryInfo in gRPC, the
	// latter with a negative time too. Defaults to neither being sent.
	RetryAfter time.Duration

	// Accept makes the server take the events as it would without a script, and then give this answer: a crash
	// between the two, or a warning.
	Accept bool

	act act
}

// act is what a server does with the connection.
type act uint8

const (
	actAnswer act = iota
	actHang
	actHangUnread
	actDrop
	actReset
	actCut
)

// Status returns an answer with an HTTP status and a body.
func Status(status int, body string) Answer { return Answer{Status: status, Body: body} }

// GRPC returns an answer with a gRPC code and message, for [OTLP].
func GRPC(code codes.Code, message string) Answer { return Answer{Code: code, Body: message} }

// Throttle returns the answer of a provider that wants to be left alone for a while: 429, for gRPC
// RESOURCE_EXHAUSTED, with that time.
func Throttle(after time.Duration) Answer {
	return Answer{
		Status: http.StatusTooManyRequests, Body: "too many requests", Code: codes.ResourceExhausted, RetryAfter: after,
	}
}

// Hang returns an answer that never comes: the request is read and stays open until the client gives up, or an outage
// or Close ends it.
func Hang() Answer { return Answer{act: actHang} }

// HangUnread is like [Hang], but the body of the request is not read either. gRPC reads it all the same.
func HangUnread() Answer { return Answer{act: actHangUnread} }

// Drop returns an answer by which the server closes the connection after it has read the request.
func Drop() Answer { return Answer{act: actDrop} }

// Reset returns an answer by which the server resets the connection (RST) after it has read the request.
func Reset() Answer { return Answer{act: actReset} }

// Cut returns an answer of which the status, the headers and body arrive, and then the connection is closed although
// the headers promised more. For gRPC it is like [Drop].
func Cut(status int, body string) Answer { return Answer{Status: status, Body: body, act: actCut} }

// LoginPage returns the answer of a proxy that wants a person to sign in: 200 and an HTML page.
func LoginPage() Answer {
	return Answer{
		Status: http.StatusOK,
		Header: http.Header{"Content-Type": {"text/html; charset=utf-8"}},
		Body: "<!DOCTYPE html>\n<html><head><title>Sign in</title></head>" +
			"<body><form method=\"post\" action=\"/login\"><input name=\"user\"></form></body></html>\n",
		Code: codes.Unknown,
	}
}

// Redirect returns an answer that points to another location.
func Redirect(status int, location string) Answer {
	return Answer{Status: status, Header: http.Header{"Location": {location}}}
}

// httpStatus returns the HTTP status to answer with.
func (a Answer) httpStatus() int {
	if a.Status != 0 {
		return a.Status
	}
	if status, ok := httpOfCode[a.Code]; ok {
		return status
	}
	return http.StatusInternalServerError
}

// grpcCode returns the gRPC code to answer with.
func (a Answer) grpcCode() codes.Code {
	if a.Code != codes.OK || a.Status/100 == 2 || a.Status == 0 {
		return a.Code
	}
	if code, ok := codeOfHTTP[a.Status]; ok {
		return code
	}
	return codes.Unknown
}

// httpOfCode gives each gRPC code the HTTP status that gRPC gateways answer.
var httpOfCode = map[codes.Code]int{
	codes.OK:                 http.StatusOK,
	codes.Canceled:           499,
	codes.InvalidArgument:    http.StatusBadRequest,
	codes.DeadlineExceeded:   http.StatusGatewayTimeout,
	codes.NotFound:           http.StatusNotFound,
	codes.AlreadyExists:      http.StatusConflict,
	codes.PermissionDenied:   http.StatusForbidden,
	codes.ResourceExhausted:  http.StatusTooManyRequests,
	codes.FailedPrecondition: http.StatusBadRequest,
	codes.Aborted:            http.StatusConflict,
	codes.OutOfRange:         http.StatusBadRequest,
	codes.Unimplemented:      http.StatusNotImplemented,
	codes.Unavailable:        http.StatusServiceUnavailable,
	codes.Unauthenticated:    http.StatusUnauthorized,
}

// codeOfHTTP gives the HTTP statuses that tests use most the gRPC code of the same meaning.
var codeOfHTTP = map[int]codes.Code{
	http.StatusBadRequest:            codes.InvalidArgument,
	http.StatusUnauthorized:          codes.Unauthenticated,
	http.StatusForbidden:             codes.PermissionDenied,
	http.StatusNotFound:              codes.Unimplemented,
	http.StatusRequestTimeout:        codes.DeadlineExceeded,
	http.StatusRequestEntityTooLarge: codes.ResourceExhausted,
	http.StatusUnprocessableEntity:   codes.InvalidArgument,
	http.StatusTooManyRequests:       codes.ResourceExhausted,
	http.StatusInternalServerError:   codes.Internal,
	http.StatusBadGateway:            codes.Unavailable,
	http.StatusServiceUnavailable:    codes.Unavailable,
	http.StatusGatewayTimeout:        codes.DeadlineExceeded,
}
