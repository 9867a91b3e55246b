package siemtest

import (
	"encoding/hex"
	"net/http"

	collogspb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// readExport decodes the records of a request.
func readExport(request *collogspb.ExportLogsServiceRequest) []Received {
	var all []Received
	for _, rl := range request.GetResourceLogs() {
		resource := readAttributes(rl.GetResource().GetAttributes())
		for _, sl := range rl.GetScopeLogs() {
			scope := map[string]any{"name": sl.GetScope().GetName(), "version": sl.GetScope().GetVersion()}
			for _, record := range sl.GetLogRecords() {
				all = append(all, readRecord(record, resource, scope))
			}
		}
	}
	return all
}

// readRecord decodes one record. Action falls back to the name of the event, which is what records of other clients have.
func readRecord(record *logspb.LogRecord, resource, scope map[string]any) Received {
	metadata := map[string]any{
		"resource":     resource,
		"scope":        scope,
		"eventName":    record.GetEventName(),
		"body":         readValue(record.GetBody()),
		"time":         record.GetTimeUnixNano(),
		"observedTime": record.GetObservedTimeUnixNano(),
		"traceId":      hex.EncodeToString(record.GetTraceId()),
		"spanId":       hex.EncodeToString(record.GetSpanId()),
	}
	if n := record.GetSeverityNumber(); n != 0 {
		metadata["severityNumber"] = int64(n)
	}
	if text := record.GetSeverityText(); text != "" {
		metadata["severityText"] = text
	}
	r := received(readAttributes(record.GetAttributes()), metadata, otlpNames)
	r.Record = record
	if r.Action == "" {
		r.Action = record.GetEventName()
	}
	return r
}

func readAttributes(attributes []*commonpb.KeyValue) map[string]any {
	m := make(map[string]any, len(attributes))
	for _, kv := range attributes {
		m[kv.GetKey()] = readValue(kv.GetValue())
	}
	return m
}

// readValue returns a value as string, bool, int64, float64, []byte, []any, map[string]any or nil.
func readValue(v *commonpb.AnyValue) any {
	switch v := v.GetValue().(type) {
	case *commonpb.AnyValue_StringValue:
		return v.StringValue
	case *commonpb.AnyValue_BoolValue:
		return v.BoolValue
	case *commonpb.AnyValue_IntValue:
		return v.IntValue
	case *commonpb.AnyValue_DoubleValue:
		return v.DoubleValue
	case *commonpb.AnyValue_BytesValue:
		return v.BytesValue
	case *commonpb.AnyValue_ArrayValue:
		list := make([]any, len(v.ArrayValue.GetValues()))
		for i, e := range v.ArrayValue.GetValues() {
			list[i] = readValue(e)
		}
		return list
	case *commonpb.AnyValue_KvlistValue:
		return readAttributes(v.KvlistValue.GetValues())
	}
	return nil
}

// partialSuccess returns an answer that works over HTTP and gRPC: the body is the response message.
func partialSuccess(rejected int64, message string) Answer {
	response := &collogspb.ExportLogsServiceResponse{
		PartialSuccess: &collogspb.ExportLogsPartialSuccess{RejectedLogRecords: rejected, ErrorMessage: message},
	}
	return Answer{Header: protobufHeader(), Body: marshal(response)}
}

// otlpError is an answer with a google.rpc.Status as its body, as OTLP over HTTP prescribes.
func otlpError(status int, message string) Answer {
	return Answer{
		Status: status, Header: protobufHeader(),
		Body: marshal(&spb.Status{Code: int32(codeOfHTTP[status]), Message: message}), //nolint:gosec // Codes are small.
		Code: codes.OK,
	}
}

func protobufHeader() http.Header { return http.Header{"Content-Type": {"application/x-protobuf"}} }

// marshal encodes a message of our own making.
func marshal(m proto.Message) string {
	b, err := proto.Marshal(m)
	if err != nil {
		panic(err) // Only text that is not UTF-8 can fail.
	}
	return string(b)
}
