package pubsub

import (
	"fmt"
	"math"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
)

// codec hands responses over as bytes and takes requests as bytes. It is forced on
// the calls of this package alone; the name keeps the content type that every
// server knows.
type codec struct{}

var raw = grpc.ForceCodecV2(codec{})

func (codec) Name() string { return "proto" }

func (codec) Marshal(v any) (mem.BufferSlice, error) {
	switch m := v.(type) {
	case *request:
		m.body.Ref()
		return mem.BufferSlice{m.body}, nil
	case proto.Message:
		b, err := proto.Marshal(m)
		return mem.BufferSlice{mem.SliceBuffer(b)}, err
	}
	return nil, fmt.Errorf("pubsub: %T is no request", v)
}

func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	switch m := v.(type) {
	case *frame:
		if data.Len() > math.MaxUint32 {
			return errMalformed
		}
		m.raw = borrow(data.Len()) // gRPC's own buffers are many times as large
		data.CopyTo(m.raw)
		return nil
	case *empty:
		return nil
	}
	return fmt.Errorf("pubsub: %T is no response", v)
}

// empty is a response that says no more than that it came.
type empty struct{}
