package pubsub

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// An ack id names subscription, message and lease. Without exactly-once delivery
// the lease counts for nothing but a seek: a late ack is a good one, even after a
// restart. With it, only the newest lease may settle the message, and in time.
type ackID struct{ subscription, message, lease int64 }

func (a ackID) String() string {
	b := make([]byte, 0, 40)
	b = append(strconv.AppendInt(b, a.subscription, 36), '-')
	b = append(strconv.AppendInt(b, a.message, 36), '-')
	return string(strconv.AppendInt(b, a.lease, 36))
}

func (q *subscription) parse(id string) (a ackID, err error) {
	first, rest, _ := strings.Cut(id, "-")
	second, third, _ := strings.Cut(rest, "-")
	for _, part := range []struct {
		text string
		to   *int64
	}{{first, &a.subscription}, {second, &a.message}, {third, &a.lease}} {
		if *part.to, err = strconv.ParseInt(part.text, 36, 64); err != nil {
			break
		}
	}
	if err != nil || a.subscription != q.id || len(id) > 40 {
		return a, status.Errorf(codes.InvalidArgument,
			"You have passed an invalid ack ID to the service (ack_id=%s).", id[:min(len(id), 64)])
	}
	return a, nil
}

func (q *subscription) parseAll(ids []string) ([]ackID, error) {
	out := make([]ackID, len(ids))
	for i, id := range ids {
		a, err := q.parse(id)
		if err != nil {
			return nil, err
		}
		out[i] = a
	}
	return out, nil
}

// span is ids between which the subscription has no other pending message.
type span struct{ low, high int64 }

// acknowledge takes messages out of memory at once and out of the file with the
// writer's next transaction; settled then learns how many were pending. It returns
// the ids that exactly-once delivery refuses.
func (q *subscription) acknowledge(acks []ackID, now time.Time) (spans []span, taken []*entry, stale []ackID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.advance(now)
	exact := q.config.Load().GetEnableExactlyOnceDelivery()
	var unknown []int64
	for _, a := range acks {
		e := q.entries[a.message]
		switch {
		case exact && (e == nil || e.state != leased || e.lease != a.lease):
			stale = append(stale, a)
		case a.lease <= q.since: // from before a seek
		case e != nil:
			taken = append(taken, e)
			q.settle(e)
		case a.message > q.cursor:
			unknown = append(unknown, a.message)
		}
	}
	if len(taken) > 0 {
		q.wake()
	}
	slices.SortFunc(taken, func(a, b *entry) int { return cmp.Compare(a.seq, b.seq) })
	for i, e := range taken {
		if i > 0 && taken[i-1].seq+1 == e.seq {
			spans[len(spans)-1].high = e.id
			continue
		}
		spans = append(spans, span{e.id, e.id})
	}
	for _, id := range unknown {
		spans = append(spans, span{id, id})
	}
	return spans, taken, stale
}

// restore makes deliverable again what acknowledge took and the file did not.
func (q *subscription) restore(taken []*entry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, e := range taken {
		if q.entries[e.id] != nil {
			continue
		}
		q.entries[e.id], e.state = e, again
		if e.key != "" {
			q.busy[e.key] = true
		}
		q.again = append(q.again, e)
	}
	q.wake()
}

// modify moves deadlines; zero seconds hand the message back. It returns the ids
// that exactly-once delivery refuses.
func (q *subscription) modify(acks []ackID, seconds func(int) int32, now time.Time) (stale []ackID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.advance(now)
	returned := false
	for i, a := range acks {
		e := q.entries[a.message]
		if e == nil || e.state != leased || e.lease != a.lease {
			stale = append(stale, a)
			continue
		}
		if seconds(i) == 0 {
			q.handBack(e, now)
			returned = true
			continue
		}
		e.at = now.Add(time.Duration(seconds(i)) * time.Second)
		heap.Fix(&q.timed, e.place)
	}
	if returned {
		q.wake()
	}
	if !q.config.Load().GetEnableExactlyOnceDelivery() {
		return nil
	}
	return stale
}

// settle is an acknowledgement on its way: it returns when the change is queued,
// and done learns the verdict and the ids that were refused.
func (s *Server) settle(ctx context.Context, q *subscription, ids []string, done func(stale []ackID, err error)) error {
	acks, err := q.parseAll(ids)
	if err != nil {
		return err
	}
	spans, taken, stale := q.acknowledge(acks, s.now())
	if len(spans) == 0 {
		done(stale, nil)
		return nil
	}
	gone := int64(0)
	err = s.writer.send(ctx, change{
		apply: func() (err error) {
			gone, err = s.store.remove(q, spans, s.retains(q))
			return err
		},
		settled: func(err error) {
			if err != nil {
				q.restore(taken)
			} else {
				q.unacked.Add(-gone)
			}
			done(stale, err)
		},
	})
	if err != nil {
		q.restore(taken)
	}
	return err
}

// remove takes spans out of what is pending, and the messages themselves with
// their last subscription unless somebody keeps them for a seek.
func (st *store) remove(q *subscription, spans []span, keep bool) (gone int64, err error) {
	ctx := context.Background()
	for _, sp := range spans {
		if !keep {
			if _, err := st.forgetMessages.ExecContext(ctx, q.id, sp.low, sp.high, q.topic); err != nil {
				return 0, err
			}
		}
		r, err := st.deletePending.ExecContext(ctx, q.id, sp.low, sp.high)
		if err != nil {
			return 0, err
		}
		n, _ := r.RowsAffected()
		gone += n
	}
	return gone, nil
}

// errStale is how the service refuses ack ids of an exactly-once subscription.
func errStale(stale []ackID) error {
	if len(stale) == 0 {
		return nil
	}
	ids := make(map[string]string, len(stale))
	for _, a := range stale {
		ids[a.String()] = "PERMANENT_FAILURE_INVALID_ACK_ID"
	}
	st, err := status.New(codes.InvalidArgument, "Some acknowledgement ids in the request were invalid. "+
		"This could be because the acknowledgement ids have expired or the acknowledgement ids were malformed.").
		WithDetails(&errdetails.ErrorInfo{Reason: "EXACTLY_ONCE_ACKID_FAILURE", Domain: "pubsub.googleapis.com", Metadata: ids})
	if err != nil {
		return fmt.Errorf("error details: %w", err)
	}
	return st.Err()
}
