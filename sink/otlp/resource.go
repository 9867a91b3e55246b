package otlp

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/protobuf/proto"

	"github.com/auditstream/auditstream/sink/internal/settings"
)

// Resource says which service the events come from. It is sent with every request, so it is bounded: 64 KiB encoded.
// Nothing is added to it, least of all from the environment: what OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME say
// is about the host's own telemetry.
type Resource struct {
	// ServiceName is the resource attribute service.name, which receivers expect of everybody. Defaults to
	// "unknown_service".
	ServiceName string `json:"serviceName"`

	// ServiceVersion is the resource attribute service.version. Defaults to none.
	ServiceVersion string `json:"serviceVersion"`

	// Attributes are further resource attributes by name, such as "deployment.environment.name" and
	// "service.instance.id". Defaults to none.
	Attributes map[string]string `json:"attributes"`

	_ struct{}
}

const (
	defaultServiceName = "unknown_service" // as the semantic conventions say

	maxResourceSize = 64 << 10
)

// message returns r in protobuf, attributes sorted, and reports what is wrong with it.
func (r Resource) message(check *settings.Check) *resourcepb.Resource {
	checkText(check, "Resource.ServiceName", r.ServiceName)
	checkText(check, "Resource.ServiceVersion", r.ServiceVersion)
	msg := &resourcepb.Resource{Attributes: []*commonpb.KeyValue{
		stringAttribute(nameServiceName, cmp.Or(r.ServiceName, defaultServiceName)),
	}}
	if r.ServiceVersion != "" {
		msg.Attributes = append(msg.Attributes, stringAttribute(nameServiceVersion, r.ServiceVersion))
	}
	for _, key := range slices.Sorted(maps.Keys(r.Attributes)) {
		checkResourceKey(check, key)
		checkText(check, "Resource.Attributes", r.Attributes[key])
		msg.Attributes = append(msg.Attributes, stringAttribute(key, r.Attributes[key]))
	}
	if size := proto.Size(msg); size > maxResourceSize {
		check.Failf("Resource", "takes %d bytes of every request: keep it under %d", size, maxResourceSize)
	}
	return msg
}

func stringAttribute(key, value string) *commonpb.KeyValue {
	return &commonpb.KeyValue{
		Key:   key,
		Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: value}},
	}
}

// checkResourceKey refuses what would be in the resource twice or not at all.
func checkResourceKey(check *settings.Check, key string) {
	const field = "Resource.Attributes"
	switch {
	case strings.TrimSpace(key) == "":
		check.Fail(field, fmt.Sprintf("%.100q", key), "is an empty name: leave it out")
	case key == nameServiceName:
		check.Fail(field, fmt.Sprintf("%q", key), "has a field of its own: set Resource.ServiceName")
	case key == nameServiceVersion:
		check.Fail(field, fmt.Sprintf("%q", key), "has a field of its own: set Resource.ServiceVersion")
	default:
		checkText(check, field, key)
	}
}

// checkText refuses what protobuf cannot carry.
func checkText(check *settings.Check, field, text string) {
	if !utf8.ValidString(text) {
		check.Fail(field, fmt.Sprintf("%.100q", text), "is not UTF-8: OTLP carries nothing else")
	}
}
