package secret

import (
	"crypto/md5"  //nolint:gosec // Octostache has the filter; a destination may ask for it.
	"crypto/sha1" //nolint:gosec // Octostache has the filter; a destination may ask for it.
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
)

const hashUsage = "[bytes] [utf8|unicode|base64]"

var errHash = errors.New("this process is set up to refuse the hash function (FIPS 140)")

func md5Sum(b []byte) []byte    { h := md5.Sum(b); return h[:] }  //nolint:gosec // See the import.
func sha1Sum(b []byte) []byte   { h := sha1.Sum(b); return h[:] } //nolint:gosec // See the import.
func sha256Sum(b []byte) []byte { h := sha256.Sum256(b); return h[:] }
func sha384Sum(b []byte) []byte { h := sha512.Sum384(b); return h[:] }
func sha512Sum(b []byte) []byte { h := sha512.Sum512(b); return h[:] }

// bindHash makes a filter of a hash function. Its options come in either order: how many bytes of the hash to keep, all
// when there are fewer, and how to make bytes of the text, of which base64 means those that it stands for.
func bindHash(sum func([]byte) []byte) func([]argument) (apply, *argumentError) {
	return func(args []argument) (apply, *argumentError) {
		keep, enc, err := hashOptions(args)
		return func(_ *work, in string) (string, error) {
			b, err := enc.encode(in)
			if err != nil {
				return "", err
			}
			h, err := trySum(sum, b)
			if keep > 0 && keep < len(h) {
				h = h[:keep]
			}
			return hex.EncodeToString(h), err
		}, err
	}
}

// hashOptions reads the options of a hash filter. keep is 0 when the whole hash is wanted.
func hashOptions(args []argument) (keep int, enc encoding, err *argumentError) {
	var sized, encoded bool
	for _, arg := range args {
		if n, err := arg.number(); err == nil && n > 0 && !sized {
			keep, sized = n, true
			continue
		}
		e, ok := encodings[lower(arg.text)]
		if !ok || encoded {
			return 0, 0, arg.bad("expected one number of bytes above 0 and one encoding: utf8, utf-8, unicode or base64")
		}
		enc, encoded = e, true
	}
	return keep, enc, nil
}

// trySum returns sum(b). The standard library panics for MD5 and SHA-1 under GODEBUG=fips140=only.
func trySum(sum func([]byte) []byte, b []byte) (h []byte, err error) {
	defer func() {
		if recover() != nil {
			err = errHash
		}
	}()
	return sum(b), nil
}
