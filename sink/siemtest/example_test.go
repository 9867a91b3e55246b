package siemtest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/auditstream/auditstream/sink/siemtest"
)

// A collector is busy once, and then takes an event.
func ExampleNewSplunk() {
	ctx := context.Background()
	srv, err := siemtest.NewSplunk(siemtest.SplunkConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()
	srv.Respond(siemtest.HEC(9))

	// What a driver does, in short.
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for range 2 {
		body := strings.NewReader(`{"event":{"id":"42","sequence":1,"action":"project.delete"}}`)
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, srv.URL()+"/services/collector/event", body)
		if err != nil {
			fmt.Println(err)
			return
		}
		req.Header.Set("Authorization", "Splunk "+srv.Token())
		resp, err := client.Do(req)
		if err != nil {
			fmt.Println(err)
			return
		}
		answer, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		fmt.Println(resp.StatusCode, string(answer))
	}

	events, err := srv.Wait(ctx, 1)
	fmt.Println(events, err)
	// Output:
	// 503 {"text":"Server is busy","code":9}
	// 200 {"text":"Success","code":0}
	// [#1 project.delete 42] <nil>
}
