package splunk

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/auditstream/auditstream/secret"
)

// collectorPath is the path of the collector itself, below whatever a reverse proxy puts in front of it. It takes
// events, and so do the paths in eventPaths below it, which mean the same.
const collectorPath = "/services/collector"

var eventPaths = []string{"", "/event", "/event/1.0"}

// notURL is what is wrong with an endpoint that package url cannot read; its error would quote it.
const notURL = "is not a URL: write https://, the host, and a port if it is not 443"

// notASCII is what is wrong with an endpoint that nobody can type and no HTTP request can hold.
const notASCII = "holds a space, a control or a character outside of ASCII: copy it again, with such a host in its xn-- form"

// parseEndpoint makes the URL that events are posted to out of what an administrator pasted: the base URL of the
// collector or one of its event URLs. Otherwise it says what is wrong, without quoting the text, for all kinds of
// credentials end up in URLs.
func parseEndpoint(text string, token secret.Value) (*url.URL, []string) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return nil, []string{"is empty: write the URL of the HTTP Event Collector, such as https://splunk.example:8088"}
	case !strings.Contains(text, "://"):
		return nil, []string{"has no scheme: write https:// in front of the host"}
	case !graphic(text):
		return nil, []string{notASCII}
	case strings.Contains(text, "#{") || strings.Contains(text, "#<"):
		return nil, []string{"is no template: the token belongs in Token, from which the Authorization header is made"}
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, []string{notURL}
	}
	reasons := checkParts(u, text)
	prefix, reason := cutCollector(strings.TrimRight(u.EscapedPath(), "/"))
	if reason != "" {
		reasons = append(reasons, reason)
	}
	if holds(text, token.Reveal()) {
		reasons = append(reasons, "holds the token: take it out, it goes into the Authorization header")
	}
	if reasons != nil {
		return nil, reasons
	}
	path := strings.TrimRight(prefix, "/") + collectorPath + "/event"
	u, err = url.Parse(u.Scheme + "://" + u.Host + path)
	if err != nil {
		return nil, []string{notURL}
	}
	return u, nil
}

// holds reports whether text has the token in it. Short ones, which no Splunk makes, could be there by chance.
func holds(text, token string) bool {
	const shortest = 8
	return len(token) >= shortest && strings.Contains(strings.ToLower(text), strings.ToLower(token))
}

// graphic reports whether text is ASCII without spaces and controls.
func graphic(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

// checkParts checks everything but the path.
func checkParts(u *url.URL, text string) []string {
	var reasons []string
	if u.Scheme != "https" && u.Scheme != "http" {
		// What stands there may be a token that was pasted in front of the URL.
		reasons = append(reasons, "does not begin with https:// or http://: write https://")
	}
	if u.Hostname() == "" {
		reasons = append(reasons, "has no host")
	} else if !graphic(u.Host) { // it was escaped
		reasons = append(reasons, notASCII)
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			reasons = append(reasons, "has a port outside of 1 to 65535; the collector's is usually 8088")
		}
	}
	if u.User != nil {
		reasons = append(reasons, "holds a user name or a password: take it out, and set Token")
	}
	if u.RawQuery != "" || u.ForceQuery {
		reasons = append(reasons, "has a query: take out the question mark and what follows; the token belongs in Token, "+
			"metadata in Index, Source, SourceType and Host")
	}
	if strings.Contains(text, "#") {
		reasons = append(reasons, "has a fragment: take out the # and what follows")
	}
	return reasons
}

// cutCollector returns what stands in front of the collector's own path, which may be missing, or why the path will
// not do.
func cutCollector(path string) (prefix, reason string) {
	for segment := range strings.SplitSeq(path, "/") {
		if plain, err := url.PathUnescape(segment); err != nil || plain == "." || plain == ".." {
			return "", "has a path with . or .. in it: write the path as it is"
		}
	}
	prefix, rest := path, ""
	if i := strings.LastIndex(path+"/", collectorPath+"/"); i >= 0 {
		prefix, rest = path[:i], path[i+len(collectorPath):]
	}
	switch {
	case strings.HasSuffix(path, "/raw") || strings.HasSuffix(path, "/raw/1.0"):
		return "", "is the raw endpoint, which takes no event objects: write the base URL of the collector, without a path"
	case !slices.Contains(eventPaths, rest):
		return "", "goes on after " + collectorPath + ": write the base URL of the collector, without a path"
	}
	return prefix, ""
}

// cloudHint returns a sentence for an administrator whose endpoint is the web address of a Splunk Cloud stack, which
// takes events under another name, or "".
func cloudHint(u *url.URL) string {
	stack, ok := strings.CutSuffix(strings.ToLower(u.Hostname()), ".splunkcloud.com")
	https := u.Scheme == "https" && (u.Port() == "" || u.Port() == "443")
	if !ok || !https || strings.Contains(stack, ".") || strings.HasPrefix(stack, "http-inputs-") || strings.HasPrefix(stack, "input-") {
		return ""
	}
	return " Splunk Cloud takes events at https://http-inputs-" + stack + ".splunkcloud.com on AWS, at https://http-inputs." +
		stack + ".splunkcloud.com on Google Cloud and Azure, and a free trial at port 8088 of the host you have."
}
