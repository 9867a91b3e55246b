package sumologic_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/sumologic"
)

// A host hands the Config to Stream.Configure, which opens the sink and calls it. Here, it is called directly.
func Example() {
	source := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		fmt.Println(r.Method, r.Header.Get("X-Sumo-Category"), r.Header.Get("X-Sumo-Fields"))
		body, _ := io.ReadAll(r.Body)
		fmt.Print(string(body))
	}))
	defer source.Close()

	dst := sumologic.Config{
		// Such as https://endpoint4.collection.sumologic.com/receiver/v1/http/ZaVnC4dhaV3…
		Endpoint:    secret.New(source.URL + "/receiver/v1/http/ZaVnC4dhaV3_example=="),
		Category:    "acme/audit",
		Fields:      map[string]string{"tenant": "acme"},
		Compression: sumologic.None, // only to show what is sent
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
	// POST acme/audit tenant=acme
	// {"timestamp":1772600767089,"time":"2026-03-04T05:06:07.089000000Z","id":"1","schema_version":"1","action":"project.delete","outcome":"success","actor":{"id":"users-7"}}
	// 1 <nil>
}

// The URL of a source is a credential, so no problem with it is shown together with it.
func ExampleConfig_Open() {
	_, err := sumologic.Config{
		Endpoint: secret.New("http://endpoint4.collection.sumologic.com/receiver/v1/http/ZaVnC4dhaV3_example=="),
		Fields:   map[string]string{"tenant": "a,b"},
	}.Open()
	fmt.Println(err)
	// Output:
	// sumologic: Config.Fields["tenant"] ("a,b"): holds a comma or an equals sign, which separate fields: write another character
	// sumologic: Config.Endpoint: begins with http://, which would send the secret in Endpoint in the clear: write https://
}
