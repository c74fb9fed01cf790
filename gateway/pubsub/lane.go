package pubsub

import (
	"time"

	"iotbridge/gateway"
)

const (
	slots = 16                   // requests under way to one topic
	delay = 5 * time.Millisecond // how long a batch with a slot waits for more
)

// lane is the way to one topic. The publisher's mutex guards it.
type lane struct {
	publisher       *Publisher
	topic           string
	open            *batch   // grows; nil: empty
	full            []*batch // no slot is free
	aged            bool     // open is to be sent as soon as a slot is free
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

// add puts a message of so many bytes into the open batch.
func (l *lane) add(size int, attributes []gateway.Attribute, data []byte, done func(error)) {
	if l.open != nil && !l.open.fits(size) {
		l.close()
		l.advance()
	}
	if l.open == nil {
		l.open = newBatch(l, l.last)
		l.open.timer = time.AfterFunc(delay, l.expire(l.open))
	}
	l.open.add(size, attributes, data, done)
}

// expire is due as its timer calls it.
func (l *lane) expire(b *batch) func() {
	return func() {
		l.publisher.mu.Lock()
		defer l.publisher.mu.Unlock()
		l.due(b)
	}
}

// due says that b has waited long enough, if it is open yet.
func (l *lane) due(b *batch) {
	if l.open == b && b != nil {
		l.aged = true
		l.advance()
	}
}

// close ends the open batch.
func (l *lane) close() {
	l.open.timer.Stop()
	l.last = len(l.open.wire)
	l.full = append(l.full, l.open)
	l.open, l.aged = nil, false
}

// advance gives the free slots to what waits for them.
func (l *lane) advance() {
	for l.busy < slots {
		if len(l.full) == 0 && l.aged {
			l.close()
		}
		if len(l.full) == 0 {
			return
		}
		l.busy++
		l.publisher.ready = append(l.publisher.ready, l.full[0])
		l.full = l.full[1:]
		l.publisher.nudge()
	}
}

// settled takes the slot and the room of b back. An idle lane is forgotten.
func (l *lane) settled(b *batch) {
	l.busy--
	l.book(-len(b.done), -b.size)
	l.advance()
	if l.messages == 0 {
		delete(l.publisher.lanes, l.topic)
		l.publisher.nudge()
	}
}
