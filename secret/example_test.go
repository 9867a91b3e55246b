package secret_test

import (
	"encoding/json"
	"fmt"

	"github.com/auditstream/auditstream/secret"
)

// must parses a template that is known to be good.
func must(text string) *secret.Template {
	t, err := secret.Parse(text)
	if err != nil {
		panic(err)
	}
	return t
}

func Example() {
	header := must("Bearer #{Secret}")
	token := secret.New("0123456789")

	value, err := header.RenderHeader(token)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(value)          // what a log shows
	fmt.Println(value.Reveal()) // what goes onto the wire
	// Output:
	// [REDACTED]
	// Bearer 0123456789
}

func ExampleTemplate_RenderHeader_basic() {
	header := must(`Basic #{Secret | Prepend "user:" | ToBase64}`)

	value, err := header.RenderHeader(secret.New("pass"))
	fmt.Println(value.Reveal(), err)
	// Output: Basic dXNlcjpwYXNz <nil>
}

func ExampleTemplate_RenderURL() {
	endpoint := must("https://logs.example.com/ingest/#{Secret | UriDataEscape}")

	value, err := endpoint.RenderURL(secret.New("a/b?c"))
	fmt.Println(value.Reveal(), err)
	// Output: https://logs.example.com/ingest/a%2Fb%3Fc <nil>
}

// What a secret would do to a URL is an error, which does not show the secret.
func ExampleTemplate_RenderURL_refused() {
	endpoint := must("https://logs.example.com/ingest/#{Secret}")

	_, err := endpoint.RenderURL(secret.New("a/b?c"))
	fmt.Println(err)
	// Output: secret: template at byte 32, "#{Secret}": the token adds one of the delimiters ?# to the path of the URL: end the token with | UriDataEscape
}

func ExampleParse_error() {
	_, err := secret.Parse("Bearer #{Secret | Trim both}")
	fmt.Println(err)
	// Output: secret: template at byte 23, "both": bad argument of Trim [start|end]: the options are start and end
}

func ExampleParse_escapes() {
	for _, text := range []string{"#{Secret}", "##{Secret}", "###{Secret}", "####{Secret}", "#1 #<Secret>"} {
		value, err := must(text).Render(secret.New("abc"))
		fmt.Println(value.Reveal(), err)
	}
	// Output:
	// abc <nil>
	// #{Secret} <nil>
	// #abc <nil>
	// ###{Secret} <nil>
	// #1 abc <nil>
}

// A form shows whether there is a secret and sends a new one when it is to change.
func ExampleValue_UnmarshalJSON() {
	type config struct {
		Endpoint string
		Token    secret.Value
	}
	stored := config{Endpoint: "https://example.com", Token: secret.New("old")}

	shown, err := json.Marshal(stored)
	fmt.Println(string(shown), err)

	err = json.Unmarshal([]byte(`{"Endpoint":"https://example.org","Token":{"hasValue":true}}`), &stored)
	fmt.Println(stored.Endpoint, stored.Token.Reveal(), err)

	err = json.Unmarshal([]byte(`{"Token":{"newValue":"new"}}`), &stored)
	fmt.Println(stored.Endpoint, stored.Token.Reveal(), err)
	// Output:
	// {"Endpoint":"https://example.com","Token":{"hasValue":true}} <nil>
	// https://example.org old <nil>
	// https://example.org new <nil>
}
