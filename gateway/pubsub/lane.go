package pubsub

import (
	"time"

	"iotbridge/gateway"
)

const (
	slots = 16                   // requests under way to one topic
	every = 5 * time.Millisecond // what has gathered is sent
)

// lane is the way to one topic. The publisher's mutex guards it.
type lane struct {
	publisher       *Publisher
	topic           string
	batches         []*batch // that wait for a slot; the last one grows
	busy            int      // slots taken
	messages, bytes int      // outstanding
	last            int      // bytes of the batch before
}

func (l *lane) book(messages, bytes int) {
	l.messages += messages
	l.bytes += bytes
	l.publisher.messages += messages
	l.publisher.bytes += bytes
}

// add puts a message of so many bytes into the batch that grows.
func (l *lane) add(size int, attributes []gateway.Attribute, data []byte, done func(error)) {
	if n := len(l.batches); n == 0 || !l.batches[n-1].fits(size) {
		l.batches = append(l.batches, newBatch(l, l.last))
	}
	l.batches[len(l.batches)-1].add(size, attributes, data, done)
}

// take appends the batches that have a slot now.
func (l *lane) take(ready []*batch) []*batch {
	n := min(slots-l.busy, len(l.batches))
	if n == 0 {
		return ready
	}
	ready = append(ready, l.batches[:n]...)
	l.last = len(l.batches[n-1].wire)
	l.batches = append(l.batches[:0:0], l.batches[n:]...)
	l.busy += n
	return ready
}

// settled takes the slot and the room of b back. An idle lane is forgotten.
func (l *lane) settled(b *batch) {
	l.busy--
	l.book(-len(b.done), -b.size)
	if l.messages == 0 {
		delete(l.publisher.lanes, l.topic)
	}
}
