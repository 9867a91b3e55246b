// Package httpsend makes one HTTP request and says what came of it. Drivers wait, retry, split and count through the
// Stream; here nothing is tried twice, no redirect is followed, no cookie kept, and no answer decompressed.
//
// A [Client] is one sink's: its connections, and what it knows about the destination, are shared with nobody. Errors are
// [*sink.Error] values made of structured facts alone, such as host and port, a status code, or the kind of failure:
// never of a URL, a header, a body or an error text that might repeat them.
package httpsend
