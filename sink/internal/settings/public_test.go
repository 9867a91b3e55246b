package settings_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink/internal/settings"
)

func TestPublic(t *testing.T) {
	for endpoint, want := range map[string]string{
		"https://host.example":                               "drv https://host.example:443",
		"http://host.example/path?q#f":                       "drv http://host.example:80",
		"HTTPS://Host.Example:8088/":                         "drv https://host.example:8088",
		"https://user:pass@host.example:1/":                  "drv https://host.example:1",
		"https://us@er:pa/ss@host.example/":                  "drv",
		"https://a@b@host.example/":                          "drv https://host.example:443",
		"https://[::1]:4318/v1/logs":                         "drv https://[::1]:4318",
		"https://[fe80::1%25eth0]/":                          "drv",
		"https://127.0.0.1":                                  "drv https://127.0.0.1:443",
		"https://#{Secret}@host.example/":                    "drv https://host.example:443",
		"https://#<Secret>@host.example/#{Secret}":           "drv https://host.example:443",
		`https://#{Secret | Append "}@evil/"}@host.example/`: "drv https://host.example:443",
		`https://#{Secret | Append "x@hunter2.example/`:      "drv",
		"https://#{Secret}.example/":                         "drv",
		"https://host.example/##{not}":                       "drv https://host.example:443",
		"https://host.example/#":                             "drv https://host.example:443",
		"https://host.example:#{Secret}/":                    "drv",
		"https://host.example:0/":                            "drv",
		"https://host.example:99999/":                        "drv",
		"https://host.example:port/":                         "drv",
		"https://ho st.example/":                             "drv",
		"https://höst.example/":                              "drv",
		"https://ho%73t.example/":                            "drv",
		"https://host.example\\@evil.example/":               "drv https://host.example:443",
		"https:///path":                                      "drv",
		"host.example:8088":                                  "drv",
		"ftp://host.example/":                                "drv",
		"secret-token-without-a-scheme":                      "drv",
		"://":                                                "drv",
		"":                                                   "drv",
	} {
		assert.Equal(t, want, settings.Public("drv", endpoint), endpoint)
	}
}

func TestPublicSecret(t *testing.T) {
	for endpoint, want := range map[string]string{
		"https://host.example/receiver/v1/http/ZaVnC4": "drv https://host.example:443",
		"https://ZaVnC4dhaV1":                          "drv",
		"https://ZaVnC4dhaV1/":                         "drv",
		"https://host.example?ZaVnC4":                  "drv https://host.example:443",
		"ZaVnC4dhaV1":                                  "drv",
		"":                                             "drv",
	} {
		assert.Equal(t, want, settings.PublicSecret("drv", secret.New(endpoint)), endpoint)
	}
}

func TestOriginAndHostPort(t *testing.T) {
	u := mustURL(t, "https://u:p@Host.Example/path?q")
	assert.Equal(t, "https://host.example:443", settings.Origin(u))
	assert.Equal(t, "host.example:443", settings.HostPort(u))
	assert.Equal(t, "[::1]:80", settings.HostPort(mustURL(t, "http://[::1]/")))
}

func FuzzPublic(f *testing.F) {
	f.Add("https://user:", "@host.example/")
	f.Add("https://host.example/", "")
	f.Add(`https://#{Secret | Append "`, `"}@host/`)
	f.Fuzz(func(t *testing.T, before, after string) {
		// Wherever a credential can be, it does not show. A host is none, and is all in lower case.
		const credential = "/CaNaRy@"
		got := settings.Public("drv", before+credential+after)
		if low := strings.ToLower(before + after); !strings.Contains(low, "canary") && strings.Contains(got, "canary") {
			t.Fatal("the credential shows")
		}
		if len(got) > len("drv https://")+253+len(":65535")+2 {
			t.Fatalf("%d bytes", len(got))
		}
		if u := settings.PublicSecret("drv", secret.New(before+credential+after)); u != "drv" && u != got {
			t.Fatalf("%q and %q", u, got)
		}
	})
}
