package httpsend

import (
	"bytes"
)

// IsHTML reports whether a body is a HTML page from its first byte on: what a proxy shows to a browser that has not
// signed in, with a status of 200. Any other body, one that quotes HTML included, is not.
func IsHTML(body []byte) bool {
	body = bytes.TrimPrefix(body, []byte("\xEF\xBB\xBF"))
	for {
		body = bytes.TrimLeft(body, " \t\r\n\f")
		switch {
		case hasTag(body, "!doctype html"), hasTag(body, "html"), hasTag(body, "head"), hasTag(body, "body"),
			hasTag(body, "title"), hasTag(body, "meta"), hasTag(body, "script"):
			return true
		case bytes.HasPrefix(body, []byte("<!--")):
			body = after(body, "-->")
		case bytes.HasPrefix(body, []byte("<?xml")):
			body = after(body, "?>")
		default:
			return false
		}
	}
}

// hasTag reports whether body begins with a tag of this name, in any case, with or without attributes.
func hasTag(body []byte, name string) bool {
	end := 1 + len(name)
	if len(body) <= end || body[0] != '<' || !bytes.EqualFold(body[1:end], []byte(name)) {
		return false
	}
	return bytes.IndexByte([]byte(" \t\r\n\f/>"), body[end]) >= 0
}

func after(body []byte, mark string) []byte {
	_, rest, _ := bytes.Cut(body, []byte(mark))
	return rest
}
