package server

import (
	"context"
	"fmt"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
)

// ExportMethod is the full name of the one method that log records are sent by.
const ExportMethod = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"

// logsService is OTLP's, without its messages: a request is a Frame, and the answer has no bytes.
var logsService = grpc.ServiceDesc{
	ServiceName: "opentelemetry.proto.collector.logs.v1.LogsService",
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{
		MethodName: "Export",
		Handler: func(srv any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			s := srv.(*Server)
			request := Frame{keep: s.options.Keep != nil || s.checker != nil}
			if err := decode(&request); err != nil {
				return nil, err
			}
			if !s.account(ctx, FormOTLP, int64(request.size), request.Bytes) {
				return nil, status.Error(codes.Unavailable, "dead")
			}
			return &Frame{}, nil
		},
	}},
}

// Frame is a message that nobody decodes.
type Frame struct {
	Bytes []byte

	keep bool
	size int
}

// Codec carries Frames: its end of a connection spends nothing on protobuf.
type Codec struct{}

// Name is that of the codec which it stands in for.
func (Codec) Name() string { return "proto" }

// Marshal returns the bytes of a Frame.
func (Codec) Marshal(v any) (mem.BufferSlice, error) {
	f, ok := v.(*Frame)
	if !ok {
		return nil, fmt.Errorf("%T is no frame", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(f.Bytes)}, nil
}

// Unmarshal notes the size of a message, and its bytes if they are wanted.
func (Codec) Unmarshal(data mem.BufferSlice, v any) error {
	f, ok := v.(*Frame)
	if !ok {
		return fmt.Errorf("%T is no frame", v)
	}
	f.size = data.Len()
	if f.keep {
		f.Bytes = data.Materialize()
	}
	return nil
}

// AsSent makes gRPC of this process leave messages as they are that say they are compressed: the server then sees the
// bytes of the wire and spends nothing on inflating them, and a client can send what is compressed already. It must not
// be called in a process that compresses by gRPC's own "gzip", nor after the first call.
func AsSent() { encoding.RegisterCompressor(asSent{}) }

type asSent struct{}

func (asSent) Name() string { return "gzip" }

func (asSent) Compress(w io.Writer) (io.WriteCloser, error) { return nopCloser{w}, nil }

func (asSent) Decompress(r io.Reader) (io.Reader, error) { return r, nil }

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }
