package otlp

import (
	"errors"

	"google.golang.org/protobuf/encoding/protowire"
)

var errWire = errors.New("otlp: the exporter's request is not an ExportLogsServiceRequest")

// replaceResource appends request to dst, with the resource of every ResourceLogs replaced and its schema URL left out.
// The SDK merges OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME into every resource it is given, and over HTTP its
// exporter hands out nothing but the finished bytes.
func replaceResource(dst, request, resource []byte) ([]byte, error) {
	for len(request) > 0 {
		number, kind, n := protowire.ConsumeTag(request)
		if n < 0 || number != fieldResourceLogs || kind != protowire.BytesType {
			return nil, errWire
		}
		logs, m := protowire.ConsumeBytes(request[n:])
		if m < 0 {
			return nil, errWire
		}
		request = request[n+m:]
		size, err := scopeLogs(logs, nil)
		if err != nil {
			return nil, err
		}
		dst = protowire.AppendTag(dst, fieldResourceLogs, protowire.BytesType)
		size += protowire.SizeTag(fieldResource) + protowire.SizeBytes(len(resource))
		dst = protowire.AppendVarint(dst, uint64(size)) //nolint:gosec // A size is not negative.
		dst = protowire.AppendTag(dst, fieldResource, protowire.BytesType)
		dst = protowire.AppendBytes(dst, resource)
		_, _ = scopeLogs(logs, func(field []byte) { dst = append(dst, field...) })
	}
	return dst, nil
}

// scopeLogs calls keep, unless it is nil, with each ScopeLogs field of a ResourceLogs, tag and length included, and
// returns their size.
func scopeLogs(logs []byte, keep func(field []byte)) (size int, err error) {
	for len(logs) > 0 {
		number, _, n := protowire.ConsumeField(logs)
		if n < 0 {
			return 0, errWire
		}
		if number == fieldScopeLogs {
			size += n
			if keep != nil {
				keep(logs[:n])
			}
		}
		logs = logs[n:]
	}
	return size, nil
}
