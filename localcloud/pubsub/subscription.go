package pubsub

import (
	"container/heap"
	"sync"
	"sync/atomic"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
)

// The bounds of what a subscription keeps in memory.
const (
	windowMessages = 1000    // loaded at once, never delivered
	windowBytes    = 4 << 20 // of them
	maxUnsettled   = 200_000 // delivered and not acknowledged; then it waits
)

type state uint8

const (
	fresh   state = iota // loaded, never delivered
	leased               // with a subscriber until its deadline
	backoff              // handed back or expired, and waiting for the retry policy
	again                // to be delivered again
	settled              // acknowledged: whoever still holds it drops it
)

// entry is one message of one subscription, from its loading to its
// acknowledgement. The payload is kept only until it is delivered.
type entry struct {
	id       int64
	seq      int64 // its place in the order of loading: neighbours have no message between them
	state    state
	at       time.Time // leased: the deadline; backoff: when it may go
	place    int       // in timed
	lease    int64     // the number of the newest lease
	attempts int32
	key      string // the ordering key, where order is kept
	size     int
	flow     *flow // who holds the lease
	payload  *payload
}

// flow is the credit of one stream. The subscription's mutex guards it.
type flow struct {
	maxMessages, maxBytes int64 // 0: no bound
	messages, bytes       int64
}

func (f *flow) open() bool {
	return (f.maxMessages <= 0 || f.messages < f.maxMessages) && (f.maxBytes <= 0 || f.bytes < f.maxBytes)
}

// subscription is the part of one subscription that lives in memory: a window on
// what is pending in the file, and the leases.
type subscription struct {
	id, topic int64
	created   int64
	name      string
	store     *store
	leases    *atomic.Int64 // the server's counter of leases
	gone      chan struct{} // closed when it is deleted

	config  atomic.Pointer[pubsubpb.Subscription] // replaced, never changed
	unacked atomic.Int64
	turn    sync.Mutex // one reads the file for deliveries; taken before mu

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when there may be something to deliver
	entries map[int64]*entry
	fresh   []*entry
	again   []*entry
	timed   timed
	busy    map[string]bool // ordering keys with a message under way
	cursor  int64           // the newest id loaded
	seq     int64
	more    bool  // the file may hold pending messages past the cursor
	since   int64 // leases up to this one ended by a seek
	epoch   int   // counts the resets
}

func newSubscription(id, topic, created int64, config *pubsubpb.Subscription, st *store, leases *atomic.Int64) *subscription {
	q := &subscription{
		id: id, topic: topic, created: created, name: config.Name, store: st, leases: leases,
		gone: make(chan struct{}), changed: make(chan struct{}),
	}
	q.config.Store(config)
	q.reset()
	return q
}

// reset forgets the window and ends every lease: all that is pending will be loaded anew.
func (q *subscription) reset() {
	for _, e := range q.entries {
		q.release(e)
	}
	q.entries, q.busy = map[int64]*entry{}, map[string]bool{}
	q.fresh, q.again, q.timed = nil, nil, nil
	q.cursor, q.more, q.epoch = 0, true, q.epoch+1
	q.wake()
}

// wake tells those who wait that they should look again. The mutex is held.
func (q *subscription) wake() {
	close(q.changed)
	q.changed = make(chan struct{})
}

// published says that n messages were committed.
func (q *subscription) published(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.unacked.Add(int64(n))
	q.more = true
	q.wake()
}

// horizon is the oldest id that retention has left.
func (q *subscription) horizon(now time.Time) int64 {
	return now.Add(-q.config.Load().GetMessageRetentionDuration().AsDuration()).UnixMicro()
}

// release gives the credit of a lease back.
func (q *subscription) release(e *entry) {
	if e.flow != nil {
		e.flow.messages--
		e.flow.bytes -= int64(e.size)
		e.flow = nil
	}
}

// settle takes an entry out of memory. The mutex is held, as for the rest here.
func (q *subscription) settle(e *entry) {
	if e.state == leased || e.state == backoff {
		heap.Remove(&q.timed, e.place)
	}
	if e.key != "" && e.state != fresh {
		delete(q.busy, e.key)
	}
	q.release(e)
	e.state, e.payload = settled, nil
	delete(q.entries, e.id)
}

// handBack ends a lease without an acknowledgement: the message goes again, after
// the retry policy's time.
func (q *subscription) handBack(e *entry, now time.Time) {
	if e.state == leased {
		heap.Remove(&q.timed, e.place)
	}
	q.release(e)
	if wait := q.retryAfter(e.attempts); wait > 0 {
		e.state, e.at = backoff, now.Add(wait)
		heap.Push(&q.timed, e)
		return
	}
	e.state = again
	q.again = append(q.again, e)
}

func (q *subscription) retryAfter(attempts int32) time.Duration {
	p := q.config.Load().GetRetryPolicy()
	if p == nil {
		return 0
	}
	low, high := p.GetMinimumBackoff().AsDuration(), p.GetMaximumBackoff().AsDuration()
	return min(low<<min(max(attempts-1, 0), 10), high)
}

// timed is a heap of entries by the time at which something happens to them.
type timed []*entry

func (h timed) Len() int           { return len(h) }
func (h timed) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h timed) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

func (h *timed) Push(x any) {
	e := x.(*entry)
	e.place = len(*h)
	*h = append(*h, e)
}

func (h *timed) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return e
}
