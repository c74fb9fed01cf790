package pubsub

import (
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// codec takes requests as bytes and counts the ids of responses. It is forced on
// Publish alone; the name keeps the content type that every server knows.
type codec struct{}

var raw = grpc.ForceCodecV2(codec{})

func (codec) Name() string { return "proto" }

func (codec) Marshal(v any) (mem.BufferSlice, error) {
	b, ok := v.(*batch)
	if !ok {
		return nil, fmt.Errorf("pubsub: %T is no batch", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(b.wire)}, nil
}

func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	ids, ok := v.(*published)
	if !ok {
		return fmt.Errorf("pubsub: %T is no response", v)
	}
	return ids.count(data.Materialize())
}

// published is how many message ids a PublishResponse has.
type published int

func (n *published) count(b []byte) error {
	const messageIDs = 1
	for *n = 0; len(b) > 0; {
		field, kind, size := protowire.ConsumeField(b)
		if size < 0 {
			return protowire.ParseError(size)
		}
		if field == messageIDs && kind == protowire.BytesType {
			*n++
		}
		b = b[size:]
	}
	return nil
}
