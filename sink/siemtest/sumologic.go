package siemtest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/auditstream/auditstream/sink"
)

// SumoLogicCode is the code in the URL of a Sumo Logic server when none is configured.
const SumoLogicCode = "ZaVnC4dhaV1_fakeCollectorCode-0123456789abcdefghijklmnopqrstuvwxyz=="

// The paths and limits of a Sumo Logic HTTP source, from "HTTP Logs and Metrics Source" and "Fields" of its
// documentation. maxBody is ours: no limit is documented, 1 MB is recommended.
const (
	sumoPath       = "/receiver/v1/http"
	sumoMaxMessage = 64 << 10
	sumoMaxBody    = 16 << 20
	sumoMaxFields  = 30
	sumoMaxKey     = 255
	sumoMaxValue   = 200
)

// SumoLogicConfig is how a [SumoLogic] server is to be. The zero value works.
type SumoLogicConfig struct {
	// Code is the code in the URL that is the credential: characters that a path takes as they are. Defaults to
	// SumoLogicCode.
	Code string

	// TLS makes the server speak TLS with a self-signed certificate. Defaults to plain HTTP.
	TLS bool

	// InMemory makes the server do without a socket; clients reach it through DialContext.
	InMemory bool

	_ struct{}
}

// SumoLogic is a fake Sumo Logic HTTP source.
//
// It takes POST requests at a path that ends in a secret code, or with the code in the header X-Sumo-Token, decodes gzip
// and deflate, and splits the body at newlines into messages, and messages over 64 KiB into slices of that size, which
// then are no JSON any more. It answers 401 to any other code. RejectIf makes it refuse the whole request with 400,
// for an HTTP source does not tell which message was bad.
type SumoLogic struct {
	server
	cfg  SumoLogicConfig
	gate *gate

	codeMu sync.Mutex
	code   string
}

// NewSumoLogic starts a server. The caller must Close it.
func NewSumoLogic(cfg SumoLogicConfig) (*SumoLogic, error) {
	if strings.ContainsAny(cfg.Code, "/?#% ") {
		return nil, &sink.ConfigError{
			Field: "siemtest: SumoLogicConfig.Code", Reason: "holds one of / ? # % or a space: use letters, digits and _-=",
		}
	}
	if cfg.Code == "" {
		cfg.Code = SumoLogicCode
	}
	s := &SumoLogic{cfg: cfg, code: cfg.Code}
	if err := s.init(cfg.TLS); err != nil {
		return nil, err
	}
	s.gate = newGate(cfg.InMemory, 8443, s.serveHTTP(s))
	return s, s.open(s.gate)
}

// URL returns the URL of the source, as Sumo Logic shows it to an administrator. It is a secret.
func (s *SumoLogic) URL() string { return s.gate.url(s.cfg.TLS) + sumoPath + "/" + s.Token() }

// BaseURL returns the URL without the code, which then goes into the header X-Sumo-Token or after a slash.
func (s *SumoLogic) BaseURL() string { return s.gate.url(s.cfg.TLS) + sumoPath }

// Token returns the code.
func (s *SumoLogic) Token() string {
	s.codeMu.Lock()
	defer s.codeMu.Unlock()
	return s.code
}

// SetToken replaces the code, and so the URL; the old one is refused from now on.
func (s *SumoLogic) SetToken(code string) {
	s.codeMu.Lock()
	defer s.codeMu.Unlock()
	s.code = code
}

// publicPath implements protocol.
func (s *SumoLogic) publicPath(path string) string {
	switch {
	case path == sumoPath:
		return path
	case strings.HasPrefix(path, sumoPath+"/"):
		return sumoPath + "/" + redacted
	}
	return redacted
}

// maxBody implements protocol.
func (s *SumoLogic) maxBody() int64 { return sumoMaxBody }

// take implements protocol.
func (s *SumoLogic) take(in *incoming) (Answer, []Received) {
	// Compared as it was sent: a client that escapes the code differently has changed it.
	path, _, _ := strings.Cut(in.RequestURI, "?")
	code, inPath := strings.CutPrefix(path, sumoPath+"/")
	if !inPath {
		code = in.Header.Get("X-Sumo-Token")
	}
	// Only 200, 400, 401, 408, 429 and 5xx are documented. The others are what an HTTP server would say.
	switch {
	case !inPath && path != sumoPath:
		return sumoError(http.StatusNotFound, "not.found", "The requested resource was not found."), nil
	case code != s.Token():
		return sumoError(http.StatusUnauthorized, "unauthorized", "Credential could not be verified."), nil
	case in.Method != http.MethodPost:
		return sumoError(http.StatusMethodNotAllowed, "method.not.allowed", "Method not allowed."), nil
	case in.bodyErr == errTooLarge: //nolint:errorlint // Set by this package, never wrapped.
		return sumoError(http.StatusRequestEntityTooLarge, "too.large", "Payload too large."), nil
	case in.bodyErr != nil:
		return sumoError(http.StatusBadRequest, "bad.content.encoding", "Could not decode the payload."), nil
	}
	metadata, dropped := sumoMetadata(in.Header)
	var taken []Received
	for line := range bytes.SplitSeq(in.body, []byte("\n")) {
		for _, message := range slice(bytes.TrimSuffix(line, []byte("\r"))) {
			r := received(decodeObject(message), metadata, jsonNames)
			r.Raw = bytes.Clone(message)
			if s.refuses(r) {
				return sumoError(http.StatusBadRequest, "bad.request", "Malformed message."), nil
			}
			taken = append(taken, r)
		}
	}
	if dropped {
		return sumoError(http.StatusOK, "bad.http.header.fields", "Some fields were dropped."), taken
	}
	return Answer{}, taken
}

// slice cuts a message into pieces of the size that Sumo Logic keeps together. Empty messages are none.
func slice(message []byte) [][]byte {
	var parts [][]byte
	for len(message) > 0 {
		n := min(len(message), sumoMaxMessage)
		parts = append(parts, message[:n])
		message = message[n:]
	}
	return parts
}

// sumoMetadata reads the headers by which a request sets the metadata of its messages, and reports whether fields were
// dropped because of their number or length.
func sumoMetadata(h http.Header) (metadata map[string]any, dropped bool) {
	metadata = make(map[string]any)
	for _, name := range []string{"Category", "Host", "Name", "Client"} {
		if v := h.Get("X-Sumo-" + name); v != "" {
			metadata[strings.ToLower(name)] = v
		}
	}
	if h.Get("X-Sumo-Fields") == "" {
		return metadata, false
	}
	fields := make(map[string]any)
	for pair := range strings.SplitSeq(h.Get("X-Sumo-Fields"), ",") {
		key, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if !ok || len(fields) >= sumoMaxFields || len(key) > sumoMaxKey || len(value) > sumoMaxValue {
			dropped = true
			continue
		}
		fields[key] = value
	}
	metadata["fields"] = fields
	return metadata, dropped
}

// sumoError is an answer with a body in the form of Sumo Logic's. A 200 with one means that the messages were taken, and
// something else was not.
func sumoError(status int, code, message string) Answer {
	type fault struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	body, err := json.Marshal(struct {
		Status int     `json:"status"`
		ID     string  `json:"id"`
		Code   string  `json:"code"`
		Text   string  `json:"message"`
		Errors []fault `json:"errors,omitempty"`
	}{status, "FAKE0-" + strconv.Itoa(status) + "AA-BBBBB", code, message, []fault{{code, message}}})
	if err != nil {
		panic(err) // A struct of strings can be marshalled.
	}
	return Answer{Status: status, Header: jsonHeader(), Body: string(body)}
}
