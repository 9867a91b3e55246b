package audithttp

import (
	"net/netip"
	"strings"
)

// lastOf cuts the last item off a list.
func lastOf(list string) (rest, item string) {
	at := strings.LastIndexByte(list, ',')
	return list[:max(at, 0)], list[at+1:]
}

// lastElement cuts the last element off a list by RFC 7239, in which a comma between quotes ends nothing. It reads from
// the end, so that what a client has sent, quotes that nobody closes for instance, cannot reach into what a proxy has
// added behind it.
func lastElement(list string) (rest, element string) {
	quoted := false
	for i := len(list) - 1; i >= 0; i-- {
		switch list[i] {
		case '"':
			if !quoted || !escaped(list, i) {
				quoted = !quoted
			}
		case ',':
			if !quoted {
				return list[:i], list[i+1:]
			}
		}
	}
	return "", list
}

// escaped reports whether an odd number of backslashes stands before s[i].
func escaped(s string, i int) bool {
	n := 0
	for i > n && s[i-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}

// parseElement returns the address in an element by RFC 7239, which has exactly one for=.
func parseElement(element string) (a netip.Addr, ok bool) {
	found := false
	for rest, more := element, true; more; {
		var pair string
		pair, rest, more = cutPair(rest)
		name, value, _ := strings.Cut(pair, "=")
		if !strings.EqualFold(strings.Trim(name, " \t"), "for") {
			continue
		}
		if found {
			return netip.Addr{}, false
		}
		found = true
		a, ok = parseNode(unquote(strings.Trim(value, " \t")))
	}
	return a, ok
}

// cutPair cuts the first pair off an element, in which a semicolon between quotes ends nothing.
func cutPair(element string) (pair, rest string, more bool) {
	quoted := false
	for i := 0; i < len(element); i++ {
		switch element[i] {
		case '\\':
			if quoted {
				i++
			}
		case '"':
			quoted = !quoted
		case ';':
			if !quoted {
				return element[:i], element[i+1:], true
			}
		}
	}
	return element, "", false
}

// unquote returns the text between quotes. An address needs no backslashes, and one with them is none.
func unquote(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

// parseNode returns the address in one of
//
//	192.0.2.1    192.0.2.1:4711    2001:db8::1    [2001:db8::1]    [2001:db8::1]:4711
//
// without its zone, which means something on the machine alone that wrote it, and may be any text; an IPv4 address that is
// written as an IPv6 one is an IPv4 address.
func parseNode(s string) (a netip.Addr, ok bool) {
	s = strings.Trim(s, " \t")
	host, port := s, ""
	if inner, found := strings.CutPrefix(s, "["); found {
		if host, port, found = strings.Cut(inner, "]"); !found || !strings.Contains(host, ":") {
			return a, false
		}
	} else if strings.Count(s, ":") == 1 {
		at := strings.IndexByte(s, ':')
		host, port = s[:at], s[at:]
	}
	if port != "" && !isPort(port) {
		return a, false
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}, false
	}
	return a.Unmap().WithZone(""), true
}

// isPort reports whether s is a colon and a port: digits, or a hidden one by RFC 7239, which begins with an underscore.
func isPort(s string) bool {
	number, ok := strings.CutPrefix(s, ":")
	if !ok || number == "" {
		return false
	}
	hidden := number[0] == '_'
	for _, c := range number {
		switch {
		case c >= '0' && c <= '9':
		case hidden && (isAlphanumeric(c) || strings.ContainsRune("._-", c)):
		default:
			return false
		}
	}
	return hidden || len(number) <= len("65535")
}
