package otlp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	collogpb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/internal/httpsend"
	"github.com/auditstream/auditstream/sink/internal/scrub"
)

const contentType = "application/x-protobuf"

// httpWire makes requests over HTTP.
type httpWire struct {
	client   *httpsend.Client
	resource []byte
	scrubber *scrub.Scrubber
	answers  *successes
}

func newHTTPWire(c checked) (*httpWire, error) {
	resource, err := proto.Marshal(c.resource)
	if err != nil {
		return nil, err
	}
	return &httpWire{
		client: httpsend.New(httpsend.Options{
			URL: c.endpoint, Header: c.headers, TLS: c.tls, Network: c.network, Scrub: c.scrubber, Gzip: c.compress,
		}),
		resource: resource,
		scrubber: c.scrubber,
		answers:  c.answers,
	}, nil
}

// A sharedExporter is the exporter of all sinks that speak HTTP: it holds nothing of theirs and takes calls from all of
// them at once. An idle sink would keep 2 KB for one of its own.
type sharedExporter struct {
	mu   sync.Mutex
	made sdklog.Exporter
}

var httpExporter = new(sharedExporter)

// get returns the exporter, which it makes at the first call.
func (s *sharedExporter) get() (sdklog.Exporter, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.made != nil {
		return s.made, nil
	}
	exporter, err := newHTTPExporter(relay{})
	if err != nil {
		return nil, err
	}
	s.made = exporter
	return exporter, nil
}

// newHTTPExporter returns an exporter whose every option is set, because the environment fills in the others. A TLS
// configuration of nil counts as set; without it, an ambient certificate makes New fail on the placeholder's http.
func newHTTPExporter(transport http.RoundTripper) (sdklog.Exporter, error) {
	return otlploghttp.New(context.Background(),
		otlploghttp.WithEndpointURL("http://"+placeholderHost+"/"),
		otlploghttp.WithHTTPClient(&http.Client{Transport: transport}),
		otlploghttp.WithHeaders(map[string]string{}),
		otlploghttp.WithTLSClientConfig(nil),
		otlploghttp.WithCompression(otlploghttp.NoCompression), // it would hide the length
		otlploghttp.WithTimeout(0),
		otlploghttp.WithRetry(otlploghttp.RetryConfig{}),
		otlploghttp.WithProxy(func(*http.Request) (*url.URL, error) { return nil, nil }),
		otlploghttp.WithMaxRequestSize(0),
		otlploghttp.WithMaxResponseSize(1),
	)
}

// send makes one request with records.
func (h *httpWire) send(ctx context.Context, records []sdklog.Record) error {
	exporter, err := httpExporter.get()
	if err != nil {
		// What the exporter has against its options, none of which depends on the configuration.
		return broken(sink.VerdictBlock, errors.New("otlp: the exporter cannot be set up: "+h.scrubber.Error(err)))
	}
	return export(ctx, exporter, records, &attempt{http: h})
}

func (h *httpWire) close() { h.client.Close() }

// A relay is the transport of the exporter, which encodes the records; the exporter's own request goes no further.
type relay struct{}

var errNotAsked = errors.New("otlp: a request that no sink asked for")

// RoundTrip implements [http.RoundTripper]: it has the sink make the real request and notes on the attempt what came of
// it. The exporter gets an empty success whatever happened, so that it has nothing to say.
func (relay) RoundTrip(req *http.Request) (*http.Response, error) {
	a := attemptFrom(req.Context())
	if a.http == nil {
		return nil, errNotAsked
	}
	a.answer(a.http.post(req, a.records))
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: http.NoBody, Request: req,
	}, nil
}

// post sends the body of the exporter's request, with our resource, and returns what the answer means.
func (h *httpWire) post(req *http.Request, records int) error {
	defer req.Body.Close()
	var encoded catcher
	if _, err := io.Copy(&encoded, req.Body); err != nil {
		return notEncoded()
	}
	buf := httpsend.GetBody()
	defer httpsend.PutBody(buf)
	body, err := replaceResource(*buf, encoded, h.resource)
	if err != nil {
		return broken(sink.VerdictSplit, err)
	}
	*buf = body
	resp, err := h.client.Post(req.Context(), body, http.Header{"Content-Type": {contentType}})
	if err != nil {
		return httpsend.Named("otlp", err)
	}
	return h.verdict(req.Context(), resp, records)
}

// A catcher takes what is written to it. The exporter's body writes itself in one piece, which is kept and not copied.
type catcher []byte

func (c *catcher) Write(p []byte) (int, error) {
	if *c == nil {
		*c = slices.Clip(p)
	} else {
		*c = append(*c, p...)
	}
	return len(p), nil
}

// verdict returns what an answer means for the records of the request.
func (h *httpWire) verdict(ctx context.Context, resp *httpsend.Response, records int) error {
	err := httpsend.Classify(resp)
	if err == nil {
		if resp.BrokeOff() {
			h.answers.missed(ctx)
		}
		return h.answers.judge(ctx, readSuccess(resp), records)
	}
	err = httpsend.Named("otlp", err)
	e, ok := errors.AsType[*sink.Error](err)
	if !ok {
		return err
	}
	if message := readMessage(resp); message != "" {
		e.Err = fmt.Errorf("%w: %s", e.Err, h.scrubber.Text(message))
	}
	if resp.Status == http.StatusNotFound || resp.Status == http.StatusMethodNotAllowed {
		e.Remedy = "Check the URL: for most destinations its path ends in /v1/logs."
	}
	return e
}

// readSuccess decodes the body of an accepted request. One that is none, or cannot be decoded, says nothing: the status
// is the answer.
func readSuccess(resp *httpsend.Response) *collogpb.ExportLogsServiceResponse {
	var answer collogpb.ExportLogsServiceResponse
	if resp.BodyErr != nil || decode(resp, &answer) != nil {
		return nil
	}
	return &answer
}

// readMessage returns the message of the status that OTLP servers put into the body of a refusal, or "".
func readMessage(resp *httpsend.Response) string {
	var status statuspb.Status
	// Only what claims to be a status is taken for one: any text may happen to be protobuf.
	if mediaType := mediaTypeOf(resp); !isJSON(mediaType) && mediaType != contentType && mediaType != "application/protobuf" {
		return ""
	}
	if resp.BodyErr != nil || decode(resp, &status) != nil {
		return ""
	}
	return status.GetMessage()
}

// decode reads a body of at most 64 KiB. Servers are to answer in the form of the request, but proxies and some servers
// answer in JSON, and few set the Content-Type of an empty or short protobuf answer right.
func decode(resp *httpsend.Response, m proto.Message) error {
	if isJSON(mediaTypeOf(resp)) || bytes.HasPrefix(bytes.TrimSpace(resp.Body), []byte("{")) {
		return protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(resp.Body, m)
	}
	return proto.Unmarshal(resp.Body, m)
}

func mediaTypeOf(resp *httpsend.Response) string {
	mediaType, _, err := mime.ParseMediaType(resp.ContentType)
	if err != nil {
		return ""
	}
	return mediaType
}

func isJSON(mediaType string) bool {
	return mediaType == "application/json" || strings.HasSuffix(mediaType, "+json")
}
