package httpsend_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/auditstream/auditstream/sink/internal/httpsend"
)

func TestIsHTML(t *testing.T) {
	for _, body := range []string{
		"<!DOCTYPE html><html><title>Sign in</title></html>", "<!doctype HTML>", "<html>", "<HTML lang=en>", "<html\n", "<html/>",
		"\xEF\xBB\xBF\r\n\t <!DOCTYPE html PUBLIC>", "<!-- a --><!-- > b -->\n<html>", `<?xml version="1.0"?><!DOCTYPE html><html>`,
		"<head><title>x</title>", "<body onload=x>", "<script>location='/login'</script>", "<title>302 Found</title>",
		`<meta http-equiv="refresh" content="0">`, "<html>" + strings.Repeat("x", 1<<20),
	} {
		assert.True(t, httpsend.IsHTML([]byte(body)), "%.60q", body)
	}
	for _, body := range []string{
		"", " ", "<", "<html", "OK", "{}", `{"text":"<html>"}`, "Success <html>", "<htmlx>", "<headers/>", `<?xml version="1.0"?><ok/>`,
		"<!-- never closed <html>", "<?xml <html>", "<!DOCTYPE svg>", "\x1f\x8b<html>", "<p>", "-->",
	} {
		assert.False(t, httpsend.IsHTML([]byte(body)), "%.60q", body)
	}
}

func FuzzIsHTML(f *testing.F) {
	f.Add([]byte("<!-- a --><html>"))
	f.Add([]byte("<?xml?><?xml?>"))
	f.Fuzz(func(t *testing.T, body []byte) {
		// A page stays one with white space in front, and nothing is one behind a letter.
		if httpsend.IsHTML(append([]byte("\n "), body...)) != httpsend.IsHTML(body) && !strings.HasPrefix(string(body), "\xEF\xBB\xBF") {
			t.Fatal("white space matters")
		}
		if httpsend.IsHTML(append([]byte("a"), body...)) {
			t.Fatal("text is a page")
		}
	})
}
