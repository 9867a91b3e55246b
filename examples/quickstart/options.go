package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/otlp"
	"github.com/auditstream/auditstream/sink/splunk"
	"github.com/auditstream/auditstream/sink/sumologic"
)

const usage = `Quickstart walks through the life of an audit stream, against fake SIEM servers or a real one.

Without a destination it starts fakes on loopback, and needs nothing else. A destination is one of

  -otlp-endpoint URL           or AUDITSTREAM_OTLP_ENDPOINT
  -splunk-endpoint URL         or AUDITSTREAM_SPLUNK_ENDPOINT, and AUDITSTREAM_SPLUNK_TOKEN
  AUDITSTREAM_SUMOLOGIC_URL

Secrets come from the environment only:

  AUDITSTREAM_OTLP_SECRET       takes the place of #{Secret} in the OTLP endpoint and headers
  AUDITSTREAM_SPLUNK_TOKEN      the token of the HTTP Event Collector
  AUDITSTREAM_SUMOLOGIC_URL     the URL of the HTTP source, which is a secret itself

For example:

  AUDITSTREAM_OTLP_SECRET=… go run ./examples/quickstart \
    -otlp-endpoint https://logs.example/v1/logs -otlp-header 'Authorization: Bearer #{Secret}'

Events are newline-delimited JSON: those of docs/event.schema.json, of which "action" and "actor":{"id":…} are enough,
and lines of a Kubernetes audit log. Bad lines are named and passed over.

It exits with 0 only if every event is accounted for, with 2 if it was called wrongly, and with 1 otherwise. The first
interrupt lets it deliver what it has read, for as long as -timeout says; the second ends it.

Flags:

`

// options are what the program was asked to do.
type options struct {
	events      string // "", a file name, or "-"
	destination sink.Destination
	timeout     time.Duration
}

// inputs are the flags and variables as they were given.
type inputs struct {
	otlpEndpoint, otlpProtocol       string
	otlpHeaders                      []string
	splunkEndpoint, splunkIndex      string
	sumoCategory                     string
	rootsFile, pin                   string
	plaintext                        bool
	otlpSecret, splunkToken, sumoURL secret.Value
}

// parseOptions reads flags and environment.
func parseOptions(args []string, getenv func(string) string, stderr io.Writer) (options, error) {
	var opts options
	var in inputs
	set := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.Usage = func() {
		_, _ = fmt.Fprint(stderr, usage)
		set.PrintDefaults()
	}
	set.StringVar(&opts.events, "events", "", "read events from `FILE`, or from standard input if it is -")
	set.DurationVar(&opts.timeout, "timeout", time.Minute, "how long to wait for a real destination to take everything")
	set.StringVar(&in.otlpEndpoint, "otlp-endpoint", "", "stream to this OTLP `URL`")
	set.StringVar(&in.otlpProtocol, "otlp-protocol", string(otlp.HTTPProtobuf), "http/protobuf or grpc")
	// The value may be a credential, which package flag would print if this returned an error.
	set.Func("otlp-header", "send this header, as `'Name: value'`; may be repeated", func(text string) error {
		in.otlpHeaders = append(in.otlpHeaders, text)
		return nil
	})
	set.StringVar(&in.splunkEndpoint, "splunk-endpoint", "", "stream to the Splunk HTTP Event Collector at this `URL`")
	set.StringVar(&in.splunkIndex, "splunk-index", "", "the Splunk index, if not the token's own")
	set.StringVar(&in.sumoCategory, "sumologic-category", "", "the Sumo Logic source category, if not the source's own")
	set.StringVar(&in.rootsFile, "tls-roots", "", "trust the certificates in this PEM `FILE` instead of the system's")
	set.StringVar(&in.pin, "tls-pin", "", "trust the one server certificate with this SHA-256 `fingerprint`")
	set.BoolVar(&in.plaintext, "allow-plaintext", false, "let a secret cross the network without TLS")
	if err := set.Parse(args); err != nil {
		return opts, err
	}
	if set.NArg() > 0 {
		return opts, errors.New("takes flags only; see -help")
	}
	// Variables are no defaults of flags: -help prints those, and an endpoint may hold a secret.
	in.otlpEndpoint = cmp.Or(in.otlpEndpoint, getenv("AUDITSTREAM_OTLP_ENDPOINT"))
	in.splunkEndpoint = cmp.Or(in.splunkEndpoint, getenv("AUDITSTREAM_SPLUNK_ENDPOINT"))
	in.otlpSecret = secret.New(getenv("AUDITSTREAM_OTLP_SECRET"))
	in.splunkToken = secret.New(getenv("AUDITSTREAM_SPLUNK_TOKEN"))
	in.sumoURL = secret.New(getenv("AUDITSTREAM_SUMOLOGIC_URL"))
	var err error
	opts.destination, err = in.destination()
	return opts, err
}

