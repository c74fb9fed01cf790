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
// bytes, and messages are read out of them each time they are asked for.
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

// Fields of StreamingPullResponse, ReceivedMessage, PubsubMessage.
const (
	responseMessages   = 1
	responseProperties = 4
	propertyOnce       = 1

	receivedAckID   = 1
	receivedMessage = 2
	receivedAttempt = 3

	messageData       = 1
	messageAttributes = 2
	messageID         = 3
	messagePublished  = 4
)

var scratch = sync.Pool{New: func() any { return new(schema.Message) }}

// parse finds the messages and proves that each can be read, so that reading them
// later cannot fail.
func (f *frame) parse() error {
	m := scratch.Get().(*schema.Message)
	defer release(m)
	c := cursor{rest: f.raw}
	for c.next() {
		switch {
		case c.bytes == nil:
		case c.num == responseMessages:
			to := len(f.raw) - len(c.rest)
			if !decode(c.bytes, m) || len(ackID(c.bytes)) == 0 {
				return errMalformed
			}
			f.spans = append(f.spans, span{uint32(to - len(c.bytes)), uint32(to)})
			f.bytes += len(c.bytes)
			if m.Attempt > 1 {
				f.redelivered++
			}
		case c.num == responseProperties:
			p := cursor{rest: c.bytes}
			for p.next() {
				f.exactlyOnce = f.exactlyOnce || p.num == propertyOnce && p.value != 0
			}
		}
	}
	if c.bad {
		return errMalformed
	}
	f.left = len(f.spans)
	f.settled = make([]uint64, (f.left+63)/64)
	return nil
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

// decode reads a ReceivedMessage. Where a field that is not repeated is repeated,
// the last one counts.
func decode(b []byte, m *schema.Message) bool {
	*m = schema.Message{Attributes: m.Attributes[:0]}
	ok := true
	c := cursor{rest: b}
	for c.next() {
		switch {
		case c.num == receivedMessage && c.bytes != nil:
			ok = ok && decodeMessage(c.bytes, m)
		case c.num == receivedAttempt && c.bytes == nil:
			m.Attempt = int32(c.value)
		}
	}
	return ok && !c.bad
}

func decodeMessage(b []byte, m *schema.Message) bool {
	c := cursor{rest: b}
	for c.next() {
		if c.bytes == nil {
			continue
		}
		switch c.num {
		case messageData:
			m.Data = c.bytes
		case messageAttributes:
			key, value, ok := entry(c.bytes)
			if !ok {
				return false
			}
			m.Attributes = append(m.Attributes, schema.Attribute{Key: key, Value: value})
		case messageID:
			m.ID = c.bytes
		case messagePublished:
			t, ok := micros(c.bytes)
			if !ok {
				return false
			}
			m.PublishTime = t
		}
	}
	return !c.bad
}

// ackID finds the ack id of a ReceivedMessage; it is its first field wherever an
// encoder is at work.
func ackID(b []byte) []byte {
	c := cursor{rest: b}
	for c.next() {
		if c.num == receivedAckID && c.bytes != nil {
			return c.bytes
		}
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
