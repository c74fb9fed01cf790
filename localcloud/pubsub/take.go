package pubsub

import (
	"container/heap"
	"context"
	"encoding/json"
	"slices"
	"time"
)

// The bounds of one response.
const (
	responseMessages = 1000
	responseBytes    = 1 << 20
)

// lot is what one take got: messages under lease, messages whose attempts are used
// up, and, when there are none of either, when to look again at the latest.
type lot struct {
	leased  []delivery
	dead    []*entry
	changed <-chan struct{}
	next    time.Time // zero: nothing is timed
}

type delivery struct {
	payload  *payload
	lease    int64
	attempts int32
}

// take leases up to n messages to f until the deadline has passed. While it reads
// the file the mutex is free, so that nobody waits for the disk but other takers.
func (q *subscription) take(ctx context.Context, f *flow, n int, deadline time.Duration) (lot, error) {
	q.turn.Lock()
	defer q.turn.Unlock()
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.store.now()
	q.advance(now)
	l := lot{changed: q.changed} // before the mutex is let go of: what comes meanwhile wakes
	bytes := 0
	give := func(e *entry, p *payload) {
		e.lease, e.attempts = q.leases.Add(1), e.attempts+1
		e.state, e.at, e.flow, e.size, e.payload = leased, now.Add(deadline), f, p.size(), nil
		heap.Push(&q.timed, e)
		f.messages++
		f.bytes += int64(e.size)
		bytes += e.size
		l.leased = append(l.leased, delivery{p, e.lease, e.attempts})
	}
	room := func() bool { return len(l.leased) < n && bytes < responseBytes && f.open() }

	if err := q.takeAgain(ctx, &l, now, n, room, give); err != nil {
		return l, err
	}
	for room() && len(q.timed)+len(q.again) < maxUnsettled {
		if len(q.fresh) == 0 {
			if err := q.load(ctx, now); err != nil {
				return l, err
			}
			if len(q.fresh) == 0 {
				break
			}
		}
		if !q.takeFresh(q.horizon(now), room, give) {
			break
		}
	}
	if len(q.timed) > 0 {
		l.next = q.timed[0].at
	}
	return l, nil
}

// advance ends the leases and the waits whose time has come.
func (q *subscription) advance(now time.Time) {
	for len(q.timed) > 0 && !q.timed[0].at.After(now) {
		e := q.timed[0]
		if e.state == leased {
			q.handBack(e, now)
			continue
		}
		heap.Pop(&q.timed)
		e.state = again
		q.again = append(q.again, e)
	}
}

// takeAgain gives what has been delivered before. Its payloads are read anew.
func (q *subscription) takeAgain(ctx context.Context, l *lot, now time.Time, n int, room func() bool, give func(*entry, *payload)) error {
	for room() && len(q.again) > 0 {
		var ids []int64
		size := 0
		some := q.again[:min(len(q.again), n, windowMessages)]
		for i, e := range some {
			if size >= responseBytes {
				some = some[:i]
				break
			}
			if e.state == again {
				ids, size = append(ids, e.id), size+e.size
			}
		}
		slices.Sort(ids)
		list, _ := json.Marshal(ids)
		epoch := q.epoch
		q.mu.Unlock()
		found, err := q.store.payloads(ctx, q.store.selectAgain, 0, q.id, string(list))
		q.mu.Lock()
		if err != nil || q.epoch != epoch {
			return err
		}
		payloads := make(map[int64]*payload, len(ids))
		for _, id := range ids {
			payloads[id] = nil
		}
		for _, p := range found {
			payloads[p.id] = p
		}
		taken := 0
		for _, e := range some {
			if !room() {
				break
			}
			taken++
			p, asked := payloads[e.id]
			if e.state != again || !asked {
				continue // acknowledged meanwhile
			}
			switch {
			case p == nil || e.id < q.horizon(now): // retention took it
				q.settle(e)
			case q.exhausted(e):
				e.state, e.payload = leased, p
				e.at = now.Add(time.Minute) // should burying it fail
				heap.Push(&q.timed, e)
				l.dead = append(l.dead, e)
			default:
				give(e, p)
			}
		}
		q.again = slices.Delete(q.again, 0, taken)
	}
	return nil
}

// takeFresh gives from the window; false when nothing of it may go now.
func (q *subscription) takeFresh(horizon int64, room func() bool, give func(*entry, *payload)) bool {
	kept, gave := q.fresh[:0:0], false
	i := 0
	for ; i < len(q.fresh) && room(); i++ {
		e := q.fresh[i]
		switch {
		case e.state != fresh:
		case e.id < horizon:
			q.settle(e)
		case e.key != "" && q.busy[e.key]:
			kept = append(kept, e)
		default:
			if e.key != "" {
				q.busy[e.key] = true
			}
			give(e, e.payload)
			gave = true
		}
	}
	if len(kept) == 0 {
		clear(q.fresh[:i])
		q.fresh = q.fresh[i:]
		return gave || len(q.fresh) == 0
	}
	q.fresh = append(kept, q.fresh[i:]...)
	return gave
}

// load reads the next window.
func (q *subscription) load(ctx context.Context, now time.Time) error {
	if !q.more {
		return nil
	}
	q.more = false // unless somebody publishes meanwhile
	epoch, after := q.epoch, max(q.cursor, q.horizon(now)-1)
	q.mu.Unlock()
	found, err := q.store.payloads(ctx, q.store.selectPending, windowBytes, q.id, after, windowMessages)
	q.mu.Lock()
	if q.epoch != epoch {
		return err
	}
	q.more = q.more || err != nil || len(found) > 0
	if err != nil {
		return err
	}
	for _, p := range found {
		q.cursor = p.id
		q.seq++
		e := &entry{id: p.id, seq: q.seq, state: fresh, payload: p}
		if q.config.Load().GetEnableMessageOrdering() {
			e.key = p.key
		}
		q.entries[e.id] = e
		q.fresh = append(q.fresh, e)
	}
	return nil
}
