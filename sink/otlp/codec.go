package otlp

import (
	"google.golang.org/grpc/encoding"
	grpcproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
)

// answerCodec is gRPC's own codec, but for answers that are not protobuf: they become the empty answer. What counts is
// the status that follows. The codec's error would make a retry of a request that the server has taken.
type answerCodec struct{ encoding.CodecV2 }

func newCodec() encoding.CodecV2 {
	return answerCodec{encoding.GetCodecV2(grpcproto.Name)}
}

// Unmarshal decodes an answer.
func (c answerCodec) Unmarshal(data mem.BufferSlice, v any) error {
	err := c.CodecV2.Unmarshal(data, v)
	if m, ok := v.(proto.Message); ok && err != nil {
		proto.Reset(m)
		return nil
	}
	return err
}
