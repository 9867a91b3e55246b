package destination_test

import (
	"fmt"
	"log/slog"

	"github.com/auditstream/auditstream/destination/bundled"
	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/splunk"
)

// A settings page gets the document of the current destination, and sends back what the administrator changed.
func Example() {
	providers := bundled.Providers(sink.Network{}, slog.Default())
	current := splunk.Config{Endpoint: "https://splunk.example:8088", Token: secret.New("7ab3…"), Index: "main"}

	edited, err := providers.Decode([]byte(`{"provider": "splunk", "config": {"index": "audit"}}`), current)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(edited.(splunk.Config).Index, edited.(splunk.Config).Token.Equal(current.Token))

	_, err = providers.Decode([]byte(`{"provider": "splunk", "config": {"endpoint": "https://elsewhere.example"}}`), current)
	fmt.Println(err)

	// Output:
	// audit true
	// splunk: Config.token: has to be given again, because the endpoint has another scheme, host or port now, or other headers use it
}
