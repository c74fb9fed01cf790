package pubsub

import (
	"math"

	"iotbridge/schema"
)

// Fields of StreamingPullResponse, ReceivedMessage and PubsubMessage.
const (
	responseMessages   = 1<<3 | typeBytes
	responseProperties = 4<<3 | typeBytes
	propertyOnce       = 1<<3 | typeVarint

	receivedAckID   = 1<<3 | typeBytes
	receivedMessage = 2<<3 | typeBytes
	receivedAttempt = 3<<3 | typeVarint

	messageData       = 1<<3 | typeBytes
	messageAttributes = 2<<3 | typeBytes
	messageID         = 3<<3 | typeBytes
	messagePublished  = 4<<3 | typeBytes
)

// check reports whether decode can read a ReceivedMessage and settle it. published is
// in microseconds; the largest number when the message does not say.
func check(b []byte) (attempt int32, published int64, ok bool) {
	id := false
	published = math.MaxInt64
	for i := 0; i < len(b); {
		key, from, to := field(b, i)
		if to < 0 {
			return 0, 0, false
		}
		switch key {
		case receivedAckID:
			id = from < to
		case receivedMessage:
			at, ok := checkMessage(b[from:to])
			if !ok {
				return 0, 0, false
			}
			published = at
		case receivedAttempt:
			attempt = int32(varint(b, from))
		}
		i = to
	}
	return attempt, published, id
}

func checkMessage(b []byte) (published int64, ok bool) {
	published = math.MaxInt64
	for i := 0; i < len(b); {
		key, from, to := field(b, i)
		if to < 0 {
			return 0, false
		}
		ok := true
		switch key {
		case messageAttributes:
			_, _, ok = entry(b[from:to])
		case messagePublished:
			published, ok = micros(b[from:to])
		}
		if !ok {
			return 0, false
		}
		i = to
	}
	return published, true
}

// decode reads a ReceivedMessage that check has passed. Where a field that is not
// repeated is repeated, the last one counts.
func decode(b []byte, m *schema.Message) {
	*m = schema.Message{Attributes: m.Attributes[:0]}
	for i := 0; i < len(b); {
		key, from, to := field(b, i)
		switch key {
		case receivedMessage:
			decodeMessage(b[from:to], m)
		case receivedAttempt:
			m.Attempt = int32(varint(b, from))
		}
		i = to
	}
}

func decodeMessage(b []byte, m *schema.Message) {
	attributes := m.Attributes
	for i := 0; i < len(b); {
		key, from, to := field(b, i)
		switch key {
		case messageData:
			m.Data = b[from:to:to]
		case messageAttributes:
			k, v, _ := entry(b[from:to])
			attributes = append(attributes, schema.Attribute{Key: k, Value: v})
		case messageID:
			m.ID = b[from:to:to]
		case messagePublished:
			m.PublishTime, _ = micros(b[from:to])
		}
		i = to
	}
	m.Attributes = attributes
}

// ackID finds the ack id of a ReceivedMessage; it is its first field wherever an
// encoder is at work.
func ackID(b []byte) []byte {
	for i := 0; i < len(b); {
		key, from, to := field(b, i)
		if to < 0 {
			return nil
		}
		if key == receivedAckID {
			return b[from:to:to]
		}
		i = to
	}
	return nil
}
