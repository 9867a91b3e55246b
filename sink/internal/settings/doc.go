// Package settings checks the settings that drivers have in common, and renders the templates in them: endpoint,
// headers, secret, compression, TLS and network.
//
// A driver makes a [Check], hands it every setting, adds problems of its own with [Check.Fail], and ends with
// [Check.Done], which returns all problems at once. Every problem is a [*sink.ConfigError] that names the field. None
// quotes an endpoint, a header value or a template: people paste credentials into all of them.
package settings
