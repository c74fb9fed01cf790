package pubsub

import (
	"container/list"
	"errors"
	"iter"
	"math"
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
	published   int64  // µs, when the first one was; the largest number when none says so
	exactlyOnce bool   // the subscription says so
	redelivered int    // messages that the service counts as a repetition

	// Guarded by Source.mu.
	settled  []uint64 // a bit a message
	left     int      // not yet settled
	received time.Time
	lease    time.Time // when it ends, if it is not extended
	due      time.Time // when to extend it
	place    *list.Element
}

// span is where a ReceivedMessage lies in a frame.
type span struct{ from, to uint32 }

var scratch = sync.Pool{New: func() any { return new(schema.Message) }}

// parse finds the messages and proves that each can be read, so that reading them
// later cannot fail.
func (f *frame) parse() error {
	f.published = math.MaxInt64
	for i := 0; i < len(f.raw); {
		key, from, to := field(f.raw, i)
		if to < 0 {
			return errMalformed
		}
		switch content := f.raw[from:to]; key {
		case responseMessages:
			attempt, at, ok := check(content)
			if !ok {
				return errMalformed
			}
			f.published = min(f.published, at)
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