// destination returns the destination that is asked for, or nil for the fakes.
func (in *inputs) destination() (sink.Destination, error) {
	tls := sink.TLS{PinSHA256: in.pin}
	if in.rootsFile != "" {
		pem, err := os.ReadFile(in.rootsFile)
		if err != nil {
			return nil, err
		}
		tls.RootCAs = string(pem)
	}
	network := sink.Network{AllowPlaintext: in.plaintext}
	var asked []sink.Destination
	if in.otlpEndpoint != "" {
		headers, err := parseHeaders(in.otlpHeaders)
		if err != nil {
			return nil, err
		}
		asked = append(asked, otlp.Config{
			Endpoint: in.otlpEndpoint,
			Protocol: otlp.Protocol(in.otlpProtocol),
			Secret:   in.otlpSecret,
			Headers:  headers,
			TLS:      tls,
			Network:  network,
		})
	}
	if in.splunkEndpoint != "" {
		asked = append(asked, splunk.Config{
			Endpoint: in.splunkEndpoint,
			Token:    in.splunkToken,
			Index:    in.splunkIndex,
			TLS:      tls,
			Network:  network,
		})
	}
	if !in.sumoURL.IsZero() {
		asked = append(asked, sumologic.Config{
			Endpoint: in.sumoURL,
			Category: in.sumoCategory,
			TLS:      tls,
			Network:  network,
		})
	}
	switch len(asked) {
	case 0:
		if unused := in.unused(); unused != "" {
			return nil, errors.New(unused + " is set, but no destination: see -help")
		}
		return nil, nil //nolint:nilnil // No destination is an answer: the fakes.
	case 1:
		return asked[0], nil
	}
	return nil, errors.New("more than one destination is set, by flags or by AUDITSTREAM_… variables: choose one")
}

// unused names a setting that has no meaning without a destination. Whoever gave one did not ask for the fakes.
func (in *inputs) unused() string {
	switch {
	case len(in.otlpHeaders) > 0:
		return "-otlp-header"
	case !in.otlpSecret.IsZero():
		return "AUDITSTREAM_OTLP_SECRET"
	case in.splunkIndex != "":
		return "-splunk-index"
	case !in.splunkToken.IsZero():
		return "AUDITSTREAM_SPLUNK_TOKEN"
	case in.sumoCategory != "":
		return "-sumologic-category"
	case in.rootsFile != "":
		return "-tls-roots"
	case in.pin != "":
		return "-tls-pin"
	case in.plaintext:
		return "-allow-plaintext"
	}
	return ""
}

// parseHeaders splits headers at their colons. It never quotes one.
func parseHeaders(texts []string) (sink.Headers, error) {
	headers := make(sink.Headers, len(texts))
	for _, text := range texts {
		name, value, ok := strings.Cut(text, ":")
		if !ok {
			return nil, errors.New("-otlp-header needs the form 'Name: value'")
		}
		headers[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	return headers, nil
}
