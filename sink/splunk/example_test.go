package splunk_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/splunk"
)

// A host hands the Config to Stream.Configure, which opens the sink and calls it. Here, it is called directly.
func Example() {
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println(r.Method, r.URL.Path)
		body, _ := io.ReadAll(r.Body)
		fmt.Print(string(body))
		_, _ = io.WriteString(w, `{"text":"Success","code":0}`)
	}))
	defer collector.Close()

	dst := splunk.Config{
		Endpoint:    collector.URL, // such as https://splunk.example:8088
		Token:       secret.New("Splunk 0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d"),
		Index:       "audit",
		SourceType:  "acme:audit",
		Compression: splunk.None, // only to show what is sent
	}
	s, err := dst.Open()
	if err != nil {
		fmt.Println(err)
		return
	}
	n, err := s.Deliver(context.Background(), []sink.Event{{
		ID:      "1",
		Time:    time.Date(2026, 3, 4, 5, 6, 7, 89_000_000, time.UTC),
		Action:  "project.delete",
		Outcome: sink.OutcomeSuccess,
		Actor:   sink.Actor{ID: "users-7"},
	}})
	fmt.Println(n, err)
	// Output:
	// POST /services/collector/event
	// {"time":1772600767.089,"sourcetype":"acme:audit","index":"audit","event":{"timestamp":1772600767089,"time":"2026-03-04T05:06:07.089000000Z","id":"1","schema_version":"1","action":"project.delete","outcome":"success","actor":{"id":"users-7"}}}
	// 1 <nil>
}

// All problems with a configuration are reported at once, each with what to write instead.
func ExampleConfig_Open() {
	_, err := splunk.Config{Endpoint: "splunk.example:8088", Index: "Audit"}.Open()
	fmt.Println(err)
	// Output:
	// splunk: Config.Token: is empty: copy the token from Splunk, under Settings > Data inputs > HTTP Event Collector
	// splunk: Config.Index ("Audit"): is no name of an index: write lower-case letters, digits, underscores and hyphens
	// splunk: Config.Endpoint: has no scheme: write https:// in front of the host
}
