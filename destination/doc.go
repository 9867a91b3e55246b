// Package destination is destinations as data: a settings page, and the store behind it.
//
// A [Set] knows providers by name, and turns a document such as
//
//	{"provider": "splunk", "config": {"endpoint": "https://splunk.example:8088", "token": {"newValue": "…"}}}
//
// into the right driver's Config and back. Secrets are write-only: on the way out they are {"hasValue":true}, on the way in
// {"newValue":"…"}, and what is absent stays as it was. It only does so while scheme, host and port of the endpoint and the
// names of the headers that use the secret stay the same: an administrator who may edit a destination, and not read its
// secret, cannot have it sent to a server of their own. A host that tries an edit with Stream.Test decodes it first, by the
// same rule.
//
// [Set.Store] and [Set.Restore] are for the host's database. Secrets pass through the host's own encryption, together with
// where they go, so that whoever can write to the database, and has no key, cannot redirect them either.
//
// Network and Logger are the host's and never in a document: see [For].
//
// This package links no driver. Package bundled has the Set of those in this repository.
package destination
