package otlp

import (
	collogpb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/grpc/encoding"
	grpcproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/auditstream/auditstream/sink/internal/httpsend"
)

// codec is gRPC's own codec for protobuf, but for two things: it has an encoder of its own for requests, and answers that
// are not protobuf become the empty answer. What counts is the status that follows. The codec's error would make a retry
// of a request that the server has taken.
type codec struct{ encoding.CodecV2 }

func newCodec() encoding.CodecV2 {
	return codec{encoding.GetCodecV2(grpcproto.Name)}
}

// Marshal encodes a request.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	request, ok := v.(*collogpb.ExportLogsServiceRequest)
	if !ok {
		return c.CodecV2.Marshal(v)
	}
	buf := httpsend.GetBody()
	encoded, ok := encodeRequest(*buf, request)
	*buf = encoded
	if !ok {
		httpsend.PutBody(buf)
		return c.CodecV2.Marshal(v)
	}
	return mem.BufferSlice{mem.NewBuffer(buf, bodyPool{})}, nil
}

// Unmarshal decodes an answer.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	err := c.CodecV2.Unmarshal(data, v)
	if m, ok := v.(proto.Message); ok && err != nil {
		proto.Reset(m)
		return nil
	}
	return err
}

// bodyPool takes back the buffers of requests, when the transport has written or given up the last part of them.
type bodyPool struct{}

// Get implements [mem.BufferPool]. Nobody calls it.
func (bodyPool) Get(length int) *[]byte {
	buf := make([]byte, length)
	return &buf
}

// Put implements [mem.BufferPool].
func (bodyPool) Put(buf *[]byte) { httpsend.PutBody(buf) }
