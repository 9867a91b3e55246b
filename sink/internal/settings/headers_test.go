package settings_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/settings"
)

func TestHeaders(t *testing.T) {
	c := settings.New("drv", "Secret", secret.New(token))
	got := c.Headers("Headers", sink.Headers{
		"authorization": "Bearer #{Secret}", "X-Scope-OrgID": "eu 1", "x_custom!": "#{Secret | ToUpper}", "Cookie": "a=b",
		"User-Agent": "host/1",
	})
	require.NoError(t, c.Done())
	assert.Equal(t, http.Header{
		"Authorization": {"Bearer " + token}, "X-Scope-Orgid": {"eu 1"}, "X_custom!": {"T0KEN-CANARY-7F3A"}, "Cookie": {"a=b"},
		"User-Agent": {"host/1"},
	}, got)
}

func TestHeadersRefused(t *testing.T) {
	const owned, reserved = "belongs to the transport: remove it", "is set by the driver itself: remove it"
	for name, want := range map[string]string{
		"Host": owned, "host": owned, "Content-Length": owned, "TRANSFER-ENCODING": owned, "connection": owned,
		"Content-Encoding": owned, "content-type": owned, "Accept-Encoding": owned, "TE": owned, "Trailer": owned, "Upgrade": owned,
		"Expect": owned, "Keep-Alive": owned, "Proxy-Authorization": owned, "proxy-connection": owned, "HTTP2-Settings": owned,
		"Sec-WebSocket-Key": owned, "sec-fetch-mode": owned,
		"Idempotency-Key": owned, "x-idempotency-key": owned,
		"X-Driver": reserved, "x-driver": reserved,
		"":    "is not a header name: write letters, digits and hyphens",
		"a b": "is not a header name: write letters, digits and hyphens", "a:": "is not a header name: write letters, digits and hyphens",
		":path": "is not a header name: write letters, digits and hyphens", "a\r\nb": "is not a header name: write letters, digits and hyphens",
		"ü": "is not a header name: write letters, digits and hyphens",
	} {
		t.Run(name, func(t *testing.T) {
			c := settings.New("drv", "Secret", secret.Value{})
			assert.Empty(t, c.Headers("Headers", sink.Headers{name: token}, "X-driver"))
			err := c.Done()
			require.ErrorContains(t, err, want)
			assert.NotContains(t, err.Error(), token)
			assert.NotContains(t, err.Error(), "\n")
		})
	}
}

// What somebody pasted for a name may hold the value as well.
func TestHeaderPastedForItsName(t *testing.T) {
	c := settings.New("drv", "Secret", secret.Value{})
	c.Headers("Headers", sink.Headers{"Authorization: Bearer " + token: "x"})
	require.EqualError(t, c.Done(), `drv: Config.Headers["Authorization"…]: is not a header name: write letters, digits and hyphens`)
}

func TestTooManyHeaders(t *testing.T) {
	headers := make(sink.Headers)
	for i := range 50 {
		headers["X-"+strconv.Itoa(i)] = "#{Secret}"
	}
	c := settings.New("drv", "Secret", secret.New(token))
	assert.Len(t, c.Headers("Headers", headers), 50)
	require.NoError(t, c.Done())
	headers["X-50"] = "#{Nope}"
	c = settings.New("drv", "Secret", secret.Value{})
	assert.Empty(t, c.Headers("Headers", headers))
	require.EqualError(t, c.Done(), "drv: Config.Headers: has 51 headers: write at most 50")
}

func TestHeaderTwice(t *testing.T) {
	c := settings.New("drv", "Secret", secret.Value{})
	c.Headers("Headers", sink.Headers{"X-A": "1", "x-a": "2", "x-A": "3"})
	require.EqualError(t, c.Done(), `drv: Config.Headers["x-A"]: is given twice: upper and lower case make no difference in a header name
drv: Config.Headers["x-a"]: is given twice: upper and lower case make no difference in a header name`)
}

func TestHeaderTwiceThoughTheFirstIsAtFault(t *testing.T) {
	c := settings.New("drv", "Secret", secret.Value{})
	c.Headers("Headers", sink.Headers{"X-A": "#{Nope}", "x-a": "2"})
	require.ErrorContains(t, c.Done(), `Headers["x-a"]: is given twice`)
}

func TestHeaderValuesRefused(t *testing.T) {
	for name, value := range map[string]string{
		"line break": token + "\r\nX: y", "NUL": token + "\x00", "not ASCII": token + "ü", "leading space": " " + token,
		"trailing space": token + " ", "bad template": token + "#{Secret | Nope}",
	} {
		t.Run(name, func(t *testing.T) {
			c := settings.New("drv", "Secret", secret.Value{})
			got := c.Headers("Headers", sink.Headers{"X-A": value})
			assert.Equal(t, []string{""}, got["X-A"])
			err := c.Done()
			require.ErrorContains(t, err, `drv: Config.Headers["X-A"]: at byte `)
			assert.NotContains(t, err.Error(), token)
		})
	}
}

func TestHeaderEmpty(t *testing.T) {
	for name, test := range map[string]struct{ value, secret, want string }{
		"literal":                   {"", "", `drv: Config.Headers["X-A"]: has an empty value: give it one or remove it`},
		"rendered":                  {"#{Secret | Trim}", "  ", `drv: Config.Headers["X-A"]: has an empty value: give it one or remove it`},
		"blank secret is its cause": {"#{Secret}", "", `drv: Config.Secret: is empty while the secret is used in Headers["X-A"]: type the secret in`},
	} {
		t.Run(name, func(t *testing.T) {
			c := settings.New("drv", "Secret", secret.New(test.secret))
			c.Headers("Headers", sink.Headers{"X-A": test.value})
			require.EqualError(t, c.Done(), test.want)
		})
	}
}

func TestHeaderOfADriver(t *testing.T) {
	c := settings.New("drv", "Token", secret.New("bad\ntoken"))
	assert.Empty(t, c.Header("Token", "Authorization", "Splunk #{Secret}"))
	require.ErrorContains(t, c.Done(), "drv: Config.Token: at byte ")
	c = settings.New("drv", "Token", secret.New(token))
	assert.Equal(t, "Splunk "+token, c.Header("Token", "Authorization", "Splunk #{Secret}"))
	require.NoError(t, c.Done())
}

// FuzzHeaders checks that whatever is let through can be sent, and that no error shows the secret.
func FuzzHeaders(f *testing.F) {
	f.Add("X-A", "a#{Secret}b", "secret")
	f.Add("proxy-x", "", "\r\n")
	f.Fuzz(func(t *testing.T, name, value, s string) {
		const mark = "CaNaRy"
		c := settings.New("drv", "Secret", secret.New(mark+s))
		got := c.Headers("Headers", sink.Headers{name: value})
		if err := c.Done(); err != nil {
			if strings.Contains(err.Error(), mark) && !strings.Contains(name+value, mark) {
				t.Fatal("an error shows the secret")
			}
			return
		}
		for n, values := range got {
			req := &http.Request{Method: http.MethodPost, URL: mustURL(t, "http://127.0.0.1:1/"), Header: http.Header{n: values}}
			resp, err := (&http.Transport{DialContext: refuse}).RoundTrip(req.WithContext(t.Context()))
			if err == nil {
				_ = resp.Body.Close()
			}
			if err == nil || err.Error() != errRefused.Error() {
				t.Fatalf("the transport refuses %q: %v", n, err)
			}
		}
	})
}
