package siemtest

import (
	"errors"
	"fmt"
)

// ErrClosed is what the methods of a closed server return.
var ErrClosed = errors.New("siemtest: the server is closed")

// ListenError is what New… and SetOutage(false) return when the server cannot listen on its loopback address.
type ListenError struct {
	// Address is the host and port.
	Address string

	// Err is why.
	Err error
}

// Error returns the address and the reason.
func (e *ListenError) Error() string {
	return "siemtest: cannot listen on " + e.Address + ": " + e.Err.Error()
}

// Unwrap returns the reason.
func (e *ListenError) Unwrap() error { return e.Err }

// WaitError is what Wait returns when fewer events arrived than it was to wait for.
type WaitError struct {
	// Want and Got are numbers of events.
	Want, Got int

	// Err is why Wait gave up: the ctx's error, or ErrClosed.
	Err error
}

// Error returns the numbers and the reason.
func (e *WaitError) Error() string {
	return fmt.Sprintf("siemtest: %d of %d events have arrived: %v", e.Got, e.Want, e.Err)
}

// Unwrap returns the reason.
func (e *WaitError) Unwrap() error { return e.Err }
