package pubsub

import (
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"iotbridge/gateway"
)

// What one request may carry, with room for what the service counts and we do not.
// https://cloud.google.com/pubsub/quotas#resource_limits
const (
	maxMessages = 1000
	maxBytes    = 9 << 20
)

// The fields of google.pubsub.v1's PublishRequest, PubsubMessage and of a map's entry.
const (
	fieldTopic      protowire.Number = 1
	fieldMessages   protowire.Number = 2
	fieldData       protowire.Number = 1
	fieldAttributes protowire.Number = 2
	fieldKey        protowire.Number = 1
	fieldValue      protowire.Number = 2
)

// batch is a request in the making: its bytes, and who waits for the answer.
type batch struct {
	lane  *lane
	wire  []byte
	done  []func(error)
	size  int       // of its messages
	until time.Time // when it is given up
}

func newBatch(l *lane, size int) *batch {
	b := &batch{lane: l, until: time.Now().Add(l.publisher.GiveUp)}
	b.wire = appendString(make([]byte, 0, size), fieldTopic, l.topic)
	return b
}

func (b *batch) fits(size int) bool {
	return len(b.done) < maxMessages && len(b.wire)+size <= maxBytes
}

func (b *batch) add(size int, attributes []gateway.Attribute, data []byte, done func(error)) {
	b.wire = appendMessage(b.wire, size, attributes, data)
	b.done = append(b.done, done)
	b.size += size
}

// messageSize is the length of a PubsubMessage.
func messageSize(attributes []gateway.Attribute, data []byte) int {
	n := 0
	if len(data) > 0 {
		n = 1 + protowire.SizeBytes(len(data))
	}
	for _, a := range attributes {
		n += 1 + protowire.SizeBytes(entrySize(a))
	}
	return n
}

func entrySize(a gateway.Attribute) int {
	return 2 + protowire.SizeBytes(len(a.Key)) + protowire.SizeBytes(len(a.Value))
}

func appendMessage(b []byte, size int, attributes []gateway.Attribute, data []byte) []byte {
	b = appendHead(b, fieldMessages, size)
	if len(data) > 0 {
		b = append(appendHead(b, fieldData, len(data)), data...)
	}
	for _, a := range attributes {
		b = appendHead(b, fieldAttributes, entrySize(a))
		b = appendString(b, fieldKey, a.Key)
		b = appendString(b, fieldValue, a.Value)
	}
	return b
}

func appendHead(b []byte, field protowire.Number, size int) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.BytesType), uint64(size))
}

func appendString(b []byte, field protowire.Number, v string) []byte {
	return append(appendHead(b, field, len(v)), v...)
}
