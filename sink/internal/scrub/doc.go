// Package scrub keeps secrets out of the texts that drivers put into errors: what a destination answered, and what a
// local transport says went wrong.
//
// A destination may repeat the token it was sent, whole or in part, in whatever encoding it likes. So a text is
// compared with every secret value of the configuration and with the forms derived from it, without regard to case,
// and what they have in common is replaced.
package scrub
