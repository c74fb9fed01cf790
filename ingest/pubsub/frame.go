package pubsub

import (
	"container/list"
	"errors"
	"iter"
	"sync"
	"time"

	"iotbridge/ingest"
	"iotbridge/schema"
)

// errMalformed ends a stream whose answer is no StreamingPullResponse.
var errMalformed = errors.New("a response of the subscription is malformed")

// frame is one StreamingPullResponse as it came, and so a delivery: it owns its
// bytes until the last message is settled, and messages are read out of them each
// time they are asked for.
type frame struct {
	raw         []byte
	spans       []span // of the messages; immutable
	bytes       int    // of the messages
	exactlyOnce bool   // the subscription says so
	redelivered int    // messages that the service counts as a repetition

	// Guarded by Source.mu.
	settled  []uint64 // a bit a message
	left     int      // not yet settled
	received time.Time
	lease    time.Time // when it ends, if it is not extended
	place    *list.Element
}

// span is where a ReceivedMessage lies in a frame.
type span struct{ from, to uint32 }

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

var scratch = sync.Pool{New: func() any { return new(schema.Message) }}

// parse finds the messages and proves that each can be read, so that reading them
// later cannot fail.
func (f *frame) parse() error {
	for i := 0; i < len(f.raw); {
		key, from, to := field(f.raw, i)
		if to < 0 {
			return errMalformed
		}
		switch content := f.raw[from:to]; key {
		case responseMessages:
			attempt, ok := check(content)
			if !ok {
				return errMalformed
			}
			if f.spans == nil { // the first one tells about how many there are
				f.spans = make([]span, 0, min((len(f.raw)-i)/(to-i)+1, 1024))
			}
			f.spans = append(f.spans, span{uint32(from), uint32(to)})
			f.bytes += len(content)
			if attempt > 1 {
				f.redelivered++
			}
		case responseProperties:
			if !f.properties(content) {
				return errMalformed
			}
		}
		i = to
	}
	f.left = len(f.spans)
	f.settled = make([]uint64, (f.left+63)/64)
	return nil
}

func (f *frame) properties(b []byte) bool {
	for i := 0; i < len(b); {
		key, from, to := field(b, i)
		if to < 0 {
			return false
		}
		if key == propertyOnce {
			f.exactlyOnce = varint(b, from) != 0
		}
		i = to
	}
	return true
}

func (f *frame) message(i int) []byte { return f.raw[f.spans[i].from:f.spans[i].to] }

// Len is how many messages arrived together.
func (f *frame) Len() int { return len(f.spans) }

// Messages yields them, each in the same place.
func (f *frame) Messages() iter.Seq2[int, *schema.Message] {
	return func(yield func(int, *schema.Message) bool) {
		m := scratch.Get().(*schema.Message)
		defer release(m)
		for i := range f.spans {
			decode(f.message(i), m)
			if !yield(i, m) {
				return
			}
		}
	}
}

// Message is one of them.
func (f *frame) Message(i int) schema.Message {
	var m schema.Message
	decode(f.message(i), &m)
	return m
}

func release(m *schema.Message) {
	clear(m.Attributes[:cap(m.Attributes)]) // a scratch message keeps no frame alive
	*m = schema.Message{Attributes: m.Attributes[:0]}
	scratch.Put(m)
}

// check reports whether decode can read a ReceivedMessage and settle it.
func check(b []byte) (attempt int32, ok bool) {
	id := false
	for i := 0; i < len(b); {
		key, from, to := field(b, i)
		if to < 0 {
			return 0, false
		}
		switch key {
		case receivedAckID:
			id = from < to
		case receivedMessage:
			if !checkMessage(b[from:to]) {
				return 0, false
			}
		case receivedAttempt:
			attempt = int32(varint(b, from))
		}
		i = to
	}
	return attempt, id
}

func checkMessage(b []byte) bool {
	for i := 0; i < len(b); {
		key, from, to := field(b, i)
		if to < 0 {
			return false
		}
		ok := true
		switch key {
		case messageAttributes:
			_, _, ok = entry(b[from:to])
		case messagePublished:
			_, ok = micros(b[from:to])
		}
		if !ok {
			return false
		}
		i = to
	}
	return true
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

// settle marks message i; it reports whether that is news.
func (f *frame) settle(i int) bool {
	if bit := uint64(1) << (i % 64); f.settled[i/64]&bit == 0 {
		f.settled[i/64] |= bit
		f.left--
		return true
	}
	return false
}

// isOpen reports whether message i waits to be settled.
func (f *frame) isOpen(i int) bool { return f.settled[i/64]&(1<<(i%64)) == 0 }

var _ ingest.Delivery = (*frame)(nil)
