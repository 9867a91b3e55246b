package main

import (
	"errors"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/otlp"
	"github.com/auditstream/auditstream/sink/siemtest"
	"github.com/auditstream/auditstream/sink/splunk"
	"github.com/auditstream/auditstream/sink/sumologic"
)

// otlpToken is the credential that the fake OpenTelemetry receivers ask for.
const otlpToken = "quickstart-otlp-token"

// recorder is what all fake servers have.
type recorder interface {
	Events() []siemtest.Received
	Requests() []siemtest.Request
	Close()
}

// A siem is a fake server under the name that the report has for it, and how far the report has got with it.
type siem struct {
	name     string
	server   recorder
	events   int
	requests int
}

// siems are the fake servers of the tour.
type siems struct {
	otlpHTTP, otlpGRPC *siemtest.OTLP
	splunk             *siemtest.Splunk
	sumoLogic          *siemtest.SumoLogic
	all                []*siem
}

// startSIEMs starts the servers. The caller must close them, even when there is an error.
func startSIEMs() (*siems, error) {
	var s siems
	var errs [4]error
	headers := map[string]string{"Authorization": "Bearer " + otlpToken}
	s.otlpHTTP, errs[0] = siemtest.NewOTLP(siemtest.OTLPConfig{Headers: headers})
	s.otlpGRPC, errs[1] = siemtest.NewOTLP(siemtest.OTLPConfig{Headers: headers})
	s.splunk, errs[2] = siemtest.NewSplunk(siemtest.SplunkConfig{TLS: true})
	s.sumoLogic, errs[3] = siemtest.NewSumoLogic(siemtest.SumoLogicConfig{})
	for i, one := range []*siem{
		{name: "OTLP over HTTP", server: s.otlpHTTP},
		{name: "OTLP over gRPC", server: s.otlpGRPC},
		{name: "Splunk", server: s.splunk},
		{name: "Sumo Logic", server: s.sumoLogic},
	} {
		if errs[i] == nil {
			s.all = append(s.all, one)
		}
	}
	return &s, errors.Join(errs[:]...)
}

// close stops the servers.
func (s *siems) close() {
	for _, one := range s.all {
		one.server.Close()
	}
}

// overHTTP is the destination of the first receiver, with a Bearer token from a template.
func (s *siems) overHTTP() sink.Destination {
	return otlp.Config{
		Endpoint: s.otlpHTTP.URL(),
		Secret:   secret.New(otlpToken),
		Headers:  sink.Headers{"Authorization": "Bearer #{Secret}"},
	}
}

// overGRPC is the destination of the second receiver.
func (s *siems) overGRPC() sink.Destination {
	return otlp.Config{
		Endpoint: s.otlpGRPC.GRPCURL(),
		Protocol: otlp.GRPC,
		Secret:   secret.New(otlpToken),
		Headers:  sink.Headers{"Authorization": "Bearer #{Secret}"},
	}
}

// inSplunk is the destination of the collector, which has a self-signed certificate like a Splunk trial.
func (s *siems) inSplunk(token string) sink.Destination {
	return splunk.Config{
		Endpoint:   s.splunk.URL(),
		Token:      secret.New(token),
		SourceType: "auditstream:quickstart",
		TLS:        sink.TLS{PinSHA256: s.splunk.Fingerprint()},
	}
}

// inSumoLogic is the destination of the HTTP source, whose whole URL is the secret.
func (s *siems) inSumoLogic() sink.Destination {
	return sumologic.Config{
		Endpoint: secret.New(s.sumoLogic.URL()),
		Category: "audit/quickstart",
	}
}
