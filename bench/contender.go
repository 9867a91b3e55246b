package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/auditstream/auditstream/bench/internal/corpus"
)

// batchEvents is how many events go into one request, with everybody: what auditstream and the SDK's BatchProcessor
// have as their default.
const batchEvents = 512

// A publish function hands one event over, built from its raw material at each call. It is for one goroutine, and may
// use memory of its own again and again as far as the library under test lets it.
type publish func(e *corpus.Event) error

// A shipper is a contender that is ready to go.
type shipper interface {
	// publisher returns a function that publishes events.
	publisher() publish

	// finish returns when everything has been delivered, and says what was not.
	finish(ctx context.Context, events int) error
}

// A contender is somebody who ships events.
type contender struct {
	group      string
	name       string
	note       string
	goroutines int  // that publish; 0 means one
	ships      bool // through the server
	warms      bool // publishes everything twice, and only the second time counts; see measure
	copies     bool // ships bytes that another contender has encoded: there are no events of its own to check
	reference  bool // the one that the others of its group are compared with
	open       func(ctx context.Context, j *job) (shipper, error)
}

func (c *contender) key() string { return c.group + " / " + c.name }

// The groups: one for each protocol, with and without compression, and one for publishing alone.
const (
	groupOTLPHTTP     = "OTLP/HTTP"
	groupOTLPHTTPGzip = "OTLP/HTTP, gzip"
	groupOTLPGRPC     = "OTLP/gRPC"
	groupOTLPGRPCGzip = "OTLP/gRPC, gzip"
	groupSplunk       = "Splunk"
	groupSplunkGzip   = "Splunk, gzip"
	groupSumo         = "Sumo Logic"
	groupSumoGzip     = "Sumo Logic, gzip"
	groupPublish      = "Publish alone"
)

// The contenders that figures are looked up by.
const (
	nameOurs       = "auditstream"
	nameOursTwo    = "auditstream, InFlight 2"
	nameSDK        = "OpenTelemetry SDK, BatchProcessor"
	nameSDKAllow   = "OpenTelemetry SDK, repeated keys allowed"
	nameCollector  = "Collector's exporter"
	nameHECGo      = "splunk-hec-go"
	nameBare       = "bare POST of the same bytes"
	nameCopy       = "memory copy of the same bytes"
	nameOursPaused = "auditstream, destination paused"
	nameOursEight  = "auditstream, 8 goroutines"
	nameOursLean   = "auditstream, 10 attributes and little else"
	nameSDKLean    = "OpenTelemetry SDK, 10 attributes and little else"
	nameSDKEight   = "OpenTelemetry SDK, 8 goroutines"
	nameEventlog   = "hashicorp/eventlogger, JSON, discarded"
	nameSlog       = "log/slog, JSONHandler, discarded"
	nameBuild      = "building the event and nothing else"
)

// contenders returns everybody, group by group.
func contenders() []contender {
	return slices.Concat(
		otlpContenders(groupOTLPHTTP, false, false),
		otlpContenders(groupOTLPHTTPGzip, false, true),
		otlpContenders(groupOTLPGRPC, true, false),
		otlpContenders(groupOTLPGRPCGzip, true, true),
		splunkContenders(groupSplunk, false),
		splunkContenders(groupSplunkGzip, true),
		sumoContenders(groupSumo, false),
		sumoContenders(groupSumoGzip, true),
		publishContenders(),
	)
}

func contenderByKey(key string) (*contender, error) {
	all := contenders()
	for i := range all {
		if all[i].key() == key {
			return &all[i], nil
		}
	}
	return nil, fmt.Errorf("there is no contender %q", key)
}

func otlpContenders(group string, rpc, compress bool) []contender {
	list := []contender{
		{group: group, name: nameOurs, ships: true, reference: true, open: openOurs(ourOTLP(rpc, compress), 1)},
		{group: group, name: nameOursTwo, ships: true, open: openOurs(ourOTLP(rpc, compress), 2)},
		{group: group, name: nameSDK, ships: true, open: openSDK(rpc, compress)},
	}
	if group == groupOTLPHTTP {
		list = append(list, contender{
			group: group, name: nameSDKAllow, ships: true, open: openSDK(rpc, compress, allowKeyDuplication),
		})
	}
	return append(list, limits(group, rpc, compress)...)
}

func splunkContenders(group string, compress bool) []contender {
	return append([]contender{
		{group: group, name: nameOurs, ships: true, reference: true, open: openOurs(ourSplunk(compress), 1)},
		{group: group, name: nameCollector, ships: true, open: openCollector(splunkExporter(compress))},
		{group: group, name: nameHECGo, ships: true, open: openHECGo(compress)},
	}, limits(group, false, compress)...)
}

func sumoContenders(group string, compress bool) []contender {
	return append([]contender{
		{group: group, name: nameOurs, ships: true, reference: true, open: openOurs(ourSumo(compress), 1)},
		{group: group, name: nameCollector, ships: true, open: openCollector(sumoExporter(compress))},
	}, limits(group, false, compress)...)
}

// limits are what no library can be faster than.
func limits(group string, rpc, compress bool) []contender {
	list := []contender{{group: group, name: nameBare, ships: true, copies: true, open: openBare(group, rpc, compress)}}
	if !compress {
		list = append(list, contender{group: group, name: nameCopy, copies: true, open: openCopy})
	}
	return list
}

func publishContenders() []contender {
	return []contender{
		{group: groupPublish, warms: true, name: nameOurs, reference: true, open: openOurs(discarding{}, 1)},
		{group: groupPublish, name: nameOursPaused, open: openPaused},
		{group: groupPublish, warms: true, name: nameOursEight, goroutines: 8, open: openOurs(discarding{}, 1)},
		{group: groupPublish, warms: true, name: nameOursLean, open: openLean},
		{group: groupPublish, warms: true, name: nameSDK, open: openSDKDiscarding()},
		{group: groupPublish, warms: true, name: nameSDKAllow, open: openSDKDiscarding(allowKeyDuplication)},
		{group: groupPublish, warms: true, name: nameSDKLean, open: openSDKDiscarding(lean)},
		{group: groupPublish, warms: true, name: nameSDKEight, goroutines: 8, open: openSDKDiscarding()},
		{group: groupPublish, warms: true, name: nameEventlog, open: openEventlogger},
		{group: groupPublish, warms: true, name: nameSlog, open: openSlog},
		{group: groupPublish, warms: true, name: nameBuild, open: openBuild},
	}
}
