package pubsub

import (
	"sync"
	"time"

	"iotbridge/ingest"
)

// A request waits for so many ids, or so long, before it is sent.
const (
	enoughIDs = 1000
	linger    = 10 * time.Millisecond
)

// outbox gathers the settlements of one kind into requests.
type outbox struct {
	call call

	mu    *sync.Mutex // Source.mu
	queue []*request  // the last one is still gathered
	wake  chan struct{}
}

func newOutbox(mu *sync.Mutex, c call) *outbox {
	return &outbox{call: c, mu: mu, wake: make(chan struct{}, 1)}
}

// add is called with mu held.
func (o *outbox) add(id []byte, size int, lease time.Time) {
	if n := len(o.queue); n == 0 || o.queue[n-1].full(id) {
		o.queue = append(o.queue, o.call.request())
	}
	r := o.queue[len(o.queue)-1]
	r.add(id)
	r.bytes += size
	if lease.After(r.until) {
		r.until = lease
	}
}

func (o *outbox) poke() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// take waits for a request worth sending; nil when closing and none is left.
func (o *outbox) take(closing <-chan struct{}) *request {
	closed := false
	for {
		r, wait := o.due(closed)
		if r != nil || closed && wait < 0 {
			return r
		}
		var timer <-chan time.Time
		if wait >= 0 {
			timer = time.After(wait)
		}
		select {
		case <-timer:
		case <-o.wake:
		case <-closing:
			closed = true
		}
	}
}

// due returns the request to send now, or how long to wait for it; a negative
// wait says that there is none.
func (o *outbox) due(now bool) (*request, time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.queue) == 0 {
		return nil, -1
	}
	r := o.queue[0]
	if wait := linger - time.Since(r.first); !now && wait > 0 && len(o.queue) == 1 && r.ids < enoughIDs {
		return nil, wait
	}
	o.queue[0] = nil
	if o.queue = o.queue[1:]; len(o.queue) > 0 {
		o.poke() // another goroutine may take the next
	}
	r.seal()
	return r, 0
}

// settle puts messages into an outbox, each once.
func (s *Source) settle(o *outbox, receipts []ingest.Receipt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range receipts {
		f := r.Delivery.(*frame)
		if i := int(r.Index); f.settle(i) {
			m := f.message(i)
			o.add(ackID(m), len(m), f.lease)
		}
		if f.left == 0 && f.place != nil {
			s.open.Remove(f.place)
			giveBack(f.raw)
			f.place, f.raw = nil, nil
		}
	}
	o.poke()
}
